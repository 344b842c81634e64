"""Pictures of groups: a row of judged persons of each."""

import numpy as np
from numpy.typing import NDArray

from posescope.core.skeleton import Skeleton
from posescope.drawing.image_grids import draw_image_grid
from posescope.drawing.photographs import PhotographMode
from posescope.drawing.skeletons import draw_skeleton
from posescope.explainability.base import StudyPersons
from posescope.explainability.clusters.cluster_members import ClusterMembers

__all__ = ["draw_members", "rank_members"]

_IN_A_ROW = 4
_TILE_PX = 128


def rank_members(members: ClusterMembers, group: int, nearest: int, farthest: int) -> list[tuple[int, str]]:
    """Select the persons of a group to show, none of them twice; fewer of a small group.

    Args:
        members: groups of persons.
        group: the group, from 0.
        nearest, farthest: maximum numbers of persons near to the centre and far from it.

    Returns:
        Row and position of each: the medoid (`typical`), then the nearest to the centre (`near`), then the farthest (`far`).
    """
    medoid = members.medoids[group]
    if medoid < 0:
        return []
    others = np.flatnonzero((members.labels == group) & (np.arange(len(members.labels)) != medoid))
    order = np.append(medoid, others[np.argsort(members.distance_to_centre[others], kind="stable")])
    near, rest = order[:nearest], order[nearest:]
    far = rest[max(len(rest) - farthest, 0) :]
    words = ["typical", *["near"] * (len(near) - 1), *["far"] * len(far)]
    return list(zip([int(row) for row in (*near, *far)], words, strict=True))


def draw_members(
    persons: StudyPersons, shown: list[tuple[int, str]], columns: int, title: str, skeleton: Skeleton, photographs: PhotographMode
) -> NDArray[np.uint8]:
    """Draw crops with predicted skeletons, four in a row, which can be seen on a phone.

    Args:
        persons: the judged persons.
        shown: result of `rank_members`, not empty.
        columns: most crops of a group, so that the images of all groups have the same width.
        title: title of the image.
        skeleton: joints of the model.
        photographs: how photographs are shown.
    """
    rows = np.array([row for row, _ in shown], dtype=np.int64)
    crops = persons.shown_crops(rows, photographs)
    images = [draw_skeleton(crop, persons.predictions.joints[row], skeleton) for crop, row in zip(crops, rows, strict=True)]
    captions = [f"{word}: {_caption(persons, row)}" for row, word in shown]
    width = min(columns, _IN_A_ROW)
    blank = -len(images) % width
    images += [np.full_like(crops[0], 255)] * blank
    return draw_image_grid(
        images, columns=width, captions=[*captions, *[""] * blank], tile_size=(_TILE_PX, _TILE_PX), title=title
    )  # fmt: skip


def _caption(persons: StudyPersons, row: int) -> str:
    return ", ".join(filter(None, [f"person {persons.person_ids[row]}", persons.found_joints(row)]))
