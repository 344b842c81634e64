"""A field for the number of a person, with buttons that step through the persons of the run.

It is a field of text: the steps of a field of numbers are numbers that no person has.
"""

from dash import dcc, html
from dash.development.base_component import Component

from posescope.explorer.app.tabs import aria

__all__ = ["lay_out_person_field", "step_of"]

_STEPS = {"previous": -1, "next": 1}


def lay_out_person_field(name: str, label: str, value: int | None = None, empty: str = "") -> list[Component]:
    """Return the label, the field `<name>`, and the buttons `<name>-previous` and `<name>-next`.

    Args:
        name: id of the field.
        label: words before it.
        value: number at first; None: empty.
        empty: words in the empty field.
    """
    text = "" if value is None else str(value)
    field = dcc.Input(id=name, type="text", inputMode="numeric", value=text, debounce=True, placeholder=empty, maxLength=20)
    buttons = [
        html.Button(words, id=f"{name}-{step}", className="plain", **aria(label=f"{label}: {step} person"))
        for step, words in (("previous", "‹"), ("next", "›"))
    ]
    return [html.Label(label, htmlFor=name), field, *buttons]


def step_of(trigger: object, name: str) -> int | None:
    """Return 1 or -1 for a pressed button of the field, None for anything else.

    Args:
        trigger: id of what ran the callback.
        name: id of the field.
    """
    return _STEPS.get(str(trigger).removeprefix(f"{name}-"))
