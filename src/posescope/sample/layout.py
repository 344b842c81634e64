"""Where the people of an image stand, how large they are, and what is between them and us."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from posescope.sample.figure import Figure, draw_figure
from posescope.sample.plan import ImagePlan
from posescope.sample.shading import Light
from posescope.sample.solids import PictureFrame

__all__ = ["Placed", "Role", "SceneLayout", "lay_out_scene"]

Role = Literal["person", "unlabelled", "crowd"]
_CAN_STAND_CLOSE = ("standing", "walking", "hands_on_hips", "arms_folded", "sitting", "waving", "reaching", "phoning", "carrying")


@dataclass(frozen=True)
class Placed:
    """A figure at its place: `frame` maps it into the image, `foot_y` is the row that it stands on."""

    figure: Figure
    frame: PictureFrame
    foot_x: float
    foot_y: float
    role: Role


@dataclass(frozen=True)
class SceneLayout:
    """An image before it is painted: size (px), the row where the floor begins, light, and figures from far to near.

    `obstacle_before` is the index of the figure that an obstacle in front hides in part, or None.
    """

    height: int
    width: int
    horizon: float
    light: Light
    placed: Sequence[Placed]
    obstacle_before: int | None


def lay_out_scene(seed: int, plan: ImagePlan, short_side: int, long_side: int) -> SceneLayout:
    """Choose size, light, people and places of an image."""
    rng = np.random.default_rng(seed)
    short, long = round(short_side * rng.uniform(1, 1.08)), round(long_side * rng.uniform(0.92, 1))
    is_portrait = rng.random() < (0.55 if plan.persons == 1 else 0.06)
    height, width = (long, short) if is_portrait else (short, long)
    pitch = rng.uniform(2, 13)
    people = _place_people(rng, plan.persons, height, width, pitch)
    highest_foot = min([p.foot_y for p in people], default=0.75 * height)
    horizon = float(np.clip(highest_foot - rng.uniform(0.06, 0.3) * height, 0.3 * height, 0.86 * height))
    extras = _place_strangers(rng, plan.unlabelled, width, horizon, pitch)
    if plan.has_crowd:
        extras += _place_crowd(rng, width, horizon, pitch)
    placed = sorted([*people, *extras], key=lambda p: p.foot_y)
    targets = [i for i, p in enumerate(placed) if p.role == "person"]
    hidden = targets[int(rng.integers(len(targets)))] if targets and rng.random() < 0.15 else None
    return SceneLayout(height, width, horizon, _draw_light(rng), placed, hidden)


def _draw_light(rng: np.random.Generator) -> Light:
    x, y = rng.uniform(0.15, 0.6) * rng.choice((-1, 1)), -rng.uniform(0.25, 0.6)
    return (float(x), float(y), float(np.sqrt(1 - x * x - y * y))), float(rng.uniform(0.36, 0.6))


def _place(
    rng: np.random.Generator, pitch: float, x: float, foot_y: float, scale: float, role: Role, poses: tuple[str, ...] | None
) -> Placed:
    """Draw a figure and put the middle of its joints at column x, its soles at row foot_y."""
    figure = draw_figure(int(rng.integers(1 << 31)), pitch, poses)
    skeleton = figure.wearer.skeleton
    joints_x = [point[0] for name, point in skeleton.points.items() if "_" in name]
    middle = (min(joints_x) + max(joints_x)) / 2
    lift = rng.uniform(0.06, 0.16) if figure.pose == "jumping" else 0.0
    sole = float((skeleton.root @ np.array([0.0, skeleton.ground - lift, 0.0]))[1])
    frame = PictureFrame(x - middle * scale, foot_y + sole * scale, scale)
    return Placed(figure, frame, frame.origin_x, foot_y, role)


def _place_people(rng: np.random.Generator, count: int, height: int, width: int, pitch: float) -> list[Placed]:
    if count == 1:
        return [_place_single(rng, height, width, pitch)]
    size = rng.uniform(0.52, 0.8) * height if count == 2 else rng.uniform(0.45, 0.68) * height
    gap = rng.uniform(0.2, 0.32) * size if rng.random() < 0.25 else rng.uniform(0.44, 0.6) * size
    base = height - rng.uniform(5, 0.16 * height)
    placed = []
    for i in range(count):
        scale = size * rng.uniform(0.84, 1.12)
        x = 0.5 * width + (i - (count - 1) / 2) * gap + rng.normal(0, 0.03) * width
        foot_y = base - max(0.0, size * 1.12 - scale) * 0.5 + rng.normal(0, 2)
        placed.append(_place(rng, pitch, x, foot_y, scale, "person", _CAN_STAND_CLOSE if gap < 0.33 * size else None))
    return placed


def _place_single(rng: np.random.Generator, height: int, width: int, pitch: float) -> Placed:
    kind = rng.random()
    if kind < 0.13:  # A close view, cut off below.
        scale = height * rng.uniform(1.05, 1.55)
        foot_y = height * rng.uniform(0.04, 0.16) + scale * rng.uniform(0.98, 1.04)
        return _place(rng, pitch, width * rng.uniform(0.42, 0.58), foot_y, scale, "person", _CAN_STAND_CLOSE)
    scale = height * (rng.uniform(0.6, 0.84) if kind < 0.85 else rng.uniform(0.36, 0.55))
    foot_y = height - rng.uniform(6, max(8.0, min(0.22 * height, height - 1.08 * scale)))
    # Some stand half outside, left or right.
    x = rng.uniform(0.0, 0.13) if kind > 0.93 else rng.uniform(0.42, 0.58)
    return _place(rng, pitch, width * (x if rng.random() < 0.5 else 1 - x), foot_y, scale, "person", None)


def _place_strangers(rng: np.random.Generator, count: int, width: int, horizon: float, pitch: float) -> list[Placed]:
    """People far away, too small for keypoints."""
    places = [(rng.uniform(0.04, 0.96) * width, horizon + rng.uniform(3, 14), rng.uniform(26, 46)) for _ in range(count)]
    return [_place(rng, pitch, x, y, size, "unlabelled", None) for x, y, size in places]


def _place_crowd(rng: np.random.Generator, width: int, horizon: float, pitch: float) -> list[Placed]:
    """A group of tiny people, shoulder to shoulder."""
    centre, size = rng.uniform(0.2, 0.8) * width, rng.uniform(24, 38)
    count = int(rng.integers(6, 12))
    places = [(centre + (i - count / 2) * size * 0.3, horizon + rng.uniform(2, 12)) for i in range(count)]
    return [_place(rng, pitch, x, y, size * rng.uniform(0.9, 1.1), "crowd", _CAN_STAND_CLOSE) for x, y in places]
