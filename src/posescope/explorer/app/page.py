"""The page of one run: the run is opened, and each tab is made of it; with a second run also the tab that compares both."""

from collections.abc import Callable, Collection
from pathlib import Path

from dash import Dash

from posescope.explorer.app.application import create_app
from posescope.explorer.app.latent_tab import LatentTab
from posescope.explorer.app.persons_tab import PersonsTab
from posescope.explorer.app.tabs import Tab
from posescope.explorer.app.try_tab import TryTab
from posescope.explorer.opened_run import OpenedRun, open_run
from posescope.explorer.run_words import describe_run

__all__ = ["TABS", "make_page"]

TABS: tuple[Callable[[OpenedRun], Tab], ...] = (PersonsTab, LatentTab, TryTab)  # in the order of the page


def make_page(data_dir: Path, allow: Collection[str] = (), compare: Path | None = None) -> Dash:
    """Return the application of a run.

    Args:
        data_dir: a data_dir, or the output folder of `posescope explain`.
        allow: dotted paths of components that the model folders may name.
        compare: folder of another run, as `data_dir`, with which it is compared.

    Raises:
        DataError: if a run has no explorer table, or it belongs to another model; if the runs cannot be compared.
    """
    opened = open_run(data_dir, allow)
    tabs = [make(opened) for make in TABS]
    if compare is not None:
        from posescope.explorer.app.compare_tab import CompareTab  # noqa: PLC0415  (pandera, a fifth of the time of a start)

        tabs.append(CompareTab(opened, open_run(compare, allow)))
    return create_app(tabs, "Explore the network", describe_run(opened))
