"""Solids of persons and objects, and the projection to image pixels.

A **round cone** is the convex hull of two balls (Quilez: "rounded cone"): a tapered limb. Flattened along the axes of a frame it
is a chest, a palm or a shoe; with equal ends, a ball or an ellipsoid. A **block** is an oriented box.

    image frame   X right, Y down (px), Z towards the viewer (px):  (X, Y, Z) = origin + scale * (x, -y, z)
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Block", "Bools", "Bytes", "Doubles", "Floats", "ImageProjection", "Indices", "Ints", "PartId", "RoundCone", "Solid",
    "ball", "side_part",
]  # fmt: skip

Bools = NDArray[np.bool_]
Bytes = NDArray[np.uint8]
Doubles = NDArray[np.float64]
# Single precision for pixels, double precision for points.
Floats = NDArray[np.floating[Any]]
# Index of the person of a pixel.
Indices = NDArray[np.int16]
Ints = NDArray[np.int64]


class PartId(IntEnum):
    """Part that a pixel shows. All parts below `FURNITURE` belong to the person."""

    NOTHING = 0
    HEAD = 1
    EAR = 2
    HAIR = 3
    HAT = 4
    NECK = 5
    CHEST = 6
    PELVIS = 7
    SKIRT = 8
    LEFT_UPPER_ARM = 9
    LEFT_FOREARM = 10
    LEFT_HAND = 11
    LEFT_THIGH = 12
    LEFT_SHANK = 13
    LEFT_FOOT = 14
    RIGHT_UPPER_ARM = 15
    RIGHT_FOREARM = 16
    RIGHT_HAND = 17
    RIGHT_THIGH = 18
    RIGHT_SHANK = 19
    RIGHT_FOOT = 20
    FURNITURE = 21
    PROP = 22


def side_part(side: str, bone: str) -> PartId:
    """Return the part of a bone.

    Args:
        side: `left` or `right`.
        bone: name, such as `upper_arm`.
    """
    return PartId[f"{side}_{bone}".upper()]


@dataclass(frozen=True)
class RoundCone:
    """The hull of a ball at `start` and a ball at `end` (camera frame, body heights).

    `frame` and `squash` flatten it: along axis i of the frame every radius is multiplied by `squash[i]`. `cut` removes everything
    beyond a plane: a point of the plane and its outward normal.
    """

    part: PartId
    start: Doubles
    end: Doubles
    start_radius: float
    end_radius: float
    frame: Doubles | None = None
    squash: tuple[float, float, float] | None = None
    cut: tuple[Doubles, Doubles] | None = None


def ball(part: PartId, centre: Doubles, radius: float) -> RoundCone:
    """Return a ball.

    Args:
        part: part that its pixels show.
        centre: (3,) in the camera frame, body heights.
        radius: body heights.
    """
    return RoundCone(part, centre, centre, radius, 0.0)


@dataclass(frozen=True)
class Block:
    """A box: centre and half sizes along the axes of `frame` (camera frame, body heights)."""

    part: PartId
    centre: Doubles
    half_size: tuple[float, float, float]
    frame: Doubles


Solid = RoundCone | Block


@dataclass(frozen=True)
class ImageProjection:
    """Projection of the camera frame to an image: position of the origin, and px per body height."""

    origin_x: float
    origin_y: float
    scale: float

    def project(self, points: Floats) -> Doubles:
        """Project camera-frame points (..., 3) to image coordinates (..., 3), px."""
        flipped = np.asarray(points, dtype=np.float64) * (self.scale, -self.scale, self.scale)
        return np.asarray(flipped + np.array([self.origin_x, self.origin_y, 0.0]))

    def supersampled(self, factor: int, left: int, top: int) -> "ImageProjection":
        """Return the projection to a finer canvas: X = factor * x + (factor - 1) / 2, the middle of the fine pixels of pixel x.

        Args:
            factor: fine pixels per pixel.
            left, top: pixel at which the canvas starts.
        """
        shift = (factor - 1) / 2
        return ImageProjection(
            factor * (self.origin_x - left) + shift, factor * (self.origin_y - top) + shift, factor * self.scale
        )
