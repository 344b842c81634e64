"""Pictures of answers of the latent space, and sentences on them."""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from posescope.core.errors import pluralise
from posescope.core.skeleton import DEFAULT_OKS_SIGMA, Skeleton
from posescope.drawing.skeletons import DRAW_THRESHOLD
from posescope.explorer.latent_requests import LatentAnswer
from posescope.explorer.opened_run import OpenedRun
from posescope.explorer.pictures import PANEL_PX, choose_heatmaps, data_uri, draw_heatmap_panel, draw_skeleton_panel, encode_jpeg

__all__ = ["LatentPictures", "describe_answer", "found_joints"]

_PLAIN_GREY = 120  # background of the mean person
_UNUSUAL = 0.95
_UNMOVED_PX = 0.05


class LatentPictures:
    """Draws answers on the photograph of the person, or on plain grey for the mean person.

    Args:
        opened: the run. Photographs are shown as its table says (`reporting.photographs`).
    """

    def __init__(self, opened: OpenedRun) -> None:
        self._opened = opened
        about = opened.about
        names = about.skeleton.joints
        self._skeleton = Skeleton(names, about.skeleton.limbs, (DEFAULT_OKS_SIGMA,) * len(names))
        self._background = lru_cache(16)(self._read_background)
        self._thumbnail = lru_cache(1024)(self._read_thumbnail)

    def draw(self, person_id: int | None, answer: LatentAnswer, joint: int | None) -> tuple[str, str]:
        """Draw skeleton and heatmap.

        Args:
            person_id: the person; None: the mean person.
            answer: what is drawn. Joints whose peak is less than a fifth of the highest one without changes are left out.
            joint: whose heatmap is drawn; None: the maximum over all joints.

        Returns:
            Two `data:` URIs.
        """
        background = self._background(person_id)
        skeleton = draw_skeleton_panel(
            background,
            answer.joints,
            self._skeleton,
            scores=answer.scores,
            min_score=_least_score(answer),
            reference=answer.unchanged_joints,
        )
        return data_uri(encode_jpeg(skeleton)), data_uri(encode_jpeg(self.draw_heatmap(person_id, answer, joint)))

    def draw_heatmap(
        self, person_id: int | None, answer: LatentAnswer, joint: int | None, height_px: int = PANEL_PX
    ) -> NDArray[np.uint8]:
        """Draw the heatmap of one joint, or the maximum over all joints (None), as (height_px, W, 3) RGB."""
        heatmaps = choose_heatmaps(answer.heatmaps, joint)
        full_scale = answer.unchanged_peak
        return draw_heatmap_panel(self._background(person_id), heatmaps, full_scale=full_scale, height_px=height_px)

    def thumbnails(self, person_ids: Sequence[int]) -> list[str]:
        """Return the thumbnails of persons as `data:` URIs."""
        return [self._thumbnail(person_id) for person_id in person_ids]

    def _read_background(self, person_id: int | None) -> NDArray[np.uint8]:
        if person_id is None:
            return np.full((*self._opened.about.crop_size, 3), _PLAIN_GREY, dtype=np.uint8)
        rows = self._opened.rows_of([person_id])
        shown = self._opened.crops().read_shown_images(rows, self._opened.about.photographs)
        return np.asarray(shown[0], dtype=np.uint8)

    def _read_thumbnail(self, person_id: int) -> str:
        return data_uri(self._opened.thumbnails(self._opened.rows_of([person_id]))[0])


def found_joints(answer: LatentAnswer) -> NDArray[np.bool_]:
    """Return (K,) which joints are drawn: those whose peak is at least a fifth of the highest one without changes."""
    return np.asarray(answer.scores >= _least_score(answer))


def describe_answer(answer: LatentAnswer, joints: Sequence[str]) -> str:
    """Say in one or two sentences how far the joints moved, and how unusual the features are.

    Args:
        answer: the answer.
        joints: names of the joints.
    """
    farthest = int(answer.moved_px.argmax())
    if answer.moved_px[farthest] < _UNMOVED_PX:
        return f"The joints are where they are without changes. {_describe_distance(answer.distance_quantile)}".rstrip()
    before = answer.unchanged_scores >= _least_score(answer)
    lost = int((before & ~found_joints(answer)).sum())
    text = (
        f"The joints moved by {answer.moved_px.mean():.1f} px on average; {joints[farthest].replace('_', ' ')} moved most "
        f"({answer.moved_px[farthest]:.1f} px)."
    )
    text += f" {pluralise(lost, 'joint')} found before {'is' if lost == 1 else 'are'} not found now." if lost else ""
    return f"{text} {_describe_distance(answer.distance_quantile)}".rstrip()


def _least_score(answer: LatentAnswer) -> float:
    return DRAW_THRESHOLD * min(1.0, answer.unchanged_peak)


def _describe_distance(quantile: float) -> str:
    if math.isnan(quantile):
        return ""
    words = f"{quantile:.0%} of the persons have a nearer neighbour than these features have"
    return f"Unusual: {words}." if quantile >= _UNUSUAL else f"{words}."
