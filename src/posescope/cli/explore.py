"""The command `posescope explore`: open a finished run as a local page."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from posescope.cli.base import LocalPathType, PosescopeCommand, allow_component, echo
from posescope.cli.explanation_options import explained_folder, explanation_options, refuse_without_data
from posescope.core.errors import OptionsError
from posescope.core.extras import MissingPackageError
from posescope.runs.project_models import project_data_dir

__all__ = ["explore"]

_OF_SERVER = {"compare": "--compare", "port": "--port", "host": "--host", "no_browser": "--no-browser", "slice_id": "--slice"}


@click.command(cls=PosescopeCommand)
@click.argument("data_dir", required=False, type=LocalPathType(file_okay=False, takes_addresses=True))
@click.option(
    "--compare",
    type=LocalPathType(file_okay=False, takes_addresses=True),
    help="Another run, given as DATA_DIR is. A further tab compares both on the same persons.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port of the page, 0 for any free one (default: 8050, or the next free one)."
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address on which the page listens. Others than loopback let other machines open it, with a token.",
)
@click.option("--no-browser", is_flag=True, help="Print the address without opening a browser.")
@click.option("--slice", "slice_id", metavar="ID", help="Open the page with this failing group selected, such as slice-1.")
@click.option(
    "--export",
    "site",
    type=LocalPathType(),
    metavar="FOLDER",
    help="Write FOLDER/index.html, a page that needs no server, and end. Extra explore is not needed.",
)
@click.option(
    "--export-persons",
    type=click.IntRange(1, 10_000),
    default=2000,
    show_default=True,
    help="Maximum number of persons with a thumbnail in the page of --export.",
)
@explanation_options(
    required=False,
    output_help="Folder of the explanation of --data (default: a folder of the user's cache, which is printed).",
)
@allow_component
def explore(
    data_dir: Path | None,
    compare: Path | None,
    port: int | None,
    host: str,
    no_browser: bool,
    slice_id: str | None,
    site: Path | None,
    export_persons: int,
    allow: tuple[str, ...],
    **explanation: Any,
) -> None:
    """Open a finished run as a local page.

    Shows all explained persons on a map, coloured and filtered by what was measured of them; failing groups of the summary; each
    person with its true and predicted skeleton, scores and heatmaps. Selected persons are exported as COCO annotations. The page
    loads nothing from other addresses. Ctrl-C ends it.

    DATA_DIR: data_dir of a run whose pipelines explainability and reporting have finished, or the output folder of posescope
    explain (default: the data_dir of the project). With --data: a model folder, or a data_dir, whose newest model is taken. The
    model is then explained on these photographs, as posescope explain does. The next call with the same model, photographs and
    options opens what was computed.

    \b
    Examples:
      posescope explore
      posescope explore data --slice slice-1 --no-browser
      posescope explore my_model --data photos.json --images photos --output explored
      posescope explore data/plain --compare data/seeded
      posescope explore data --export site
    """  # noqa: D301 (\b keeps click from filling the lines)
    _refuse_mixed_options(click.get_current_context(), site)
    if site is not None:
        _check_site(site)
    else:
        _check_packages()
    # Threads that wait for each other give way. Beside another program on all cores, such as a training, spinning ones take six
    # times as long for an answer of a slider. PyTorch reads this when it is first imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    if explanation["data"] is not None:
        folder = explained_folder(data_dir, explanation, allow)
    else:
        refuse_without_data(click.get_current_context(), explanation)
        folder = data_dir if data_dir is not None else project_data_dir()
    if site is not None:
        _export(folder, site, export_persons, allow)
        return
    from posescope.explorer.app.page import make_page  # noqa: PLC0415  (the help page needs neither)
    from posescope.explorer.app.server import listen, serve  # noqa: PLC0415
    from posescope.explorer.run_places import find_places  # noqa: PLC0415
    from posescope.explorer.table_file import read_about  # noqa: PLC0415

    query = {} if slice_id is None else {"slice": read_about(find_places(folder).table).find_slice(slice_id).id}
    page = make_page(folder, allow, compare)
    address = listen(host, port, query)
    if address.rules.token is not None:
        echo(
            f"Warning: the page listens on {host}, so other machines of the network can open it. It shows the photographs of the "
            "run. The address contains a token: pass it only to persons who may see them. The connection is not encrypted.",
            err=True,
        )
    serve(page, address, _announce, open_browser=not no_browser)


def _refuse_mixed_options(context: click.Context, site: Path | None) -> None:
    """Refuse what only the server has with --export, and options of --export without it."""
    refused = {"export_persons": "--export-persons"} if site is None else _OF_SERVER
    given = [option for name, option in refused.items() if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    if given:
        words = "without --export" if site is None else "with --export"
        raise OptionsError(f"{', '.join(given)}: not used {words}. Remove {'it' if len(given) == 1 else 'them'}.")


def _check_packages() -> None:
    for package in ("dash", "waitress"):
        if find_spec(package) is None:
            raise MissingPackageError("The page", package)


def _check_site(site: Path) -> None:
    from posescope.explorer.static_site.export import check_site_folder  # noqa: PLC0415

    check_site_folder(site)  # before an explanation of minutes


def _export(folder: Path, site: Path, persons: int, allow: tuple[str, ...]) -> None:
    """Write the page without a server."""
    from posescope.explorer.opened_run import open_run  # noqa: PLC0415
    from posescope.explorer.static_site.export import SiteOptions, export_site  # noqa: PLC0415

    written = export_site(open_run(folder, allow), site, SiteOptions(featured_persons=persons))
    echo(str(written.path))
    echo(written.words, err=True)


def _announce(url: str) -> None:
    echo(url)
    echo("Press Ctrl-C to end.", err=True)
