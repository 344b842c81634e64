"""Faithfulness of attribution maps by deletion and insertion (Petsiuk, Das and Saenko, 2018, "RISE").

Patches of the crop are ranked by their attribution. Deletion replaces the first patches by the mean colour; insertion starts from
the mean colour and restores the first patches.

    curve at fraction q    (mean f(q) - mean f(0)) / (mean f(x) - mean f(0))    1: as the whole image, 0: as the mean colour
    area                   under the curve, q from 0 to 1; small for deletion and large for insertion if the ranking is faithful

The controls are a random order, the ranking by a network with random weights, and the distance of the patches from the joint. A
map that is no better than the latter adds nothing to the position of the prediction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from posescope.evaluation.bootstrap import ImageResamples, Interval
from posescope.explainability.attribution.attribution_maps import HeatmapValues
from posescope.explainability.features.row_blocks import batches_of_rows

__all__ = ["CURVES", "FaithfulnessCurves", "measure_curves", "patch_sums", "tabulate_curves"]

CURVES = ("deletion", "insertion")


@dataclass(frozen=True)
class FaithfulnessCurves:
    """Explained values under deletion and insertion.

    Attributes:
        fractions: (Q,) fractions of the patches from 0 to 1.
        values: (2, N, J, Q) by ranking: explained value minus that of the mean colour, for deletion and insertion.
        whole: (N, J) the same for the whole image; NaN for unlabelled joints.
        groups: (N,) image of each person.
    """

    fractions: NDArray[np.float64]
    values: Mapping[str, NDArray[np.float64]]
    whole: NDArray[np.float64]
    groups: NDArray[np.int64]

    def mean_curve(self, ranking: str, curve: int) -> NDArray[np.float64]:
        """Return the (Q,) curve over all persons and joints.

        Args:
            ranking: its name.
            curve: index in `CURVES`.
        """
        values: NDArray[np.float64] = np.nanmean(self.values[ranking][curve], axis=(0, 1)) / np.nanmean(self.whole)
        return values

    def area(self, ranking: str, curve: int, draws: ImageResamples) -> Interval:
        """Compute the area under a curve, with its interval over images.

        Args:
            ranking: its name.
            curve: index in `CURVES`.
            draws: bootstrap resamples of images.
        """
        return self._ratio(self._areas(ranking, curve), draws)

    def advantage(self, ranking: str, control: str, curve: int, draws: ImageResamples) -> Interval:
        """Compute the paired gain in area: smaller for deletion, larger for insertion.

        Args:
            ranking, control: names of the compared rankings.
            curve, draws: see `area`.
        """
        gain = self._areas(ranking, curve) - self._areas(control, curve)
        return self._ratio(-gain if CURVES[curve] == "deletion" else gain, draws)

    def _areas(self, ranking: str, curve: int) -> NDArray[np.float64]:
        return np.asarray(np.trapezoid(self.values[ranking][curve], self.fractions, axis=-1))

    def _ratio(self, areas: NDArray[np.float64], draws: ImageResamples) -> Interval:
        repeated = np.repeat(self.groups, areas.shape[1])
        drawn = draws.means(areas.ravel(), repeated) / draws.means(self.whole.ravel(), repeated)
        return draws.interval(float(np.nanmean(areas) / np.nanmean(self.whole)), drawn)


def patch_sums(maps: NDArray[np.floating], patch_px: int) -> NDArray[np.float64]:
    """Sum maps over patches; patches at the far edges may be smaller.

    Args:
        maps: (..., H, W).
        patch_px: side of a patch.

    Returns:
        (..., P), row by row.
    """
    rows = np.add.reduceat(maps.astype(np.float64), np.arange(0, maps.shape[-2], patch_px), axis=-2)
    sums = np.add.reduceat(rows, np.arange(0, maps.shape[-1], patch_px), axis=-1)
    return sums.reshape(*sums.shape[:-2], -1)


def measure_curves(
    values: HeatmapValues,
    images: Tensor,
    map_indices: Tensor,
    rankings: Mapping[str, NDArray[np.float64]],
    *,
    labelled: NDArray[np.bool_],
    groups: NDArray[np.int64],
    fractions: Sequence[float],
    patch_px: int,
    batch_size: int,
) -> FaithfulnessCurves:
    """Delete and insert patches in the order of each ranking.

    Args:
        values: computes the explained values.
        images: (N, 3, H, W) normalised.
        map_indices: (N, J) heatmap px.
        rankings: (N, J, P) by name; patches in descending order.
        labelled: (N, J) joints that count.
        groups: (N,) image of each person.
        fractions: fractions of the patches, between 0 and 1.
        patch_px: side of a patch.
        batch_size: images per pass.
    """
    count, joints = labelled.shape
    steps = np.array([0.0, *sorted(fractions), 1.0])
    curves = {name: np.full((2, count, joints, len(steps)), np.nan) for name in rankings}
    whole = np.full((count, joints), np.nan)
    with torch.no_grad():
        for row in tqdm(range(count), desc="deletion and insertion", leave=False):
            image, indices = images[row : row + 1], map_indices[row : row + 1]
            baseline = values(torch.zeros_like(image), indices)[0].double().cpu().numpy()
            full = values(image, indices)[0].double().cpu().numpy() - baseline
            whole[row] = np.where(labelled[row], full, np.nan)
            for joint in np.flatnonzero(labelled[row]):
                first = np.stack([_first_patches(ranking[row, joint], steps[1:-1]) for ranking in rankings.values()])  # (R, Q, P)
                visible = np.stack([~first, first], axis=1)
                found = _masked_values(
                    values, image, indices, visible.reshape(-1, visible.shape[-1]), int(joint), patch_px, batch_size
                )
                found = found.reshape(visible.shape[:-1]) - baseline[joint]
                for name, own in zip(rankings, found, strict=True):
                    curves[name][0, row, joint] = [full[joint], *own[0], 0.0]
                    curves[name][1, row, joint] = [0.0, *own[1], full[joint]]
    return FaithfulnessCurves(steps, curves, whole, groups)


def tabulate_curves(curves: FaithfulnessCurves, draws: ImageResamples, control: str) -> pd.DataFrame:
    """Tabulate areas and their paired gain over a control, one row per ranking and curve.

    Args:
        curves: measured curves.
        draws: bootstrap resamples of images.
        control: name of the control ranking.

    Returns:
        Columns ranking, curve, area, low, high, gain_over_random, gain_low, gain_high.
    """
    records = []
    for ranking in curves.values:
        for index, curve in enumerate(CURVES):
            area, gain = curves.area(ranking, index, draws), curves.advantage(ranking, control, index, draws)
            records.append((ranking, curve, area.estimate, area.low, area.high, gain.estimate, gain.low, gain.high))
    columns = ["ranking", "curve", "area", "low", "high", "gain_over_random", "gain_low", "gain_high"]
    return pd.DataFrame(records, columns=columns)


def _first_patches(ranking: NDArray[np.float64], fractions: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (Q, P): whether a patch is among the first ones of a (P,) ranking, for each fraction; at least one is."""
    ranks = np.empty(len(ranking), dtype=np.int64)
    ranks[np.argsort(-ranking, kind="stable")] = np.arange(len(ranking))
    first: NDArray[np.bool_] = ranks < np.maximum(np.rint(fractions * len(ranking)), 1)[:, None]
    return first


def _masked_values(
    values: HeatmapValues, image: Tensor, indices: Tensor, visible: NDArray[np.bool_], joint: int, patch_px: int, batch_size: int
) -> NDArray[np.float64]:
    """Return the (M,) explained values of one joint for images with (M, P) visible patches, the others at the mean colour."""
    height, width = image.shape[-2:]
    grid = visible.reshape(len(visible), -(-height // patch_px), -(-width // patch_px))
    found = []
    for batch in batches_of_rows(np.arange(len(visible)), batch_size):
        mask = grid[batch].repeat(patch_px, axis=1).repeat(patch_px, axis=2)[:, None, :height, :width]
        masked = image * torch.from_numpy(mask).to(image)
        found.append(values(masked, indices)[:, joint].double().cpu().numpy())
    return np.concatenate(found)
