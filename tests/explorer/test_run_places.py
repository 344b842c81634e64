"""Places of a run: the command that opens it, and what is no run."""

import shlex
from pathlib import Path

import pytest

from posescope.core.errors import DataError
from posescope.explorer.run_places import RunPlaces, find_places, opening_command


@pytest.mark.parametrize(("folder", "shown"), [("data", "data"), ("runs/my data", "runs/my data"), (".", ".")])
def test_command_names_the_data_dir_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, shown: str
) -> None:
    monkeypatch.chdir(tmp_path)
    absolute = tmp_path / folder / "08_reporting" / "explorer"
    for place in (absolute, Path(folder, "08_reporting", "explorer")):
        assert shlex.split(opening_command(place, "none")) == ["posescope", "explore", shown]


def test_pages_that_are_passed_on_name_no_path(tmp_path: Path) -> None:
    table = RunPlaces.of_data_dir(tmp_path).table.parent
    assert shlex.split(opening_command(table, "full")) == ["posescope", "explore", str(tmp_path)]
    assert opening_command(table, "blurred") == "posescope explore DATA_DIR"
    assert opening_command(RunPlaces.of_output(tmp_path).table.parent, "full") == "posescope explore OUTPUT"


def test_folder_without_a_table_and_model_folder_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="reporting"):
        find_places(tmp_path)
    (tmp_path / "model.json").write_text("{}")
    with pytest.raises(DataError, match="--data"):
        find_places(tmp_path)
