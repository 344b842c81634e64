"""Plots of attribution: maps over crops, density by region, and the curves of deletion and insertion."""

from collections.abc import Sequence

import cv2
import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from posescope.drawing.heatmap_overlays import dim_image, overlay_heatmaps
from posescope.drawing.image_grids import draw_image_grid
from posescope.drawing.strokes import draw_stroke
from posescope.explainability.attribution.body_regions import REGIONS, RegionFractions
from posescope.explainability.attribution.explained_joints import ExplainedJoints
from posescope.explainability.attribution.faithfulness_curves import CURVES, FaithfulnessCurves
from posescope.explainability.static_plots import plot_matrix

__all__ = ["caption_maps", "draw_maps", "plot_curves", "plot_density"]

_TILE = (112, 112)
_BLUR = 0.012  # standard deviation as a fraction of the crop's side
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
_LINE_STYLES = {  # colour and dash of each ranking
    "integrated_gradients": ("#0072b2", "solid"),
    "occlusion": ("#009e73", "solid"),
    "near_joint": ("#e69f00", "dash"),
    "random_weights": ("#d55e00", "dot"),
    "random": ("#7d8590", "dot"),
}


def draw_maps(
    crops: NDArray[np.uint8],
    maps: NDArray[np.floating],
    points: NDArray[np.floating],
    *,
    joints: Sequence[str],
    captions: Sequence[str],
    title: str,
) -> NDArray[np.uint8]:
    """Draw absolute attribution maps in an image grid, one row per joint and one column per person.

    Args:
        crops: (n, H, W, 3) uint8.
        maps: (n, J, H, W).
        points: (n, J, 2) explained points, crop px, marked by a dot.
        joints: J names.
        captions: n * J, person by person.
        title: title of the grid.
    """
    tiles, texts = [], []
    for joint in range(len(joints)):
        for person, crop in enumerate(crops):
            sigma = max(_BLUR * max(crop.shape[:2]), 0.5)
            blurred = cv2.GaussianBlur(np.abs(maps[person, joint]).astype(np.float32), (0, 0), sigma)
            tile = overlay_heatmaps(dim_image(crop), blurred[None], opacity=0.9)
            radius = crop.shape[1] / 64
            point = points[person, joint].astype(np.float64)
            draw_stroke(tile, point, point, radius + 0.8, _BLACK)
            draw_stroke(tile, point, point, radius, _WHITE)
            tiles.append(tile)
            texts.append(captions[person * len(joints) + joint])
    return draw_image_grid(tiles, columns=len(crops), captions=texts, tile_size=_TILE, title=title)


def plot_curves(curves: FaithfulnessCurves) -> go.Figure:
    """Plot the curves of deletion and insertion side by side, one line per ranking."""
    figure = make_subplots(rows=1, cols=2, subplot_titles=[curve.capitalize() for curve in CURVES], shared_yaxes=True)
    for ranking in curves.values:
        colour, dash = _LINE_STYLES.get(ranking, ("#7d8590", "solid"))
        for place in range(len(CURVES)):
            figure.add_scatter(
                x=100 * curves.fractions,
                y=curves.mean_curve(ranking, place),
                name=ranking.replace("_", " "),
                mode="lines+markers",
                line={"color": colour, "dash": dash},
                legendgroup=ranking,
                showlegend=place == 0,
                row=1,
                col=place + 1,
            )
    figure.update_layout(legend={"orientation": "h", "y": -0.22, "yanchor": "top"})  # above, it would cover the titles
    figure.update_xaxes(title_text="patches, %")
    figure.update_yaxes(title_text="explained value (1: whole image)", row=1, col=1)
    return figure


def caption_maps(explained: ExplainedJoints, fractions: RegionFractions, shown: slice) -> list[str]:
    """Caption each person and joint with its name and the fraction of the attribution on it.

    Args:
        explained: persons and joints.
        fractions: fractions by one method.
        shown: persons that are shown.
    """
    return [
        name.replace("_", " ") + (": unlabelled" if np.isnan(fraction) else f" {fraction:.0%}{'' if correct else ', wrong'}")
        for own, predictions in zip(fractions.fractions[shown, :, 0], explained.correct[shown], strict=True)
        for name, fraction, correct in zip(explained.names, own, predictions, strict=True)
    ]


def plot_density(table: pd.DataFrame, method: str) -> NDArray[np.uint8]:
    """Plot the log2 densities of one method by joint and region.

    Args:
        table: table of `tabulate_regions`.
        method: name of the method.
    """
    own = table[table["method"] == method]
    joints = list(dict.fromkeys(own["joint"]))
    density = own["density"].to_numpy(dtype=np.float64).reshape(len(joints), len(REGIONS))
    random = own["random_weights"].to_numpy(dtype=np.float64).reshape(len(joints), len(REGIONS))
    values = np.log2(np.maximum(np.concatenate([density, random[-1:]]), 2.0**-6))
    title = f"Density of the attribution ({method.replace('_', ' ')})"
    names = [*(name.replace("_", " ") for name in joints), "all, random weights"]
    return plot_matrix(values, names, REGIONS, title=title, unit="log2 of attribution fraction / area fraction", min_range=1.0)
