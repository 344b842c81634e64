"""Ray casting: solids to a depth map and a part map, one ray per pixel along the viewing direction.

Rays are parallel to Z. Along a ray q(Z) = Z * rd + (X, Y terms), each solid is a quadratic (or a slab test) in Z. A solid is cast
within its bounding rectangle only. The quadratic of the round cone is that of I. Quilez ("Rounded cone - intersection", 2018),
here for rays that are not of unit length, since flattening a solid stretches its rays.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from posescope.sample.solids import Block, Bytes, Doubles, Floats, ImageProjection, RoundCone, Solid

__all__ = ["FAR", "DepthMap", "bounds_of", "cast_solids"]

# Depth of the background; finite, so that arithmetic raises no warnings.
FAR = np.float32(-1e6)


@dataclass(frozen=True)
class DepthMap:
    """Result of the rays: `depth` (h, w) float32, px towards the viewer, `FAR` for background; `part` (h, w) uint8 `PartId`."""

    depth: Floats
    part: Bytes


def cast_solids(solids: Sequence[Solid], frame: ImageProjection, height: int, width: int) -> DepthMap:
    """Cast all solids into an image; the nearest one wins each pixel.

    Args:
        solids: The solids, in the camera frame.
        frame: Projection into the image.
        height, width: Size of the image, px.
    """
    depth = np.full((height, width), FAR, np.float32)
    part = np.zeros((height, width), np.uint8)
    with np.errstate(invalid="ignore"):  # roots of negative numbers are rays that miss
        for solid, (left, top, right, bottom) in zip(solids, _windows(solids, frame, height, width), strict=True):
            if left >= right or top >= bottom:
                continue
            x = np.arange(left, right, dtype=np.float32)[None, :]
            y = np.arange(top, bottom, dtype=np.float32)[:, None]
            z = _cast_block(solid, frame, x, y) if isinstance(solid, Block) else _cast_round_cone(solid, frame, x, y)
            window = depth[top:bottom, left:right]
            nearer = z > window  # False where z is NaN: the ray misses the solid
            np.copyto(window, z, where=nearer)
            np.copyto(part[top:bottom, left:right], np.uint8(solid.part), where=nearer)
    return DepthMap(depth, part)


def bounds_of(solids: Sequence[Solid], frame: ImageProjection) -> tuple[float, float, float, float]:
    """Return the bounding rectangle of all solids: left, top, right, bottom, image px.

    Args:
        solids: in the camera frame.
        frame: projection into the image.
    """
    boxes = _boxes(solids, frame)
    return *boxes[:, :2].min(axis=0).tolist(), *boxes[:, 2:].max(axis=0).tolist()


def _boxes(solids: Sequence[Solid], frame: ImageProjection) -> Doubles:
    """Return the bounding rectangle of each solid, (n, 4): left, top, right, bottom."""
    ends = np.array([(s.centre, s.centre) if isinstance(s, Block) else (s.start, s.end) for s in solids])
    places = frame.project(ends)[..., :2]
    reach = np.array([_reach(solid) for solid in solids]) * frame.scale
    return np.concatenate([(places - reach).min(axis=1), (places + reach).max(axis=1)], axis=1)


def _reach(solid: Solid) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the extent of a solid from each of its ends along x and y of the camera frame."""
    if isinstance(solid, Block):
        x, y = (np.abs(solid.frame[:2]) @ solid.half_size).tolist()
        return (x, y), (x, y)
    x, y = 1.0, 1.0
    if solid.frame is not None and solid.squash is not None:
        # A squashed ball reaches |row of (axes * squash)| along an axis.
        x, y = np.sqrt(((solid.frame[:2] * solid.squash) ** 2).sum(axis=1)).tolist()
    return (x * solid.start_radius, y * solid.start_radius), (x * solid.end_radius, y * solid.end_radius)


def _windows(solids: Sequence[Solid], frame: ImageProjection, height: int, width: int) -> list[list[int]]:
    """Return the pixels that each solid may cover: left, top, and one past right, bottom; clipped to the image."""
    boxes = _boxes(solids, frame)
    low = np.clip(np.floor(boxes[:, :2]), 0, (width, height))
    high = np.clip(np.ceil(boxes[:, 2:]) + 1, 0, (width, height))
    windows: list[list[int]] = np.concatenate([low, high], axis=1).astype(int).tolist()
    return windows


def _image_axes(frame: Doubles) -> Doubles:
    """Convert axes from the camera frame to the image frame, in which Y points down."""
    return np.asarray(frame * np.array([[1.0], [-1.0], [1.0]]))


def _cast_block(block: Block, frame: ImageProjection, x: Floats, y: Floats) -> Floats:
    centre = frame.project(block.centre)
    axes = _image_axes(block.frame)
    near: Floats = np.full((y.size, x.size), -FAR, np.float32)
    far: Floats = -near
    for axis, half in zip(axes.T, block.half_size, strict=True):
        # |axis . (p - centre)| <= half is a slab; its two crossings in Z.
        slope = axis[2] if abs(axis[2]) > 1e-6 else 1e-6
        middle = ((x - centre[0]) * axis[0] + (y - centre[1]) * axis[1]) * (-1.0 / slope)
        reach = abs(half * frame.scale / slope)
        near = np.minimum(near, middle + reach)
        far = np.maximum(far, middle - reach)
    return np.where(near >= far, near + centre[2], np.nan).astype(np.float32)


def _cast_round_cone(solid: RoundCone, frame: ImageProjection, x: Floats, y: Floats) -> Floats:
    start, end = frame.project(solid.start), frame.project(solid.end)
    ra, rb = solid.start_radius * frame.scale, solid.end_radius * frame.scale
    to_round = np.eye(3)
    if solid.frame is not None and solid.squash is not None:
        to_round = _image_axes(solid.frame).T / np.array(solid.squash)[:, None]
    z = _round_cone_depth(to_round, to_round @ (end - start), ra, rb, x - start[0], y - start[1]) + np.float32(start[2])
    if solid.cut is not None:
        point, normal = frame.project(solid.cut[0]), solid.cut[1] * (1.0, -1.0, 1.0)
        beyond = (x - point[0]) * normal[0] + (y - point[1]) * normal[1] + (z - point[2]) * normal[2] > 0
        z = np.where(beyond, np.nan, z)
    return z.astype(np.float32, copy=False)


def _round_cone_depth(to_round: Doubles, ba: Doubles, ra: float, rb: float, x: Floats, y: Floats) -> Floats:
    """Return the largest Z of the hull of ball (0, ra) and ball (ba, rb) on each ray, NaN if the ray misses.

    `to_round` maps the image frame to the space in which the solid is round.
    """
    mx, my, rd = to_round.T
    f = np.float32
    m0, m2, m4, rr = float(ba @ ba), float(ba @ rd), float(rd @ rd), ra - rb
    m3 = x * f(rd @ mx) + y * f(rd @ my)
    m5 = x * x * f(mx @ mx) + y * y * f(my @ my)
    if abs(mx @ my) > 1e-9:
        m5 += x * y * f(2 * (mx @ my))
    z = _ball_depth(m3, m5, m4, ra)
    if m0 < 1e-9:
        return z
    m1 = x * f(ba @ mx) + y * f(ba @ my)
    z = np.fmax(z, _ball_depth(m3 - f(m2), m5 - f(2) * m1 + f(m0), m4, rb))
    d2 = m0 - rr * rr
    k2 = d2 * m4 - m2 * m2
    if d2 <= 0 or k2 <= 1e-9 * m0 * m4:
        return z
    k1 = f(d2) * m3 - f(m2) * m1 + f(m2 * rr * ra)
    k0 = f(d2) * m5 - m1 * (m1 - f(2 * rr * ra)) - f(m0 * ra * ra)
    side = (np.sqrt(k1 * k1 - f(k2) * k0) - k1) * f(1 / k2)
    along = m1 + f(m2) * side - f(ra * rr)
    np.copyto(z, side, where=(along > 0) & (along < d2))
    return z


def _ball_depth(m3: Floats, m5: Floats, m4: float, radius: float) -> Floats:
    inside = m3 * m3 - np.float32(m4) * m5 + np.float32(m4 * radius * radius)
    return np.asarray((np.sqrt(inside) - m3) * np.float32(1 / m4))
