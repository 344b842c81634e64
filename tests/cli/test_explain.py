"""Tests of `posescope explain`: pages of a small model, and errors with a remedy."""

import json
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.cli.untrained_models import save_untrained

from posescope.cli import cli
from posescope.core.errors import DataError
from posescope.core.plugins import ComponentSpec
from posescope.explorer.opened_run import open_run
from posescope.explorer.selection_export import export_selection
from posescope.sample.generator import generate_sample
from posescope.sample.options import SampleOptions

VAL = "annotations/person_keypoints_val2017.json"


def explain(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["explain", *map(str, arguments)])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_untrained(tmp_path_factory.mktemp("models") / "model")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "sample"
    generate_sample(folder, SampleOptions(train_persons=30, val_persons=40, workers=1))
    return folder


@pytest.fixture(scope="module")
def explained(model: Path, sample: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    output = tmp_path_factory.mktemp("explained")
    quick = ("--analysis", "label_errors", "--analysis", "truncation", "--device", "cpu", "--photographs", "none")
    return explain(model, "--data", sample / VAL, "--output", output, *quick), output


def test_pages_are_written_and_named_at_the_end(explained: tuple[Result, Path]) -> None:
    result, output = explained
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines == [str(output / "summary.html"), str(output / "report.html")]
    assert all(Path(line).stat().st_size > 10_000 for line in lines)
    assert "analysis: label errors" in result.stderr
    assert "analysis: clusters" not in result.stderr
    assert "WARNING" not in result.output


def test_results_beside_the_pages(explained: tuple[Result, Path]) -> None:
    results = explained[1] / "results"
    metrics = json.loads((results / "metrics.json").read_text())
    # The judged half of the photographs: all numbers are of the same persons.
    findings = json.loads((results / "findings.json").read_text())
    assert {finding["person_count"] for finding in findings} == {metrics["val"]["pck_thesis"]["persons"]}
    command = "posescope explain MODEL --data DATA --output OUTPUT --max-persons 2000 --seed 0 --analysis "
    assert {finding["command"] for finding in findings} == {command + finding["analysis"] for finding in findings}
    assert 15 <= metrics["val"]["pck_thesis"]["persons"] <= 25
    assert (results / "explainability" / "label_errors" / "label_errors.csv").is_file()


def test_explorer_table_beside_the_pages(explained: tuple[Result, Path]) -> None:
    """Without photographs and file names, as asked for; what runs the network is not kept."""
    opened = open_run(explained[1])
    metrics = json.loads((explained[1] / "results" / "metrics.json").read_text())
    assert (opened.persons["role"] == "judged").sum() == metrics["val"]["pck_thesis"]["persons"]
    assert set(opened.persons["file_name"]) == {""}
    assert {path.name for path in opened.places.table.parent.iterdir()} == {"persons.parquet"}
    with pytest.raises(DataError, match="--keep-inputs"):
        opened.crops()


def test_inputs_that_are_kept_open_as_a_run(model: Path, sample: Path, tmp_path: Path) -> None:
    result = explain(
        model, "--data", sample / VAL, "--output", tmp_path, "--analysis", "truncation", "--device", "cpu", "--keep-inputs"
    )
    assert result.exit_code == 0, result.output
    opened = open_run(tmp_path)
    assert len(opened) == len(opened.crops()) == len(opened.features()) > 30
    assert opened.components().model == opened.about.model
    assert opened.model().crop_size == opened.about.crop_size == (32, 32)
    assert opened.uncertainty() is None
    files = export_selection(opened.places, opened.person_ids, opened.about.category)
    assert sum(one.persons for one in files) == len(opened)
    known = {record["id"]: record for record in json.loads((sample / VAL).read_text())["annotations"]}
    records = [record for one in files for record in one.content["annotations"]]
    assert all(record["keypoints"] == known[record["id"]]["keypoints"] for record in records)


def test_crops_are_kept_only_where_photographs_are_shown(model: Path, sample: Path, tmp_path: Path) -> None:
    result = explain(model, "--data", sample / VAL, "--output", tmp_path / "out", "--keep-inputs", "--photographs", "none")
    assert result.exit_code == 2
    assert "--keep-inputs" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_all_analyses_of_both_halves_of_a_folder(model: Path, sample: Path, tmp_path: Path) -> None:
    result = explain(model, "--data", sample, "--output", tmp_path, "--device", "cpu", "--max-persons", "25")
    assert result.exit_code == 0, result.output
    assert "analysis: clusters" in result.stderr
    assert "analysis: attribution" not in result.stderr


def test_plain_module_is_explained_without_words_on_skips(sample: Path, tmp_path: Path) -> None:
    name = "tests.extension.package.posescope_extension.plain:SmallNet"
    folder = save_untrained(tmp_path / "model", ComponentSpec(name=name, options={"channels": 4}))
    analyses = [word for each in ("truncation", "skip_ablation", "component_names") for word in ("--analysis", each)]
    output = tmp_path / "out"
    result = explain(
        folder, "--data", sample / VAL, "--output", output, "--device", "cpu", "--photographs", "none", "--layer", "encoder.1",
        "--allow-component", name, *analyses,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    summary, report = ((output / page).read_text() for page in ("summary.html", "report.html"))
    assert "the network names no skip connections" in report
    assert "Inside, at the layer encoder.1, a picture has become 512 numbers" in summary
    shown = re.sub(
        r"<script.*?</script>|<style.*?</style>|Skip ablation|the network names no skip connections", "", report, flags=re.S
    )
    for page in (summary, re.sub(r"<[^>]*>", " ", shown)):
        assert re.findall(r"hourglass|side path|skip connection|\bstack|bottleneck|\bskips\b", page, re.IGNORECASE) == []
    findings = json.loads((output / "results" / "findings.json").read_text())
    assert all("--layer encoder.1 --analysis" in finding["command"] for finding in findings)


def test_unknown_analysis(model: Path, sample: Path, tmp_path: Path) -> None:
    result = explain(model, "--data", sample / VAL, "--output", tmp_path / "out", "--analysis", "colours")
    assert result.exit_code == 2
    assert "label_errors" in result.stderr


def test_nothing_else_is_left_in_the_output(explained: tuple[Result, Path]) -> None:
    assert {path.name for path in explained[1].iterdir()} <= {"summary.html", "report.html", "results"}


def test_joints_of_another_skeleton(model: Path, sample: Path, tmp_path: Path) -> None:
    content = json.loads((sample / VAL).read_text())
    content["categories"][0]["keypoints"][0] = "beak"
    path = tmp_path / "birds.json"
    path.write_text(json.dumps(content))
    result = explain(model, "--data", path, "--images", sample / "val2017", "--output", tmp_path / "out")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "beak" in result.stderr
    assert "rename" in result.stderr
    assert not (tmp_path / "out").exists()


def test_missing_images(model: Path, sample: Path, tmp_path: Path) -> None:
    result = explain(model, "--data", sample / VAL, "--images", sample / "train2017", "--output", tmp_path / "out")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "--images FOLDER" in result.stderr
    lost = tmp_path / "lost.json"
    shutil.copy(sample / VAL, lost)
    result = explain(model, "--data", lost, "--output", tmp_path / "out")
    assert result.exit_code == 1
    assert "--images FOLDER" in result.stderr


def test_output_that_cannot_be_written(model: Path, sample: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = explain(model, "--data", sample / VAL, "--output", tmp_path / "file" / "out")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1


def test_folder_without_a_model(sample: Path, tmp_path: Path) -> None:
    result = explain(tmp_path, "--data", sample / VAL, "--output", tmp_path / "out")
    assert result.exit_code == 1
    assert "no trained model" in result.stderr
