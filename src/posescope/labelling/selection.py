"""Choose the images to label next: the most uncertain ones, and among them those whose poses differ.

    all images --(uncertainty)--> candidates, `candidates` x `number` --(k-centre)--> `number` images

The uncertainty of a person is the mean calibrated radius of its joints as a fraction of the box, or 1 - mean score if the model
was not calibrated; that of an image is its most uncertain person's. k-centre (Sener and Savarese 2018) takes, one after another,
the candidate whose pose is farthest from all poses that were taken or are labelled already.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from posescope.core.files import atomic_write
from posescope.core.plugins import Options
from posescope.labelling.coco_labels import box_around
from posescope.labelling.label_set import LabelError, LabelledImage, LabelledPerson, LabelSet

__all__ = ["RankedImage", "SelectionOptions", "describe_pose", "person_uncertainty", "select_images", "write_ranking"]


class SelectionOptions(Options):
    """How many images are chosen, and how much their variety counts."""

    number: int = Field(50, ge=1, description="number of images to choose")
    candidates: float = Field(
        5.0, ge=1, le=1000, description="number of candidates per chosen image, the most uncertain ones; 1: by uncertainty only"
    )


@dataclass(frozen=True)
class RankedImage:
    """A chosen image.

    Attributes:
        rank: from 1; the order in which images were chosen.
        name: name of the image.
        persons: number of predicted persons.
        uncertainty: that of the most uncertain person.
        distance: distance of its pose from the nearest pose that was chosen before or is labelled, box sides; inf for the first.
    """

    rank: int
    name: str
    persons: int
    uncertainty: float
    distance: float


def select_images(pool: LabelSet, options: SelectionOptions, labelled: LabelSet | None = None) -> tuple[RankedImage, ...]:
    """Return the chosen images, the first to label first.

    Args:
        pool: predictions for unlabelled images.
        options: number and candidates.
        labelled: labels that exist: their images are left out, and poses like theirs come last.

    Raises:
        LabelError: if no image with a person is left, or the joints of the labels are others.
    """
    if labelled is not None and labelled.skeleton.joints != pool.skeleton.joints:
        expected, found = (", ".join(one.skeleton.joints) for one in (pool, labelled))
        raise LabelError(f"Expected labels of the joints of the predictions: {expected}. Found: {found}.")
    done = set() if labelled is None else {image.name for image in labelled.images}
    images = [image for image in pool.images if image.persons and image.name not in done]
    if not images:
        raise LabelError(f"Expected an image with a predicted person that is not labelled, found none of {len(pool.images)}.")
    uncertain = np.array([max(map(person_uncertainty, image.persons)) for image in images])
    order = np.argsort(-uncertain, kind="stable")[: max(options.number, round(options.number * options.candidates))]
    poses = np.stack([describe_pose(_most_uncertain(images[place])) for place in order.tolist()])
    centres = [describe_pose(one) for image in ([] if labelled is None else labelled.images) for one in image.persons]
    chosen = _spread(poses, centres, options.number)
    return tuple(
        RankedImage(rank, images[order[at]].name, len(images[order[at]].persons), float(uncertain[order[at]]), distance)
        for rank, (at, distance) in enumerate(chosen, start=1)
    )


def person_uncertainty(person: LabelledPerson) -> float:
    """Return the uncertainty of a predicted person, 0 or more.

    Args:
        person: a person of `read_predictions`; its side field `radii` has the calibrated radii, px.
    """
    radii = [radius for radius in person.side.get("radii") or () if radius is not None]
    if radii:
        return float(np.mean(radii) / max(box_around(person)[2:]))
    scores = [joint.score for joint in person.joints if joint.score is not None]
    return 1 - min(float(np.mean(scores)), 1.0) if scores else 1.0


def describe_pose(person: LabelledPerson) -> NDArray[np.float64]:
    """Return the pose of a person, independent of its place and size.

    Args:
        person: K joints; unlabelled ones are taken to be in the middle.

    Returns:
        (2 K,) x and y of each joint from the middle of the box, in sides of the box (the longer one).
    """
    x, y, width, height = box_around(person)
    middle, side = np.array([x + width / 2, y + height / 2]), max(width, height)
    places = np.array([[joint.x, joint.y] if joint.visibility else middle for joint in person.joints])
    return np.asarray((places - middle) / side, dtype=np.float64).ravel()


def write_ranking(ranked: Sequence[RankedImage], path: Path) -> None:
    """Write the table of chosen images as CSV: rank, file_name, persons, uncertainty, distance.

    Args:
        ranked: the images.
        path: the file.
    """
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["rank", "file_name", "persons", "uncertainty", "distance"])
        for one in ranked:
            # A quote precedes a name that a spreadsheet would read as a formula.
            name = f"'{one.name}" if one.name[0] in "=+-@'" else one.name
            far = "" if np.isinf(one.distance) else f"{one.distance:.4f}"
            writer.writerow([one.rank, name, one.persons, f"{one.uncertainty:.4f}", far])


def _most_uncertain(image: LabelledImage) -> LabelledPerson:
    return max(image.persons, key=person_uncertainty)


def _spread(poses: NDArray[np.float64], centres: Sequence[NDArray[np.float64]], number: int) -> list[tuple[int, float]]:
    """Return rows of `poses` and their distances to what was taken before: the first row, or the farthest from the centres."""
    nearest = np.full(len(poses), np.inf)
    for centre in centres:
        nearest = np.minimum(nearest, np.linalg.norm(poses - centre, axis=1))
    chosen: list[tuple[int, float]] = []
    left = np.ones(len(poses), dtype=np.bool_)
    for _ in range(min(number, len(poses))):
        place = int(np.argmax(np.where(left, nearest, -1)))
        chosen.append((place, float(nearest[place])))
        left[place] = False
        nearest = np.minimum(nearest, np.linalg.norm(poses - poses[place], axis=1))
    return chosen
