"""Shrinking by averaging over the area: what OpenCV's INTER_AREA does, in a third of its time, to 0.2 grey levels.

A crop px is the mean of the part of the square that it covers, px at the border counted by the share that lies inside:

    square   |  0  |  1  |  2  |  3  |  4  |        5 px -> 2: the first crop px is (p0 + p1 + p2 / 2) / 2.5
    crop     |       0      |       1      |

Both axes are averaged by the same sparse matrix, which goes through whole rows at a time; between them the picture is turned on
its side. Weights are whole 256ths: a mean of bytes is then a sum that 16 bits hold, twice as many at once as floats. The sum of a
px's weights is exactly 1, so that a plain area keeps its colour.
"""

from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["LARGEST_WHOLE_PX", "area_weights", "shrink_part", "shrink_square"]

# Beyond it the square in 16 bits would take more memory (25 MB) than the gain is worth.
LARGEST_WHOLE_PX = 2048
_BLOCK_NUMBERS = 8_000_000  # of a part that are floats at once: 32 MB
_WHOLE = 256  # weights that sum to it: 255 * 256 + 128 is the most that is ever summed, and 65,535 the most that fits


def shrink_square(square: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
    """Average a square into a crop.

    Args:
        square: (side, side, 3) uint8.
        out: (size_px, size_px, 3) uint8, contiguous; size_px < side.
    """
    side, size_px = len(square), len(out)
    if side > LARGEST_WHOLE_PX or side % size_px == 0:  # whole ratios are fast already
        cv2.resize(square, (size_px, size_px), dst=out, interpolation=cv2.INTER_AREA)
        return
    weights = area_weights(side, size_px)
    # Halves go down along one axis and up along the other, or crops would come out brighter by up to a quarter of a grey level.
    upright = _average_rows(square, weights, half=_WHOLE // 2 - 1)
    cv2.transpose(_average_rows(cv2.transpose(upright), weights, half=_WHOLE // 2), dst=out)


def _average_rows(image: NDArray[np.uint8] | cv2.typing.MatLike, weights: "csr_array", half: int) -> NDArray[np.uint8]:
    """(side, width, 3) -> (size_px, width, 3), rounded; `half`, in 256ths, is added before the fraction is cut off."""
    side, width, channels = image.shape
    sums = weights @ image.astype(np.uint16).reshape(side, width * channels)
    sums += half
    sums >>= 8
    return np.asarray(sums.astype(np.uint8).reshape(-1, width, channels))


@lru_cache(maxsize=LARGEST_WHOLE_PX)
def area_weights(side: int, size_px: int) -> "csr_array":
    """(size_px, side) uint16: how many 256ths each px along one axis of a square counts in each px of the crop.

    Rows sum to 256: what is rounded is how much all px up to this one have, so that what one gains the next one loses. Errors
    that pile up on one side would shift the picture.
    """
    shares, columns = _covered_shares(side, size_px)
    values = np.diff(np.rint(np.cumsum(shares, axis=1) * _WHOLE), axis=1, prepend=0)
    return _sparse(values.astype(np.uint16), columns, side)


def shrink_part(
    part: NDArray[np.uint8], left: int, top: int, side: int, padding_rgb: tuple[int, int, int], out: NDArray[np.uint8]
) -> None:
    """Average a square of which a part alone is at hand, the rest having one colour, without making it whole.

    The memory it takes grows with neither the square's side nor the part's width: the crop is made in strips of columns.

    Args:
        part: (h, w, 3) uint8.
        left, top: where it lies in the square, px.
        side: of the square, px; larger than `size_px`.
        padding_rgb: of the rest, 0..255 each.
        out: (size_px, size_px, 3) uint8.
    """
    size_px, (height, width) = len(out), part.shape[:2]
    shares, places = _covered_shares(side, size_px)
    whole = _sparse(shares.astype(np.float32), places, side)
    rows, columns = whole[:, top : top + height], whole[:, left : left + width]
    missing = 1 - np.outer(rows.sum(axis=1), columns.sum(axis=1))
    step = max(1, _BLOCK_NUMBERS // (width * 3))
    strip = max(1, int(_BLOCK_NUMBERS / (side / size_px) / (size_px * 3)))  # columns of the crop
    for first in range(0, size_px, strip):
        stop = min(first + strip, size_px)
        # The px of the part that these columns cover.
        low = max(int(places[first].min()) - left, 0)
        high = min(int(places[stop - 1].max()) + 1 - left, width)
        averaged = np.zeros((size_px, stop - first, 3), dtype=np.float32)
        if low < high:
            upright = _average_blocks(part[:, low:high], rows, step)
            on_its_side = upright.reshape(size_px, high - low, 3).swapaxes(0, 1).reshape(high - low, -1)
            covered = columns[first:stop, low:high] @ on_its_side
            averaged = covered.reshape(stop - first, size_px, 3).swapaxes(0, 1)
        filled = averaged + missing[:, first:stop, None] * np.array(padding_rgb)
        out[:, first:stop] = np.rint(filled).clip(0, 255)


def _average_blocks(part: NDArray[np.uint8], rows: "csr_array", step: int) -> NDArray[np.float32]:
    """(h, w, 3) -> (size_px, w * 3): rows averaged, `step` of them as floats at once."""
    upright = np.zeros((rows.shape[0], part.shape[1] * 3), dtype=np.float32)
    for start in range(0, len(part), step):
        block = part[start : start + step].astype(np.float32)
        upright += rows[:, start : start + step] @ block.reshape(len(block), -1)
    return upright


def _covered_shares(side: int, size_px: int) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """(size_px, n) the share that each of n px has in a px of the crop, adding up to 1, and (size_px, n) which px those are."""
    edges = np.arange(size_px + 1) * (side / size_px)
    first = np.floor(edges[:-1]).astype(np.int32)
    width = int((np.ceil(edges[1:]) - first).max())
    covered = first[:, None] + np.arange(width, dtype=np.int32)
    overlap = np.minimum(covered + 1, edges[1:, None]) - np.maximum(covered, edges[:-1, None])
    # Where the last px lies beyond the square its share is 0: any px will do.
    return np.clip(overlap, 0, None) * (size_px / side), np.minimum(covered, side - 1)


def _sparse(values: NDArray[np.generic], columns: NDArray[np.int32], side: int) -> "csr_array":
    """(size_px, side), from n values and their columns in each row."""
    from scipy.sparse import csr_array  # noqa: PLC0415  (0.1 s, which an import of posescope does not need)

    size_px, width = values.shape
    starts = np.arange(0, size_px * width + 1, width, dtype=np.int32)
    return csr_array((values.ravel(), columns.ravel(), starts), shape=(size_px, side))
