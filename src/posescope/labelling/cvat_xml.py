"""CVAT for images 1.1 (XML): a person is a skeleton and, in the same group, a rectangle.

    <skeleton label="person" group_id="1"> <points label="nose" outside="0" occluded="0" points="98.50,40.00"/> ... </skeleton>
    <box label="person_box" group_id="1" xtl="80" ytl="30" xbr="120" ybr="200"/>

A point that is `outside` is unlabelled, an `occluded` one has visibility 1. CVAT numbers the images of a task in the order of
their names; so does the writer.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from posescope.core.files import atomic_write
from posescope.labelling.cvat_labels import BOX_SUFFIX, SIDE_ATTRIBUTES, add_label_elements, read_skeleton
from posescope.labelling.label_set import (
    UNLABELLED,
    Joint,
    LabelError,
    LabelledImage,
    LabelledPerson,
    LabelSet,
    Notes,
    check_image_name,
    round_px,
)
from posescope.labelling.safe_xml import read_xml

__all__ = ["read_cvat", "write_cvat"]

_SHAPES = ("skeleton", "box", "polygon", "polyline", "points", "ellipse", "cuboid", "mask", "tag")


def read_cvat(path: Path, category: str = "person") -> LabelSet:
    """Return the labels of a file of CVAT for images 1.1.

    A rectangle in the group of a skeleton is its box. A rectangle of the category without a skeleton is a person without labelled
    joints. Other shapes are left out and counted in the notes.

    Args:
        path: `annotations.xml`.
        category: name of the skeleton label; the only one of the file is read whatever its name.

    Raises:
        DataError: if the file is no export of images with a skeleton, or a shape is malformed.
    """
    root = read_xml(path)
    if root.tag != "annotations":
        raise LabelError(f"{path}: expected the root element <annotations> of CVAT, found <{root.tag}>.")
    if root.find("track") is not None:
        raise LabelError(f"{path}: found <track>: an export of a video. Export the task as 'CVAT for images 1.1'.")
    skeleton, found = read_skeleton(root, category, str(path))
    reader = _Reader(skeleton.joints, found, str(path))
    images = tuple(reader.read_image(element) for element in root.iterfind("image"))
    left = tuple(f"{count} shapes <{tag}> were left out." for tag, count in sorted(reader.left_out.items()))
    return LabelSet(skeleton, found, images, Notes(left))


def write_cvat(labels: LabelSet, path: Path) -> None:
    """Write a file of CVAT for images 1.1.

    Args:
        labels: the labels; those with scores are marked as made by a model (`source`).
        path: the file.
    """
    root = Element("annotations")
    SubElement(root, "version").text = "1.1"
    task = SubElement(SubElement(root, "meta"), "task")
    SubElement(task, "name").text = "posescope"
    SubElement(task, "size").text = str(len(labels.images))
    SubElement(task, "mode").text = "annotation"
    add_label_elements(SubElement(task, "labels"), labels)
    for number, image in enumerate(sorted(labels.images, key=lambda one: one.name)):
        element = SubElement(
            root, "image", id=str(number), name=image.name, width=str(image.width), height=str(image.height)
        )  # fmt: skip
        for group, person in enumerate(image.persons, start=1):
            _write_person(element, person, group, labels)
    indent(root)
    with atomic_write(path) as temporary:
        ElementTree(root).write(temporary, encoding="utf-8", xml_declaration=True)


class _Reader:
    """Reads the images of a file.

    Args:
        joints: names of the joints.
        category: name of the skeleton label.
        path: the file, for errors.
    """

    def __init__(self, joints: Sequence[str], category: str, path: str) -> None:
        self._joints, self._category, self._path = joints, category, path
        self.left_out: dict[str, int] = {}

    def read_image(self, element: Element) -> LabelledImage:
        name = check_image_name(element.get("name"), f"{self._path}: image {element.get('id')}")
        place = f"{self._path}: image {name}"
        width, height = (_whole(element.get(side), f"{place}: {side}") for side in ("width", "height"))
        boxes = self._boxes(element, place)
        persons = []
        for shape in element.iterfind("skeleton"):
            if shape.get("label") == self._category:
                persons.append(self._person(shape, boxes.pop(_group(shape, place), []), place))
            else:
                self._leave_out("skeleton")
        persons += [self._person(None, [box], place) for own in boxes.values() for box in own]
        for shape in element:
            if shape.tag in _SHAPES and shape.tag not in ("skeleton", "box"):
                self._leave_out(shape.tag)
        return LabelledImage(name, width, height, tuple(persons))

    def _boxes(self, element: Element, place: str) -> dict[int, list[Element]]:
        """Return the boxes of persons by group; those without one have a number of their own, below 0."""
        found: dict[int, list[Element]] = {}
        skeletons = list(element.iterfind("skeleton"))
        groups = {_group(shape, place) for shape in skeletons if shape.get("label") == self._category} - {0}
        foreign = {_group(shape, place) for shape in skeletons} - {0} - groups
        for number, box in enumerate(element.iterfind("box")):
            group = _group(box, place)
            is_own = group in groups or box.get("label") in (self._category, self._category + BOX_SUFFIX)
            if group in foreign or not is_own:
                self._leave_out("box")
                continue
            found.setdefault(group if group in groups else -1 - number, []).append(box)
        return found

    def _person(self, shape: Element | None, boxes: Sequence[Element], place: str) -> LabelledPerson:
        if len(boxes) > 1:
            raise LabelError(f"{place}: expected one box in the group of a skeleton, found {len(boxes)}. Remove the others.")
        side: dict[str, Any] = {}
        for element in (*boxes, *([] if shape is None else [shape])):
            side |= _side_fields(element, place)
        number = side.pop("id", None)
        joints = (UNLABELLED,) * len(self._joints) if shape is None else self._read_joints(shape, place)
        return LabelledPerson(joints, _read_box(boxes[0], place) if boxes else None, number, side)

    def _read_joints(self, shape: Element, place: str) -> tuple[Joint, ...]:
        found: dict[str, Joint] = {}
        for point in shape.iterfind("points"):
            name = point.get("label", "")
            if name not in self._joints:
                raise LabelError(f"{place}: the label {self._category} has no joint {name!r}; it has: {', '.join(self._joints)}.")
            if name in found:
                raise LabelError(f"{place}: the joint {name} is in a skeleton twice. Remove one.")
            found[name] = _read_joint(point, f"{place}: {name}")
        return tuple(found.get(name, UNLABELLED) for name in self._joints)

    def _leave_out(self, tag: str) -> None:
        self.left_out[tag] = self.left_out.get(tag, 0) + 1


def _read_joint(point: Element, place: str) -> Joint:
    pairs = point.get("points", "").split(";")
    numbers = pairs[0].split(",")
    if len(pairs) != 1 or len(numbers) != 2:
        raise LabelError(f"{place}: expected one pair x,y, found {point.get('points')!r:.100}.")
    if point.get("outside") == "1":
        return UNLABELLED
    x, y = (round_px(number, place) for number in numbers)
    return Joint(x, y, 1 if point.get("occluded") == "1" else 2)


def _read_box(box: Element, place: str) -> tuple[float, float, float, float]:
    if float(round_px(box.get("rotation", 0), f"{place}: rotation")) % 360:
        raise LabelError(f"{place}: expected a box without rotation, found {box.get('rotation')} degrees. Rotate it back.")
    left, top, right, bottom = (round_px(box.get(side), f"{place}: {side}") for side in ("xtl", "ytl", "xbr", "ybr"))
    if right <= left or bottom <= top:
        raise LabelError(f"{place}: expected a box with a width and a height, found {left}, {top}, {right}, {bottom}. Remove it.")
    return left, top, round_px(right - left, place), round_px(bottom - top, place)


def _side_fields(element: Element, place: str) -> dict[str, Any]:
    """Return the fields that the attributes of a shape carry; empty ones are those of new shapes."""
    fields: dict[str, Any] = {}
    for attribute in element.iterfind("attribute"):
        name, text = attribute.get("name", ""), (attribute.text or "").strip()
        if name not in SIDE_ATTRIBUTES or not text or (name == "annotation_id" and text == "0"):
            continue
        field, convert = SIDE_ATTRIBUTES[name]
        try:
            fields[field] = convert(text)
        except (ValueError, OverflowError) as error:
            raise LabelError(f"{place}: attribute {name}: expected a number or true/false, found {text!r:.100}.") from error
    return fields


def _write_person(element: Element, person: LabelledPerson, group: int, labels: LabelSet) -> None:
    about = {"source": "manual" if person.score is None else "auto", "z_order": "0", "group_id": str(group)}
    attributes = _attributes_of(person)
    if person.labelled_count:
        shape = SubElement(element, "skeleton", {"label": labels.category, **about})
        for name, joint in zip(labels.skeleton.joints, person.joints, strict=True):
            _write_joint(shape, name, joint, person, about["source"])
        _write_attributes(shape, attributes)
    if person.box is not None:
        x, y, width, height = person.box
        corners = zip(("xtl", "ytl", "xbr", "ybr"), (x, y, x + width, y + height), strict=True)
        box = SubElement(
            element,
            "box",
            {"label": labels.category + BOX_SUFFIX, "occluded": "0", **{side: _text(value) for side, value in corners}, **about},
        )
        if not person.labelled_count:
            _write_attributes(box, attributes)


def _write_joint(shape: Element, name: str, joint: Joint, person: LabelledPerson, source: str) -> None:
    """Write a joint; an unlabelled one needs a place from which it can be moved: the middle of the box."""
    x, y = (joint.x, joint.y) if joint.visibility else _middle(person)
    where = {"outside": str(int(joint.visibility == 0)), "occluded": str(int(joint.visibility == 1))}
    SubElement(shape, "points", {"label": name, "source": source, **where, "points": f"{_text(x)},{_text(y)}"})


def _middle(person: LabelledPerson) -> tuple[float, float]:
    if person.box is not None:
        return person.box[0] + person.box[2] / 2, person.box[1] + person.box[3] / 2
    placed = [joint for joint in person.joints if joint.visibility]
    return sum(joint.x for joint in placed) / len(placed), sum(joint.y for joint in placed) / len(placed)


def _attributes_of(person: LabelledPerson) -> dict[str, str]:
    fields: dict[str, Any] = {**person.side, "id": person.id, "score": person.score}
    texts = {}
    for name, (field, _) in SIDE_ATTRIBUTES.items():
        value = fields.get(field)
        if value is not None:
            texts[name] = str(bool(value)).lower() if field == "iscrowd" else _text(value) if field != "score" else f"{value:.4f}"
    return texts


def _write_attributes(shape: Element, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        SubElement(shape, "attribute", name=name).text = text


def _text(value: float) -> str:
    """Return a number with at most four decimals, and two at least where it has any, as CVAT writes it."""
    return str(value) if isinstance(value, int) else f"{value:.4f}".rstrip("0").rstrip(".")


def _group(shape: Element, place: str) -> int:
    text = shape.get("group_id", "0")
    if not (text.isascii() and text.isdigit()):
        raise LabelError(f"{place}: group_id: expected a whole number, found {text!r:.100}.")
    return int(text[:18])


def _whole(text: str | None, place: str) -> int:
    if text is None or not (text.isascii() and text.isdigit()) or not 0 < int(text[:18]) < 2**31:
        raise LabelError(f"{place}: expected a whole number of px > 0, found {text!r:.100}.")
    return int(text)
