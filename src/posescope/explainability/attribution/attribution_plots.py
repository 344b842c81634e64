"""Pictures of attribution: maps over people, densities by region, and the curves of deletion and insertion."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.drawing.heatmap_overlays import dim_image, overlay_heatmaps
from posescope.drawing.image_grids import draw_image_grid
from posescope.drawing.strokes import draw_stroke
from posescope.explainability.attribution.body_regions import REGIONS, RegionFractions
from posescope.explainability.attribution.explained_joints import ExplainedJoints
from posescope.explainability.attribution.faithfulness_curves import CURVES, FaithfulnessCurves
from posescope.explainability.static_plots import plot_matrix

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["caption_maps", "draw_density", "draw_maps", "plot_curves"]

_TILE = (112, 112)
_SMOOTH = 0.012  # of the crop's side: single pixels are seen, and belong together
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
_LINES = {  # colour and dash of each ranking
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
    """A row a joint, a column a person: where the evidence lies, however signed; a dot marks the cell that is explained.

    Args:
        crops: (n, H, W, 3).
        maps: (n, J, H, W).
        points: (n, J, 2) crop px of the cells.
        joints: J names.
        captions: n * J, person by person.
        title: above.
    """
    tiles, texts = [], []
    for joint in range(len(joints)):
        for person, crop in enumerate(crops):
            sigma = max(_SMOOTH * max(crop.shape[:2]), 0.5)
            seen = cv2.GaussianBlur(np.abs(maps[person, joint]).astype(np.float32), (0, 0), sigma)
            tile = overlay_heatmaps(dim_image(crop), seen[None], opacity=0.9)
            radius = crop.shape[1] / 64
            point = points[person, joint].astype(np.float64)
            draw_stroke(tile, point, point, radius + 0.8, _BLACK)
            draw_stroke(tile, point, point, radius, _WHITE)
            tiles.append(tile)
            texts.append(captions[person * len(joints) + joint])
    return draw_image_grid(tiles, columns=len(crops), captions=texts, tile_size=_TILE, title=title)


def plot_curves(curves: FaithfulnessCurves) -> "go.Figure":
    """Deletion beside insertion, a line a ranking."""
    from plotly.subplots import make_subplots  # noqa: PLC0415 - a machine that only computes may lack it

    figure = make_subplots(rows=1, cols=2, subplot_titles=[curve.capitalize() for curve in CURVES], shared_yaxes=True)
    for ranking in curves.values:
        colour, dash = _LINES.get(ranking, ("#7d8590", "solid"))
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
    figure.update_layout(legend={"orientation": "h", "y": -0.22, "yanchor": "top"})  # above, it would cover the two titles
    figure.update_xaxes(title_text="patches, %")
    figure.update_yaxes(title_text="answer left (1: whole image)", row=1, col=1)
    return figure


def caption_maps(case: ExplainedJoints, shares: RegionFractions, shown: slice) -> list[str]:
    """For each person and joint: its name, and how much of the evidence lies on it."""
    return [
        name.replace("_", " ") + (": unlabelled" if np.isnan(share) else f" {share:.0%}{'' if right else ', wrong'}")
        for own, answers in zip(shares.shares[shown, :, 0], case.right[shown], strict=True)
        for name, share, right in zip(case.names, own, answers, strict=True)
    ]


def draw_density(table: pd.DataFrame, method: str) -> NDArray[np.uint8]:
    """The densities of one method in colours: log2, so that half and twice are as far from the middle.

    Args:
        table: what `tabulate_regions` puts out.
        method: whose rows.
    """
    own = table[table["method"] == method]
    joints = list(dict.fromkeys(own["joint"]))
    density = own["density"].to_numpy(dtype=np.float64).reshape(len(joints), len(REGIONS))
    random = own["random_weights"].to_numpy(dtype=np.float64).reshape(len(joints), len(REGIONS))
    values = np.log2(np.maximum(np.concatenate([density, random[-1:]]), 2.0**-6))
    title = f"How dense the evidence is ({method.replace('_', ' ')})"
    names = [*(name.replace("_", " ") for name in joints), "all, random weights"]
    return plot_matrix(values, names, REGIONS, title=title, unit="log2 of evidence share / area share", min_range=1.0)
