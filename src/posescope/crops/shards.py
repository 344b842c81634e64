"""Cut one shard: every image is read and decoded once for all its people, and let go before the next."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from posescope.crops.cutting import cut_square
from posescope.crops.decoding import ImageError, read_image
from posescope.crops.options import CropOptions
from posescope.crops.plan import ShardTask
from posescope.crops.shard_file import CropColour
from posescope.crops.store import CropStore
from posescope.geometry.real_pixels import real_span

__all__ = ["CutShard", "cut_shard"]


@dataclass(frozen=True)
class CutShard:
    """Attributes: name: of the shard; person_count: people of the task, the failed ones included."""

    name: str
    person_count: int


def cut_shard(task: ShardTask, store: CropStore, options: CropOptions) -> CutShard:
    """Cut everybody of a shard and write it. Runs in a process of its own.

    Whose image cannot be read has no row; the record names them with the reason.
    """
    cv2.setNumThreads(1)  # the processes share the cores already
    size_px, padding_rgb = options.size_px, options.padding_rgb
    crop = np.empty((size_px, size_px, 3), dtype=np.uint8)
    with store.shard_writer(task.name, task.fingerprint, task.person_count, size_px) as writer:
        for image_task, spans in zip(task.images, _real_spans(task, size_px), strict=True):
            try:
                image = read_image(image_task.path, image_task.size)
            except ImageError as error:
                writer.fail(image_task.person_ids, error.kind, str(error))
                continue
            for square, span in zip(image_task.squares, spans, strict=True):
                cut_square(image, square.left, square.top, square.side, size_px, padding_rgb, out=crop)
                writer.append(square.person_id, crop, _sum_colour(crop, span))
    return CutShard(task.name, task.person_count)


def _real_spans(task: ShardTask, size_px: int) -> Iterator[list[list[int]]]:
    """Image by image, of each crop: first column and the one after the last, first row and the one after the last, of real px."""
    squares = [(square.left, square.top, square.side, *image.size) for image in task.images for square in image.squares]
    left, top, side, height, width = np.array(squares, dtype=np.int64).T
    spans = np.stack([*real_span(left, side, width, size_px), *real_span(top, side, height, size_px)], axis=1).tolist()
    for image in task.images:
        yield spans[: len(image.squares)]
        spans = spans[len(image.squares) :]


def _sum_colour(crop: NDArray[np.uint8], span: list[int]) -> CropColour:
    """Sums of R, G, B over the crop's px that show nothing but the image."""
    x0, x1, y0, y1 = span
    if x1 <= x0 or y1 <= y0:
        return CropColour((0, 0, 0), 0)
    # Whole numbers far below 2^53: the float sums are exact.
    red, green, blue, _ = cv2.sumElems(crop[y0:y1, x0:x1])
    return CropColour((int(red), int(green), int(blue)), (x1 - x0) * (y1 - y0))
