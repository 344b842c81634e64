"""Plan of the images of a split, and layout of the persons in an image."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from posescope.sample.figure import PosedPerson, sample_posed_person
from posescope.sample.shading import Light
from posescope.sample.solids import ImageProjection, Ints

__all__ = ["ColourMode", "ImagePlan", "Split", "plan_split", "PlacedPerson", "Role", "SceneLayout", "lay_out_scene"]

Split = Literal["train", "val"]
ColourMode = Literal["colour", "grey_rgb", "grey_single"]
# Probabilities of 1, 2 and 3 persons with keypoints in an image.
_PERSON_COUNTS = (0.62, 0.28, 0.10)
# Fractions of images that are empty, have a crowd, have persons without keypoints, are grey.
_EMPTY, _CROWD, _UNLABELLED, _GREY = 0.03, 0.02, 0.06, 0.04


@dataclass(frozen=True)
class ImagePlan:
    """Content of an image: `persons` with keypoints, `unlabelled` persons without, possibly a crowd."""

    split_index: int
    image_index: int
    persons: int
    unlabelled: int = 0
    has_crowd: bool = False
    colour_mode: ColourMode = "colour"


def plan_split(seed: int, split_index: int, persons: int) -> tuple[ImagePlan, ...]:
    """Plan the images of a split. Each kind of special image occurs at least once, if the split is large enough.

    Args:
        seed: Seed of the sample.
        split_index: Index of the split.
        persons: Number of persons with keypoints.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, split_index]))
    per_image = _split_into_images(rng, persons)
    empty = _at_least_one(_EMPTY, len(per_image))
    counts = rng.permutation(np.concatenate([per_image, np.zeros(empty, np.int64)]))
    # Crowds and unlabelled persons are only added to images with persons, so that empty images stay empty.
    with_persons = np.flatnonzero(counts)
    crowds, unlabelled = _choose(rng, with_persons, _CROWD), _choose(rng, with_persons, _UNLABELLED)
    grey = _choose(rng, np.arange(len(counts)), _GREY, least=2)
    modes: dict[int, ColourMode] = {i: "grey_single" if k % 2 == 0 else "grey_rgb" for k, i in enumerate(grey)}
    return tuple(
        ImagePlan(
            split_index,
            index,
            int(count),
            unlabelled=1 + index % 2 if index in unlabelled else 0,
            has_crowd=index in crowds,
            colour_mode=modes.get(index, "colour"),
        )
        for index, count in enumerate(counts)
    )


def _split_into_images(rng: np.random.Generator, persons: int) -> Ints:
    """Return the persons per image, at least one each, with the sum `persons`."""
    drawn = rng.choice(len(_PERSON_COUNTS), size=persons, p=_PERSON_COUNTS) + 1
    images = int(np.searchsorted(np.cumsum(drawn), persons)) + 1
    per_image = drawn[:images].astype(np.int64)
    per_image[-1] -= per_image.sum() - persons
    return per_image


def _at_least_one(fraction: float, count: int, least: int = 1) -> int:
    return max(least, round(fraction * count))


def _choose(rng: np.random.Generator, among: Ints, fraction: float, least: int = 1) -> list[int]:
    return [int(i) for i in rng.permutation(among)[: _at_least_one(fraction, len(among), least)]]


Role = Literal["person", "unlabelled", "crowd"]
_CAN_STAND_CLOSE = ("standing", "walking", "hands_on_hips", "arms_folded", "sitting", "waving", "reaching", "phoning", "carrying")


@dataclass(frozen=True)
class PlacedPerson:
    """A person at its place: `frame` projects it into the image, `foot_y` is the row of its soles."""

    figure: PosedPerson
    frame: ImageProjection
    foot_y: float
    role: Role


@dataclass(frozen=True)
class SceneLayout:
    """An image before it is rendered: size (px), row where the floor begins, light, and persons from far to near.

    `obstacle_before` is the index of the person that an obstacle partly occludes, or None.
    """

    height: int
    width: int
    horizon: float
    light: Light
    placed: Sequence[PlacedPerson]
    obstacle_before: int | None


def lay_out_scene(seed: int, plan: ImagePlan, short_side: int, long_side: int) -> SceneLayout:
    """Sample size, light, persons and places of an image.

    Args:
        seed: Seed of all choices.
        plan: Content of the image.
        short_side, long_side: Bounds of the size, px.
    """
    rng = np.random.default_rng(seed)
    short, long = round(short_side * rng.uniform(1, 1.08)), round(long_side * rng.uniform(0.92, 1))
    is_portrait = rng.random() < (0.55 if plan.persons == 1 else 0.06)
    height, width = (long, short) if is_portrait else (short, long)
    pitch = rng.uniform(2, 13)
    persons = _place_persons(rng, plan.persons, height, width, pitch)
    highest_foot = min([p.foot_y for p in persons], default=0.75 * height)
    horizon = float(np.clip(highest_foot - rng.uniform(0.06, 0.3) * height, 0.3 * height, 0.86 * height))
    extras = _place_unlabelled(rng, plan.unlabelled, width, horizon, pitch)
    if plan.has_crowd:
        extras += _place_crowd(rng, width, horizon, pitch)
    placed = sorted([*persons, *extras], key=lambda p: p.foot_y)
    targets = [i for i, p in enumerate(placed) if p.role == "person"]
    occluded = targets[int(rng.integers(len(targets)))] if targets and rng.random() < 0.15 else None
    return SceneLayout(height, width, horizon, _sample_light(rng), placed, occluded)


def _sample_light(rng: np.random.Generator) -> Light:
    x, y = rng.uniform(0.15, 0.6) * rng.choice((-1, 1)), -rng.uniform(0.25, 0.6)
    return (float(x), float(y), float(np.sqrt(1 - x * x - y * y))), float(rng.uniform(0.36, 0.6))


def _place(
    rng: np.random.Generator, pitch: float, x: float, foot_y: float, scale: float, role: Role, poses: tuple[str, ...] | None
) -> PlacedPerson:
    """Sample a person and place the middle of its joints at column x, its soles at row foot_y."""
    figure = sample_posed_person(int(rng.integers(1 << 31)), pitch, poses)
    skeleton = figure.wearer.skeleton
    joints_x = [point[0] for name, point in skeleton.points.items() if "_" in name]
    middle = (min(joints_x) + max(joints_x)) / 2
    lift = rng.uniform(0.06, 0.16) if figure.pose == "jumping" else 0.0
    sole = float((skeleton.root @ np.array([0.0, skeleton.ground - lift, 0.0]))[1])
    frame = ImageProjection(x - middle * scale, foot_y + sole * scale, scale)
    return PlacedPerson(figure, frame, foot_y, role)


def _place_persons(rng: np.random.Generator, count: int, height: int, width: int, pitch: float) -> list[PlacedPerson]:
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


def _place_single(rng: np.random.Generator, height: int, width: int, pitch: float) -> PlacedPerson:
    kind = rng.random()
    if kind < 0.13:  # close view, truncated below
        scale = height * rng.uniform(1.05, 1.55)
        foot_y = height * rng.uniform(0.04, 0.16) + scale * rng.uniform(0.98, 1.04)
        return _place(rng, pitch, width * rng.uniform(0.42, 0.58), foot_y, scale, "person", _CAN_STAND_CLOSE)
    scale = height * (rng.uniform(0.6, 0.84) if kind < 0.85 else rng.uniform(0.36, 0.55))
    foot_y = height - rng.uniform(6, max(8.0, min(0.22 * height, height - 1.08 * scale)))
    # Some persons are truncated at the left or right border.
    x = rng.uniform(0.0, 0.13) if kind > 0.93 else rng.uniform(0.42, 0.58)
    return _place(rng, pitch, width * (x if rng.random() < 0.5 else 1 - x), foot_y, scale, "person", None)


def _place_unlabelled(rng: np.random.Generator, count: int, width: int, horizon: float, pitch: float) -> list[PlacedPerson]:
    """Place persons far away, too small for keypoints."""
    places = [(rng.uniform(0.04, 0.96) * width, horizon + rng.uniform(3, 14), rng.uniform(26, 46)) for _ in range(count)]
    return [_place(rng, pitch, x, y, size, "unlabelled", None) for x, y, size in places]


def _place_crowd(rng: np.random.Generator, width: int, horizon: float, pitch: float) -> list[PlacedPerson]:
    """Place a group of tiny persons, shoulder to shoulder."""
    centre, size = rng.uniform(0.2, 0.8) * width, rng.uniform(24, 38)
    count = int(rng.integers(6, 12))
    places = [(centre + (i - count / 2) * size * 0.3, horizon + rng.uniform(2, 12)) for i in range(count)]
    return [_place(rng, pitch, x, y, size * rng.uniform(0.9, 1.1), "crowd", _CAN_STAND_CLOSE) for x, y in places]
