"""Backgrounds: landscapes, streets, rooms and studios."""

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from posescope.sample.canvas import (
    draw_bar,
    draw_blob,
    draw_polygon,
    draw_rectangle,
    sample_colour,
    sample_seed,
    scale_colour,
    textured,
    vertical_gradient,
)
from posescope.sample.outfits import Colour, as_colour
from posescope.sample.solids import Bytes

__all__ = ["paint_backdrop"]


def paint_backdrop(seed: int, height: int, width: int, horizon: float) -> tuple[Bytes, str]:
    """Paint a room, a landscape, a street or a studio.

    Args:
        seed: seed of all choices.
        height, width: size, px.
        horizon: row where the floor begins, px.

    Returns:
        The background (height, width, 3) uint8 RGB, and the name of its kind.
    """
    rng = np.random.default_rng(seed)
    name = list(_PAINTERS)[int(rng.choice(len(_PAINTERS), p=[weight for weight, _ in _PAINTERS.values()]))]
    image = _PAINTERS[name][1](rng, height, width, horizon)
    blur = rng.uniform(-0.4, 1.3)
    if blur > 0.3:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), blur))
    return textured(image, sample_seed(rng), 2, rng.uniform(1, 4)), name


def _paint_outdoors(rng: np.random.Generator, height: int, width: int, horizon: float) -> Bytes:
    """Paint a landscape; see `paint_backdrop`."""
    image = _sky(rng, height, width)
    if rng.random() < 0.55:
        _draw_hills(image, rng, horizon)
    kinds: tuple[Colour, ...] = ((104, 140, 72), (206, 184, 140), (128, 128, 130), (150, 132, 104))
    ground = scale_colour(kinds[int(rng.choice(4, p=(0.5, 0.16, 0.2, 0.14)))], rng.uniform(0.7, 1.1))
    _lay_ground(image, rng, ground, horizon)
    if rng.random() < 0.4:
        x = rng.uniform(0.2, 0.8) * width
        path = scale_colour((190, 176, 150), rng.uniform(0.7, 1.1))
        draw_polygon(image, [(x - 8, horizon), (x + 8, horizon), (x + 110, height), (x - 90, height)], path)
    for x in rng.uniform(0, width, int(rng.integers(0, 5))):
        _draw_tree(image, rng, float(x), horizon)
    if rng.random() < 0.25:
        _draw_fence(image, rng, horizon)
    return textured(image, sample_seed(rng), 1, rng.uniform(4, 10))


def _paint_street(rng: np.random.Generator, height: int, width: int, horizon: float) -> Bytes:
    """Paint a street; see `paint_backdrop`."""
    image = _sky(rng, height, width)
    x = -rng.uniform(0, 40)
    while x < width:
        w, top = rng.uniform(50, 110), horizon * rng.uniform(-0.3, 0.5)
        _draw_building(image, rng, x, x + w, top, horizon)
        x += w + (rng.uniform(2, 20) if rng.random() < 0.3 else 0)
    _lay_ground(image, rng, scale_colour((140, 138, 136), rng.uniform(0.6, 1.2)), horizon)
    _draw_floor_lines(image, rng, (120, 118, 116), horizon)
    if rng.random() < 0.3:
        _draw_tree(image, rng, rng.uniform(0, width), horizon)
    return textured(image, sample_seed(rng), 1, rng.uniform(4, 9))


def _sky(rng: np.random.Generator, height: int, width: int) -> Bytes:
    top = np.array((110, 160, 215)) * rng.uniform(0.75, 1.1) if rng.random() < 0.7 else np.full(3, rng.uniform(150, 215))
    image = vertical_gradient(height, width, as_colour(top), (226, 230, 232))
    return textured(image, sample_seed(rng), 1, rng.uniform(4, 22), (1.8, 0.8))


def _lay_ground(image: Bytes, rng: np.random.Generator, colour: Colour, horizon: float) -> None:
    height, width = image.shape[:2]
    ground = vertical_gradient(height - int(horizon), width, scale_colour(colour, 1.1), scale_colour(colour, 0.86))
    ground = textured(ground, sample_seed(rng), 1, 13, (1.6, 0.5))
    image[int(horizon) :] = textured(ground, sample_seed(rng), 2, 7, (1.5, 1.0))


def _draw_floor_lines(image: Bytes, rng: np.random.Generator, floor: Colour, horizon: float) -> None:
    """Draw the joints between boards or slabs, which converge at a vanishing point; some floors have none."""
    height, width = image.shape[:2]
    vanish = rng.uniform(0.2, 0.8) * width
    if rng.random() < 0.75:
        for x in np.arange(-1.5 * width, 2.5 * width, rng.uniform(28, 60)):
            far = vanish + (x - vanish) * 0.45
            corners = [(far, horizon), (far + 0.7, horizon), (x + 1.6, height), (x, height)]
            draw_polygon(image, corners, scale_colour(floor, 0.74))


def _draw_hills(image: Bytes, rng: np.random.Generator, horizon: float) -> None:
    width = image.shape[1]
    for tone in (0.95, 0.75):
        x = np.linspace(-5, width + 5, 24)
        wave = np.sin(x / rng.uniform(25, 70) + rng.uniform(0, 6)) + 0.5 * np.sin(x / rng.uniform(10, 25))
        y = horizon - rng.uniform(10, 45) * (1.3 + wave) * 0.4
        ridge = list(zip(x.tolist(), y.tolist(), strict=True))
        draw_polygon(image, [*ridge, (width + 5, horizon + 2), (-5, horizon + 2)], scale_colour((106, 138, 112), tone))


def _draw_tree(image: Bytes, rng: np.random.Generator, x: float, horizon: float) -> None:
    size, foot = rng.uniform(22, 60), horizon + rng.uniform(0, 25)
    top = (x + rng.normal(0, 4), foot - size * 2)
    draw_bar(image, (x, foot), top, size * 0.2, scale_colour((124, 94, 68), rng.uniform(0.7, 1.3)))
    green = scale_colour((86, 130, 62), rng.uniform(0.7, 1.15))
    draw_blob(image, (x, foot - size * 2.3), size, green, sample_seed(rng))


def _draw_fence(image: Bytes, rng: np.random.Generator, horizon: float) -> None:
    colour, width = scale_colour((178, 140, 104), rng.uniform(0.6, 1.3)), image.shape[1]
    y = horizon + rng.uniform(0, 12)
    for rail in (y - 26, y - 12):
        draw_bar(image, (-3, rail), (width + 3, rail), 3.2, colour)
    for x in np.arange(rng.uniform(0, 20), width, rng.uniform(18, 34)):
        draw_bar(image, (x, y - 34), (x, y), 5, colour)


def _draw_building(image: Bytes, rng: np.random.Generator, left: float, right: float, top: float, bottom: float) -> None:
    wall = sample_colour(rng, 95, 205, 16)
    draw_rectangle(image, left, top, right, bottom, wall)
    step_x, step_y, glass = rng.uniform(18, 28), rng.uniform(24, 34), sample_colour(rng, 50, 150, 12)
    for y in np.arange(bottom - step_y, top + 6, -step_y):
        for x in np.arange(left + 6, right - 14, step_x):
            draw_rectangle(image, x - 1.5, y - 1.5, x + 12.5, y + 17.5, scale_colour(wall, 1.18))
            draw_rectangle(image, x, y, x + 11, y + 16, scale_colour(glass, rng.uniform(0.8, 1.3)))


def _paint_room(rng: np.random.Generator, height: int, width: int, horizon: float) -> Bytes:
    """Paint a room; see `paint_backdrop`."""
    wall = sample_colour(rng, 120, 225)
    image = vertical_gradient(height, width, scale_colour(wall, 1.06), scale_colour(wall, 0.9))
    _draw_wallpaper(image, rng, wall, horizon)
    floor = sample_colour(rng, 80, 170, 10) if rng.random() < 0.4 else scale_colour((165, 122, 82), rng.uniform(0.55, 1.15))
    boards = vertical_gradient(height - int(horizon), width, scale_colour(floor, 0.82), scale_colour(floor, 1.08))
    image[int(horizon) :] = textured(boards, sample_seed(rng), 1, 9, (2.5, 0.6))
    _draw_floor_lines(image, rng, floor, horizon)
    draw_rectangle(image, -2, horizon - 5, width + 2, horizon + 0.5, scale_colour(wall, 0.7 if rng.random() < 0.5 else 1.2))
    pieces: tuple[Callable[[Bytes, np.random.Generator, float, float], None], ...] = (
        _draw_window, _draw_door, _draw_painting, _draw_shelf, _draw_plant, _draw_curtain, _draw_cupboard,
    )  # fmt: skip
    for x in rng.permutation(np.linspace(0.08, 0.92, 5))[: int(rng.integers(1, 5))]:
        pieces[int(rng.integers(len(pieces)))](image, rng, float(x) * width, horizon)
    return textured(image, sample_seed(rng), 1, rng.uniform(3, 9))


def _draw_wallpaper(image: Bytes, rng: np.random.Generator, wall: Colour, horizon: float) -> None:
    kind, width = rng.random(), image.shape[1]
    step = rng.uniform(14, 40)
    if kind < 0.25:
        for x in np.arange(0, width, step):
            draw_rectangle(image, x, 0, x + step * 0.45, horizon, scale_colour(wall, 0.93))
    elif kind < 0.45:
        for y in np.arange(horizon % (step / 2), horizon, step / 2):
            draw_rectangle(image, -1, y, width + 1, y + 0.9, scale_colour(wall, 0.84))
            for x in np.arange((y // step % 2) * step / 2, width, step):
                draw_rectangle(image, x, y, x + 0.9, y + step / 2, scale_colour(wall, 0.84))


def _draw_window(image: Bytes, rng: np.random.Generator, x: float, horizon: float) -> None:
    w, top, bottom = rng.uniform(24, 46), horizon * rng.uniform(0.04, 0.2), horizon * rng.uniform(0.55, 0.75)
    frame = (236, 234, 228) if rng.random() < 0.7 else (110, 80, 55)
    draw_rectangle(image, x - w - 4, top - 4, x + w + 4, bottom + 4, frame)
    sky = sample_colour(rng, 150, 225, 14)
    draw_rectangle(image, x - w, top, x + w, bottom, sky)
    draw_rectangle(image, x - w, top + 0.65 * (bottom - top), x + w, bottom, (110, 142, 96))
    draw_rectangle(image, x - 1.5, top, x + 1.5, bottom, frame)
    draw_rectangle(image, x - w, (top + bottom) / 2 - 1.5, x + w, (top + bottom) / 2 + 1.5, frame)


def _draw_door(image: Bytes, rng: np.random.Generator, x: float, horizon: float) -> None:
    colour, w, top = sample_colour(rng, 70, 200), rng.uniform(22, 34), horizon * rng.uniform(0.05, 0.3)
    draw_rectangle(image, x - w - 4, top - 4, x + w + 4, horizon, scale_colour(colour, 1.25))
    draw_rectangle(image, x - w, top, x + w, horizon, colour)
    middle = (top + horizon) / 2
    for y0, y1 in ((top + 8, middle - 5), (middle + 5, horizon - 8)):
        draw_rectangle(image, x - w + 7, y0, x + w - 7, y1, scale_colour(colour, 0.85))
    cv2.circle(image, (int(x + w - 5), int(middle)), 2, (215, 190, 90), -1, cv2.LINE_AA)


def _draw_painting(image: Bytes, rng: np.random.Generator, x: float, horizon: float) -> None:
    w, h, y = rng.uniform(12, 30), rng.uniform(10, 24), horizon * rng.uniform(0.25, 0.5)
    draw_rectangle(image, x - w - 3, y - h - 3, x + w + 3, y + h + 3, scale_colour((120, 90, 50), rng.uniform(0.3, 1.5)))
    draw_rectangle(image, x - w, y - h, x + w, y + h, sample_colour(rng, 90, 230, 40))
    for _ in range(5):
        corners = [(x + rng.uniform(-w, w), y + rng.uniform(-h, h)) for _ in range(3)]
        draw_polygon(image, corners, sample_colour(rng, 50, 220, 45))


def _draw_shelf(image: Bytes, rng: np.random.Generator, x: float, horizon: float) -> None:
    w = rng.uniform(20, 40)
    for y in horizon * np.array([0.3, 0.55, 0.8]):
        place = x - w + 2
        while place < x + w - 5:
            thick, tall = rng.uniform(3, 7), rng.uniform(10, 20)
            draw_rectangle(image, place, y - tall, place + thick, y, sample_colour(rng, 60, 200, 45))
            place += thick + (rng.uniform(0, 9) if rng.random() < 0.3 else 0.6)
        draw_rectangle(image, x - w, y, x + w, y + 3, (120, 88, 58))


def _draw_plant(image: Bytes, rng: np.random.Generator, x: float, horizon: float) -> None:
    y, size = horizon + rng.uniform(4, 26), rng.uniform(16, 34)
    draw_blob(image, (x, y - size * 1.9), size, (70, 122, 62), sample_seed(rng))
    draw_bar(image, (x, y - size * 1.6), (x, y - size * 0.6), 4, (112, 84, 56))
    draw_polygon(image, [(x - 13, y - 20), (x + 13, y - 20), (x + 9, y), (x - 9, y)], (176, 96, 66))


def _draw_curtain(image: Bytes, rng: np.random.Generator, x: float, horizon: float) -> None:
    colour, w = sample_colour(rng, 80, 210, 35), rng.uniform(3, 6)
    for step in range(int(rng.integers(4, 9))):
        draw_bar(image, (x + step * w, -3), (x + step * w, horizon - 8), w * 1.1, colour)


def _draw_cupboard(image: Bytes, rng: np.random.Generator, x: float, horizon: float) -> None:
    colour, w, top = scale_colour((150, 110, 74), rng.uniform(0.5, 1.4)), rng.uniform(24, 46), horizon * rng.uniform(0.55, 0.8)
    bottom = horizon + rng.uniform(6, 16)
    draw_rectangle(image, x - w, top, x + w, bottom, colour)
    draw_rectangle(image, x - w - 2, top - 4, x + w + 2, top, scale_colour(colour, 1.2))
    for i in (-1, 1):
        draw_rectangle(image, x + i * w / 2 - w * 0.4, top + 5, x + i * w / 2 + w * 0.4, bottom - 5, scale_colour(colour, 0.86))


def _paint_studio(rng: np.random.Generator, height: int, width: int, _horizon: float) -> Bytes:
    colour = sample_colour(rng, 60, 210, 28)
    top, bottom = scale_colour(colour, rng.uniform(0.8, 1.15)), scale_colour(colour, rng.uniform(0.65, 1.1))
    return textured(vertical_gradient(height, width, top, bottom), sample_seed(rng), 1, rng.uniform(4, 14))


_PAINTERS: Mapping[str, tuple[float, Callable[[np.random.Generator, int, int, float], Bytes]]] = {
    "room": (0.42, _paint_room),
    "outdoors": (0.28, _paint_outdoors),
    "street": (0.18, _paint_street),
    "studio": (0.12, _paint_studio),
}
