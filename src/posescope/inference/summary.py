"""What was posed and what was left out, written beside the poses as `summary.json`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from posescope.inference.listing import LeftOut

__all__ = ["OWN_IDS", "PoseSummary", "describe_ids"]

OWN_IDS = (
    "numbers of posescope's own: the number that is the image's name, else the next free one; file_name tells the images apart"
)


@dataclass(frozen=True)
class PoseSummary:
    """An account of all files that were asked for.

    Attributes:
        images: how many images (or frames) were posed, those without people included.
        people: how many people were posed.
        image_ids: where the image_id of the poses come from (`describe_ids`).
        left_out: every file that was not posed; hidden folders, and those of earlier output, count as one.
        notes: what else the user was told.
    """

    images: int
    people: int
    image_ids: str
    left_out: Sequence[LeftOut]
    notes: Sequence[str] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-like."""
        return {
            "images": self.images,
            "people": self.people,
            "image_ids": self.image_ids,
            "left_out": [one.to_dict() for one in self.left_out],
            "notes": list(self.notes),
        }


def describe_ids(source: str, known: int, images: int) -> str:
    """Say where the image_id of poses come from.

    Args:
        source: the file of boxes.
        known: of how many images it has the id.
        images: how many images there are.
    """
    if not known:
        return OWN_IDS
    return f"those of {source}" + ("" if known >= images else f" for {known} of {images} images, else {OWN_IDS}")
