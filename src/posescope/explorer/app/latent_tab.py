"""Tab `latent`: sliders move a person through the latent space, and the rest of the network answers while they are dragged.

The browser sends one request at a time: while an answer is on its way it collects the positions of all controls, and sends the
last ones when the answer is there. So the picture follows a dragged slider at the pace of the network, and no request waits for
another one.

    controls -> latent-request -> answer of the network -> pictures and table
                      ^                                 -> latent-answered
                      +---- if a control has changed since --------+
"""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update, set_props
from dash.development.base_component import Component
from pydantic import Field, ValidationError

from posescope.core.errors import PosescopeError
from posescope.core.plugins import Options, describe_validation_error
from posescope.explorer.app.latent_controls import (
    ALL_JOINTS,
    count_marks,
    kept_counts,
    lay_out_controls,
    lay_out_patches,
)
from posescope.explorer.app.latent_results import NEAREST, lay_out_results, tabulate_joints
from posescope.explorer.app.tabs import PERSON
from posescope.explorer.errors import ExplorerError
from posescope.explorer.latent_pictures import LatentPictures, describe_answer
from posescope.explorer.latent_requests import MOST_COMPONENTS, LatentRequest, Offset, Patch
from posescope.explorer.opened_run import OpenedRun

if TYPE_CHECKING:
    from posescope.explorer.latent_space import LatentSpace

__all__ = ["LatentTab", "PageRequest"]

_SEND = """
function(hidden, offsets, kept, patches, other, person, joint, answered, layers, request) {
    const positions = {offsets: offsets, kept: kept, patches: patches, other: other, person: person, joint: joint};
    const last = request || {number: 0, sent: 0, text: ""};
    const text = JSON.stringify(positions);
    const waits = last.number !== (answered || 0) && Date.now() - last.sent < 30000;
    if (hidden || !layers || waits || text === last.text) {
        return window.dash_clientside.no_update;
    }
    return {number: last.number + 1, sent: Date.now(), text: text, positions: positions};
}
"""


class PageRequest(Options):
    """Positions of the controls, as the browser sends them."""

    offsets: tuple[Offset, ...] = Field((), max_length=MOST_COMPONENTS, description="of each slider, standard deviations")
    kept: int | None = Field(None, ge=0, description="position on the slider of kept components; null: the last")
    patches: tuple[Literal["own", "mean", "zero", "person"], ...] = Field(
        (), max_length=512, description="choice of each layer, in the order of LatentSpace.layers"
    )
    other: int | None = Field(None, description="the other person of patches; null: none was entered")
    person: int | None = Field(None, description="the person; null: the mean person")
    joint: Literal["all"] | int = Field("all", description="whose heatmap is shown")


class LatentTab:
    """The tab.

    Args:
        opened: the run.
    """

    name = "latent"
    title = "Latent space"

    def __init__(self, opened: OpenedRun) -> None:
        self._opened = opened
        self._joints = opened.about.skeleton.joints
        self._pictures = LatentPictures(opened)

    @cached_property
    def space(self) -> "LatentSpace":
        """The engine; the model is loaded by its first answer."""
        from posescope.explorer.latent_space import LatentSpace  # noqa: PLC0415  (torch)

        return LatentSpace(self._opened)

    def layout(self) -> Component:
        """Return the content of the tab; the model is not loaded yet."""
        joints: list[dict[str, str | int]] = [{"label": "all joints (maximum)", "value": ALL_JOINTS}]
        joints += [{"label": name.replace("_", " "), "value": place} for place, name in enumerate(self._joints)]
        choice = html.Div(
            [
                html.Label("Heatmap of", htmlFor="latent-joint"),
                dcc.Dropdown(joints, ALL_JOINTS, clearable=False, id="latent-joint"),
            ],
            className="latent-joint",
        )
        stores = [dcc.Store(id=f"latent-{name}") for name in ("request", "answered", "layers", "near")]
        note = html.P(id="latent-note", role="alert", hidden=True, className="notice")
        columns = html.Div(
            [lay_out_controls(self._opened.about), html.Div([choice, lay_out_results()])], className="latent-columns"
        )
        return html.Div([*stores, note, columns])

    def register(self, app: Dash) -> None:
        """Register the callbacks of the tab."""
        app.clientside_callback(  # type: ignore[no-untyped-call]
            _SEND,
            Output("latent-request", "data"),
            Input("latent-panel", "hidden"),
            Input({"type": "latent-offset", "number": ALL}, "value"),
            Input("latent-kept", "value"),
            Input({"type": "latent-patch", "number": ALL}, "value"),
            Input("latent-other", "value"),
            Input("latent-person", "value"),
            Input("latent-joint", "value"),
            Input("latent-answered", "data"),
            Input("latent-layers", "data"),
            State("latent-request", "data"),
        )
        self._register_opening(app)
        self._register_answer(app)
        self._register_choices(app)

    def respond(self, positions: Any) -> tuple[Any, ...]:
        """Answer the positions of all controls.

        Args:
            positions: JSON of a `PageRequest`; untrusted.

        Returns:
            Sources of both pictures, rows of the table, summary, words on the kept components, ids of the nearest persons.

        Raises:
            PosescopeError: if the request is malformed or cannot be answered.
        """
        try:
            page = PageRequest.model_validate(positions)
        except ValidationError as error:
            raise ExplorerError(f"Latent space: {'; '.join(describe_validation_error(error))}.") from error
        request, joint = self._read(page), None if page.joint == ALL_JOINTS else int(page.joint)
        answer = self.space.answer(request)
        skeleton, heatmap = self._pictures.draw(page.person, answer, joint)
        table = tabulate_joints(answer, self._joints, joint)
        kept = self._describe_kept(request.kept_components)
        return skeleton, heatmap, table, describe_answer(answer, self._joints), kept, list(answer.nearest)

    def _read(self, page: PageRequest) -> LatentRequest:
        patches = []
        for layer, kind in zip(self.space.layers, page.patches, strict=False):
            if kind == "person" and page.other is None:
                raise ExplorerError("Expected the number of the other person, found none. Enter it below the layers.")
            if kind != "own":
                patches.append(Patch(layer=layer, kind=kind, person_id=page.other if kind == "person" else None))
        counts = kept_counts(len(self._opened.components()))
        kept = None if page.kept is None or page.kept >= len(counts) - 1 else counts[page.kept]
        return LatentRequest(person_id=page.person, offsets=page.offsets, kept_components=kept, patches=tuple(patches))

    def _describe_kept(self, kept: int | None) -> str:
        components = self._opened.components()
        if kept is None:
            return f"All {len(components)} components, and what they do not represent."
        share = float(components.explained_variance_ratio[:kept].sum())
        return f"The first {kept} of {len(components)} components: {share:.1%} of the variance. The others have their mean."

    def _register_opening(self, app: Dash) -> None:
        """Load the model when the tab is first shown, and fill in the controls that need it."""

        @app.callback(
            Output("latent-patches", "children"),
            Output("latent-layers", "data"),
            Output("latent-kept", "max"),
            Output("latent-kept", "marks"),
            Output("latent-kept", "value"),
            Output("latent-other", "value"),
            Output("latent-note", "children"),
            Output("latent-note", "hidden"),
            Input("latent-opened", "data"),
            State("latent-layers", "data"),
        )
        def open_tab(is_opened: Any, layers: Any) -> Any:
            if not is_opened or layers is not None:
                return (no_update,) * 8
            try:
                obstacle = self.space.obstacle
                names = self.space.layers if not obstacle else ()
            except PosescopeError as error:
                obstacle, names = str(error), ()
            if obstacle:
                return *(no_update,) * 6, obstacle, False
            counts = kept_counts(len(self._opened.components()))
            choices = lay_out_patches([(layer, _title_of(layer, names)) for layer in names])
            last = len(counts) - 1
            other = int(self._opened.person_ids[0])
            return choices, list(names), last, count_marks(counts), last, other, "", True

    def _register_answer(self, app: Dash) -> None:
        @app.callback(
            Output("latent-skeleton", "src"),
            Output("latent-heatmap", "src"),
            Output("latent-moved", "children"),
            Output("latent-summary", "children"),
            Output("latent-kept-words", "children"),
            Output("latent-near", "data"),
            Output("latent-note", "children", allow_duplicate=True),
            Output("latent-note", "hidden", allow_duplicate=True),
            Input("latent-request", "data"),
            State("latent-near", "data"),
            prevent_initial_call=True,
        )
        def answer(request: Any, near: Any) -> Any:
            known = request if isinstance(request, dict) else {}
            # Not an output: the browser takes it as a circle of callbacks.
            set_props("latent-answered", {"data": known.get("number")})
            try:
                *results, found = self.respond(known.get("positions"))
                return *results, no_update if found == near else found, "", True
            except PosescopeError as error:
                return *(no_update,) * 6, str(error), False

        @app.callback(
            [Output(f"latent-nearest-picture-{place}", "src") for place in range(NEAREST)],
            [Output(f"latent-nearest-picture-{place}", "alt") for place in range(NEAREST)],
            [Output(f"latent-nearest-{place}", "hidden") for place in range(NEAREST)],
            Input("latent-near", "data"),
            prevent_initial_call=True,
        )
        def show_nearest(near: Any) -> Any:
            ids = [int(one) for one in near or ()][:NEAREST]
            missing = NEAREST - len(ids)
            pictures = [*self._pictures.thumbnails(ids), *("",) * missing]
            words = [*(f"Person {one}" for one in ids), *("",) * missing]
            return *pictures, *words, *([False] * len(ids)), *([True] * missing)

    def _register_choices(self, app: Dash) -> None:
        @app.callback(
            Output("latent-person", "value"),
            Input(PERSON, "data"),
            Input("latent-mean", "n_clicks"),
        )
        def choose_person(person: Any, _mean: Any) -> Any:
            return None if ctx.triggered_id == "latent-mean" else person

        @app.callback(
            Output(PERSON, "data", allow_duplicate=True),
            [Input(f"latent-nearest-{place}", "n_clicks") for place in range(NEAREST)],
            State("latent-near", "data"),
            prevent_initial_call=True,
        )
        def take_nearest(*clicks_and_ids: Any) -> Any:
            place, ids = str(ctx.triggered_id).rpartition("-")[2], clicks_and_ids[-1]
            return ids[int(place)] if ids and place.isdigit() and int(place) < len(ids) else no_update

        @app.callback(
            Output({"type": "latent-offset", "number": ALL}, "value"),
            Output("latent-kept", "value", allow_duplicate=True),
            Output({"type": "latent-patch", "number": ALL}, "value"),
            Input("latent-reset", "n_clicks"),
            Input({"type": "latent-all-skips", "kind": ALL}, "n_clicks"),
            State("latent-kept", "max"),
            State("latent-layers", "data"),
            State({"type": "latent-patch", "number": ALL}, "value"),
            prevent_initial_call=True,
        )
        def set_controls(_reset: Any, clicks: Any, last: Any, layers: Any, patches: Any) -> Any:
            sliders = len(self._opened.about.components)
            if ctx.triggered_id == "latent-reset":
                return [0] * sliders, last, ["own"] * len(patches)
            if not isinstance(ctx.triggered_id, dict) or not any(clicks):
                return [no_update] * sliders, no_update, [no_update] * len(patches)
            skips, kind = set(self._opened.model().network.skip_layers), ctx.triggered_id["kind"]
            chosen = [kind if layer in skips else own for layer, own in zip(layers, patches, strict=True)]
            return [no_update] * sliders, no_update, chosen


def _title_of(layer: str, layers: Sequence[str]) -> str:
    """Return words for a layer: a skip connection or a bottleneck with its stack if there are several; else its name."""
    from posescope.explainability.skip_ablation.ablation import words_of_layer  # noqa: PLC0415  (torch)

    bottlenecks = [name for name in layers if name.rpartition(".")[2] == "bottleneck"]
    if layer not in bottlenecks:
        return words_of_layer(layer, tuple(layers))
    return "bottleneck" if len(bottlenecks) == 1 else f"bottleneck of {layer.rpartition('.')[0]}"
