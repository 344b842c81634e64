"""What a tab of the page offers. The ids of its components begin with its name.

State that all tabs share, as `dcc.Store`:

    selection       list of person ids
    person          id of the person under discussion; a click on a person anywhere sets it

Images reach the page as `data:` addresses. Errors of callbacks are shown above the tabs (`notice`); see `application`.
"""

from typing import Any, Protocol

from dash import Dash
from dash.development.base_component import Component

__all__ = ["NOTICE", "PERSON", "SELECTION", "URL", "Tab", "aria"]

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
