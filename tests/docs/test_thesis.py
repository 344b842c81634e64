"""`docs/thesis.md` agrees with the configuration and the code."""

import re
from itertools import takewhile
from pathlib import Path

import pytest
import torch
import yaml

from posescope.codecs.thesis import Thesis256Codec, ThesisOptions
from posescope.kedro_support.config_loader import ComponentConfigLoader
from posescope.settings import CONFIG_LOADER_ARGS
from posescope.training.options import TrainingOptions

REPOSITORY = Path(__file__).resolve().parents[2]
TEXT = (REPOSITORY / "docs" / "thesis.md").read_text(encoding="utf-8")
OPEN = re.findall(r"^\| .+? \| `([a-z_.]+)` \| `(.+?)` \|$", TEXT, re.MULTILINE)


def value_at(content: object, path: str) -> object:
    for name in path.split("."):
        assert isinstance(content, dict)
        content = content[name]
    return content


def count(cell: str) -> int:
    """Return the number at the beginning of a cell."""
    return int(re.match(r"[\d,]+", cell)[0].replace(",", ""))


def rows_of_table(head: str) -> dict[str, list[str]]:
    """Return the table whose first cell is `head`, by the first cell of each row."""
    lines = [line.strip() for line in TEXT.splitlines()]
    first = next(number for number, line in enumerate(lines) if line.startswith(f"| {head} |"))
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in takewhile(bool, lines[first + 2 :])]
    return {name: cells for name, *cells in rows}


@pytest.mark.parametrize("env", ["thesis", "thesis_final"])
def test_open_values_are_those_of_the_later_recipe(env: str) -> None:
    parameters = ComponentConfigLoader(conf_source=str(REPOSITORY / "conf"), env=env, **CONFIG_LOADER_ARGS)["parameters"]
    training = {**TrainingOptions().model_dump(), **parameters["modelling"]["training"]}
    parameters["modelling"]["training"] = training
    assert len(OPEN) == 16
    assert {path: value_at(parameters, path) for path, _ in OPEN} == {path: yaml.safe_load(value) for path, value in OPEN}


def test_table_compares_counts_of_the_same_persons() -> None:
    table = rows_of_table("persons accepted")
    validation, training, test, rest, total = table.values()
    for column in range(3):
        assert count(training[column]) - count(test[column]) == count(rest[column])
        assert count(validation[column]) + count(training[column]) == count(total[column])
    assert [count(cell) for cell in total] == [134_168, 126_413, 128_963]
    document = {name: count(cells[0]) for name, cells in table.items()}
    differences = [
        (count(cell) - document[name], document[name], found)
        for name, cells in table.items()
        for cell in cells[1:]
        if (found := re.search(r": ([\d,]+) (more|fewer) \((.)([\d.]+) %\)", cell))
    ]
    for expected, base, found in differences:
        assert (count(found[1]), found[2] == "more", found[3] == "+") == (abs(expected), expected > 0, expected > 0)
        assert float(found[4]) == pytest.approx(100 * abs(expected) / base, abs=0.05)
    assert len(differences) == 8


def test_peak_of_the_targets_agrees_with_the_page() -> None:
    codec = Thesis256Codec(ThesisOptions(), (256, 256), 1)
    places = torch.cartesian_prod(torch.arange(100.0, 104.0), torch.arange(100.0, 104.0))[:, None]
    peaks = codec.encode(places, torch.full((16, 1), 2, dtype=torch.uint8)).heatmaps.amax(dim=(1, 2, 3))
    least, most = rows_of_table("resizing")["mean of 4 x 4 px (here)"]
    assert (f"{peaks.min():.3f}", f"{peaks.max():.3f}") == (least, most)


def test_every_file_and_link_of_the_page_exists() -> None:
    sources = re.findall(r"`((?:data|geometry|training|codecs|models)/[\w/]+\.py)`", TEXT)
    assert len(sources) >= 6
    assert [name for name in sources if not (REPOSITORY / "src" / "posescope" / name).is_file()] == []
    assert [link for link in re.findall(r"\]\(([^)#]+)", TEXT) if not (REPOSITORY / "docs" / link).exists()] == []
