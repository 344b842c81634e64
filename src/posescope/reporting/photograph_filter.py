"""Leave out what shows photographs or names files, where the page must not.

Pictures are drawn in the mode `reporting.photographs` of the run that made them, and state it. A picture of a less strict mode is
left out, never altered: the report does not know where its faces are.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from posescope.drawing.photographs import PhotographMode, mode_covers
from posescope.drawing.rgb_images import PngImage
from posescope.explainability.base import AnalysisResult
from posescope.reporting.plots.plot_words import map_plot_texts
from posescope.reporting.result_filter import PHOTOGRAPHS_KEY

__all__ = ["hide_file_names", "hide_result", "hide_table", "is_covered"]

_FILE_NAME = re.compile(r"[^\s'\"(),;:]+\.(?:jpe?g|png|webp|bmp|tiff?|gif)\b", re.IGNORECASE)
_FILE_COLUMNS = frozenset({"file", "file_name", "filename", "image_file", "path"})
_HIDDEN = "(file)"


def is_covered(image: PngImage, mode: PhotographMode) -> bool:
    """Return whether a stored image may be shown in a mode."""
    return mode_covers(image.text.get(PHOTOGRAPHS_KEY, "full"), mode)


def hide_file_names(text: str) -> str:
    """Return a text without names of image files.

    Example:
        >>> hide_file_names("Image anna_smith.jpg is dark.")
        'Image (file) is dark.'
    """
    return _FILE_NAME.sub(_HIDDEN, text)


def hide_table(table: pd.DataFrame, mode: PhotographMode) -> pd.DataFrame:
    """Return a table without names of image files, unless the mode is `full`.

    Args:
        table: any table; not changed.
        mode: how photographs are shown.
    """
    if mode == "full":
        return table
    kept = table.drop(columns=[name for name in table.columns if str(name).lower() in _FILE_COLUMNS])
    texts = kept.select_dtypes(include=["object", "string", "category"]).columns
    return kept.assign(**{str(name): kept[name].map(_hide_cell, na_action="ignore").astype(object) for name in texts})


def _hide_cell(cell: object) -> object:
    return hide_file_names(cell) if isinstance(cell, str) else cell


def hide_result(result: AnalysisResult, mode: PhotographMode) -> AnalysisResult:
    """Return the result of an analysis as a page in this mode may show it.

    Args:
        result: result that was made in the mode `result.photographs`.
        mode: mode of the page.

    Returns:
        The result; in the modes `blurred` and `none` without names of image files, and without images and plots with embedded
        images unless the analysis made them in this mode or a stricter one.
    """
    if mode == "full":
        return result
    covered = mode_covers(result.photographs, mode)
    images: Mapping[str, NDArray[np.uint8]] = result.images if covered else {}
    plots = {
        name: map_plot_texts(plot, hide_file_names) for name, plot in result.plots.items() if covered or not _has_images(plot)
    }
    gone = (set(result.images) | set(result.plots)) - set(images) - set(plots)
    return replace(
        result,
        images=images,
        plots=plots,
        tables={name: hide_table(table, mode) for name, table in result.tables.items()},
        captions={name: hide_file_names(text) for name, text in result.captions.items() if name not in gone},
        note=hide_file_names(result.note),
        findings=tuple(replace(finding, picture=None) if finding.picture in gone else finding for finding in result.findings),
    )


def _has_images(plot: go.Figure) -> bool:
    return bool(plot.layout.images) or any(trace.type == "image" for trace in plot.data)
