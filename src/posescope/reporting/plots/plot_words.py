"""Changes of the texts of a plot: titles, labels, categories."""

from collections.abc import Callable
from typing import Any

import plotly.graph_objects as go

from posescope.reporting.wording import in_words

__all__ = ["map_plot_texts", "use_words_in_plot"]

# Properties of plotly that hold text; others, such as `mode`, hold keywords.
_TEXTS = frozenset(
    {
        "args",
        "customdata",
        "hovertemplate",
        "hovertext",
        "label",
        "labels",
        "name",
        "prefix",
        "text",
        "ticktext",
        "title",
        "x",
        "y",
    }
)


def use_words_in_plot(figure: go.Figure) -> go.Figure:
    """Return a copy of a figure that has words in place of names with underscores.

    Args:
        figure: any plotly figure; not changed.
    """
    return map_plot_texts(figure, in_words)


def map_plot_texts(figure: go.Figure, change: Callable[[str], str]) -> go.Figure:
    """Return a copy of a figure whose texts are changed.

    Args:
        figure: any plotly figure; not changed.
        change: function of one text.
    """
    content = figure.to_dict()
    content.get("layout", {}).pop("template", None)  # long, and without texts of the figure
    changed = go.Figure(_map(content, change, False))
    changed.layout.template = figure.layout.template
    return changed


def _map(value: Any, change: Callable[[str], str], is_text: bool) -> Any:
    if isinstance(value, dict):
        return {key: _map(item, change, key in _TEXTS) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_map(item, change, is_text) for item in value]
    if getattr(value, "dtype", None) is not None and value.dtype.kind in "OU":
        return [_map(item, change, is_text) for item in value.tolist()]
    return change(value) if is_text and isinstance(value, str) else value
