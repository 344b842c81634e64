"""Limb-like distractors behind the persons, and obstacles in front that occlude parts of them."""

import cv2
import numpy as np

from posescope.sample.canvas import draw_bar, draw_blob, draw_polygon, draw_rectangle, scale_colour
from posescope.sample.outfits import Colour, as_colour
from posescope.sample.solids import Bools, Bytes

__all__ = ["paint_distractors", "paint_obstacle"]


def paint_distractors(image: Bytes, seed: int, horizon: float) -> Bytes:
    """Return a copy with objects that resemble limbs or heads: poles, rods, a coat stand, balloons.

    Args:
        image: (h, w, 3) uint8 RGB.
        seed: Seed of all choices.
        horizon: Row where the floor begins.
    """
    rng = np.random.default_rng(seed)
    image = image.copy()
    height, width = image.shape[:2]
    for _ in range(int(rng.choice(4, p=(0.5, 0.3, 0.14, 0.06)))):
        x, foot = rng.uniform(0, width), min(height - 4.0, horizon + rng.uniform(0, 30))
        colour = scale_colour((226, 176, 138), rng.uniform(0.45, 1.05)) if rng.random() < 0.55 else _any_colour(rng)
        kind = rng.random()
        if kind < 0.4:
            draw_bar(image, (x, foot), (x + rng.normal(0, 3), foot - rng.uniform(50, 160)), rng.uniform(4, 10), colour)
        elif kind < 0.65:
            angle, length = rng.uniform(0, np.pi), rng.uniform(25, 70)
            dx, dy, y = length * np.cos(angle), length * np.sin(angle), rng.uniform(0.2, 0.9) * foot
            draw_bar(image, (x, y), (x + dx, y - dy), rng.uniform(4, 9), colour)
        elif kind < 0.82:
            _draw_coat_stand(image, rng, x, foot, colour)
        else:
            y = rng.uniform(0.1, 0.6) * foot
            cv2.line(image, (int(x), int(y)), (int(x), int(foot)), (90, 90, 90), 1, cv2.LINE_AA)
            cv2.ellipse(image, (int(x), int(y)), (9, 11), 0, 0, 360, colour, -1, cv2.LINE_AA)
            cv2.ellipse(image, (int(x) - 3, int(y) - 4), (3, 4), 0, 0, 360, scale_colour(colour, 1.2), -1, cv2.LINE_AA)
    return image


def _any_colour(rng: np.random.Generator) -> Colour:
    return as_colour(rng.uniform(30, 225, 3))


def _draw_coat_stand(image: Bytes, rng: np.random.Generator, x: float, foot: float, colour: Colour) -> None:
    top = foot - rng.uniform(70, 130)
    draw_bar(image, (x, foot), (x, top), 4, (120, 90, 60))
    coat = _any_colour(rng)
    draw_polygon(image, [(x - 4, top + 8), (x + 4, top + 8), (x + 15, top + 62), (x - 14, top + 62)], coat)
    draw_bar(image, (x + 5, top + 12), (x + 13, top + 48), 7, scale_colour(coat, 0.9))
    draw_bar(image, (x - 8, top), (x + 8, top), 3, colour)


def paint_obstacle(seed: int, height: int, width: int, around: tuple[float, float, float, float]) -> tuple[Bytes, Bools, str]:
    """Render an obstacle in front of a person.

    Args:
        seed: Seed of all choices.
        height, width: Size of the scene, px.
        around: Left, top, right and bottom of the person to be partly occluded, px.

    Returns:
        The image of the obstacle (height, width, 3), its mask (height, width), and its name.
    """
    rng = np.random.default_rng(seed)
    left, top, right, bottom = around
    tall, x = bottom - top, rng.uniform(left, right)
    image = np.zeros((height, width, 3), np.uint8)
    kind = ("post", "counter", "bush", "board", "crate")[int(rng.choice(5, p=(0.24, 0.22, 0.2, 0.2, 0.14)))]
    colour = _any_colour(rng) if rng.random() < 0.5 else scale_colour((165, 122, 82), rng.uniform(0.4, 1.2))
    colour = as_colour(np.maximum(colour, 14.0))
    if kind == "post":
        draw_bar(image, (x, -5), (x, bottom + rng.uniform(2, 12)), tall * rng.uniform(0.05, 0.09), colour)
    elif kind == "counter":
        y = bottom - tall * rng.uniform(0.18, 0.42)
        end = x + rng.choice((-1, 1)) * width
        draw_rectangle(image, min(x, end), y, max(x, end), height, colour)
        draw_rectangle(image, min(x, end) - 3, y, max(x, end) + 3, y + 5, scale_colour(colour, 1.25))
        for step in np.arange(min(x, end), max(x, end), 34):
            draw_rectangle(image, step, y + 5, step + 1.4, height, scale_colour(colour, 0.75))
    elif kind == "bush":
        radius = tall * rng.uniform(0.13, 0.22)
        for shift in (-0.9, 0.0, 0.9):
            draw_blob(image, (x + shift * radius, bottom - radius * 0.6), radius, (76, 116, 58), int(rng.integers(1 << 30)))
    elif kind == "board":
        w, h, y = tall * rng.uniform(0.08, 0.15), tall * rng.uniform(0.09, 0.16), bottom - tall * rng.uniform(0.3, 0.6)
        draw_bar(image, (x, y), (x, bottom + 8), 5, (120, 120, 124))
        draw_rectangle(image, x - w, y - h, x + w, y + h, colour)
        draw_rectangle(image, x - w + 3, y - h + 3, x + w - 3, y + h - 3, scale_colour(colour, 1.3))
        draw_rectangle(image, x - w * 0.6, y - 2, x + w * 0.6, y + 2, scale_colour(colour, 0.5))
    else:
        w, h = tall * rng.uniform(0.13, 0.24), tall * rng.uniform(0.16, 0.32)
        draw_rectangle(image, x - w, bottom - h, x + w, bottom + 8, colour)
        lid, back = bottom - h, bottom - h - 8
        draw_polygon(image, [(x - w, lid), (x - w + 8, back), (x + w + 8, back), (x + w, lid)], scale_colour(colour, 1.25))
        for y in (0.33, 0.66):
            draw_rectangle(image, x - w, bottom - h * y, x + w, bottom - h * y + 1.5, scale_colour(colour, 0.7))
    return image, np.asarray(image.max(axis=2) > 0), kind
