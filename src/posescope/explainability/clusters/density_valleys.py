r"""Density valleys: a group is separate if few persons lie between it and each other group.

Silhouette and stability cannot tell groups from a bent continuum: an arc of persons is cut at the same places in every half, and
the pieces are rounder than those of null reference data. But along an arc as many persons lie between two pieces as in them.

    persons of two pieces along the line through their centres, which are at -1 and 1:

        core   valley   core          core     within 0.5 of a centre
      ..::::....:   :...:::::..       valley   within 0.25 of the emptiest place between -0.5 and 0.5
         -1        0       1

    ratio = density in the valley / density in the sparser core           at least 1 within one mode
    z     = (third of all counted - counted in the valley) / its binomial standard error        the core is twice as wide
    contrast = log of (density in the core / density in the valley), with one more image in each interval

- Large groups are cut across their longest axis into pieces of at most an eighth of the images, and each piece is compared with
  each piece of another group. Short pieces of an arc are straight; a long one folds onto the line, which looks like a valley.
- Centres and the emptiest place are found in one half of the images, and persons of the other half are counted (both ways), so
  that neither can follow the counted persons.
- Images are counted, so persons of one image count once.
- One more image in each interval shrinks the contrast of few images to 0. z increases with the number of images, so that a
  shallow waist between two large groups has a larger z than an empty valley around a rare one; the contrast does not.

Dip-means (Kalogeratos and Likas, 2012) tests distances for one mode, too. The dip depends on the shares of the groups; a ratio of
densities does not, so it also finds rare groups.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import pairwise_distances_argmin

from posescope.explainability.clusters.split_half_stability import SplitHalf

__all__ = ["GroupSeparation", "measure_separation"]

_CORE, _VALLEY = 0.5, 0.25  # half widths of the intervals, in halves of the distance between the centres
_PLACES = np.linspace(-0.5, 0.5, 21)
_PIECES = 8  # so large groups are cut that no piece has more than this part of all images
_LEAST_PIECE = 25  # images of a piece
_ITERATIONS = 20  # of the power method; the longest axis need not be exact

Floats = NDArray[np.floating]
Counts = NDArray[np.float64]


@dataclass(frozen=True)
class GroupSeparation:
    """Separation of one of k groups from the group from which it is separated least.

    Attributes:
        nearest: the other group, 0..k-1.
        valley, core: number of images in the valley and in the sparser core; mean over the splits.
        z: standardised lack of images in the valley; above 0 if there are fewer than within one mode.
        jaccard: mean Jaccard index of the group with the matching group of a half.
    """

    nearest: int
    valley: float
    core: float
    z: float
    jaccard: float

    @property
    def ratio(self) -> float:
        """Density in the valley relative to the sparser core."""
        return (self.valley / _VALLEY) / (self.core / _CORE) if self.core else float("inf")

    @property
    def contrast(self) -> float:
        """Logarithm of the density in the sparser core relative to the valley, shrunk to 0 for few images."""
        return float(np.log((self.core * _VALLEY / _CORE + 1) / (self.valley + 1)))


def measure_separation(
    points: Floats, groups: NDArray[np.int64], centres: Floats, halves: list[SplitHalf]
) -> tuple[GroupSeparation, ...]:
    """Measure the separation of k groups of persons.

    Args:
        points: (n, P).
        groups: (n,) the image of each.
        centres: (k, P) centres of the groups.
        halves: splits of these points into halves, clustered.

    Returns:
        One per group; empty if no split has k groups in both halves.
    """
    matched = [(half.is_first, both) for half in halves if (both := half.matched(centres)) is not None]
    if not matched:
        return ()
    counted = np.mean([_count_both_ways(points, groups, is_first, both) for is_first, both in matched], axis=0)
    labels = pairwise_distances_argmin(points, centres)
    overlaps = np.mean([_jaccard(labels, points, own) for _, both in matched for own in both], axis=0)
    found, z = [], _deficits(counted)
    for own, overlap in enumerate(overlaps.tolist()):
        other = int(z[own].argmin())
        valley, core = counted[own, other].tolist()
        found.append(GroupSeparation(other, valley, core, float(z[own, other]), overlap))
    return tuple(found)


def _deficits(counted: Counts) -> Counts:
    """Z of counts (..., 2) in valley and core; infinite on the diagonal of the first two axes, if there are so many."""
    total, share = counted.sum(axis=-1), _VALLEY / (_VALLEY + _CORE)
    z = (share * total - counted[..., 0]) / np.sqrt(np.maximum(share * (1 - share) * total, 1e-9))
    if z.ndim > 1:
        np.fill_diagonal(z, np.inf)
    return np.asarray(z)


def _count_both_ways(
    points: Floats, groups: NDArray[np.int64], is_first: NDArray[np.bool_], centres: tuple[Floats, Floats]
) -> Counts:
    """(k, k, 2) images in valley and core between each pair: fitted in one half, counted in the other, summed."""
    first, second = (
        _count(points[fitted], points[~fitted], groups[fitted], groups[~fitted], own)
        for fitted, own in ((is_first, centres[0]), (~is_first, centres[1]))
    )
    return first + second


def _count(
    fitted: Floats, counted: Floats, fitted_groups: NDArray[np.int64], groups: NDArray[np.int64], centres: Floats
) -> Counts:
    """(k, k, 2) images in valley and core of the two pieces with the shallowest valley, for each pair of groups."""
    pieces, owner = _cut(fitted, fitted_groups, centres)
    labels_fitted, labels = (pairwise_distances_argmin(points, pieces) for points in (fitted, counted))
    spreads = [fitted[labels_fitted == piece].var(axis=0, dtype=np.float64) for piece in range(len(pieces))]
    k = len(centres)
    found, lowest = np.zeros((k, k, 2)), np.full((k, k), np.inf)
    for one, other in zip(*np.triu_indices(len(pieces), 1), strict=True):
        pair = owner[one], owner[other]
        if pair[0] == pair[1]:
            continue
        inside, inside_fitted = (np.isin(own, (one, other)) for own in (labels, labels_fitted))
        line = _Line.between(pieces[one], pieces[other], spreads[one] + spreads[other])
        own = _count_images(line.place(counted[inside]), groups[inside], _emptiest(line.place(fitted[inside_fitted])))
        z = float(_deficits(own))
        if z < lowest[pair]:
            for a, b in (pair, pair[::-1]):
                found[a, b], lowest[a, b] = own, z
    return found


def _cut(points: Floats, groups: NDArray[np.int64], centres: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Centres of the pieces (m, P) and the group of each; a group of which there are no points is one piece."""
    labels = pairwise_distances_argmin(points, centres)
    most = max(2 * _LEAST_PIECE, len(np.unique(groups)) // _PIECES)
    pieces: list[Floats] = []
    owner: list[int] = []
    for group, centre in enumerate(centres):
        inside = labels == group
        found = _halve(points[inside], groups[inside], most) if inside.any() else [centre]
        pieces += found
        owner += [group] * len(found)
    return np.stack(pieces).astype(points.dtype), np.array(owner)


def _halve(points: Floats, groups: NDArray[np.int64], most: int) -> list[Floats]:
    """Means of the pieces of (m, P) points: cut in two, and again, until each has at most so many images."""
    side = _sides(points)
    halves = [len(np.unique(groups[own])) for own in (side, ~side)]
    if len(np.unique(groups)) <= most or min(halves) < _LEAST_PIECE:
        return [points.mean(axis=0)]
    return [mean for own in (side, ~side) for mean in _halve(points[own], groups[own], most)]


def _sides(points: Floats) -> NDArray[np.bool_]:
    """(m,) the side of each point along the longest axis (power method), from their mean."""
    offsets = points - points.mean(axis=0) if len(points) else points
    axis = np.linspace(1, 2, points.shape[1])
    for _ in range(_ITERATIONS):
        axis = offsets.T @ (offsets @ axis)
        axis /= max(float(np.linalg.norm(axis)), 1e-12)
    return np.asarray(offsets @ axis > 0)


@dataclass(frozen=True)
class _Line:
    """The line along which two pieces are compared: the diagonal linear discriminant of both."""

    axis: NDArray[np.float64]
    middle: float
    half: float

    @classmethod
    def between(cls, first: Floats, second: Floats, variances: NDArray[np.float64]) -> "_Line":
        # Single points have no variances: their line is the one through both.
        axis = (second - first) / (variances + variances.mean() if variances.any() else np.ones_like(variances))
        ends = float(first @ axis), float(second @ axis)
        return cls(axis, (ends[0] + ends[1]) / 2, max((ends[1] - ends[0]) / 2, np.finfo(np.float64).tiny))

    def place(self, points: Floats) -> NDArray[np.float64]:
        """(m,) place of points along the line: -1 at the first centre, 1 at the second."""
        return np.asarray((points @ self.axis - self.middle) / self.half)


def _emptiest(place: NDArray[np.float64]) -> float:
    """Place of the valley with the fewest of (m,) points; the middle one if there are several."""
    counts = (np.abs(place[:, None] - _PLACES) < _VALLEY).sum(axis=0)
    least = np.flatnonzero(counts == counts.min())
    return float(_PLACES[least[len(least) // 2]])


def _count_images(place: NDArray[np.float64], groups: NDArray[np.int64], valley: float) -> Counts:
    """(2,) number of images in the valley and in the sparser core."""

    def images(middle: float, half_width: float) -> int:
        return len(np.unique(groups[np.abs(place - middle) < half_width]))

    return np.array([images(valley, _VALLEY), min(images(-1, _CORE), images(1, _CORE))], dtype=np.float64)


def _jaccard(labels: NDArray[np.int64], points: Floats, centres: Floats) -> NDArray[np.float64]:
    """(k,) Jaccard index of the groups of labels with those of the nearest of (k, P) centres, in the same order."""
    own = pairwise_distances_argmin(points, centres)
    inside = [(labels == group, own == group) for group in range(len(centres))]
    return np.array([(a & b).sum() / max((a | b).sum(), 1) for a, b in inside])
