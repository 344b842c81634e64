"""Text in images, in DejaVu Sans, which matplotlib includes and which has Greek letters and mathematical signs."""

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

__all__ = ["TEXT_RGB", "BACKGROUND_RGB", "line_height_px", "draw_text", "wrap_text"]

TEXT_RGB = (34, 34, 34)
BACKGROUND_RGB = (255, 255, 255)

_LINE_SPACING = 1.3


@cache
def _font(size_px: int, bold: bool) -> ImageFont.FreeTypeFont:
    import matplotlib  # noqa: PLC0415  (a tenth of a second, which pages without such text need not wait for)

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size_px)


def line_height_px(size_px: int) -> int:
    """Return the line height of text of a given size."""
    return round(size_px * _LINE_SPACING)


def wrap_text(text: str, width_px: int, size_px: int, max_lines: int, bold: bool = False) -> list[str]:
    """Wrap a text at spaces; line breaks are kept, words and lines that do not fit end in an ellipsis.

    Args:
        text: text to wrap.
        width_px: maximum width of a line.
        size_px: font size.
        max_lines: maximum number of lines.
        bold: whether the font is bold.
    """
    font = _font(size_px, bold)
    lines: list[str] = []
    for paragraph in text.splitlines() or [""]:
        line = ""
        for word in paragraph.split():
            candidate = f"{line} {word}".strip()
            if line and font.getlength(candidate) > width_px:
                lines.append(line)
                candidate = word
            line = candidate
        lines.append(line)
    shown = lines[:max_lines]
    if len(lines) > max_lines:
        shown[-1] += "…"
    return [_shorten(line, width_px, font) for line in shown]


def draw_text(lines: list[str], width_px: int, size_px: int, bold: bool = False) -> NDArray[np.uint8]:
    """Draw centred dark lines of text on white.

    Args:
        lines: lines of text.
        width_px: width of the image.
        size_px: font size.
        bold: whether the font is bold.

    Returns:
        (len(lines) * line_height_px(size_px), width_px, 3) uint8 RGB.
    """
    step = line_height_px(size_px)
    canvas = Image.new("RGB", (width_px, step * len(lines)), BACKGROUND_RGB)
    pen = ImageDraw.Draw(canvas)
    for row, line in enumerate(lines):
        pen.text((width_px / 2, step * (row + 0.5)), line, fill=TEXT_RGB, font=_font(size_px, bold), anchor="mm")
    return np.array(canvas)


def _shorten(line: str, width_px: int, font: ImageFont.FreeTypeFont) -> str:
    if font.getlength(line) <= width_px:
        return line
    kept = line.removesuffix("…")
    while kept and font.getlength(kept + "…") > width_px:
        kept = kept[:-1]
    return kept.rstrip() + "…"
