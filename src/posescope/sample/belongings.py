"""Seats, props and backpacks: solids that belong to a person and may occlude its joints."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from posescope.sample.body import BodyShape, Skeleton3D
from posescope.sample.solids import Block, Doubles, PartId, RoundCone, Solid, ball

__all__ = ["PROPS", "SEATS", "backpack_solids", "crate_solids", "prop_solids", "seat_solids"]

SEATS = ("chair", "stool", "box", "bench")
PROPS = ("ball", "bag", "stick", "book", "racket")


def seat_solids(kind: str, skeleton: Skeleton3D, body: BodyShape) -> list[Solid]:
    """Return a seat below the pelvis, on the ground below the feet, with the orientation of the person.

    Args:
        kind: A name in `SEATS`.
        skeleton: The posed skeleton.
        body: Its shape.
    """
    height = float(-skeleton.ground) - 0.065 * body.stoutness**0.5
    root = skeleton.root

    def at(x: float, y: float, z: float) -> Doubles:
        # y is measured from the ground, below the pelvis.
        return np.asarray(root @ np.array([x, y + skeleton.ground, z]))

    def block(x: float, y: float, z: float, half: tuple[float, float, float]) -> Block:
        return Block(PartId.FURNITURE, at(x, y, z), half, root)

    if kind == "box":
        return [block(0, height / 2, 0.015, (0.14, height / 2, 0.12))]
    if kind == "stool":
        flat = (1.0, 0.14, 1.0)
        tops = [at(0.05 * i, height - 0.02, 0.02 + 0.05 * j) for i in (-1, 1) for j in (-1, 1)]
        feet = [at(0.1 * i, 0.01, 0.02 + 0.1 * j) for i in (-1, 1) for j in (-1, 1)]
        legs = [RoundCone(PartId.FURNITURE, top, foot, 0.011, 0.009) for top, foot in zip(tops, feet, strict=True)]
        seat = RoundCone(PartId.FURNITURE, at(0, height - 0.018, 0.02), at(0, height - 0.018, 0.02), 0.12, 0.0, root, flat)
        return [seat, *legs]
    width = 0.34 if kind == "bench" else 0.12
    legs_at = [(i * (width - 0.015), j * 0.095 + 0.02) for i in (-1, 1) for j in (-1, 1)]
    solids: list[Solid] = [block(x, height / 2 - 0.01, z, (0.011, height / 2 - 0.01, 0.011)) for x, z in legs_at]
    solids.append(block(0, height - 0.014, 0.02, (width, 0.014, 0.115)))
    if kind == "chair":
        solids += [block(i * 0.108, height + 0.11, -0.1, (0.01, 0.12, 0.01)) for i in (-1, 1)]
        solids += [block(0, height + 0.19, -0.1, (0.108, 0.036, 0.008)), block(0, height + 0.09, -0.1, (0.108, 0.016, 0.007))]
    return solids


def backpack_solids(skeleton: Skeleton3D, body: BodyShape) -> Iterator[Solid]:
    """Yield a rounded bag on the back and two straps over the shoulders.

    Args:
        skeleton: the posed skeleton.
        body: its shape.
    """
    at, flat = partial(skeleton.near, "chest", "chest"), (1.0, 1.0, 0.62)
    yield RoundCone(PartId.PROP, at(0, -0.055, -0.095), at(0, -0.16, -0.1), 0.068, 0.078, skeleton.frames["chest"], flat)
    for sign in (-1, 1):
        x = sign * 0.55 * body.shoulder_half
        yield RoundCone(PartId.PROP, at(x, 0.018, 0.022), at(x * 0.95, -0.15, 0.058), 0.0145, 0.0125)


def prop_solids(kind: str, skeleton: Skeleton3D, side: str, size: float) -> Iterator[Solid]:
    """Yield the solids of a prop that is held in one hand.

    Args:
        kind: A name in `PROPS`.
        skeleton: The posed skeleton.
        side: `left` or `right`.
        size: Scale, about 1.
    """
    hand, root = skeleton.frames[f"{side}_hand"], skeleton.root
    grip = skeleton.points[f"{side}_wrist"] - hand[:, 1] * 0.05
    if kind == "ball":
        yield ball(PartId.PROP, grip - hand[:, 1] * 0.03 + hand[:, 2] * 0.045 * size, 0.055 * size)
    elif kind == "bag":
        low = grip - root[:, 1] * 0.16
        yield Block(PartId.PROP, low, (0.024, 0.075 * size, 0.085 * size), root)
        for sign in (-1, 1):
            yield RoundCone(PartId.PROP, grip, low + root @ np.array([0, 0.075 * size, sign * 0.05]), 0.006, 0.006)
    elif kind == "stick":
        along = 0.8 * hand[:, 2] + 0.3 * root[:, 1]
        yield RoundCone(PartId.PROP, grip - along * 0.25 * size, grip + along * 0.4 * size, 0.01, 0.009)
    elif kind == "book":
        yield Block(PartId.PROP, grip + hand[:, 2] * 0.045, (0.012, 0.062 * size, 0.05 * size), hand)
    elif kind == "racket":
        along = 0.85 * hand[:, 2] - 0.35 * hand[:, 1]
        yield RoundCone(PartId.PROP, grip - along * 0.03, grip + along * 0.15, 0.009, 0.008)
        head = grip + along * 0.22 * size
        yield RoundCone(PartId.PROP, head, head, 0.075 * size, 0.0, hand, (0.1, 1.0, 1.0))


def crate_solids(skeleton: Skeleton3D, size: float) -> Iterator[Solid]:
    """Yield a crate that is carried in front with both hands.

    Args:
        skeleton: the posed skeleton.
        size: scale, about 1.
    """
    left, right = skeleton.points["left_wrist"], skeleton.points["right_wrist"]
    centre = (left + right) / 2 + skeleton.root @ np.array([0.0, 0.03, 0.035])
    gap = float(np.linalg.norm(left - right)) / 2
    yield Block(PartId.PROP, centre, (max(0.05, gap - 0.012), 0.062 * size, 0.07 * size), skeleton.root)
