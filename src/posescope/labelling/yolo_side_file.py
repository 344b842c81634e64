"""`posescope.json` beside `data.yaml`: what the lines of YOLO-pose labels cannot say, by image and line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posescope.core.files import read_json, write_json
from posescope.core.skeleton import Skeleton
from posescope.labelling.label_set import Joint, LabelError, LabelledPerson, LabelSet, check_id, check_score, round_px

__all__ = ["SIDE_FILE", "SideFile", "SideImage", "SidePerson", "read_side_file", "write_side_file"]

SIDE_FILE = "posescope.json"
_FORMAT = 1
_BOX_WORDS = 5  # class and box


@dataclass(frozen=True)
class SidePerson:
    """A person as it was written.

    Attributes:
        person: the person.
        is_whole: whether the line is unchanged; False: only its box is, so joints and visibilities of the line count.
    """

    person: LabelledPerson
    is_whole: bool


@dataclass(frozen=True)
class SideImage:
    """An image as it was written.

    Attributes:
        name, width, height, id, side: see `LabelledImage`.
        persons: persons by their lines.
        crowds: persons without a line.
    """

    name: str
    width: int
    height: int
    id: int | None
    side: Mapping[str, Any]
    persons: Mapping[str, LabelledPerson]
    crowds: tuple[LabelledPerson, ...]


@dataclass(frozen=True)
class SideFile:
    """The content of the file.

    Attributes:
        skeleton: joints of the labels.
        images: images by name.
    """

    skeleton: Skeleton
    images: Mapping[str, SideImage]

    def find_image(self, name: str) -> SideImage | None:
        """Return an image by its name, or by its name without suffix; None if it is new.

        Args:
            name: name of the image.
        """
        if name in self.images:
            return self.images[name]
        return next((image for own, image in self.images.items() if own.rpartition(".")[0] == name), None)

    def find_person(self, image: str, line: str) -> SidePerson | None:
        """Return the person of a line; None if its box is new.

        Args:
            image: name of the image.
            line: line of the label file.
        """
        known = self.find_image(image)
        if known is None:
            return None
        if line in known.persons:
            return SidePerson(known.persons[line], is_whole=True)
        box = line.split()[:_BOX_WORDS]
        own = [person for other, person in known.persons.items() if other.split()[:_BOX_WORDS] == box]
        return SidePerson(own[0], is_whole=False) if len(own) == 1 else None


def read_side_file(folder: Path) -> SideFile | None:
    """Read the file; None if there is none, as in data sets of other programs.

    Args:
        folder: its folder.

    Raises:
        LabelError: if it is malformed.
    """
    path = folder / SIDE_FILE
    if not path.is_file():
        return None
    content = read_json(path)
    try:
        if content["format"] != _FORMAT:
            raise LabelError(f"{path}: expected the format {_FORMAT}, found {content['format']!r:.50}. Remove the file.")
        images = {name: _read_image(name, stored) for name, stored in content["images"].items()}
        return SideFile(Skeleton.from_dict(content["skeleton"]), images)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise LabelError(f"{path}: not the file that posescope wrote ({type(error).__name__}: {error}). Remove it.") from error


def write_side_file(labels: LabelSet, lines: Mapping[str, Sequence[str]], folder: Path) -> None:
    """Write the file.

    Args:
        labels: the labels.
        lines: the line of each person by image name; '' for crowds.
        folder: its folder.
    """
    images = {
        image.name: {
            "width": image.width,
            "height": image.height,
            "id": image.id,
            "side": dict(image.side),
            "persons": [_write(person, line) for person, line in zip(image.persons, lines[image.name], strict=True)],
        }
        for image in labels.images
    }
    content = {"format": _FORMAT, "skeleton": labels.skeleton.to_dict(), "images": images}
    write_json(folder / SIDE_FILE, content, compact=True)


def _write(person: LabelledPerson, line: str) -> dict[str, Any]:
    joints = [[joint.x, joint.y, joint.visibility, joint.score] for joint in person.joints]
    box = None if person.box is None else list(person.box)
    return {"line": line, "id": person.id, "box": box, "joints": joints, "side": dict(person.side), "score": person.score}


def _read_image(name: str, stored: Mapping[str, Any]) -> SideImage:
    persons = [(str(one["line"]), _read(one)) for one in stored["persons"]]
    return SideImage(
        name,
        int(stored["width"]),
        int(stored["height"]),
        check_id(stored["id"], SIDE_FILE),
        dict(stored["side"]),
        {line: person for line, person in persons if line},
        tuple(person for line, person in persons if not line),
    )


def _read(stored: Mapping[str, Any]) -> LabelledPerson:
    x_y_w_h = stored["box"]
    box = None if x_y_w_h is None else (x_y_w_h[0], x_y_w_h[1], x_y_w_h[2], x_y_w_h[3])
    for number in box or ():
        round_px(number, SIDE_FILE)  # the check
    joints = tuple(
        Joint(round_px(x, SIDE_FILE), round_px(y, SIDE_FILE), int(seen), check_score(score, SIDE_FILE))
        for x, y, seen, score in stored["joints"]
    )
    score = check_score(stored["score"], SIDE_FILE)
    return LabelledPerson(joints, box, check_id(stored["id"], SIDE_FILE), dict(stored["side"]), score)
