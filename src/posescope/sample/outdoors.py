"""Outdoors: landscapes and streets."""

import numpy as np

from posescope.sample.arrays import Bytes
from posescope.sample.canvas import (
    draw_bar,
    draw_blob,
    draw_floor_lines,
    draw_polygon,
    draw_rectangle,
    draw_seed,
    draw_tone,
    scale_colour,
    textured,
    vertical_gradient,
)
from posescope.sample.outfits import Colour

__all__ = ["paint_outdoors", "paint_street"]


def paint_outdoors(rng: np.random.Generator, height: int, width: int, horizon: float) -> Bytes:
    """Paint a landscape (height, width, 3) RGB whose ground begins at row `horizon`."""
    picture = _sky(rng, height, width)
    if rng.random() < 0.55:
        _draw_hills(picture, rng, horizon)
    kinds: tuple[Colour, ...] = ((104, 140, 72), (206, 184, 140), (128, 128, 130), (150, 132, 104))
    ground = scale_colour(kinds[int(rng.choice(4, p=(0.5, 0.16, 0.2, 0.14)))], rng.uniform(0.7, 1.1))
    _lay_ground(picture, rng, ground, horizon)
    if rng.random() < 0.4:
        x = rng.uniform(0.2, 0.8) * width
        path = scale_colour((190, 176, 150), rng.uniform(0.7, 1.1))
        draw_polygon(picture, [(x - 8, horizon), (x + 8, horizon), (x + 110, height), (x - 90, height)], path)
    for x in rng.uniform(0, width, int(rng.integers(0, 5))):
        _draw_tree(picture, rng, float(x), horizon)
    if rng.random() < 0.25:
        _draw_fence(picture, rng, horizon)
    return textured(picture, draw_seed(rng), 1, rng.uniform(4, 10))


def paint_street(rng: np.random.Generator, height: int, width: int, horizon: float) -> Bytes:
    """Paint a street (height, width, 3) RGB whose pavement begins at row `horizon`."""
    picture = _sky(rng, height, width)
    x = -rng.uniform(0, 40)
    while x < width:
        w, top = rng.uniform(50, 110), horizon * rng.uniform(-0.3, 0.5)
        _draw_building(picture, rng, x, x + w, top, horizon)
        x += w + (rng.uniform(2, 20) if rng.random() < 0.3 else 0)
    _lay_ground(picture, rng, scale_colour((140, 138, 136), rng.uniform(0.6, 1.2)), horizon)
    draw_floor_lines(picture, rng, (120, 118, 116), horizon)
    if rng.random() < 0.3:
        _draw_tree(picture, rng, rng.uniform(0, width), horizon)
    return textured(picture, draw_seed(rng), 1, rng.uniform(4, 9))


def _sky(rng: np.random.Generator, height: int, width: int) -> Bytes:
    top = np.array((110, 160, 215)) * rng.uniform(0.75, 1.1) if rng.random() < 0.7 else np.full(3, rng.uniform(150, 215))
    picture = vertical_gradient(height, width, (float(top[0]), float(top[1]), float(top[2])), (226, 230, 232))
    return textured(picture, draw_seed(rng), 1, rng.uniform(4, 22), (1.8, 0.8))


def _lay_ground(picture: Bytes, rng: np.random.Generator, colour: Colour, horizon: float) -> None:
    height, width = picture.shape[:2]
    ground = vertical_gradient(height - int(horizon), width, scale_colour(colour, 1.1), scale_colour(colour, 0.86))
    ground = textured(ground, draw_seed(rng), 1, 13, (1.6, 0.5))
    picture[int(horizon) :] = textured(ground, draw_seed(rng), 2, 7, (1.5, 1.0))


def _draw_hills(picture: Bytes, rng: np.random.Generator, horizon: float) -> None:
    width = picture.shape[1]
    for tone in (0.95, 0.75):
        x = np.linspace(-5, width + 5, 24)
        wave = np.sin(x / rng.uniform(25, 70) + rng.uniform(0, 6)) + 0.5 * np.sin(x / rng.uniform(10, 25))
        y = horizon - rng.uniform(10, 45) * (1.3 + wave) * 0.4
        ridge = list(zip(x.tolist(), y.tolist(), strict=True))
        draw_polygon(picture, [*ridge, (width + 5, horizon + 2), (-5, horizon + 2)], scale_colour((106, 138, 112), tone))


def _draw_tree(picture: Bytes, rng: np.random.Generator, x: float, horizon: float) -> None:
    size, foot = rng.uniform(22, 60), horizon + rng.uniform(0, 25)
    draw_bar(
        picture,
        (x, foot),
        (x + rng.normal(0, 4), foot - size * 2),
        size * 0.2,
        scale_colour((124, 94, 68), rng.uniform(0.7, 1.3)),
    )
    green = scale_colour((86, 130, 62), rng.uniform(0.7, 1.15))
    draw_blob(picture, (x, foot - size * 2.3), size, green, draw_seed(rng))


def _draw_fence(picture: Bytes, rng: np.random.Generator, horizon: float) -> None:
    colour, width = scale_colour((178, 140, 104), rng.uniform(0.6, 1.3)), picture.shape[1]
    y = horizon + rng.uniform(0, 12)
    for rail in (y - 26, y - 12):
        draw_bar(picture, (-3, rail), (width + 3, rail), 3.2, colour)
    for x in np.arange(rng.uniform(0, 20), width, rng.uniform(18, 34)):
        draw_bar(picture, (x, y - 34), (x, y), 5, colour)


def _draw_building(picture: Bytes, rng: np.random.Generator, left: float, right: float, top: float, bottom: float) -> None:
    wall = draw_tone(rng, 95, 205, 16)
    draw_rectangle(picture, left, top, right, bottom, wall)
    step_x, step_y, glass = rng.uniform(18, 28), rng.uniform(24, 34), draw_tone(rng, 50, 150, 12)
    for y in np.arange(bottom - step_y, top + 6, -step_y):
        for x in np.arange(left + 6, right - 14, step_x):
            draw_rectangle(picture, x - 1.5, y - 1.5, x + 12.5, y + 17.5, scale_colour(wall, 1.18))
            draw_rectangle(picture, x, y, x + 11, y + 16, scale_colour(glass, rng.uniform(0.8, 1.3)))
