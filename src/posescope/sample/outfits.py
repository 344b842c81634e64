"""Appearance of persons: skin, hair, clothes, shoes. Colours are RGB, 0..255."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

from posescope.sample.body import BodyShape
from posescope.sample.solids import Doubles

__all__ = ["Colour", "Cloth", "Outfit", "as_colour", "sample_outfit"]

T = TypeVar("T")
Colour = tuple[float, float, float]
Pattern = Literal["plain", "hoops", "stripes", "checks", "dots", "block"]
HairStyle = Literal["short", "bob", "long", "bun", "ponytail", "curly", "bald"]
Legwear = Literal["trousers", "shorts", "skirt", "leggings"]

# From light to dark, warm and cool; neighbours are mixed.
_SKIN_TONES: tuple[Colour, ...] = (
    (250, 224, 204), (241, 206, 180), (232, 188, 152), (218, 170, 130), (198, 146, 104),
    (176, 122, 82), (150, 100, 64), (120, 78, 50), (92, 60, 42), (68, 46, 36),
)  # fmt: skip
_HAIR_TONES: tuple[Colour, ...] = (
    (28, 24, 24), (40, 30, 26), (62, 42, 30), (88, 58, 36), (120, 80, 46),
    (164, 122, 70), (205, 170, 110), (150, 66, 34), (150, 148, 146), (205, 203, 200),
)  # fmt: skip


@dataclass(frozen=True)
class Cloth:
    """A cloth: a pattern of two colours; `pitch` is the period of the pattern, body heights."""

    colour: Colour
    second: Colour
    pattern: Pattern = "plain"
    pitch: float = 0.04


@dataclass(frozen=True)
class Outfit:
    """Colours and clothes of a person.

    Attributes:
        sleeve: End of the sleeve along the arm: 0 shoulder, 1 elbow, 2 wrist.
        leg_end: End of the legwear along the leg: 0 hip, 1 knee, 2 ankle.
        looseness: Distance of the cloth from the skin, body heights.
        opening: Front of the top: round neck, V-neck, buttoned shirt or open jacket.
    """

    skin: Colour
    hair: Colour
    hair_style: HairStyle
    iris: Colour
    has_beard: bool
    has_glasses: bool
    hat: Cloth | None
    top: Cloth
    inner: Colour
    opening: Literal["round", "vee", "buttons", "jacket"]
    sleeve: float
    legwear: Legwear
    bottom: Cloth
    leg_end: float
    is_dress: bool
    looseness: float
    belt: Colour | None
    shoes: Colour
    soles: Colour
    backpack: Colour | None
    fold_seed: int


def as_colour(rgb: Sequence[float] | Doubles) -> Colour:
    """Return three numbers as a colour."""
    red, green, blue = (float(value) for value in rgb)
    return red, green, blue


def sample_outfit(seed: int, body: BodyShape, can_wear_skirt: bool) -> Outfit:
    """Sample skin, hair and clothes.

    Args:
        seed: Seed of all choices.
        body: The body.
        can_wear_skirt: Whether the pose allows a skirt.
    """
    rng = np.random.default_rng(seed)
    tone = rng.uniform(0, len(_SKIN_TONES) - 1)
    skin = _mix(_SKIN_TONES[int(tone)], _SKIN_TONES[int(tone) + 1], tone % 1, rng, 5)
    skirted = can_wear_skirt and body.is_feminine and rng.random() < 0.36
    top = _sample_cloth(rng)
    legwear: Legwear = "skirt" if skirted else _pick(rng, ("trousers", "shorts", "leggings"), (0.62, 0.26, 0.12))
    is_dress = skirted and bool(rng.random() < 0.6)
    return Outfit(
        skin=skin,
        hair=_sample_hair_colour(rng, tone / len(_SKIN_TONES)),
        hair_style=_sample_hair_style(rng, body),
        iris=_pick(rng, ((52, 34, 26), (70, 100, 130), (78, 96, 60)), (0.7, 0.2, 0.1)),
        has_beard=bool(not body.is_feminine and not body.is_child and rng.random() < 0.25),
        has_glasses=bool(rng.random() < 0.14),
        hat=Cloth(_vivid(rng), _vivid(rng)) if rng.random() < 0.13 else None,
        top=top,
        inner=(236, 236, 232) if rng.random() < 0.6 else _vivid(rng),
        opening=_pick(rng, ("round", "vee", "buttons", "jacket"), (0.42, 0.2, 0.2, 0.18)),
        sleeve=_sample_sleeve(rng),
        legwear=legwear,
        bottom=top if is_dress else _sample_legwear_cloth(rng),
        leg_end=_sample_leg_end(rng, legwear),
        is_dress=is_dress,
        looseness=float(rng.uniform(0.003, 0.009)),
        belt=(60, 44, 34) if not is_dress and rng.random() < 0.4 else None,
        shoes=_pick(rng, ((38, 36, 38), (96, 64, 42), (225, 225, 222), _vivid(rng)), (0.35, 0.2, 0.25, 0.2)),
        soles=(232, 230, 224) if rng.random() < 0.5 else (46, 42, 40),
        backpack=_vivid(rng) if rng.random() < 0.08 else None,
        fold_seed=int(rng.integers(1 << 30)),
    )


def _pick(rng: np.random.Generator, choices: tuple[T, ...], weights: tuple[float, ...]) -> T:
    return choices[int(rng.choice(len(choices), p=weights))]


def _mix(a: Colour, b: Colour, fraction: float, rng: np.random.Generator, spread: float) -> Colour:
    return as_colour(np.clip(np.array(a) * (1 - fraction) + np.array(b) * fraction + rng.normal(0, spread), 10, 250))


def _vivid(rng: np.random.Generator) -> Colour:
    """Sample a colour of any hue, from pastel to deep."""
    hue, depth, value = rng.uniform(0, 2 * np.pi), rng.uniform(0.15, 0.85), rng.uniform(60, 235)
    wheel = 0.5 + 0.5 * np.cos(hue - np.array([0, 2, 4]) * np.pi / 3)
    return as_colour(value * (1 - depth + depth * wheel))


def _sample_cloth(rng: np.random.Generator) -> Cloth:
    first = _vivid(rng) if rng.random() < 0.72 else _pick(rng, ((238, 238, 234), (40, 42, 48), (128, 130, 134)), (0.5, 0.3, 0.2))
    second = _vivid(rng) if rng.random() < 0.5 else (240.0, 240.0, 236.0)
    pattern: Pattern = _pick(rng, ("plain", "hoops", "stripes", "checks", "dots", "block"), (0.5, 0.17, 0.09, 0.09, 0.07, 0.08))
    return Cloth(first, second, pattern, float(rng.uniform(0.032, 0.06)))


def _sample_legwear_cloth(rng: np.random.Generator) -> Cloth:
    usual: tuple[Colour, ...] = ((44, 58, 92), (70, 92, 132), (38, 38, 44), (120, 104, 80), (176, 160, 130), _vivid(rng))
    colour = _pick(rng, usual, (0.22, 0.2, 0.2, 0.1, 0.1, 0.18))
    return Cloth(colour, _vivid(rng), "checks" if rng.random() < 0.06 else "plain", 0.04)


def _sample_sleeve(rng: np.random.Generator) -> float:
    kind = rng.random()
    if kind < 0.50:
        return float(rng.uniform(0.45, 0.8))
    if kind < 0.64:
        return 0.12
    return 1.95 if kind < 0.90 else float(rng.uniform(1.3, 1.7))


def _sample_leg_end(rng: np.random.Generator, legwear: Legwear) -> float:
    if legwear == "shorts":
        return float(rng.uniform(0.55, 0.95))
    if legwear == "skirt":
        return float(rng.uniform(0.75, 1.35))
    return 2.0


def _sample_hair_colour(rng: np.random.Generator, darkness: float) -> Colour:
    usual = np.array([4, 4, 3, 3, 2, 2, 2, 1, 1.2, 0.8]) if darkness < 0.45 else np.array([8, 5, 2, 1, 0.3, 0, 0, 0, 1, 0.7])
    tone = _HAIR_TONES[int(rng.choice(len(_HAIR_TONES), p=usual / usual.sum()))]
    return _mix(tone, tone, 0.5, rng, 6)


def _sample_hair_style(rng: np.random.Generator, body: BodyShape) -> HairStyle:
    styles: tuple[HairStyle, ...] = ("short", "bob", "long", "bun", "ponytail", "curly", "bald")
    if body.is_feminine:
        return _pick(rng, styles, (0.08, 0.24, 0.3, 0.13, 0.15, 0.1, 0.0))
    return _pick(rng, styles, (0.74, 0.06, 0.03, 0.01, 0.02, 0.08, 0.06))
