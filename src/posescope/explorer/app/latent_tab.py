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
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from dash import ALL, Dash, Input, Output, State, dcc, html, no_update, set_props
from dash.development.base_component import Component
from pydantic import Field, ValidationError

from posescope.core.errors import PosescopeError
from posescope.core.plugins import Options, describe_validation_error
from posescope.explorer.app.latent_choices import LatentChoices
from posescope.explorer.app.latent_controls import ALL_JOINTS, count_marks, kept_counts, lay_out_controls, lay_out_patches
from posescope.explorer.app.latent_results import NEAREST, lay_out_results, tabulate_joints
from posescope.explorer.app.tabs import NOTICE, PERSON
from posescope.explorer.errors import ExplorerError
from posescope.explorer.latent_pictures import LatentPictures
from posescope.explorer.latent_requests import MOST_COMPONENTS, LatentRequest, Offset, Patch
from posescope.explorer.latent_words import describe_changes, describe_closeness, describe_kept, describe_moves
from posescope.explorer.opened_run import OpenedRun
from posescope.explorer.person_numbers import PersonNumbers

if TYPE_CHECKING:
    from posescope.explorer.latent_space import LatentSpace

__all__ = ["LatentTab", "PageAnswer", "PageRequest"]

_SEND = """
function(hidden, offsets, kept, patches, other, person, joint, answered, layers, request) {
    const count = kept === "" || kept === undefined || kept === null ? null : Number(kept);
    const positions = {offsets: offsets, kept: count, patches: patches, other: other, person: person, joint: joint};
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
    kept: int | None = Field(None, ge=0, description="number of kept components; null: all")
    patches: tuple[Literal["own", "mean", "zero", "person"], ...] = Field(
        (), max_length=512, description="choice of each layer, in the order of LatentSpace.layers"
    )
    other: int | None = Field(None, description="the other person of patches; null: none was entered")
    person: int | None = Field(None, description="the person; null: the mean person")
    joint: Literal["all"] | int = Field("all", description="whose heatmap is shown")


class PageAnswer(NamedTuple):
    """What the page shows for the positions of the controls.

    Attributes:
        skeleton: source of the picture with the skeleton.
        heatmap: source of the picture with the heatmap.
        tables: the moved joints.
        summary: how far the joints moved.
        closeness: whether real persons have such features.
        changes: what is changed.
        kept: which components are kept.
        nearest: numbers of the nearest persons.
    """

    skeleton: str
    heatmap: str
    tables: list[Component]
    summary: str
    closeness: str
    changes: str
    kept: str
    nearest: list[int]


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
        self._numbers = PersonNumbers(opened.person_ids)

    @cached_property
    def space(self) -> "LatentSpace":
        """The engine; the model is loaded by its first answer."""
        from posescope.explorer.latent_space import LatentSpace  # noqa: PLC0415  (torch)

        return LatentSpace(self._opened)

    def layout(self) -> Component:
        """Return the content of the tab; the model is not loaded yet."""
        first, numbers = int(self._opened.person_ids[0]), self._numbers
        shown = {"ends-of": 1, "other-chosen": first}
        names = ("request", "answered", "layers", "skips", "counts", "near", "tiles")
        stores = [dcc.Store(id=f"latent-{name}", data=shown.get(name)) for name in (*names, *shown)]
        note = html.P(id="latent-note", role="alert", hidden=True, className="notice")
        about = self._opened.about
        columns = html.Div([lay_out_controls(about, numbers, first), lay_out_results(about)], className="latent-columns")
        return html.Div([*stores, note, columns])

    def register(self, app: Dash) -> None:
        """Register the callbacks of the tab."""
        app.clientside_callback(  # type: ignore[no-untyped-call]
            _SEND,
            Output("latent-request", "data"),
            Input("latent-panel", "hidden"),
            Input({"type": "latent-offset", "number": ALL}, "value"),
            Input("latent-kept-count", "value"),
            Input({"type": "latent-patch", "number": ALL}, "value"),
            Input("latent-other-chosen", "data"),
            Input(PERSON, "data"),
            Input("latent-joint", "value"),
            Input("latent-answered", "data"),
            Input("latent-layers", "data"),
            State("latent-request", "data"),
        )
        self._register_opening(app)
        self._register_answer(app)
        LatentChoices(self._opened, self._numbers, self._pictures).register(app)

    def respond(self, positions: Any) -> PageAnswer:
        """Answer the positions of all controls.

        Args:
            positions: JSON of a `PageRequest`; untrusted.

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
        is_reduced = request.person_id is None or request.kept_components is not None
        return PageAnswer(
            skeleton=skeleton,
            heatmap=heatmap,
            tables=tabulate_joints(answer, self._joints, joint),
            summary=describe_moves(answer, self._joints),
            closeness=describe_closeness(answer.distance_quantile, is_reduced=is_reduced),
            changes=describe_changes(request, self._layer_titles, self._skips),
            kept=describe_kept(request.kept_components, self._opened.components().explained_variance_ratio.tolist()),
            nearest=list(answer.nearest),
        )

    @cached_property
    def _layer_titles(self) -> dict[str, str]:
        names = self.space.layers
        return {layer: _title_of(layer, names) for layer in names}

    @cached_property
    def _skips(self) -> tuple[str, ...]:
        skips = set(self._opened.model().network.skip_layers)
        return tuple(layer for layer in self.space.layers if layer in skips)

    def _read(self, page: PageRequest) -> LatentRequest:
        patches = []
        for layer, kind in zip(self.space.layers, page.patches, strict=False):
            if kind == "person" and page.other is None:
                raise ExplorerError("Expected the number of the other person, found none. Enter it below the layers.")
            if kind != "own":
                patches.append(Patch(layer=layer, kind=kind, person_id=page.other if kind == "person" else None))
        kept = None if page.kept is None or page.kept >= len(self._opened.components()) else page.kept
        return LatentRequest(person_id=page.person, offsets=page.offsets, kept_components=kept, patches=tuple(patches))

    def _register_opening(self, app: Dash) -> None:
        """Load the model when the tab is first shown, and fill in the controls that need it."""

        @app.callback(
            Output("latent-patches", "children"),
            Output("latent-layers", "data"),
            Output("latent-skips", "data"),
            Output("latent-counts", "data"),
            Output("latent-kept", "max"),
            Output("latent-kept", "marks"),
            Output("latent-kept", "value", allow_duplicate=True),
            Output("latent-note", "children"),
            Output("latent-note", "hidden"),
            Input("latent-opened", "data"),
            State("latent-layers", "data"),
            prevent_initial_call="initial_duplicate",
        )
        def open_tab(is_opened: Any, layers: Any) -> Any:
            if not is_opened or layers is not None:
                return (no_update,) * 9
            try:
                obstacle = self.space.obstacle
                titles = {} if obstacle else self._layer_titles
            except PosescopeError as error:
                obstacle, titles = str(error), {}
            if obstacle:
                return *(no_update,) * 7, obstacle, False
            counts = kept_counts(len(self._opened.components()))
            choices, last = lay_out_patches(list(titles.items())), len(counts) - 1
            skips = [layer in self._skips for layer in titles]
            return choices, list(titles), skips, counts, last, count_marks(counts), last, "", True

    def _register_answer(self, app: Dash) -> None:
        @app.callback(
            Output("latent-skeleton", "src"),
            Output("latent-heatmap", "src"),
            Output("latent-moved", "children"),
            Output("latent-summary", "children"),
            Output("latent-closeness", "children"),
            Output("latent-changes", "children"),
            Output("latent-kept-words", "children"),
            Output("latent-near", "data"),
            Output(NOTICE, "hidden", allow_duplicate=True),
            Input("latent-request", "data"),
            State("latent-near", "data"),
            prevent_initial_call=True,
        )
        def answer(request: Any, near: Any) -> Any:
            known = request if isinstance(request, dict) else {}
            # Not an output: the browser takes it as a circle of callbacks.
            set_props("latent-answered", {"data": known.get("number")})
            *shown, nearest = self.respond(known.get("positions"))
            return *shown, no_update if nearest == near else nearest, True

        @app.callback(
            [Output(f"latent-nearest-picture-{place}", "src") for place in range(NEAREST)],
            [Output(f"latent-nearest-picture-{place}", "alt") for place in range(NEAREST)],
            [Output(f"latent-nearest-{place}", "hidden") for place in range(NEAREST)],
            Output("latent-tiles", "data"),
            Input("latent-near", "data"),
            prevent_initial_call=True,
        )
        def show_nearest(near: Any) -> Any:
            ids = [int(one) for one in near or ()][:NEAREST]
            missing = NEAREST - len(ids)
            pictures = [*self._pictures.thumbnails(ids), *("",) * missing]
            words = [*(f"Person {one}" for one in ids), *("",) * missing]
            # A press chooses a person of these, also while the next ones are on their way.
            return *pictures, *words, *([False] * len(ids)), *([True] * missing), ids


def _title_of(layer: str, layers: Sequence[str]) -> str:
    """Return words for a layer: a skip connection or a bottleneck with its stack if there are several; else its name."""
    from posescope.explainability.skip_ablation.ablation import words_of_layer  # noqa: PLC0415  (torch)

    bottlenecks = [name for name in layers if name.rpartition(".")[2] == "bottleneck"]
    if layer not in bottlenecks:
        return words_of_layer(layer, tuple(layers))
    return "bottleneck" if len(bottlenecks) == 1 else f"bottleneck of {layer.rpartition('.')[0]}"
