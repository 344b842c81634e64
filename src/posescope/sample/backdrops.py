"""Backdrops: rooms, gardens, streets and plain studios for the figures to stand in."""

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from posescope.sample.arrays import Bytes
from posescope.sample.canvas import draw_seed, draw_tone, scale_colour, textured, vertical_gradient
from posescope.sample.outdoors import paint_outdoors, paint_street
from posescope.sample.rooms import paint_room

__all__ = ["paint_backdrop"]


def paint_backdrop(seed: int, height: int, width: int, horizon: float) -> tuple[Bytes, str]:
    """Paint a backdrop (height, width, 3) RGB whose floor begins at row `horizon`; returns it with the name of its kind."""
    rng = np.random.default_rng(seed)
    names = list(_PAINTERS)
    name = names[int(rng.choice(len(names), p=[_PAINTERS[n][0] for n in names]))]
    picture = _PAINTERS[name][1](rng, height, width, horizon)
    blur = rng.uniform(-0.4, 1.3)
    if blur > 0.3:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), blur))
    return textured(picture, int(rng.integers(1 << 30)), 2, rng.uniform(1, 4)), name


def _studio(rng: np.random.Generator, height: int, width: int, _horizon: float) -> Bytes:
    colour = draw_tone(rng, 60, 210, 28)
    picture = vertical_gradient(
        height, width, scale_colour(colour, rng.uniform(0.8, 1.15)), scale_colour(colour, rng.uniform(0.65, 1.1))
    )
    return textured(picture, draw_seed(rng), 1, rng.uniform(4, 14))


_PAINTERS: Mapping[str, tuple[float, Callable[[np.random.Generator, int, int, float], Bytes]]] = {
    "room": (0.42, paint_room),
    "outdoors": (0.28, paint_outdoors),
    "street": (0.18, paint_street),
    "studio": (0.12, _studio),
}
