"""The labels of a CVAT task: a skeleton with its points and a drawing of them, a rectangle, and their attributes.

CVAT needs the labels before it accepts annotations. `cvat_label_definitions` is the text for its editor (Labels, Raw), and for
the argument `labels` of cvat-cli and cvat-sdk.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from posescope.core.files import write_json
from posescope.core.skeleton import Skeleton
from posescope.labelling.joint_layout import lay_out_joints
from posescope.labelling.label_set import LabelError, LabelSet, skeleton_of_names
from posescope.labelling.safe_xml import parse_xml

__all__ = ["BOX_SUFFIX", "SIDE_ATTRIBUTES", "add_label_elements", "cvat_label_definitions", "read_skeleton", "write_cvat_labels"]

BOX_SUFFIX = "_box"


def _truth(text: str) -> int:
    if text.lower() not in ("true", "false", "1", "0"):
        raise ValueError(text)
    return int(text.lower() in ("true", "1"))


def _number(text: str) -> float:
    value = float(text)
    if not abs(value) < 1e18:
        raise ValueError(text)
    return int(value) if value == int(value) else value


# Attribute of CVAT -> field of COCO, and its value from the text.
SIDE_ATTRIBUTES: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "annotation_id": ("id", int),
    "is_crowd": ("iscrowd", _truth),
    "area": ("area", _number),
}


def cvat_label_definitions(labels: LabelSet) -> list[dict[str, Any]]:
    """Return the labels in the form of CVAT's editor.

    Args:
        labels: skeleton and category.
    """
    attributes = [
        {"name": "annotation_id", "mutable": False, "input_type": "text", "default_value": "0", "values": ["0"]},
        {"name": "is_crowd", "mutable": False, "input_type": "checkbox", "default_value": "false", "values": ["false"]},
        {"name": "area", "mutable": False, "input_type": "text", "default_value": "", "values": [""]},
    ]
    points = [{"name": name, "type": "points", "attributes": []} for name in labels.skeleton.joints]
    return [
        {
            "name": labels.category,
            "type": "skeleton",
            "attributes": attributes,
            "svg": _draw(labels.skeleton),
            "sublabels": points,
        },
        {"name": labels.category + BOX_SUFFIX, "type": "rectangle", "attributes": attributes},
    ]


def write_cvat_labels(labels: LabelSet, path: Path) -> None:
    """Write the labels for CVAT's editor as JSON.

    Args:
        labels: skeleton and category.
        path: the file.
    """
    write_json(path, cvat_label_definitions(labels))


def add_label_elements(parent: Element, labels: LabelSet) -> None:
    """Add the labels to the `<labels>` of a file.

    Args:
        parent: the element.
        labels: skeleton and category.
    """
    for definition in cvat_label_definitions(labels):
        label = SubElement(parent, "label")
        SubElement(label, "name").text = definition["name"]
        SubElement(label, "type").text = definition["type"]
        _add_attributes(label, definition["attributes"])
        if "svg" in definition:
            SubElement(label, "svg").text = definition["svg"]
    for name in labels.skeleton.joints:
        label = SubElement(parent, "label")
        SubElement(label, "name").text = name
        SubElement(label, "type").text = "points"
        SubElement(label, "attributes")
        SubElement(label, "parent").text = labels.category


def read_skeleton(root: Element, category: str, place: str) -> tuple[Skeleton, str]:
    """Return the skeleton of a file and the name of its label.

    Args:
        root: the root element.
        category: the label to read; the only skeleton of the file is read whatever its name.
        place: the file, for errors.

    Raises:
        DataError: if the file does not define such a skeleton.
    """
    definitions = [label for label in root.iterfind("meta//label") if label.findtext("type") == "skeleton"]
    by_name = {(label.findtext("name") or "").strip(): label for label in definitions}
    if category not in by_name and len(by_name) != 1:
        found = ", ".join(by_name) or "none"
        raise LabelError(
            f"{place}: expected a label of the type skeleton called {category}, found {found}. "
            "Label persons with a skeleton, or name the label with --category."
        )
    name = category if category in by_name else next(iter(by_name))
    parts = [label.findtext("name") or "" for label in root.iterfind("meta//label") if label.findtext("parent") == name]
    names, limbs = _read_drawing(by_name[name].findtext("svg") or "", f"{place}: svg of {name}")
    if not parts:
        parts = list(names.values())
    if set(names.values()) == set(parts):  # the numbers of the drawing are the order in which the joints were made
        parts = [names[number] for number in sorted(names)]
    index = {joint: number for number, joint in enumerate(parts)}
    pairs = [(index[names[a]], index[names[b]]) for a, b in limbs if names.get(a) in index and names.get(b) in index]
    return skeleton_of_names(parts, pairs, place), name


def _add_attributes(label: Element, definitions: list[dict[str, Any]]) -> None:
    attributes = SubElement(label, "attributes")
    for definition in definitions:
        attribute = SubElement(attributes, "attribute")
        for key in ("name", "mutable", "input_type", "default_value"):
            SubElement(attribute, key).text = str(definition[key])
        SubElement(attribute, "values").text = "\n".join(definition["values"])


def _read_drawing(svg: str, place: str) -> tuple[dict[int, str], list[tuple[int, int]]]:
    """Return the names of the joints by their number in the drawing, and the limbs as pairs of numbers."""
    root = parse_xml(f"<svg>{svg}</svg>".encode(), place)
    try:
        names = {
            int(circle.get("data-node-id", "")): circle.get("data-label-name", "")
            for circle in root.iter("circle")
            if circle.get("data-label-name")
        }
        limbs = [(int(line.get("data-node-from", "")), int(line.get("data-node-to", ""))) for line in root.iter("line")]
    except ValueError as error:
        raise LabelError(
            f"{place}: expected whole numbers in data-node-id, data-node-from and data-node-to ({error})."
        ) from error
    return names, limbs


def _draw(skeleton: Skeleton) -> str:
    """Return the drawing of a skeleton, 0..100 in each direction; CVAT places a new person in these proportions."""
    places = lay_out_joints(skeleton)
    elements = []
    for first, second in skeleton.limbs:
        (x1, y1), (x2, y2) = places[first], places[second]
        numbers = {"data-type": "edge", "data-node-from": str(first + 1), "data-node-to": str(second + 1)}
        ends = {"x1": f"{x1:g}", "y1": f"{y1:g}", "x2": f"{x2:g}", "y2": f"{y2:g}"}
        elements.append(Element("line", {**ends, **numbers}))
    for number, (name, (x, y)) in enumerate(zip(skeleton.joints, places, strict=True), start=1):
        about = {
            "data-type": "element node",
            "data-element-id": str(number),
            "data-node-id": str(number),
            "data-label-name": name,
        }
        elements.append(Element("circle", {"r": "1.5", "cx": f"{x:g}", "cy": f"{y:g}", **about}))
    return "".join(tostring(element, encoding="unicode", short_empty_elements=False) for element in elements)
