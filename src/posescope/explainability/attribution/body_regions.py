"""Body regions of a joint, and the fraction and density of the attribution in each.

Every pixel of a crop belongs to the first region that contains it (the partner's disc precedes the limbs):

    joint         disc around the annotated joint
    limb          capsules around the limbs that end there
    other side    disc and capsules of the mirrored joint (for the left wrist: right wrist and forearm)
    body          convex hull of all annotated joints, and capsules of all limbs
    background    all other pixels

Radii are fractions of the person's size, the longer side of the box around the annotated joints. The density of a region is its
fraction of the attribution divided by its fraction of the pixels: 1 for a uniform map.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.core.skeleton import Skeleton
from posescope.evaluation.bootstrap import ImageResamples, Interval

__all__ = ["REGIONS", "RegionFractions", "measure_fractions", "move_maps", "region_map", "tabulate_regions"]

REGIONS = ("joint", "limb", "other side", "body", "background")
ALL = "all"
_MIN_SIZE = 0.25  # of the crop's longer side, for persons with few labelled joints


@dataclass(frozen=True)
class RegionFractions:
    """Fractions of the attribution and of the pixels in each region.

    Attributes:
        fractions: (N, J, 5) of the absolute attribution, summing to 1; NaN if the region is empty, the joint is unlabelled or the
            map is zero.
        areas: (N, J, 5) of the pixels; NaN for the same entries.
        groups: (N,) image of each person.
    """

    fractions: NDArray[np.float64]
    areas: NDArray[np.float64]
    groups: NDArray[np.int64]

    def of(self, joint: int | None, region: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the fractions of attribution and of pixels in a region.

        Args:
            joint: index of the joint; None: all joints.
            region: index in `REGIONS`.

        Returns:
            (n,) each.
        """
        joints = slice(None) if joint is None else slice(joint, joint + 1)
        return self.fractions[:, joints, region].ravel(), self.areas[:, joints, region].ravel()

    def density(self, joint: int | None, region: int, draws: ImageResamples, level: float = 0.95) -> Interval:
        """Compute the density: mean fraction of the attribution over mean fraction of the pixels.

        Args:
            joint, region: see `of`.
            draws: bootstrap resamples of images.
            level: confidence level.

        Returns:
            The density with its interval over images; NaN if it is unknown for all persons.
        """
        fractions, areas = self.of(joint, region)
        repeated = np.repeat(self.groups, len(fractions) // max(1, len(self.groups)))
        if np.isnan(fractions).all():
            return Interval(float("nan"), float("nan"), float("nan"))
        drawn = draws.means(fractions, repeated) / draws.means(areas, repeated)
        return draws.interval(float(np.nanmean(fractions) / np.nanmean(areas)), drawn, level)


def region_map(
    joints: NDArray[np.floating],
    joint: int,
    skeleton: Skeleton,
    size: tuple[int, int],
    *,
    joint_radius: float,
    limb_radius: float,
) -> NDArray[np.uint8]:
    """Assign each pixel of a crop to a region.

    Args:
        joints: (K, 2) annotated joints, crop px; NaN where unlabelled.
        joint: index of the explained joint, which is labelled.
        skeleton: skeleton of K joints.
        size: (height, width) of the crop, px.
        joint_radius: radius of the disc, as a fraction of the person's size.
        limb_radius: radius of the capsules, as a fraction of the person's size.

    Returns:
        (H, W) indices in `REGIONS`.
    """
    points = np.asarray(joints, dtype=np.float64)
    known = np.asarray(np.isfinite(points).all(axis=1))
    extent = np.ptp(points[known], axis=0).max()
    person_px = max(float(extent), _MIN_SIZE * max(size))
    disc_px, limb_px = joint_radius * person_px, limb_radius * person_px
    pixels = np.stack(np.meshgrid(np.arange(size[1]), np.arange(size[0])), axis=-1).astype(np.float64)  # (H, W, 2) of (x, y)

    def around(which: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return the disc of a joint and the capsules of its limbs; empty masks for an unlabelled joint."""
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
    # np.select uses the first true condition. A limb can end at the partner (hip to hip); that end belongs to the other side.
    return np.select([disc, other_disc, limbs, other_limbs, body], [0, 2, 1, 2, 3], default=4).astype(np.uint8)


def measure_fractions(
    maps: NDArray[np.floating], regions: NDArray[np.uint8], labelled: NDArray[np.bool_], groups: NDArray[np.int64]
) -> RegionFractions:
    """Measure the fractions of the absolute attribution and of the pixels in each region.

    Args:
        maps: (N, J, H, W) attributions of any sign.
        regions: (N, J, H, W) indices in `REGIONS`.
        labelled: (N, J) whether the joint is labelled.
        groups: (N,) image of each person.
    """
    absolute = np.abs(maps.astype(np.float64))
    total = absolute.sum(axis=(2, 3))
    masks = [regions == index for index in range(len(REGIONS))]
    areas = np.stack([mask.mean(axis=(2, 3)) for mask in masks], axis=-1)
    sums = np.stack([np.where(mask, absolute, 0.0).sum(axis=(2, 3)) for mask in masks], axis=-1)
    known = (areas > 0) & (labelled & (total > 0))[..., None]
    fractions = np.divide(sums, total[..., None], out=np.full(sums.shape, np.nan), where=known)
    return RegionFractions(fractions, np.where(known, areas, np.nan), groups)


def move_maps(
    maps: NDArray[np.floating], points: NDArray[np.float64], labelled: NDArray[np.bool_], groups: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Replace each map by that of a person in another image, shifted so that the explained points coincide.

    Attribution decreases with the distance from the explained point in any network. A shifted map of another person does so too,
    but does not follow the body of this person. The difference between the two is due to the image content.

    Args:
        maps: (N, J, H, W).
        points: (N, J, 2) explained points, crop px.
        labelled: (N, J) joints that count.
        groups: (N,) image of each person.

    Returns:
        (N, J, H, W); zero outside the shifted map, and everywhere if no person in another image has the joint labelled.
    """
    moved = np.zeros(maps.shape, np.float32)
    for person, joint in np.argwhere(labelled):
        others = np.flatnonzero(labelled[:, joint] & (groups != groups[person]))
        if not len(others):
            continue
        other = others[np.searchsorted(others, person) % len(others)]  # the next person, cyclically
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
    draws: ImageResamples,
) -> pd.DataFrame:
    """Tabulate fractions and densities with intervals and both controls, one row per joint (and `all`) and region.

    Args:
        trained: fractions for the network.
        random: fractions for random weights, usually for fewer persons.
        moved: fractions for the shifted maps of other persons (`move_maps`).
        method: name of the attribution method.
        joints: J names.
        draws: bootstrap resamples of all images.

    Returns:
        Columns method, joint, region, cases, fraction, area_fraction, density, low, high, and the density of the controls in
        random_weights and other_person with _low and _high.
    """
    records = []
    for index, name in [*enumerate(joints), (None, ALL)]:
        for number, region in enumerate(REGIONS):
            fractions, areas = trained.of(index, number)
            record = {"method": method, "joint": name, "region": region, "cases": int(np.isfinite(fractions).sum())}
            record |= {"fraction": _mean(fractions), "area_fraction": _mean(areas)}
            own = trained.density(index, number, draws)
            record |= {"density": own.estimate, "low": own.low, "high": own.high}
            for control, prefix in ((random, "random_weights"), (moved, "other_person")):
                record |= control.density(index, number, draws).columns(prefix)
            records.append(record)
    return pd.DataFrame(records)


def _mean(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _distance_px(pixels: NDArray[np.float64], start: NDArray[np.float64], end: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (H, W) distance of each pixel from the segment between two points."""
    along, length = end - start, float(((end - start) ** 2).sum())
    position = np.clip(((pixels - start) @ along) / length, 0.0, 1.0) if length > 0 else np.zeros(pixels.shape[:2])
    offset = pixels - start - position[..., None] * along
    distance: NDArray[np.float64] = np.hypot(offset[..., 0], offset[..., 1])
    return distance


def _union(masks: Sequence[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    return np.asarray(np.any(np.stack(masks), axis=0))


def _hull(points: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the (H, W) mask of the convex hull of the points."""
    mask = np.zeros(size, dtype=np.uint8)
    if len(points) >= 3:
        cv2.fillConvexPoly(mask, cv2.convexHull(np.rint(points).astype(np.int32)), 1)
    return mask > 0
