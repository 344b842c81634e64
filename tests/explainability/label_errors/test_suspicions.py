from dataclasses import replace

import numpy as np
import pytest

from posescope.explainability.label_errors.annotated_poses import AnnotatedPoses
from posescope.explainability.label_errors.suspicions import KINDS, Suspicions, find_suspicions, read_heights


@pytest.fixture
def judge(reader_of):
    def find(poses: AnnotatedPoses) -> Suspicions:
        return find_suspicions(poses, read_heights(poses, reader_of(poses), seed=0), seed=0)

    return find


def test_each_planted_error_is_first_and_has_its_kind(poses, judge) -> None:
    annotated = poses.annotated.copy()
    annotated[10, 5] += (0.2, -0.1)
    annotated[20, [1, 2]] = annotated[20, [2, 1]]
    annotated[30, [1, 2, 3, 4]] = annotated[30, [2, 1, 4, 3]]
    found = judge(poses.with_annotations(annotated))
    assert set(np.argsort(-found.person_scores)[:3]) == {10, 20, 30}
    assert found.displaced[10].argmax() == 5
    assert found.swapped[20].argmax() == 0
    assert [KINDS[kind] for kind in found.by_kind[[10, 20]].argmax(axis=1)] == ["displaced", "swapped"]
    assert found.person_scores[[10, 20, 30]].min() > 2


def test_scores_of_right_annotations_are_low(poses, judge) -> None:
    """A likelihood ratio above 20 occurs in at most 5 % of right annotations."""
    assert (judge(poses).person_scores > np.log(20)).mean() < 0.05


def test_network_error_is_no_label_error(poses, judge) -> None:
    """The network contradicts person 10, but neighbours and the rest of the body agree with the annotation."""
    predicted, scores, annotated = poses.predicted.copy(), poses.scores.copy(), poses.annotated.copy()
    predicted[10, 5] += (0.2, -0.1)
    scores[10, 5] = 0.4
    annotated[20, 5] += (0.2, -0.1)
    found = judge(replace(poses.with_annotations(annotated), predicted=predicted, scores=scores))
    assert found.displaced[20, 5] > found.displaced[10, 5] + 2


def test_unlabelled_joints_have_no_score(poses, judge) -> None:
    annotated = poses.annotated.copy()
    annotated[0, 1] = np.nan
    annotated[1] = np.nan
    found = judge(poses.with_annotations(annotated))
    assert found.displaced[0, 1] == found.swapped[0, 0] == -np.inf
    assert found.person_scores[1] == -np.inf
    assert np.isfinite(found.displaced[0, 0])


def test_mirrored_persons_need_three_pairs(poses, judge) -> None:
    assert (judge(poses).mirrored == -np.inf).all()  # two pairs


def test_skeleton_without_pairs(poses, judge) -> None:
    found = judge(replace(poses, pairs=np.zeros((0, 2), dtype=np.int64)))
    assert found.swapped.shape == (200, 0)
    assert (found.by_kind[:, 1:] == -np.inf).all()
    assert np.isfinite(found.person_scores).all()


def test_too_few_annotations_have_no_score(poses, judge) -> None:
    annotated = np.full(poses.annotated.shape, np.nan)
    annotated[0] = poses.annotated[0]
    assert (judge(poses.with_annotations(annotated)).person_scores == -np.inf).all()


def test_heights_of_some_persons_are_read_again(poses, reader_of) -> None:
    read = reader_of(poses)
    known = read_heights(poses, read, seed=0)
    annotated = poses.annotated.copy()
    annotated[3, 0] = 0.9
    changed = poses.with_annotations(annotated)
    again = read_heights(changed, read, seed=0, rows=np.array([3]), known=known)
    assert again.at_annotated[3, 0] < 1e-6 < known.at_annotated[3, 0]
    assert (again.at_annotated[4:] == known.at_annotated[4:]).all()
    assert again.at_annotated == pytest.approx(read_heights(changed, read, seed=0).at_annotated)
