"""The labelling interface of Label Studio for a skeleton: what a project needs before it accepts the tasks."""

from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from posescope.core.files import atomic_write
from posescope.labelling.label_set import LabelSet
from posescope.labelling.label_studio import BOX_CONTROL, IMAGE, OCCLUDED, POINT_CONTROL, VISIBILITY_CONTROL

__all__ = ["label_studio_interface", "write_label_studio_interface"]


def label_studio_interface(labels: LabelSet) -> str:
    """Return the XML of the interface: one rectangle label, a key point label per joint, and a choice for occluded joints.

    Args:
        labels: skeleton and category.
    """
    view = Element("View")
    SubElement(view, "Image", name=IMAGE, value=f"${IMAGE}", zoom="true")
    boxes = SubElement(view, "RectangleLabels", name=BOX_CONTROL, toName=IMAGE)
    SubElement(boxes, "Label", value=labels.category)
    points = SubElement(view, "KeyPointLabels", name=POINT_CONTROL, toName=IMAGE)
    for index, joint in enumerate(labels.skeleton.joints):
        # model_index is the place of the joint in Label Studio's own exports to COCO and YOLO.
        SubElement(points, "Label", value=joint, model_index=str(index))
    choices = SubElement(view, "Choices", name=VISIBILITY_CONTROL, toName=IMAGE, perRegion="true", choice="multiple")
    SubElement(choices, "Choice", value=OCCLUDED)
    indent(view)
    return tostring(view, encoding="unicode") + "\n"


def write_label_studio_interface(labels: LabelSet, path: Path) -> None:
    """Write the interface.

    Args:
        labels: skeleton and category.
        path: the file.
    """
    with atomic_write(path) as temporary:
        temporary.write_text(label_studio_interface(labels), encoding="utf-8")
