"""Whether attribution names the pixels that matter: deletion and insertion (Petsiuk, Das and Saenko, "RISE", 2018).

Patches of the crop are ranked by their attribution. Deletion replaces the first of them by the mean colour and looks at what is
left of the explained number; insertion starts from the mean colour and brings the first of them back.

    curve at share q     (mean f(q) - mean f(0)) / (mean f(x) - mean f(0))        1: as for the whole image, 0: as for none of it
    area                 under it, q from 0 to 1: small for deletion, large for insertion where the ranking is right

A ranking is held against a random order, against the ranking of a network with random weights, and against a ranking that knows
nothing but where the answer is (nearest patches first): a map that does no better than that one says nothing new.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from posescope.evaluation.bootstrap import ImageDraws, Interval
from posescope.explainability.attribution.attribution_maps import HeatmapValues
from posescope.explainability.features.row_blocks import batches_of_rows

__all__ = ["CURVES", "FaithfulnessCurves", "patch_sums", "measure_curves", "tabulate_curves"]

CURVES = ("deletion", "insertion")


@dataclass(frozen=True)
class FaithfulnessCurves:
    """What is left of the explained numbers.

    Attributes:
        fractions: (Q,) shares of the patches, 0 first, 1 last.
        values: by ranking, (2, N, J, Q) the explained number less that of the mean colour: deletion, then insertion.
        whole: (N, J) that number for the whole image; NaN where a joint does not count.
    """

    fractions: NDArray[np.float64]
    values: Mapping[str, NDArray[np.float64]]
    whole: NDArray[np.float64]

    def mean_curve(self, ranking: str, curve: int) -> NDArray[np.float64]:
        """(Q,) the curve over all persons and joints."""
        values: NDArray[np.float64] = np.nanmean(self.values[ranking][curve], axis=(0, 1)) / np.nanmean(self.whole)
        return values

    def area(self, ranking: str, curve: int, groups: NDArray[np.int64], draws: ImageDraws) -> Interval:
        """The area under a curve, with its interval over photographs."""
        return self._ratio(self._areas(ranking, curve), groups, draws)

    def advantage(self, ranking: str, control: str, curve: int, groups: NDArray[np.int64], draws: ImageDraws) -> Interval:
        """By how much a ranking is better than another one, on the same persons: area saved (deletion) or won (insertion)."""
        gain = self._areas(ranking, curve) - self._areas(control, curve)
        return self._ratio(-gain if CURVES[curve] == "deletion" else gain, groups, draws)

    def _areas(self, ranking: str, curve: int) -> NDArray[np.float64]:
        return np.asarray(np.trapezoid(self.values[ranking][curve], self.fractions, axis=-1))

    def _ratio(self, areas: NDArray[np.float64], groups: NDArray[np.int64], draws: ImageDraws) -> Interval:
        repeated = np.repeat(groups, areas.shape[1])
        drawn = draws.means(areas.ravel(), repeated) / draws.means(self.whole.ravel(), repeated)
        return draws.interval(float(np.nanmean(areas) / np.nanmean(self.whole)), drawn)


def patch_sums(maps: NDArray[np.floating], patch_px: int) -> NDArray[np.float64]:
    """(..., H, W) -> (..., P): sums over patches, row by row; patches at the far edges may be cut."""
    rows = np.add.reduceat(maps.astype(np.float64), np.arange(0, maps.shape[-2], patch_px), axis=-2)
    sums = np.add.reduceat(rows, np.arange(0, maps.shape[-1], patch_px), axis=-1)
    return sums.reshape(*sums.shape[:-2], -1)


def measure_curves(
    scores: HeatmapValues,
    images: Tensor,
    cells: Tensor,
    rankings: Mapping[str, NDArray[np.float64]],
    *,
    labelled: NDArray[np.bool_],
    fractions: Sequence[float],
    patch_px: int,
    batch_size: int,
) -> FaithfulnessCurves:
    """Delete and insert patches in the order of each ranking.

    Args:
        scores: what is explained.
        images: (N, 3, H, W) normalised.
        cells: (N, J).
        rankings: by name, (N, J, P) of each patch: the largest goes first.
        labelled: (N, J) which joints count.
        fractions: shares of the patches, between 0 and 1.
        patch_px: side of a patch.
        batch_size: images a pass.
    """
    count, joints = labelled.shape
    shares = np.array([0.0, *sorted(fractions), 1.0])
    values = {name: np.full((2, count, joints, len(shares)), np.nan) for name in rankings}
    whole = np.full((count, joints), np.nan)
    with torch.no_grad():
        for row in tqdm(range(count), desc="deletion and insertion", leave=False):
            image, cell = images[row : row + 1], cells[row : row + 1]
            none = scores(torch.zeros_like(image), cell)[0].double().cpu().numpy()
            full = scores(image, cell)[0].double().cpu().numpy() - none
            whole[row] = np.where(labelled[row], full, np.nan)
            for joint in np.flatnonzero(labelled[row]):
                kept = np.stack([_kept(ranking[row, joint], shares[1:-1]) for ranking in rankings.values()])  # (R, Q, P)
                both = np.stack([~kept, kept], axis=1)  # deletion keeps what insertion has not brought yet
                found = _score_masked(scores, image, cell, both.reshape(-1, both.shape[-1]), int(joint), patch_px, batch_size)
                found = found.reshape(both.shape[:-1]) - none[joint]
                for name, own in zip(rankings, found, strict=True):
                    values[name][0, row, joint] = [full[joint], *own[0], 0.0]
                    values[name][1, row, joint] = [0.0, *own[1], full[joint]]
    return FaithfulnessCurves(shares, values, whole)


def tabulate_curves(curves: FaithfulnessCurves, groups: NDArray[np.int64], draws: ImageDraws, control: str) -> pd.DataFrame:
    """A row a ranking and curve: the area with its interval, and what it gains on the control's, on the same persons."""
    records = []
    for ranking in curves.values:
        for place, curve in enumerate(CURVES):
            area = curves.area(ranking, place, groups, draws)
            gain = curves.advantage(ranking, control, place, groups, draws)
            records.append((ranking, curve, area.estimate, area.low, area.high, gain.estimate, gain.low, gain.high))
    columns = ["ranking", "curve", "area", "low", "high", "gain_over_random", "gain_low", "gain_high"]
    return pd.DataFrame(records, columns=columns)


def _kept(ranking: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(P,) -> (Q, P): the first patches of the ranking, for each share; at least one."""
    place = np.empty(len(ranking), dtype=np.int64)
    place[np.argsort(-ranking, kind="stable")] = np.arange(len(ranking))
    kept: NDArray[np.bool_] = place < np.maximum(np.rint(shares * len(ranking)), 1)[:, None]
    return kept


def _score_masked(
    scores: HeatmapValues, image: Tensor, cell: Tensor, kept: NDArray[np.bool_], joint: int, patch_px: int, batch_size: int
) -> NDArray[np.float64]:
    """(M, P) patches that stay -> (M,) the explained number of one joint, the rest at the mean colour."""
    height, width = image.shape[-2:]
    grid = kept.reshape(len(kept), -(-height // patch_px), -(-width // patch_px))
    found = []
    for batch in batches_of_rows(np.arange(len(kept)), batch_size):
        mask = grid[batch].repeat(patch_px, axis=1).repeat(patch_px, axis=2)[:, None, :height, :width]
        masked = image * torch.from_numpy(mask).to(image)
        found.append(scores(masked, cell)[:, joint].double().cpu().numpy())
    return np.concatenate(found)
