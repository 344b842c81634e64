"""Rooms: walls, floors, and the furniture along the walls."""

from collections.abc import Callable

import cv2
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

__all__ = ["paint_room"]


def paint_room(rng: np.random.Generator, height: int, width: int, horizon: float) -> Bytes:
    """Paint a room (height, width, 3) RGB whose floor begins at row `horizon`."""
    wall = draw_tone(rng, 120, 225)
    picture = vertical_gradient(height, width, scale_colour(wall, 1.06), scale_colour(wall, 0.9))
    _draw_wallpaper(picture, rng, wall, horizon)
    floor = draw_tone(rng, 80, 170, 10) if rng.random() < 0.4 else scale_colour((165, 122, 82), rng.uniform(0.55, 1.15))
    rows = height - int(horizon)
    picture[int(horizon) :] = textured(
        vertical_gradient(rows, width, scale_colour(floor, 0.82), scale_colour(floor, 1.08)), draw_seed(rng), 1, 9, (2.5, 0.6)
    )
    draw_floor_lines(picture, rng, floor, horizon)
    draw_rectangle(picture, -2, horizon - 5, width + 2, horizon + 0.5, scale_colour(wall, 0.7 if rng.random() < 0.5 else 1.2))
    pieces: tuple[Callable[[Bytes, np.random.Generator, float, float], None], ...] = (
        _draw_window, _draw_door, _draw_painting, _draw_shelf, _draw_plant, _draw_curtain, _draw_cupboard,
    )  # fmt: skip
    for x in rng.permutation(np.linspace(0.08, 0.92, 5))[: int(rng.integers(1, 5))]:
        pieces[int(rng.integers(len(pieces)))](picture, rng, float(x) * width, horizon)
    return textured(picture, draw_seed(rng), 1, rng.uniform(3, 9))


def _draw_wallpaper(picture: Bytes, rng: np.random.Generator, wall: Colour, horizon: float) -> None:
    kind, width = rng.random(), picture.shape[1]
    step = rng.uniform(14, 40)
    if kind < 0.25:
        for x in np.arange(0, width, step):
            draw_rectangle(picture, x, 0, x + step * 0.45, horizon, scale_colour(wall, 0.93))
    elif kind < 0.45:
        for y in np.arange(horizon % (step / 2), horizon, step / 2):
            draw_rectangle(picture, -1, y, width + 1, y + 0.9, scale_colour(wall, 0.84))
            for x in np.arange((y // step % 2) * step / 2, width, step):
                draw_rectangle(picture, x, y, x + 0.9, y + step / 2, scale_colour(wall, 0.84))


def _draw_window(picture: Bytes, rng: np.random.Generator, x: float, horizon: float) -> None:
    w, top, bottom = rng.uniform(24, 46), horizon * rng.uniform(0.04, 0.2), horizon * rng.uniform(0.55, 0.75)
    frame = (236, 234, 228) if rng.random() < 0.7 else (110, 80, 55)
    draw_rectangle(picture, x - w - 4, top - 4, x + w + 4, bottom + 4, frame)
    sky = draw_tone(rng, 150, 225, 14)
    draw_rectangle(picture, x - w, top, x + w, bottom, sky)
    draw_rectangle(picture, x - w, top + 0.65 * (bottom - top), x + w, bottom, (110, 142, 96))
    draw_rectangle(picture, x - 1.5, top, x + 1.5, bottom, frame)
    draw_rectangle(picture, x - w, (top + bottom) / 2 - 1.5, x + w, (top + bottom) / 2 + 1.5, frame)


def _draw_door(picture: Bytes, rng: np.random.Generator, x: float, horizon: float) -> None:
    colour, w, top = draw_tone(rng, 70, 200), rng.uniform(22, 34), horizon * rng.uniform(0.05, 0.3)
    draw_rectangle(picture, x - w - 4, top - 4, x + w + 4, horizon, scale_colour(colour, 1.25))
    draw_rectangle(picture, x - w, top, x + w, horizon, colour)
    middle = (top + horizon) / 2
    for y0, y1 in ((top + 8, middle - 5), (middle + 5, horizon - 8)):
        draw_rectangle(picture, x - w + 7, y0, x + w - 7, y1, scale_colour(colour, 0.85))
    cv2.circle(picture, (int(x + w - 5), int(middle)), 2, (215, 190, 90), -1, cv2.LINE_AA)


def _draw_painting(picture: Bytes, rng: np.random.Generator, x: float, horizon: float) -> None:
    w, h, y = rng.uniform(12, 30), rng.uniform(10, 24), horizon * rng.uniform(0.25, 0.5)
    draw_rectangle(picture, x - w - 3, y - h - 3, x + w + 3, y + h + 3, scale_colour((120, 90, 50), rng.uniform(0.3, 1.5)))
    draw_rectangle(picture, x - w, y - h, x + w, y + h, draw_tone(rng, 90, 230, 40))
    for _ in range(5):
        corners = [(x + rng.uniform(-w, w), y + rng.uniform(-h, h)) for _ in range(3)]
        draw_polygon(picture, corners, draw_tone(rng, 50, 220, 45))


def _draw_shelf(picture: Bytes, rng: np.random.Generator, x: float, horizon: float) -> None:
    w = rng.uniform(20, 40)
    for y in horizon * np.array([0.3, 0.55, 0.8]):
        place = x - w + 2
        while place < x + w - 5:
            thick, tall = rng.uniform(3, 7), rng.uniform(10, 20)
            draw_rectangle(picture, place, y - tall, place + thick, y, draw_tone(rng, 60, 200, 45))
            place += thick + (rng.uniform(0, 9) if rng.random() < 0.3 else 0.6)
        draw_rectangle(picture, x - w, y, x + w, y + 3, (120, 88, 58))


def _draw_plant(picture: Bytes, rng: np.random.Generator, x: float, horizon: float) -> None:
    y, size = horizon + rng.uniform(4, 26), rng.uniform(16, 34)
    draw_blob(picture, (x, y - size * 1.9), size, (70, 122, 62), draw_seed(rng))
    draw_bar(picture, (x, y - size * 1.6), (x, y - size * 0.6), 4, (112, 84, 56))
    draw_polygon(picture, [(x - 13, y - 20), (x + 13, y - 20), (x + 9, y), (x - 9, y)], (176, 96, 66))


def _draw_curtain(picture: Bytes, rng: np.random.Generator, x: float, horizon: float) -> None:
    colour, w = draw_tone(rng, 80, 210, 35), rng.uniform(3, 6)
    for step in range(int(rng.integers(4, 9))):
        draw_bar(picture, (x + step * w, -3), (x + step * w, horizon - 8), w * 1.1, colour)


def _draw_cupboard(picture: Bytes, rng: np.random.Generator, x: float, horizon: float) -> None:
    colour, w, top = scale_colour((150, 110, 74), rng.uniform(0.5, 1.4)), rng.uniform(24, 46), horizon * rng.uniform(0.55, 0.8)
    bottom = horizon + rng.uniform(6, 16)
    draw_rectangle(picture, x - w, top, x + w, bottom, colour)
    draw_rectangle(picture, x - w - 2, top - 4, x + w + 2, top, scale_colour(colour, 1.2))
    for i in (-1, 1):
        draw_rectangle(picture, x + i * w / 2 - w * 0.4, top + 5, x + i * w / 2 + w * 0.4, bottom - 5, scale_colour(colour, 0.86))
