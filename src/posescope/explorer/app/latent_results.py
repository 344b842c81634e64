"""Results of the tab `latent`: pictures of skeleton and heatmap, the moved joints, and the nearest persons."""

from collections.abc import Sequence

from dash import html
from dash.development.base_component import Component

from posescope.explorer.app.tabs import aria
from posescope.explorer.latent_requests import LatentAnswer

__all__ = ["NEAREST", "lay_out_results", "tabulate_joints"]

NEAREST = 5


def lay_out_results() -> Component:
    """Lay out pictures, table and nearest persons, all still empty."""
    pictures = [
        html.Figure([html.Img(id=f"latent-{name}", alt=words, className="latent-picture"), html.Figcaption(caption)])
        for name, words, caption in (
            ("skeleton", "Predicted skeleton", "Predicted skeleton; thin white lines: without changes"),
            ("heatmap", "Heatmap", "Heatmap; the paler, the lower its peak"),
        )
    ]
    nearest = [
        html.Button(html.Img(id=f"latent-nearest-picture-{place}", alt=""), id=f"latent-nearest-{place}", hidden=True)
        for place in range(NEAREST)
    ]
    columns = ("joint", "moved, px", "score", "score before")
    head = html.Thead(html.Tr([html.Th(name, scope="col") for name in columns]))
    return html.Div(
        [
            html.P(id="latent-summary", className="latent-words", **aria(live="polite")),
            html.Div(pictures, className="latent-pictures"),
            html.H3("Nearest persons"),
            html.P("Persons with the most similar features. A click chooses the person."),
            html.Div(nearest, className="latent-nearest"),
            html.H3("Moved joints"),
            html.Table([head, html.Tbody(id="latent-moved")], className="latent-moved"),
        ],
        className="latent-results",
    )


def tabulate_joints(answer: LatentAnswer, joints: Sequence[str], chosen: int | None) -> list[Component]:
    """Return a row of the table per joint, in the order of the skeleton.

    Args:
        answer: the answer.
        joints: names of the joints.
        chosen: the joint whose heatmap is shown; its row is marked.
    """
    rows = zip(joints, answer.moved_px, answer.scores, answer.unchanged_scores, strict=True)
    return [
        html.Tr(
            [
                html.Th(name.replace("_", " "), scope="row"),
                *(html.Td(text) for text in (f"{moved:.1f}", f"{score:.2f}", f"{before:.2f}")),
            ],
            className="chosen" if place == chosen else "",
        )
        for place, (name, moved, score, before) in enumerate(rows)
    ]
