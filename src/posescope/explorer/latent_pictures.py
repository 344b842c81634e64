"""Pictures of answers of the latent space; `latent_words` has the sentences on them."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from posescope.core.skeleton import DEFAULT_OKS_SIGMA, Skeleton
from posescope.drawing.skeletons import DRAW_THRESHOLD
from posescope.explorer.latent_requests import LatentAnswer
from posescope.explorer.opened_run import OpenedRun
from posescope.explorer.pictures import PANEL_PX, choose_heatmaps, data_uri, draw_heatmap_panel, draw_skeleton_panel, encode_jpeg

__all__ = ["LatentPictures", "found_joints", "found_joints_before"]

_PLAIN_GREY = 120  # background of the mean person


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


def found_joints_before(answer: LatentAnswer) -> NDArray[np.bool_]:
    """Return (K,) which joints are drawn without any change."""
    return np.asarray(answer.unchanged_scores >= _least_score(answer))


def _least_score(answer: LatentAnswer) -> float:
    return DRAW_THRESHOLD * min(1.0, answer.unchanged_peak)
