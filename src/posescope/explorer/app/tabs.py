"""What a tab of the page offers. The ids of its components begin with its name.

State that all tabs share, as `dcc.Store`:

    selection       list of person ids
    person          id of the person under discussion; a click on a person anywhere sets it

Images reach the page as `data:` addresses. Errors of callbacks are shown at the bottom of the window (`notice`, `application`).
"""

from typing import Any, Protocol

import numpy as np
from dash import Dash, ctx, no_update
from dash.development.base_component import Component
from numpy.typing import NDArray

from posescope.core.errors import OptionsError

__all__ = ["NOTICE", "PERSON", "SELECTION", "URL", "Tab", "aria", "read_chosen_person", "read_person_ids"]

SELECTION, PERSON, NOTICE, URL = "selection", "person", "notice", "url"


class Tab(Protocol):
    """One tab.

    Attributes:
        name: lower-case word, prefix of its component ids and its address (`?tab=`).
        title: words on the tab.
    """

    name: str
    title: str

    def layout(self) -> Component:
        """Return the content of the tab."""

    def register(self, app: Dash) -> None:
        """Register the callbacks of the tab."""


def aria(**attributes: str | bool) -> dict[str, Any]:
    """Return attributes of a component for screen readers.

    Args:
        **attributes: values by name, `label="Map"` for `aria-label`.

    Example:
        >>> aria(selected=True)
        {'aria-selected': 'true'}
    """
    return {f"aria-{name}": str(value).lower() if isinstance(value, bool) else value for name, value in attributes.items()}


def read_chosen_person(clicked: Any = None) -> Any:
    """Return the person whose button or point of a graph was pressed, in a callback; `no_update` without one.

    Buttons that are drawn without being pressed do not run a callback (`application`).

    Args:
        clicked: `clickData` of the graph.
    """
    if isinstance(ctx.triggered_id, dict):
        return ctx.triggered_id["person"]
    return clicked["points"][0].get("customdata", no_update) if clicked else no_update


def read_person_ids(content: Any) -> NDArray[np.int64]:
    """Return the (n,) ids of a selection that a page sends; none for null.

    Raises:
        OptionsError: if it is no list of numbers.
    """
    ids = content or []
    if not isinstance(ids, list) or not all(type(one) is int and abs(one) < 2**63 for one in ids):
        raise OptionsError("Selection: expected a list of person ids.")
    return np.array(ids, dtype=np.int64)
