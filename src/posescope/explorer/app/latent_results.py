"""Results of the tab `latent`: pictures of skeleton and heatmap, ends of a component, nearest persons, and the moved joints."""

from collections.abc import Sequence

from dash import dcc, html
from dash.development.base_component import Component

from posescope.drawing.skeletons import side_colour
from posescope.explorer.app.latent_controls import ALL_JOINTS
from posescope.explorer.app.tabs import aria
from posescope.explorer.latent_requests import LatentAnswer
from posescope.explorer.table_metadata import ComponentAbout, ExplorerAbout

__all__ = ["NEAREST", "lay_out_end", "lay_out_results", "tabulate_joints"]

NEAREST = 5


def lay_out_results(about: ExplorerAbout) -> Component:
    """Lay out line of changes, pictures, ends, nearest persons and table, all still empty.

    Args:
        about: names of joints and layer, and size of the crops.
    """
    reset = html.Button("Reset", id="latent-reset", className="plain", title="Put all sliders and layers back")
    changes = html.P(id="latent-changes", className="latent-line", **aria(live="polite"))
    return html.Div(
        [
            html.Div(
                [html.Div([changes, reset], className="latent-changes"), _lay_out_pictures(about.skeleton.joints)],
                className="latent-seen",
            ),
            html.P("The network is loaded ...", id="latent-summary", className="latent-line", **aria(live="polite")),
            html.Div(id="latent-ends", className="latent-ends"),
            *_lay_out_nearest(about.layer),
            html.H3("Moved joints", className="unseen"),
            html.Div(id="latent-moved", className="latent-moved"),
            html.P(_describe_units(about.crop_size), className="hint"),
        ],
        className="latent-results",
    )


def lay_out_end(
    component: ComponentAbout, end: str, persons: Sequence[int], pictures: Sequence[str], farthest_sd: Sequence[float]
) -> Component:
    """Lay out the persons at one end of a component.

    Args:
        component: the component.
        end: `low` or `high`.
        persons: their numbers.
        pictures: sources of their thumbnails.
        farthest_sd: their scores, standard deviations from the mean.
    """
    name = component.low if end == "low" else component.high
    words = f"{end.capitalize()} end" + (f": {name}" if name else "")
    if len(farthest_sd):
        words += f" ({min(farthest_sd):+.1f} to {max(farthest_sd):+.1f} sd)"
    tiles = [
        html.Button(
            html.Img(src=picture, alt=""),
            id={"type": "latent-choose", "person": person},
            title=f"person {person}",
            **aria(label=f"Person {person}, {end} end"),
        )
        for person, picture in zip(persons, pictures, strict=True)
    ]
    return html.Div(
        [html.Span(words, className="hint"), html.Div(tiles, className="latent-tiles")], role="group", **aria(label=words)
    )


def tabulate_joints(answer: LatentAnswer, joints: Sequence[str], chosen: int | None) -> list[Component]:
    """Return two tables, side by side, with a row per joint in the order of the skeleton.

    Args:
        answer: the answer.
        joints: names of the joints.
        chosen: the joint whose heatmap is shown; its row is marked.
    """
    columns = zip(joints, answer.moved_px, answer.scores, answer.unchanged_scores, strict=True)
    rows = [
        html.Tr(
            [
                html.Th(name.replace("_", " "), scope="row"),
                *(html.Td(text) for text in (f"{moved:.1f}", f"{score:.2f}", f"{before:.2f}")),
            ],
            className="chosen" if place == chosen else "",
        )
        for place, (name, moved, score, before) in enumerate(columns)
    ]
    half = -(-len(rows) // 2)
    head = html.Thead(html.Tr([html.Th(name, scope="col") for name in ("joint", "moved, px", "score", "before")]))
    return [html.Table([head, html.Tbody(part)]) for part in (rows[:half], rows[half:]) if part]


def _lay_out_pictures(joints: Sequence[str]) -> Component:
    options: list[dict[str, str | int]] = [{"label": "all joints (maximum)", "value": ALL_JOINTS}]
    options += [{"label": name.replace("_", " "), "value": place} for place, name in enumerate(joints)]
    choice = html.Div(
        [
            html.Label("Heatmap of", htmlFor="latent-joint"),
            dcc.Dropdown(options, ALL_JOINTS, clearable=False, id="latent-joint"),
        ],
        className="latent-joint",
    )
    sides = [
        html.Span(
            [html.Span(style={"background": f"rgb{side_colour(side)}"}, className="latent-side"), side], className="latent-key"
        )
        for side in ("left", "right", "middle")
    ]
    legend = html.Figcaption([*sides, "thin white: without changes"])
    caption = html.Figcaption("Yellow: the peak. A paler map has a lower peak than before.")
    pictures = [
        html.Figure([html.Img(id=f"latent-{name}", alt=words, className="latent-picture"), below])
        for name, words, below in (("skeleton", "Predicted skeleton", legend), ("heatmap", "Heatmap", caption))
    ]
    return html.Div([choice, html.Div(pictures, className="latent-pictures")])


def _lay_out_nearest(layer: str) -> list[Component]:
    tiles = [
        html.Button(html.Img(id=f"latent-nearest-picture-{place}", alt=""), id=f"latent-nearest-{place}", hidden=True)
        for place in range(NEAREST)
    ]
    how = (
        f"This is about the features at the layer {layer} only; replaced skip connections do not change it. Similar persons in "
        "the tab Persons are those of the unchanged person, by the first 10 components, so the two lists differ."
    )
    return [
        html.H3("Nearest persons"),
        html.P(id="latent-closeness", className="latent-line", **aria(live="polite")),
        html.Div([html.Div(tiles, className="latent-tiles"), html.P(how, className="hint")], className="latent-near"),
    ]


def _describe_units(crop_size: tuple[int, int]) -> str:
    height, width = crop_size
    return (
        f"px: of the crop of {width} x {height} px. Score: height of the heatmap's peak; it is no probability and can exceed 1. "
        "Before: without changes."
    )
