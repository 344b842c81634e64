"""The head: skull, jaw, nose, ears, hair and hat as solids."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from posescope.sample.arrays import Doubles
from posescope.sample.body import BodyShape
from posescope.sample.outfits import Outfit
from posescope.sample.skeleton3d import FACE_POINTS, SIDES, Skeleton3D
from posescope.sample.solids import PartId, RoundCone, Solid

__all__ = ["head_solids"]


def head_solids(skeleton: Skeleton3D, body: BodyShape, outfit: Outfit) -> list[Solid]:
    """All solids of the head, hair and hat included."""
    frame, centre, half = skeleton.frames["head"], skeleton.points["head"], np.array(body.head)

    def at(x: float, y: float, z: float) -> Doubles:
        return np.asarray(centre + frame @ (np.array([x, y, z]) * half))

    solids: list[Solid] = [
        _ellipsoid(PartId.HEAD, at(0, 0.06, -0.03), half * (1.0, 0.94, 1.0), frame),
        _ellipsoid(PartId.HEAD, at(0, -0.42, 0.2), half * (0.76, 0.58, 0.74), frame),
        RoundCone(PartId.HEAD, at(0, 0.05, 0.95), at(*FACE_POINTS["nose"]), 0.12 * half[0], 0.2 * half[0]),
    ]
    for side in SIDES:
        ear = at(*FACE_POINTS[f"{side}_ear"])
        solids.append(_ellipsoid(PartId.EAR, ear, half * (0.13, 0.25, 0.2), frame))
    solids.extend(_hair(outfit, frame, half, at))
    if outfit.hat is not None:
        solids.append(_ellipsoid(PartId.HAT, at(0, 0.42, -0.12), half * (1.2, 0.76, 1.2), frame))
        solids.append(_ellipsoid(PartId.HAT, at(0, 0.42, 0.95), half * (0.78, 0.09, 0.62), frame))
    return solids


# How far the cap of hair reaches: centre and half axes, in units of the head's half axes.
_Triple = tuple[float, float, float]
_HAIR_CAPS: Mapping[str, tuple[_Triple, _Triple]] = {
    "short": ((0, 0.2, -0.2), (1.04, 0.93, 1.0)),
    "bob": ((0, 0.17, -0.2), (1.14, 1.02, 1.05)),
    "long": ((0, 0.18, -0.2), (1.12, 1.0, 1.04)),
    "bun": ((0, 0.2, -0.18), (1.05, 0.94, 1.0)),
    "ponytail": ((0, 0.2, -0.18), (1.05, 0.94, 1.0)),
    "curly": ((0, 0.3, -0.28), (1.3, 1.08, 1.16)),
}


def _hair(outfit: Outfit, frame: Doubles, half: Doubles, at: Callable[[float, float, float], Doubles]) -> Iterator[Solid]:
    # A mop of curls would stand out through a hat.
    style = "short" if outfit.hat is not None and outfit.hair_style == "curly" else outfit.hair_style
    if style == "bald":
        return
    centre, size = _HAIR_CAPS[style]
    yield _ellipsoid(PartId.HAIR, at(*centre), half * size, frame)
    # The nape: hair lower down at the back than the cap reaches.
    yield _ellipsoid(PartId.HAIR, at(0, -0.2, -0.45), half * (0.86, 0.62, 0.6), frame)
    flat = (1.0, 1.0, 0.55)
    if style == "bob":
        yield RoundCone(PartId.HAIR, at(0, -0.1, -0.5), at(0, -0.75, -0.5), 1.06 * half[0], 1.02 * half[0], frame, flat)
    elif style == "long":
        yield RoundCone(PartId.HAIR, at(0, 0.0, -0.5), at(0, -1.9, -0.85), 1.08 * half[0], 0.85 * half[0], frame, flat)
    elif style == "bun":
        yield RoundCone(PartId.HAIR, at(0, 0.62, -0.95), at(0, 0.62, -0.95), 0.46 * half[0], 0.0)
    elif style == "ponytail":
        yield RoundCone(PartId.HAIR, at(0, 0.4, -1.1), at(0, -1.2, -1.35), 0.34 * half[0], 0.16 * half[0])


def _ellipsoid(part: PartId, centre: Doubles, half_axes: Doubles, frame: Doubles) -> RoundCone:
    return RoundCone(part, centre, centre, 1.0, 0.0, frame, (float(half_axes[0]), float(half_axes[1]), float(half_axes[2])))
