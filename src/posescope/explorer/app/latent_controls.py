"""Controls of the tab `latent`: person, sliders of the components, kept components and patches.

Nothing here needs the network, so that the page opens before the model is loaded. The layers that can be patched are filled in
when the tab is first shown.
"""

from collections.abc import Sequence

from dash import dcc, html
from dash.development.base_component import Component

from posescope.explorer.app.person_field import lay_out_person_field
from posescope.explorer.app.tabs import aria
from posescope.explorer.person_numbers import PersonNumbers
from posescope.explorer.table_metadata import ComponentAbout, ExplorerAbout

__all__ = [
    "ALL_JOINTS", "PATCH_KINDS", "SLIDER_SD", "count_marks", "kept_counts", "lay_out_controls", "lay_out_patches", "offset_marks",
]  # fmt: skip

SLIDER_SD = 4  # ends of the sliders, in standard deviations
ALL_JOINTS = "all"
PATCH_KINDS = {"own": "own", "mean": "mean", "zero": "zero", "person": "other person"}
_SLIDER_STEP_SD = 0.1


def lay_out_controls(about: ExplorerAbout, numbers: PersonNumbers, other: int) -> Component:
    """Lay out all controls.

    Args:
        about: names of components and joints.
        numbers: numbers of the persons.
        other: the other person of patches at first.
    """
    return html.Div(
        [_lay_out_person(numbers), _lay_out_sliders(about.components), _lay_out_kept(), _lay_out_patching(other)],
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
            **aria(label=f"All skip connections: {words}", pressed=kind == "own"),
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
    all_skips = [html.Span("all skip connections", className="latent-layer"), html.Div(buttons, className="latent-kinds")]
    return html.Div([html.Div(all_skips, className="latent-all-skips"), *rows])


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


def offset_marks(own_sd: float | None) -> dict[int, str]:
    """Return the labels of a slider of a component; that of 0 is the person's own place along the component.

    Args:
        own_sd: score of the person, in standard deviations from the mean person; None: the mean person.

    Example:
        >>> offset_marks(-0.84)[0]
        'own value (-0.8 sd)'
    """
    own = "mean person" if own_sd is None else f"own value ({own_sd + 0.0:+.1f} sd)"
    return {-SLIDER_SD: f"-{SLIDER_SD} sd", 0: own, SLIDER_SD: f"+{SLIDER_SD} sd"}


def _lay_out_person(numbers: PersonNumbers) -> Component:
    field = lay_out_person_field("latent-person", "Person (number)", empty="mean person")
    mean = html.Button("Mean person", id="latent-mean", className="plain", **aria(pressed=True))
    return html.Div([html.Div([*field, mean], className="latent-person"), html.P(f"{numbers}.", className="hint")])


def _lay_out_sliders(components: Sequence[ComponentAbout]) -> Component:
    hint = (
        "0 is the person's own value. Its distance from the mean is written below, in standard deviations (sd). In brackets: "
        "share of the variance. Without a name: no measured attribute goes along with the component; look at its ends."
    )
    sliders = (_lay_out_slider(one, is_shown=place == 0) for place, one in enumerate(components))
    return html.Fieldset(
        [html.Legend("Move along the components"), html.P(hint, className="hint"), *sliders], className="latent-sliders"
    )


def _lay_out_slider(component: ComponentAbout, *, is_shown: bool) -> Component:
    title = f"{component.title} ({component.explained:.0%})"
    slider = dcc.Slider(
        id={"type": "latent-offset", "number": component.number},
        min=-SLIDER_SD,
        max=SLIDER_SD,
        step=_SLIDER_STEP_SD,
        value=0,
        marks=offset_marks(None),
        updatemode="drag",
        included=False,
    )
    ends = html.Button(
        "ends",
        id={"type": "latent-show-ends", "number": component.number},
        className="plain",
        title="Show persons at both ends",
        **aria(label=f"Show persons at both ends of component {component.number}", pressed=is_shown),
    )
    head = html.Div([html.Span(title), ends], className="latent-component")
    return html.Div([head, slider], role="group", **aria(label=title))


def _lay_out_kept() -> Component:
    slider = dcc.Slider(
        id="latent-kept",
        min=0,
        max=0,
        step=1,
        value=0,
        marks={0: "all"},
        updatemode="drag",
        included=True,
        allow_direct_input=False,
    )
    count = dcc.Input(id="latent-kept-count", type="text", inputMode="numeric", debounce=True, maxLength=10)
    label = html.Label("Number of components", htmlFor="latent-kept-count")
    return html.Fieldset(
        [
            html.Legend("Keep the first components only"),
            html.Div([slider, label, count], className="latent-kept-row"),
            html.P(id="latent-kept-words", className="latent-words", **aria(live="polite")),
        ],
        className="latent-kept",
    )


def _lay_out_patching(other: int) -> Component:
    field = lay_out_person_field("latent-other", "Other person (number)", other)
    picture = html.Img(id="latent-other-picture", alt=f"Person {other}")
    return html.Fieldset(
        [
            html.Legend("Replace activations (patching)"),
            html.Div(id="latent-patches"),
            html.Div([*field, picture], className="latent-other"),
        ],
        className="latent-patching",
    )
