"""Cut one shard: every image is read and decoded once for all its people, and let go before the next."""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from posescope.crops.cutting import cut_square
from posescope.crops.decoding import ImageError, decode_image, read_bytes
from posescope.crops.options import CropOptions
from posescope.crops.plan import ShardTask
from posescope.crops.shard_file import CropColour, PictureFacts, digest_of
from posescope.crops.store import CropStore
from posescope.data_folder import working_in
from posescope.geometry.real_pixels import real_windows
from posescope.images.headers import read_header

__all__ = ["cut_shard"]


def cut_shard(task: ShardTask, store: CropStore, options: CropOptions) -> int:
    """Cut everybody of a shard and write it; the number of people, the failed ones included. Runs in a process of its own.

    Whose image cannot be read has no row; the record names them with the reason.
    """
    cv2.setNumThreads(1)  # the processes share the cores already
    size_px, padding_rgb = options.size_px, options.padding_rgb
    crop = np.empty((size_px, size_px, 3), dtype=np.uint8)
    with (
        working_in(store.root),
        store.shard_writer(task.name, task.fingerprint, task.person_count, size_px) as writer,
    ):
        for image_task, windows in zip(task.images, _real_windows(task, size_px), strict=True):
            try:
                raw = read_bytes(image_task.path, task.limits)
                header = read_header(raw, image_task.path)
                image = decode_image(raw, image_task.path, image_task.size, frame=task.frame, limits=task.limits, header=header)
            except ImageError as error:
                writer.fail(image_task.person_ids, error.kind, str(error))
                continue
            writer.add_picture(PictureFacts(image_task.name, digest_of(raw), header.orientation, *header.stored_size))
            for square, window in zip(image_task.squares, windows, strict=True):
                cut_square(image, square.left, square.top, square.side, size_px, padding_rgb, out=crop)
                writer.append(square.person_id, crop, _sum_colour(crop, window))
    return task.person_count


def _real_windows(task: ShardTask, size_px: int) -> Iterator[list[list[int]]]:
    """Image by image, the window of each crop that shows nothing but the image; worked out for the whole shard at once."""
    squares = np.array([(s.left, s.top, s.side, *image.size) for image in task.images for s in image.squares], dtype=np.int64)
    left, top, side = squares[:, :3].T
    windows = real_windows(left, top, side, squares[:, 3:], (size_px, size_px)).tolist()
    for image in task.images:
        yield windows[: len(image.squares)]
        windows = windows[len(image.squares) :]


def _sum_colour(crop: NDArray[np.uint8], window: list[int]) -> CropColour:
    """Sums of R, G, B over the crop's px that show nothing but the image."""
    left, top, right, bottom = window
    if right <= left or bottom <= top:
        return CropColour((0, 0, 0), 0)
    # Whole numbers far below 2^53: the float sums are exact.
    red, green, blue, _ = cv2.sumElems(crop[top:bottom, left:right])
    return CropColour((int(red), int(green), int(blue)), (right - left) * (bottom - top))
