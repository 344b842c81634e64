"""Choices in the tab `latent`: the person, the other person of patches, kept components, ends of a component, and resets.

The person of the page (`person`) is the person of the tab, and its field shows the number. A number that is typed becomes the
person of the page, or a message names what was expected and the field returns to the person that is shown.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from dash import ALL, Dash, Input, Output, State, ctx, no_update, set_props
from dash.development.base_component import Component
from numpy.typing import NDArray

from posescope.core.errors import OptionsError
from posescope.explorer.app.latent_controls import PATCH_KINDS, offset_marks
from posescope.explorer.app.latent_results import NEAREST, lay_out_end
from posescope.explorer.app.person_field import step_of
from posescope.explorer.app.tabs import PERSON
from posescope.explorer.component_ends import find_ends
from posescope.explorer.latent_pictures import LatentPictures
from posescope.explorer.person_numbers import PersonNumbers

if TYPE_CHECKING:
    from posescope.explorer.opened_run import OpenedRun

__all__ = ["LatentChoices"]

_END_PERSONS = 6
# In the browser: an answer that comes late would replace a number that was typed meanwhile.
_NUMBER = """(person) => {
  const isMean = person === null || person === undefined;
  return [isMean ? "" : String(person), String(isMean)];
}"""
# Slider and number agree; the slider has only some of the numbers.
_KEPT = """(place, count, counts) => {
  const {no_update, callback_context, set_props} = window.dash_clientside;
  if (!counts) { return [no_update, no_update]; }
  const all = counts[counts.length - 1], placed = String(counts[Math.min(place, counts.length - 1)]);
  const typed = callback_context.triggered.some((one) => one.prop_id.startsWith("latent-kept-count"));
  const number = typed ? String(count || all).trim() : placed;
  if (!/^[0-9]+$/.test(number) || Number(number) > all) {
    const text = `Number of components: expected a whole number from 0 to ${all}, found ${number.slice(0, 20)}.`;
    set_props("notice", {children: text, hidden: false});
    return [no_update, placed];
  }
  return [typed ? counts.filter((one) => one <= Number(number)).length - 1 : no_update, String(Number(number))];
}"""
# The component whose slider was moved last, or whose button was pressed.
_ENDS = """(offsets, presses, ids) => {
  const {no_update, callback_context} = window.dash_clientside, moved = callback_context.triggered;
  const keep = [no_update, ids.map(() => no_update)];
  if (moved.length !== 1 || !moved[0].prop_id.startsWith("{")) { return keep; }
  const id = JSON.parse(moved[0].prop_id.slice(0, moved[0].prop_id.lastIndexOf("."))), number = id.number;
  if (id.type === "latent-show-ends") {
    if (!moved[0].value) { return keep; }
    document.getElementById("latent-ends").scrollIntoView({block: "nearest"}); // a narrow screen
  }
  return [number, ids.map((one) => String(one.number === number))];
}"""
_PRESSED = """(patches, skips, ids) => {
  const own = (patches || []).filter((_, place) => (skips || [])[place]);
  return ids.map((id) => String(own.length > 0 && own.every((one) => one === id.kind)));
}"""


class LatentChoices:
    """Callbacks of the choices.

    Args:
        opened: the run.
        numbers: numbers of its persons.
        pictures: thumbnails.
    """

    def __init__(self, opened: "OpenedRun", numbers: PersonNumbers, pictures: LatentPictures) -> None:
        self._opened, self._numbers, self._pictures = opened, numbers, pictures

    def register(self, app: Dash) -> None:
        """Register the callbacks."""
        self._register_person(app)
        self._register_other(app)
        self._register_ends(app)
        self._register_controls(app)

    def choose(self, typed: Any, shown: Any, field: str, step: int | None) -> int | None:
        """Return the chosen person, None for the mean person.

        Args:
            typed: content of the field.
            shown: the person at present.
            field: name of the field, for the message.
            step: 1 or -1: the next or previous person of the one at present; None: the typed one.

        Raises:
            OptionsError: if it is no number of a person.
        """
        return self._numbers.read(typed, field) if step is None else self._numbers.step(shown, step)

    def ends(self, number: Any) -> list[Component]:
        """Return the persons at both ends of a component.

        Args:
            number: number of the component, from 1; untrusted.

        Raises:
            OptionsError: if there is no such component.
        """
        opened, components = self._opened, self._opened.about.components
        shown = next((place for place, one in enumerate(components) if one.number == number), None)
        if shown is None:
            raise OptionsError(f"Component: expected a number from 1 to {len(components)}, found {str(number)[:20]}.")
        scores = opened.component_scores[:, shown].astype(np.float64)
        found = find_ends(scores, self._opened.image_groups, _END_PERSONS)
        in_sd = scores / self._sd(len(components))[shown]
        parts = []
        for end, rows in (("low", found.low), ("high", found.high)):
            persons = opened.person_ids[rows].tolist()
            parts.append(lay_out_end(components[shown], end, persons, self._pictures.thumbnails(persons), in_sd[rows].tolist()))
        return parts

    def marks(self, person: Any) -> list[dict[int, str]]:
        """Return the labels of all sliders of components for a person; None: the mean person."""
        count = len(self._opened.about.components)
        if person is None:
            return [offset_marks(None)] * count
        row = int(self._opened.rows_of([person])[0])
        own = self._opened.component_scores[row].astype(np.float64) / self._sd(count)
        return [offset_marks(float(one)) for one in own]

    def _sd(self, count: int) -> NDArray[np.float64]:
        """Return the (count,) standard deviations along the components."""
        return np.sqrt(self._opened.components().variances[:count]).astype(np.float64)

    def _register_person(self, app: Dash) -> None:
        app.clientside_callback(  # type: ignore[no-untyped-call]
            _NUMBER, Output("latent-person", "value"), Output("latent-mean", "aria-pressed"), Input(PERSON, "data")
        )

        # `person` is not an output: the browser takes it as a circle of callbacks.
        @app.callback(
            Input("latent-person", "value"),
            Input("latent-person-previous", "n_clicks"),
            Input("latent-person-next", "n_clicks"),
            Input("latent-mean", "n_clicks"),
            State(PERSON, "data"),
            prevent_initial_call=True,
        )
        def take_number(typed: Any, _previous: Any, _next: Any, _mean: Any, shown: Any) -> None:
            try:
                step = step_of(ctx.triggered_id, "latent-person")
                chosen = None if ctx.triggered_id == "latent-mean" else self.choose(typed, shown, "Person", step)
            except OptionsError:
                set_props("latent-person", {"value": "" if shown is None else str(shown)})
                raise
            if chosen != shown:
                set_props(PERSON, {"data": chosen})

        @app.callback(
            Output(PERSON, "data", allow_duplicate=True),
            [Input(f"latent-nearest-{place}", "n_clicks") for place in range(NEAREST)],
            Input({"type": "latent-choose", "person": ALL}, "n_clicks"),
            State("latent-tiles", "data"),
            prevent_initial_call=True,
        )
        def take_tile(*clicks_and_ids: Any) -> Any:
            if isinstance(ctx.triggered_id, dict):
                return ctx.triggered_id["person"]
            place, ids = str(ctx.triggered_id).rpartition("-")[2], clicks_and_ids[-1]
            return ids[int(place)] if ids and place.isdigit() and int(place) < len(ids) else no_update

        @app.callback(
            Output({"type": "latent-offset", "number": ALL}, "marks"), Input(PERSON, "data"), Input("latent-layers", "data")
        )
        def show_marks(person: Any, layers: Any) -> Any:
            count = len(self._opened.about.components)
            return [no_update] * count if layers is None else self.marks(person)

    def _register_other(self, app: Dash) -> None:
        @app.callback(
            Output("latent-other", "value"),
            Output("latent-other-chosen", "data"),
            Output("latent-other-picture", "src"),
            Output("latent-other-picture", "alt"),
            Input("latent-other", "value"),
            Input("latent-other-previous", "n_clicks"),
            Input("latent-other-next", "n_clicks"),
            State("latent-other-chosen", "data"),
        )
        def take_other(typed: Any, _previous: Any, _next: Any, shown: Any) -> Any:
            try:
                found = self.choose(typed, shown, "Other person", step_of(ctx.triggered_id, "latent-other"))
            except OptionsError:
                set_props("latent-other", {"value": str(shown)})
                raise
            chosen = int(self._opened.person_ids[0]) if found is None else found
            return str(chosen), chosen, self._pictures.thumbnails([chosen])[0], f"Person {chosen}"

    def _register_ends(self, app: Dash) -> None:
        app.clientside_callback(  # type: ignore[no-untyped-call]
            _ENDS,
            Output("latent-ends-of", "data"),
            Output({"type": "latent-show-ends", "number": ALL}, "aria-pressed"),
            Input({"type": "latent-offset", "number": ALL}, "value"),
            Input({"type": "latent-show-ends", "number": ALL}, "n_clicks"),
            State({"type": "latent-show-ends", "number": ALL}, "id"),
            prevent_initial_call=True,
        )

        @app.callback(Output("latent-ends", "children"), Input("latent-ends-of", "data"), Input("latent-layers", "data"))
        def show_ends(number: Any, layers: Any) -> Any:
            return no_update if layers is None or not self._opened.about.components else self.ends(number)

    def _register_controls(self, app: Dash) -> None:
        app.clientside_callback(  # type: ignore[no-untyped-call]
            _KEPT,
            Output("latent-kept", "value"),
            Output("latent-kept-count", "value"),
            Input("latent-kept", "value"),
            Input("latent-kept-count", "value"),
            State("latent-counts", "data"),
        )
        app.clientside_callback(  # type: ignore[no-untyped-call]
            _PRESSED,
            Output({"type": "latent-all-skips", "kind": ALL}, "aria-pressed"),
            Input({"type": "latent-patch", "number": ALL}, "value"),
            State("latent-skips", "data"),
            State({"type": "latent-all-skips", "kind": ALL}, "id"),
        )

        @app.callback(
            Output({"type": "latent-offset", "number": ALL}, "value"),
            Output("latent-kept", "value", allow_duplicate=True),
            Output({"type": "latent-patch", "number": ALL}, "value"),
            Input("latent-reset", "n_clicks"),
            Input({"type": "latent-all-skips", "kind": ALL}, "n_clicks"),
            State("latent-kept", "max"),
            State("latent-skips", "data"),
            State({"type": "latent-patch", "number": ALL}, "value"),
            prevent_initial_call=True,
        )
        def set_controls(_reset: Any, _clicks: Any, last: Any, skips: Any, patches: Any) -> Any:
            sliders = len(self._opened.about.components)
            if ctx.triggered_id == "latent-reset":
                return [0] * sliders, last, ["own"] * len(patches)
            kind = ctx.triggered_id["kind"]
            if kind not in PATCH_KINDS:
                return [no_update] * sliders, no_update, [no_update] * len(patches)
            chosen = [kind if is_skip else own for is_skip, own in zip(skips, patches, strict=True)]
            return [no_update] * sliders, no_update, chosen
