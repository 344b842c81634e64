"""Drawing primitives for backgrounds: antialiased shapes and textures on an RGB uint8 image.

Functions called `draw_...` modify the image that they are given; they are the only ones in this package that do so.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from posescope.sample.outfits import Colour, as_colour
from posescope.sample.shading import noise_patch
from posescope.sample.solids import Bytes, Doubles

__all__ = [
    "draw_bar", "draw_blob", "draw_polygon", "draw_rectangle", "sample_colour", "sample_seed", "scale_colour",
    "textured", "vertical_gradient",
]  # fmt: skip

# Fractional bits of the coordinates for OpenCV.
_BITS = 4


def scale_colour(colour: Colour, factor: float) -> Colour:
    """Return a darker or lighter colour, clipped to 0..255.

    Args:
        colour: RGB.
        factor: < 1 darkens, > 1 lightens.
    """
    return as_colour([min(255.0, max(0.0, value * factor)) for value in colour])


def vertical_gradient(height: int, width: int, top: Colour, bottom: Colour) -> Bytes:
    """Return an image with a vertical gradient.

    Args:
        height, width: size, px.
        top, bottom: colours of the first and the last row.
    """
    fraction = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    rows = np.array(top, np.float32) * (1 - fraction) + np.array(bottom, np.float32) * fraction
    return np.broadcast_to(np.clip(rows, 0, 255).astype(np.uint8), (height, width, 3)).copy()


def textured(image: Bytes, seed: int, kind: int, strength: float, stretch: tuple[float, float] = (1.0, 1.0)) -> Bytes:
    """Return a copy with noise on its brightness.

    Args:
        image: (h, w, 3) uint8, or float32 in 0..255.
        seed, kind, stretch: See `noise_patch`.
        strength: Amplitude of the noise, grey levels.
    """
    shift = noise_patch(kind, image.shape[:2], seed, stretch) * np.float32(strength)
    # Add, round and clip to 0..255 in one pass.
    return np.asarray(cv2.add(image, cv2.merge([shift, shift, shift]), dtype=cv2.CV_8U))


def draw_polygon(image: Bytes, points: Sequence[tuple[float, float] | Doubles], colour: Colour) -> None:
    """Fill a polygon.

    Args:
        image: (h, w, 3) uint8 RGB, modified.
        points: corners x, y, px.
        colour: RGB.
    """
    fixed = np.round(np.array(points) * (1 << _BITS)).astype(np.int32)
    cv2.fillPoly(image, [fixed], colour, cv2.LINE_AA, _BITS)


def draw_rectangle(image: Bytes, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
    """Fill an axis-aligned rectangle.

    Args:
        image: (h, w, 3) uint8 RGB, modified.
        left, top, right, bottom: edges, px.
        colour: RGB.
    """
    draw_polygon(image, [(left, top), (right, top), (right, bottom), (left, bottom)], colour)


def draw_bar(image: Bytes, start: tuple[float, float], end: tuple[float, float], thickness: float, colour: Colour) -> None:
    """Draw a round rod, lit from one side: three stripes from dark to light.

    Args:
        image: (h, w, 3) uint8 RGB, modified.
        start, end: x, y of its ends, px.
        thickness: px.
        colour: RGB of the middle stripe.
    """
    a, b = np.array(start), np.array(end)
    along = (b - a) / max(1e-6, float(np.linalg.norm(b - a)))
    across = np.array([-along[1], along[0]])
    for shift, width, factor in ((0.0, 1.0, 0.78), (0.12, 0.72, 1.0), (0.22, 0.3, 1.14)):
        p, q = a + across * shift * thickness, b + across * shift * thickness
        half = across * thickness * width / 2
        draw_polygon(image, [p - half, p + half, q + half, q - half], scale_colour(colour, factor))


def draw_blob(image: Bytes, centre: tuple[float, float], radius: float, colour: Colour, seed: int) -> None:
    """Draw foliage: overlapping discs, darker below.

    Args:
        image: (h, w, 3) uint8 RGB, modified.
        centre: x, y, px.
        radius: radius of the foliage, px.
        colour: RGB at the centre.
        seed: seed of the discs.
    """
    rng = np.random.default_rng(seed)
    for _ in range(max(6, int(radius * 0.5))):
        angle, far = rng.uniform(0, 2 * np.pi), np.sqrt(rng.uniform(0, 1)) * radius * 0.8
        x, y = centre[0] + far * np.cos(angle), centre[1] + far * np.sin(angle) * 0.8
        shade = scale_colour(colour, 1.0 - 0.35 * (y - centre[1]) / radius + rng.normal(0, 0.08))
        place = (round(x * (1 << _BITS)), round(y * (1 << _BITS)))
        cv2.circle(image, place, round(radius * rng.uniform(0.2, 0.42) * (1 << _BITS)), shade, -1, cv2.LINE_AA, _BITS)


def sample_colour(rng: np.random.Generator, low: float, high: float, spread: float = 22) -> Colour:
    """Sample a muted colour.

    Args:
        rng: source of the random numbers.
        low, high: bounds of the brightness, 0..255.
        spread: standard deviation of each channel.
    """
    value = rng.uniform(low, high)
    return as_colour(np.clip(value + rng.normal(0, spread, 3), 15, 245))


def sample_seed(rng: np.random.Generator) -> int:
    """Sample a seed for an independent random choice."""
    return int(rng.integers(1 << 30))
