"""Where the evidence lies: on the joint, on its limbs, on the other side, on the rest of the body, in the background.

Every pixel of a crop belongs to one region, the first that holds it (the partner's disc comes before the limbs):

    joint        a disc about the annotated joint
    limb         capsules about the limbs that end there
    other side   the disc and the capsules of the joint's mirror partner (left wrist: right wrist and forearm)
    body         the hull of all annotated joints, and the capsules of all limbs
    background   the rest

Radii are shares of the person's size, the longer side of the box about the annotated joints. A region's density is its share
of the evidence over its share of the pixels: 1 where the evidence does not care, 6 where it is six times as dense.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.core.skeleton import Skeleton
from posescope.evaluation.bootstrap import ImageDraws, Interval

__all__ = ["REGIONS", "RegionFractions", "measure_fractions", "move_maps", "region_map", "tabulate_regions"]

REGIONS = ("joint", "limb", "other side", "body", "background")
ALL = "all"
_SMALLEST_SIZE = 0.25  # of the crop's longer side: a person of one labelled joint has no size of its own


@dataclass(frozen=True)
class RegionFractions:
    """Shares of the evidence and of the pixels.

    Attributes:
        shares: (N, J, 5) of the evidence in each region, summing to 1; NaN where a region is empty, the joint is not
            labelled, or there is no evidence at all.
        areas: (N, J, 5) of the pixels; NaN where the share is.
    """

    shares: NDArray[np.float64]
    areas: NDArray[np.float64]

    def of(self, joint: int | None, region: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(n,) shares of evidence and of pixels: of one joint, or of all joints one after the other."""
        joints = slice(None) if joint is None else slice(joint, joint + 1)
        return self.shares[:, joints, region].ravel(), self.areas[:, joints, region].ravel()

    def density(
        self, joint: int | None, region: int, groups: NDArray[np.int64], draws: ImageDraws, level: float = 0.95
    ) -> Interval:
        """Mean share of the evidence over mean share of the pixels, with its interval over photographs.

        Args:
            joint: its place; none: all.
            region: its place in `REGIONS`.
            groups: (N,) photographs.
            draws: of them.
            level: of the interval.
        """
        shares, areas = self.of(joint, region)
        repeated = np.repeat(groups, len(shares) // max(1, len(groups)))
        if np.isnan(shares).all():
            return Interval(float("nan"), float("nan"), float("nan"))
        drawn = draws.means(shares, repeated) / draws.means(areas, repeated)
        return draws.interval(float(np.nanmean(shares) / np.nanmean(areas)), drawn, level)


def region_map(
    joints: NDArray[np.floating],
    joint: int,
    skeleton: Skeleton,
    size: tuple[int, int],
    *,
    joint_radius: float,
    limb_radius: float,
) -> NDArray[np.uint8]:
    """Which region each pixel of a crop belongs to.

    Args:
        joints: (K, 2) annotated, crop px; NaN where unlabelled.
        joint: whose evidence is divided; labelled.
        skeleton: of K joints.
        size: (height, width) px of the crop.
        joint_radius, limb_radius: shares of the person's size.

    Returns:
        (H, W) places in `REGIONS`.
    """
    points = np.asarray(joints, dtype=np.float64)
    known = np.asarray(np.isfinite(points).all(axis=1))
    extent = np.ptp(points[known], axis=0).max()
    person_px = max(float(extent), _SMALLEST_SIZE * max(size))
    disc_px, limb_px = joint_radius * person_px, limb_radius * person_px
    pixels = np.stack(np.meshgrid(np.arange(size[1]), np.arange(size[0])), axis=-1).astype(np.float64)  # (H, W, 2) of (x, y)

    def around(which: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Disc of a joint and capsules of its limbs; nothing where it is not labelled."""
        nothing = np.zeros(size, dtype=np.bool_)
        if not known[which]:
            return nothing, nothing
        ends = [limb for limb in skeleton.limbs if which in limb and known[list(limb)].all()]
        capsules = [_distance_px(pixels, points[start], points[end]) <= limb_px for start, end in ends]
        return _distance_px(pixels, points[which], points[which]) <= disc_px, _union([nothing, *capsules])

    partner = skeleton.flip_indices[joint]
    disc, limbs = around(joint)
    other_disc, other_limbs = around(partner) if partner != joint else (np.zeros(size, dtype=np.bool_),) * 2
    body = _union([_hull(points[known], size), *(mask for which in np.flatnonzero(known) for mask in around(int(which)))])
    # np.select takes the first that holds. A limb may lead to the partner (hip to hip): that end is the other side's.
    return np.select([disc, other_disc, limbs, other_limbs, body], [0, 2, 1, 2, 3], default=4).astype(np.uint8)


def measure_fractions(maps: NDArray[np.floating], regions: NDArray[np.uint8], labelled: NDArray[np.bool_]) -> RegionFractions:
    """Shares of the evidence (absolute values) and of the pixels in each region.

    Args:
        maps: (N, J, H, W) attributions, of any sign.
        regions: (N, J, H, W) places in `REGIONS`.
        labelled: (N, J) whether the joint is annotated.
    """
    evidence = np.abs(maps.astype(np.float64))
    total = evidence.sum(axis=(2, 3))
    masks = [regions == place for place in range(len(REGIONS))]
    areas = np.stack([mask.mean(axis=(2, 3)) for mask in masks], axis=-1)
    sums = np.stack([np.where(mask, evidence, 0.0).sum(axis=(2, 3)) for mask in masks], axis=-1)
    there = (areas > 0) & (labelled & (total > 0))[..., None]
    shares = np.divide(sums, total[..., None], out=np.full(sums.shape, np.nan), where=there)
    return RegionFractions(shares, np.where(there, areas, np.nan))


def move_maps(
    maps: NDArray[np.floating], points: NDArray[np.float64], labelled: NDArray[np.bool_], groups: NDArray[np.int64]
) -> NDArray[np.float32]:
    """For each person and joint the map of somebody else, moved so that the cells that are explained coincide.

    Evidence thins out with the distance from the cell, in any network. Laid over another person it does so too, but no longer
    follows the body: what a map has more of on a region than a moved one is owed to what the network sees there.

    Args:
        maps: (N, J, H, W).
        points: (N, J, 2) crop px of the cells.
        labelled: (N, J) whose joints count.
        groups: (N,) photographs; the somebody is of another one.

    Returns:
        (N, J, H, W); zero where nothing was moved to, and throughout where nobody else has the joint.
    """
    moved = np.zeros(maps.shape, np.float32)
    for person, joint in np.argwhere(labelled):
        others = np.flatnonzero(labelled[:, joint] & (groups != groups[person]))
        if not len(others):
            continue
        other = others[np.searchsorted(others, person) % len(others)]  # the next one, and after the last the first
        right, down = np.rint(points[person, joint] - points[other, joint]).astype(int)
        height, width = maps.shape[2:]
        source = maps[other, joint, max(0, -down) : height - max(0, down), max(0, -right) : width - max(0, right)]
        top, left = max(0, down), max(0, right)
        moved[person, joint, top : top + source.shape[0], left : left + source.shape[1]] = source
    return moved


def tabulate_regions(
    trained: RegionFractions,
    random: RegionFractions,
    moved: RegionFractions,
    *,
    method: str,
    joints: Sequence[str],
    groups: NDArray[np.int64],
    random_groups: NDArray[np.int64],
    draws: ImageDraws,
) -> pd.DataFrame:
    """A row a joint (and `all`) and region: share, share of the pixels, density with its interval, and that of both controls.

    Args:
        trained: of the network.
        random: of one with random weights, mostly of fewer persons.
        moved: of the network's maps of other people, moved (`move_maps`).
        method: name.
        joints: J names.
        groups, random_groups: photographs of the persons of each.
        draws: of all photographs.
    """
    records = []
    for place, name in [*enumerate(joints), (None, ALL)]:
        for number, region in enumerate(REGIONS):
            shares, areas = trained.of(place, number)
            own = trained.density(place, number, groups, draws)
            chance = random.density(place, number, random_groups, draws)
            other = moved.density(place, number, groups, draws)
            records.append(
                {
                    "method": method,
                    "joint": name,
                    "region": region,
                    "cases": int(np.isfinite(shares).sum()),
                    "fraction": _mean(shares),
                    "area_fraction": _mean(areas),
                    "density": own.estimate,
                    "low": own.low,
                    "high": own.high,
                    "random_weights": chance.estimate,
                    "random_weights_low": chance.low,
                    "random_weights_high": chance.high,
                    "other_person": other.estimate,
                    "other_person_low": other.low,
                    "other_person_high": other.high,
                }
            )
    return pd.DataFrame(records)


def _mean(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _distance_px(pixels: NDArray[np.float64], start: NDArray[np.float64], end: NDArray[np.float64]) -> NDArray[np.float64]:
    """(H, W) distance of each pixel from the segment between two points."""
    along, length = end - start, float(((end - start) ** 2).sum())
    share = np.clip(((pixels - start) @ along) / length, 0.0, 1.0) if length > 0 else np.zeros(pixels.shape[:2])
    offset = pixels - start - share[..., None] * along
    distance: NDArray[np.float64] = np.hypot(offset[..., 0], offset[..., 1])
    return distance


def _union(masks: Sequence[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    return np.asarray(np.any(np.stack(masks), axis=0))


def _hull(points: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.bool_]:
    """(H, W) inside the convex hull of the points."""
    mask = np.zeros(size, dtype=np.uint8)
    if len(points) >= 3:
        cv2.fillConvexPoly(mask, cv2.convexHull(np.rint(points).astype(np.int32)), 1)
    return mask > 0
