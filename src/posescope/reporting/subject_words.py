"""Words for what the pictures show: persons, mice, flies ..., by the category of the annotation files."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["PERSONS", "SubjectWords", "name_subjects"]

_IRREGULAR = {
    "person": "persons", "mouse": "mice", "fly": "flies", "fish": "fish", "sheep": "sheep", "deer": "deer", "child": "children",
    "man": "men", "woman": "women", "goose": "geese", "wolf": "wolves",
}  # fmt: skip
_ANIMAL_PARTS = frozenset({"tail", "tailbase", "snout", "paw", "wing", "antenna", "fin", "beak", "hoof"})


@dataclass(frozen=True)
class SubjectWords:
    """One and many of the subjects.

    Attributes:
        one, many: such as "mouse" and "mice".
    """

    one: str
    many: str

    def adapt(self, text: str) -> str:
        """Return a text on persons as a text on these subjects.

        Example:
            >>> SubjectWords("mouse", "mice").adapt("Persons near a person")
            'Mice near a mouse'
        """
        if self == PERSONS:
            return text
        return re.sub(r"\b(P|p)erson(s?)\b", lambda match: self._word(match[1].isupper(), bool(match[2])), text)

    def _word(self, capital: bool, plural: bool) -> str:
        word = self.many if plural else self.one
        return word.capitalize() if capital else word


PERSONS = SubjectWords("person", "persons")


def name_subjects(category: str, joints: Sequence[str] = ()) -> SubjectWords:
    """Return the words for a category of COCO annotations.

    Args:
        category: its name. A name that is no word gives "subject".
        joints: names of the joints. A category `person` with a tail or paws gives "animal".
    """
    parts = {part for joint in joints for part in joint.lower().split("_")}
    name = category.strip().lower().replace("_", " ")
    if name == "person" and parts & _ANIMAL_PARTS:
        name = "animal"
    if not re.fullmatch(r"[a-z][a-z ]+", name):
        name = "subject"
    ending = "es" if name.endswith(("s", "x", "ch", "sh")) else "s"
    return SubjectWords(name, _IRREGULAR.get(name, name + ending))
