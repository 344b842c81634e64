"""Labels of a skeleton that is not COCO's: two persons, one without joints, a crowd, an image without persons."""

from posescope.core.skeleton import Skeleton, skeleton_from_category
from posescope.labelling.label_set import UNLABELLED, Joint, LabelledImage, LabelledPerson, LabelSet

SKELETON: Skeleton = skeleton_from_category(
    {"id": 3, "keypoints": ["head", "left_hand", "right_hand"], "skeleton": [[1, 2], [1, 3]]}
)
NONE_LABELLED = (UNLABELLED, UNLABELLED, UNLABELLED)
SIDE = {"iscrowd": 0, "area": 321.5, "segmentation": [[1, 2, 3, 4, 5, 6]]}
FIRST = LabelledPerson((Joint(20.25, 11, 2), Joint(8.5, 30.125, 1), UNLABELLED), (4.5, 6, 30, 36.75), 7, SIDE)
SECOND = LabelledPerson((Joint(40, 5, 2), Joint(50.4, 20, 2), Joint(33.3, 21.07, 2)), (30, 1, 25.5, 40), 9, {**SIDE, "area": 400})
BOX_ONLY = LabelledPerson(NONE_LABELLED, (1, 2, 10, 11), 12, SIDE)
CROWD = LabelledPerson(NONE_LABELLED, (0, 0, 64, 48), 15, {**SIDE, "iscrowd": 1})


def example_labels() -> LabelSet:
    first = LabelledImage("a.png", 64, 48, (FIRST, SECOND, BOX_ONLY, CROWD), 101)
    return LabelSet(SKELETON, "person", (first, LabelledImage("sub/b.png", 40, 80, (), 7)))


def predicted_labels() -> LabelSet:
    joints = (Joint(20.25, 11, 2, 0.9), Joint(8.5, 30.125, 1, 0.1), Joint(9, 31, 2, 0.5))
    person = LabelledPerson(joints, (4.5, 6, 30, 36.75), None, {}, 0.5)
    return LabelSet(SKELETON, "person", (LabelledImage("a.png", 64, 48, (person,), 101),))
