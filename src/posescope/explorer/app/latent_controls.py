"""Controls of the tab `latent`: person, sliders of the components, kept components, patches and the shown joint.

Nothing here needs the network, so that the page opens before the model is loaded. The layers that can be patched are filled in
when the tab is first shown.
"""

from collections.abc import Sequence

from dash import dcc, html
from dash.development.base_component import Component

from posescope.explorer.app.tabs import aria
from posescope.explorer.table_metadata import ComponentAbout, ExplorerAbout

__all__ = ["ALL_JOINTS", "PATCH_KINDS", "SLIDER_SD", "count_marks", "kept_counts", "lay_out_controls", "lay_out_patches"]

SLIDER_SD = 4  # ends of the sliders, in standard deviations
ALL_JOINTS = "all"
PATCH_KINDS = {"own": "own", "mean": "mean", "zero": "zero", "person": "other person"}
_SLIDER_STEP_SD = 0.1


def lay_out_controls(about: ExplorerAbout) -> Component:
    """Lay out all controls.

    Args:
        about: names of components and joints.
    """
    return html.Div(
        [
            _lay_out_person(),
            html.Fieldset(
                [html.Legend("Move along the components"), *(_lay_out_slider(one) for one in about.components)],
                className="latent-sliders",
            ),
            html.Fieldset(
                [
                    html.Legend("Keep the first components only"),
                    dcc.Slider(
                        id="latent-kept",
                        min=0,
                        max=0,
                        step=1,
                        value=0,
                        marks={0: "all"},
                        updatemode="drag",
                        included=True,
                        allow_direct_input=False,
                    ),
                    html.P(id="latent-kept-words", className="latent-words", **aria(live="polite")),
                ],
                className="latent-kept",
            ),
            html.Fieldset(
                [
                    html.Legend("Replace activations (patching)"),
                    html.Div(id="latent-patches"),
                    _lay_out_other_person(),
                ],
                className="latent-patching",
            ),
        ],
        className="latent-controls",
    )


def lay_out_patches(layers: Sequence[tuple[str, str]]) -> Component:
    """Lay out a choice per layer, and buttons for all skip connections.

    Args:
        layers: name and title of each layer.
    """
    buttons = [
        html.Button(
            words,
            id={"type": "latent-all-skips", "kind": kind},
            className="plain",
            **aria(label=f"All skip connections: {words}"),
        )
        for kind, words in PATCH_KINDS.items()
    ]
    options = [{"label": words, "value": kind} for kind, words in PATCH_KINDS.items()]
    rows = [
        html.Div(
            [
                html.Span(title, className="latent-layer"),
                dcc.RadioItems(options=options, value="own", inline=True, id={"type": "latent-patch", "number": number}),
            ],
            role="group",
            **aria(label=title),
        )
        for number, (_, title) in enumerate(layers)
    ]
    return html.Div(
        [html.Div([html.Span("all skip connections", className="latent-layer"), *buttons], className="latent-all-skips"), *rows]
    )


def kept_counts(components: int) -> tuple[int, ...]:
    """Return the numbers of components on the slider: every one of the first, then farther apart; the last one is all.

    Args:
        components: number of components, at least 1.

    Example:
        >>> kept_counts(20)
        (0, 1, 2, 3, 4, 6, 8, 12, 16, 20)
    """
    counts = [0, 1, 2, 3]
    step = 4
    while step < components:
        counts += [step, step * 3 // 2]
        step *= 2
    return (*(count for count in counts if count < components), components)


def count_marks(counts: Sequence[int]) -> dict[int, str]:
    """Return the labels of some positions of the slider of kept components."""
    last = len(counts) - 1
    every = max(1, round(last / 5))
    marks = {position: str(counts[position]) for position in range(0, last - every // 2, every)}
    return {**marks, last: "all"}


def _lay_out_person() -> Component:
    return html.Div(
        [
            html.Label("Person (number)", htmlFor="latent-person"),
            dcc.Input(id="latent-person", type="number", min=0, step=1, debounce=True, placeholder="mean person"),
            html.Button("Mean person", id="latent-mean", className="plain"),
            html.Button("Reset", id="latent-reset", className="plain", title="Put all sliders and layers back"),
        ],
        className="latent-person",
    )


def _lay_out_slider(component: ComponentAbout) -> Component:
    title = f"{component.title} ({component.explained:.0%} of the variance)"
    slider = dcc.Slider(
        id={"type": "latent-offset", "number": component.number},
        min=-SLIDER_SD,
        max=SLIDER_SD,
        step=_SLIDER_STEP_SD,
        value=0,
        marks={-SLIDER_SD: f"-{SLIDER_SD} sd", 0: "0", SLIDER_SD: f"{SLIDER_SD} sd"},
        updatemode="drag",
        included=False,
    )
    return html.Div([html.Span(title, className="latent-component"), slider], role="group", **aria(label=title))


def _lay_out_other_person() -> Component:
    return html.Div(
        [
            html.Label("Other person (number)", htmlFor="latent-other"),
            dcc.Input(id="latent-other", type="number", min=0, step=1, debounce=True),
        ],
        className="latent-other",
    )
