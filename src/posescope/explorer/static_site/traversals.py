"""Traversals of the latent space that are computed beforehand, since a page without a server has no network.

The mean person and a typical person are moved along each of the first components, one component at a time. At every position the
page has the skeleton, the heatmap (the maximum over joints), a sentence and the nearest persons (`LatentSpace`).
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from posescope.core.errors import DataError
from posescope.explorer.latent_pictures import LatentPictures, found_joints
from posescope.explorer.latent_requests import LatentAnswer, LatentRequest
from posescope.explorer.latent_words import describe_answer
from posescope.explorer.opened_run import OpenedRun
from posescope.explorer.pictures import encode_jpeg

if TYPE_CHECKING:
    from posescope.explorer.latent_space import LatentSpace

__all__ = ["POSITIONS", "Traversal", "TraversalPicture", "Traversals", "compute_traversals"]

logger = logging.getLogger(__name__)

POSITIONS = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)  # standard deviations
_HEATMAP_PX, _QUALITY = 176, 78
_NEAREST = 3


@dataclass(frozen=True, eq=False)
class TraversalPicture:
    """What the network makes of one position.

    Attributes:
        joints: (K, 2) float32 crop px, NaN where no joint is found.
        heatmap: JPEG.
        words: sentences on what changed.
        nearest: ids of the nearest persons.
    """

    joints: NDArray[np.float32]
    heatmap: bytes
    words: str
    nearest: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Traversal:
    """One person, moved along each component.

    Attributes:
        person_id: the person; None: the mean person.
        background: JPEG of the person as `reporting.photographs` allows; empty for plain ground.
        pictures: all pictures; the first one is without change.
        places: (C, P) number of the picture at each position along each component.
    """

    person_id: int | None
    background: bytes
    pictures: tuple[TraversalPicture, ...]
    places: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Traversals:
    """Traversals of a run; `note` says why there are none."""

    starts: tuple[Traversal, ...] = ()
    note: str = ""

    def named_persons(self) -> list[int]:
        """Return the ids of all persons that the traversals name, in ascending order."""
        named = {one for start in self.starts for picture in start.pictures for one in picture.nearest}
        return sorted(named | {start.person_id for start in self.starts if start.person_id is not None})


def compute_traversals(opened: OpenedRun, positions: Sequence[float] = POSITIONS) -> Traversals:
    """Run the network on the mean person and on a typical person at each position.

    Args:
        opened: the run.
        positions: offsets in standard deviations; 0 among them.

    Returns:
        No traversals but a note if features cannot be decoded, or model, crops or features were not kept. The note names no path,
        since pages are passed on; the path is logged.
    """
    from posescope.explorer.latent_space import LatentSpace  # noqa: PLC0415  (torch)

    if not opened.about.components:
        return Traversals(note="The run has no components.")
    space = LatentSpace(opened)
    try:
        if space.obstacle:
            return Traversals(note=space.obstacle)
        return Traversals(tuple(_traverse(opened, space, person, positions) for person in (None, _typical_person(opened))))
    except DataError as error:
        logger.warning("The page has no traversals of the latent space. %s", error)
        return Traversals(note=f"Model, crops or features of the run were not kept. {opened.places.remedy}")


def _traverse(opened: OpenedRun, space: "LatentSpace", person: int | None, positions: Sequence[float]) -> Traversal:
    drawn = LatentPictures(opened)
    offsets: list[tuple[float, ...]] = [()]
    places = np.zeros((space.component_count, len(positions)), dtype=np.int64)
    for component in range(space.component_count):
        for number, position in enumerate(positions):
            if position:
                places[component, number] = len(offsets)
                offsets.append((*[0.0] * component, position))
    answers = [space.answer(LatentRequest(person_id=person, offsets=one)) for one in offsets]
    pictures = tuple(_picture(opened, drawn, person, answer) for answer in answers)
    return Traversal(person, _background(opened, person), pictures, places)


def _picture(opened: OpenedRun, drawn: LatentPictures, person: int | None, answer: LatentAnswer) -> TraversalPicture:
    return TraversalPicture(
        joints=np.where(found_joints(answer)[:, None], answer.joints, np.nan).astype(np.float32),
        heatmap=encode_jpeg(drawn.draw_heatmap(person, answer, None, _HEATMAP_PX), _QUALITY),
        words=describe_answer(answer, opened.about.skeleton.joints),
        nearest=answer.nearest[:_NEAREST],
    )


def _background(opened: OpenedRun, person: int | None) -> bytes:
    if person is None or opened.about.photographs == "none":
        return b""
    return opened.thumbnails(opened.rows_of([person]))[0]


def _typical_person(opened: OpenedRun) -> int:
    """Return the person nearest to the mean features, among those whose error is at most the median."""
    errors = opened.persons["error"].to_numpy(dtype=np.float64, na_value=np.nan)
    lengths = np.square(opened.component_scores.astype(np.float64)).sum(axis=1)
    known = np.isfinite(errors) & np.isfinite(lengths)
    if known.any():
        lengths[~(known & (errors <= np.median(errors[known])))] = np.inf
    return int(opened.person_ids[np.argmin(np.where(np.isnan(lengths), np.inf, lengths))])
