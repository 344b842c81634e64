"""Image grids with captions, rows of panels with titles, and images resized to panels."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from posescope.drawing.rgb_images import DrawingError, check_rgb
from posescope.drawing.text_rendering import BACKGROUND_RGB, draw_text, line_height_px, wrap_text
from posescope.geometry.heatmap_px import crop_from_heatmap

__all__ = ["draw_image_grid", "draw_image_row", "fit_image", "resize_to_height"]

_TILE_RGB = (236, 236, 236)  # behind images that do not fill their tile
_CAPTION_PX, _ROW_TITLE_PX, _TITLE_PX = 12, 15, 17
_CAPTION_LINES, _TITLE_LINES = 3, 2
_MAX_ASPECT = 8  # width by height of a panel: 30,000 x 10 px at full aspect would take gigabytes
_PADDING_GREY = 200  # above and below images beyond that aspect


def draw_image_grid(
    images: Sequence[NDArray[np.uint8]],
    columns: int,
    captions: Sequence[str] | None = None,
    tile_size: tuple[int, int] = (160, 160),
    gap_px: int = 4,
    *,
    title: str | None = None,
) -> NDArray[np.uint8]:
    """Draw images in a grid, row by row.

    Args:
        images: RGB, of any sizes; each keeps its aspect ratio inside its tile.
        columns: maximum number of columns.
        captions: one per image, wrapped to at most three lines; may be empty.
        tile_size: (height, width) px of a tile.
        gap_px: gap between tiles and around the grid.
        title: text above the grid.

    Returns:
        (H, W, 3) RGB with W = columns * tile width + (columns + 1) * gap. Without title and captions,
        H = rows * tile height + (rows + 1) * gap; captions add the height of the longest one to each row.

    Raises:
        DrawingError: if there are no images, an image is not RGB, captions and images differ in number, or a size is not
            positive.
    """
    _check_grid_inputs(images, columns, captions, tile_size, gap_px)
    columns = min(columns, len(images))
    blocks = _caption_blocks(captions or [], tile_size[1])
    tiles = [fit_image(image, tile_size) for image in images]
    cells = [np.concatenate([tile, block]) for tile, block in zip(tiles, blocks, strict=True)] if blocks else tiles
    cell_height, cell_width = cells[0].shape[:2]
    rows = -(-len(cells) // columns)
    width = columns * (cell_width + gap_px) + gap_px
    grid = np.full((rows * (cell_height + gap_px) + gap_px, width, 3), BACKGROUND_RGB, dtype=np.uint8)
    for index, cell in enumerate(cells):
        row, column = divmod(index, columns)
        top, left = gap_px + row * (cell_height + gap_px), gap_px + column * (cell_width + gap_px)
        grid[top : top + cell_height, left : left + cell_width] = cell
    return grid if title is None else np.concatenate([_title_block(title, width), grid])


def fit_image(image: NDArray[np.uint8], tile_size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize an RGB image to fit a tile of (height, width) px, aspect ratio kept, centred on light grey.

    Args:
        image: (H, W, 3) uint8 RGB.
        tile_size: (height, width) px.
    """
    height, width = image.shape[:2]
    scale = min(tile_size[0] / height, tile_size[1] / width)
    fitted = (max(1, round(height * scale)), max(1, round(width * scale)))
    tile = np.full((*tile_size, 3), _TILE_RGB, dtype=np.uint8)
    top, left = (tile_size[0] - fitted[0]) // 2, (tile_size[1] - fitted[1]) // 2
    # Area averaging keeps thin limbs when an image is reduced; enlarged images are interpolated.
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    tile[top : top + fitted[0], left : left + fitted[1]] = cv2.resize(image, fitted[::-1], interpolation=method)
    return tile


def _check_grid_inputs(
    images: Sequence[NDArray[np.uint8]],
    columns: int,
    captions: Sequence[str] | None,
    tile_size: tuple[int, int],
    gap_px: int,
) -> None:
    if len(images) == 0:
        raise DrawingError("draw_image_grid: expected at least one image, found none.")
    if captions is not None and len(captions) != len(images):
        raise DrawingError(
            f"draw_image_grid: expected one caption per image, found {len(captions)} captions for {len(images)} images."
        )
    if columns < 1 or min(tile_size) < 1 or gap_px < 0:
        raise DrawingError(
            f"draw_image_grid: expected columns >= 1, tile sides >= 1 px and gap_px >= 0, "
            f"found {columns}, {tile_size} and {gap_px}."
        )
    for index, image in enumerate(images):
        check_rgb(image, f"images[{index}]")


def _caption_blocks(captions: Sequence[str], width_px: int) -> list[NDArray[np.uint8]]:
    """Return one block per caption, all of the same height, with a margin above."""
    wrapped = [wrap_text(caption, width_px, _CAPTION_PX, _CAPTION_LINES) for caption in captions]
    line_count = max((len(lines) for lines in wrapped), default=0)
    margin = _blank(3, width_px)
    return [
        np.concatenate([margin, draw_text(lines + [""] * (line_count - len(lines)), width_px, _CAPTION_PX)]) for lines in wrapped
    ]


def _title_block(title: str, width_px: int) -> NDArray[np.uint8]:
    lines = wrap_text(title, width_px - 16, _TITLE_PX, _TITLE_LINES, bold=True)
    margin = _blank(line_height_px(_TITLE_PX) // 3, width_px)
    return np.concatenate([margin, draw_text(lines, width_px, _TITLE_PX, bold=True)])


def draw_image_row(
    images: Sequence[NDArray[np.uint8]], titles: Sequence[str], height_px: int = 320, gap_px: int = 8
) -> NDArray[np.uint8]:
    """Draw images side by side at one height, each with its title above.

    Args:
        images: RGB, of any sizes; each keeps its aspect ratio.
        titles: one per image, wrapped to at most two lines.
        height_px: height of the panels.
        gap_px: gap between panels and around them.

    Returns:
        (H, W, 3) RGB.

    Raises:
        DrawingError: if there are no images, an image is not RGB, or titles and images differ in number.
    """
    if len(images) == 0 or len(titles) != len(images):
        raise DrawingError(
            f"draw_image_row: expected images and one title per image, found {len(images)} images, {len(titles)} titles."
        )
    for index, image in enumerate(images):
        check_rgb(image, f"images[{index}]")
    panels = [fit_image(image, (height_px, max(1, round(image.shape[1] * height_px / image.shape[0])))) for image in images]
    wrapped = [wrap_text(title, panel.shape[1], _ROW_TITLE_PX, _TITLE_LINES) for title, panel in zip(titles, panels, strict=True)]
    line_count = max(len(lines) for lines in wrapped)
    pieces: list[NDArray[np.uint8]] = []
    for lines, panel in zip(wrapped, panels, strict=True):
        heading = draw_text([""] * (line_count - len(lines)) + lines, panel.shape[1], _ROW_TITLE_PX)
        pieces.append(np.concatenate([_blank(gap_px // 2, panel.shape[1]), heading, _blank(gap_px // 2, panel.shape[1]), panel]))
    margin = _blank(pieces[0].shape[0], gap_px)
    row = np.concatenate([part for piece in pieces for part in (margin, piece)] + [margin], axis=1)
    return np.concatenate([row, _blank(gap_px, row.shape[1])])


def _blank(height: int, width: int) -> NDArray[np.uint8]:
    return np.full((height, width, 3), BACKGROUND_RGB, dtype=np.uint8)


def resize_to_height(image: NDArray[np.uint8], height_px: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Resize an image to a height, aspect ratio kept.

    An image more than eight times as wide as high is fitted to the width of the panel and padded with grey. Draw after resizing:
    lines stay crisp.

    Args:
        image: (H, W, 3) RGB; not changed.
        height_px: height of the panel.

    Returns:
        The panel, (height_px, W', 3) RGB, and `panel_from_image`, (2, 3) float64.

    Raises:
        DrawingError: if the image is not RGB, or the height is not positive.
    """
    check_rgb(image)
    if height_px < 1:
        raise DrawingError(f"height_px: expected at least 1, found {height_px}.")
    height, width = image.shape[:2]
    panel_width = min(max(1, round(width * height_px / height)), _MAX_ASPECT * height_px)
    image_height = height_px if width <= _MAX_ASPECT * height else max(1, round(height * panel_width / width))
    method = cv2.INTER_AREA if image_height < height else cv2.INTER_CUBIC
    resized = np.asarray(cv2.resize(image, (panel_width, image_height), interpolation=method), dtype=np.uint8)
    top = (height_px - image_height) // 2
    # An image px covers `scale` panel px, as a heatmap px covers `stride` crop px.
    scale_x, scale_y = panel_width / width, image_height / height
    offset_x, offset_y = crop_from_heatmap(0.0, scale_x), crop_from_heatmap(0.0, scale_y) + top
    panel_from_image = np.array([[scale_x, 0.0, offset_x], [0.0, scale_y, offset_y]])
    if image_height == height_px:
        return resized, panel_from_image
    panel = np.full((height_px, panel_width, 3), _PADDING_GREY, dtype=np.uint8)
    panel[top : top + image_height] = resized
    return panel, panel_from_image
