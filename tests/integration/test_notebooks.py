"""The notebooks are stripped, contain no logic, and execute on a small run."""

import ast
import base64
import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import pytest
from ipykernel.kernelspec import write_kernel_spec
from IPython.core.inputtransformer2 import TransformerManager
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

REPOSITORY = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))

LOGIC = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.For, ast.AsyncFor, ast.While, ast.If, ast.IfExp,
    ast.Match, ast.Try, ast.TryStar, ast.With, ast.AsyncWith, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp,
)  # fmt: skip


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def logic_of(source: str) -> list[str]:
    """Return the branches, loops and definitions of a cell."""
    tree = ast.parse(TransformerManager().transform_cell(source))
    return [type(node).__name__ for node in ast.walk(tree) if isinstance(node, LOGIC)]


def test_two_notebooks_exist() -> None:
    assert [path.name for path in NOTEBOOKS] == ["data.ipynb", "run.ipynb"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_valid_and_stripped(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert set(notebook.metadata) == {"kernelspec"}
    assert notebook.metadata.kernelspec.name == "python3"
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"tags"}, cell.id
    for cell in code_cells(notebook):
        assert cell.outputs == [], cell.id
        assert cell.execution_count is None, cell.id


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_has_no_logic(path: Path) -> None:
    assert {cell.id: found for cell in code_cells(read(path)) if (found := logic_of(cell.source))} == {}


def test_logic_in_a_cell_is_detected() -> None:
    assert logic_of("%matplotlib inline\nx = [a for a in b]") == ["ListComp"]
    assert logic_of("if x:\n    f(lambda: 0)") == ["If", "Lambda"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_one_tagged_cell_chooses_the_run(path: Path) -> None:
    tagged = [cell.source for cell in code_cells(read(path)) if "parameters" in cell.metadata.get("tags", [])]
    assert tagged == ['options = ""']


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_heading_is_followed_by_text(path: Path) -> None:
    for cell in read(path).cells:
        if cell.cell_type == "markdown" and cell.source.startswith("#"):
            assert len(cell.source.partition("\n")[2].split()) >= 15, cell.id


@pytest.fixture(scope="module")
def quiet() -> Iterator[None]:
    """Environment of the kernel: one thread, no telemetry, plots as data."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DO_NOT_TRACK", "1")
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("PLOTLY_RENDERER", "plotly_mimetype")
        yield


@pytest.fixture(scope="module")
def run(quiet: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a finished run."""
    root = tmp_path_factory.mktemp("notebooks")
    command = [sys.executable, "-m", "kedro", "run", *options_of(root).split()]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-4000:]
    return root


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Use the interpreter of the tests as kernel `python3`, without user settings."""
    root = tmp_path_factory.mktemp("jupyter")
    write_kernel_spec(root / "kernels" / "python3")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(root))
        patch.setenv("JUPYTER_CONFIG_DIR", str(root / "config"))
        patch.setenv("JUPYTER_RUNTIME_DIR", str(root / "runtime"))
        patch.setenv("IPYTHONDIR", str(root / "ipython"))
        yield


def options_of(root: Path) -> str:
    return f"--env test --params data_dir={root / 'data'},raw_dir={root / 'raw'}"


def execute(name: str, root: Path) -> dict[str, NotebookNode]:
    """Execute a notebook on the run below `root`; return its code cells by id."""
    notebook = read(REPOSITORY / "notebooks" / f"{name}.ipynb")
    for cell in code_cells(notebook):
        if "parameters" in cell.metadata.get("tags", []):
            cell.source = f"options = {options_of(root)!r}"
    folder = {"metadata": {"path": str(REPOSITORY / "notebooks")}}
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources=folder).execute()
    return {cell.id: cell for cell in code_cells(notebook)}


def files_of(root: Path) -> dict[Path, tuple[int, int]]:
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in root.rglob("*")}


@pytest.fixture(scope="module")
def executed(run: Path, kernel: None) -> dict[str, dict[str, NotebookNode]]:
    """Execute both notebooks; the run must not change."""
    before = files_of(run)
    cells = {path.stem: execute(path.stem, run) for path in NOTEBOOKS}
    assert files_of(run) == before, "notebooks write nothing"
    return cells


def reporting(root: Path) -> Path:
    return root / "data" / "08_reporting"


def shown(cell: NotebookNode, kind: str) -> list[Any]:
    """Return the outputs of one MIME type of a cell."""
    return [output.data[kind] for output in cell.outputs if "data" in output and kind in output.data]


def images_of(cell: NotebookNode) -> list[np.ndarray[Any, Any]]:
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(content)))) for content in shown(cell, "image/png")]


def table(cell: NotebookNode) -> pd.DataFrame:
    """Return the only table of a cell; its cells contain no spaces."""
    (text,) = shown(cell, "text/plain")
    return pd.read_csv(io.StringIO(text), sep=r"\s+")


@pytest.mark.slow
@pytest.mark.parametrize("name", [path.stem for path in NOTEBOOKS])
def test_every_cell_runs_without_warnings(executed: dict[str, dict[str, NotebookNode]], name: str) -> None:
    for cell in executed[name].values():
        assert cell.execution_count is not None, cell.id
        assert [output for output in cell.outputs if output.output_type == "error"] == [], cell.id
        logged = "".join(output.text for output in cell.outputs if output.output_type == "stream")
        assert cell.id == "load" or logged == "", cell.id
        assert "Traceback" not in logged
        assert "Warning" not in logged


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "cell", "pattern"),
    [
        ("data", "crop-sheet", "crop_grid.png"),
        ("data", "target-sheet", "target_grid.png"),
        ("run", "examples", "person_examples.png"),
        ("run", "latent_traversal", "explainability/latent_traversal/*.png"),
        ("run", "clusters", "explainability/clusters/*.png"),
        ("run", "skips", "explainability/skip_ablation/skip_ablation.png"),
    ],
)
def test_images_equal_those_of_the_run(
    executed: dict[str, dict[str, NotebookNode]], run: Path, name: str, cell: str, pattern: str
) -> None:
    files = sorted(reporting(run).glob(pattern))
    assert files
    for image, file in zip(images_of(executed[name][cell]), files, strict=True):
        np.testing.assert_array_equal(image, np.asarray(Image.open(file)))


@pytest.mark.slow
def test_metrics_equal_those_of_the_file(executed: dict[str, dict[str, NotebookNode]], run: Path) -> None:
    written = pd.DataFrame.from_dict(json.loads((reporting(run) / "metrics.json").read_text())["val"], orient="index")
    seen = table(executed["run"]["metrics"])
    assert list(seen.columns) == ["value", "low", "high"]
    # Six decimals are shown.
    pd.testing.assert_frame_equal(seen, written[["value", "low", "high"]].astype(float), check_like=True, atol=5e-7, rtol=0)


@pytest.mark.slow
def test_findings_are_those_of_the_file(executed: dict[str, dict[str, NotebookNode]], run: Path) -> None:
    findings = json.loads((reporting(run) / "explainability" / "findings.json").read_text())
    (html,) = shown(executed["run"]["findings"], "text/html")
    assert re.findall(r"<td>(supported|refuted|inconclusive)</td>", html) == [finding["verdict"] for finding in findings]


@pytest.mark.slow
def test_plots_equal_those_of_the_run(executed: dict[str, dict[str, NotebookNode]], run: Path) -> None:
    mime = "application/vnd.plotly.v1+json"
    for cell, file in {"history-plot": "history_plot.json", "joints-plot": "joint_scores_plot.json"}.items():
        (plot,) = shown(executed["run"][cell], mime)
        assert plot["data"] == json.loads((reporting(run) / file).read_text())["data"]
    (bars,) = shown(executed["data"]["splits"], mime)
    assert bars["data"] == json.loads((reporting(run) / "distribution_plot.json").read_text())["data"]
    assert len(shown(executed["run"]["components"], mime)) == 1


@pytest.mark.slow
def test_notes_of_the_analyses_are_shown(executed: dict[str, dict[str, NotebookNode]], run: Path) -> None:
    for cell, analysis in {"latent_traversal": "latent_traversal", "clusters": "clusters", "skips": "skip_ablation"}.items():
        result = json.loads((reporting(run) / "explainability" / analysis / "result.json").read_text())
        assert shown(executed["run"][cell], "text/markdown") == [result["note"]]
    (text,) = shown(executed["run"]["findings"], "text/html")
    claims = json.loads((reporting(run) / "explainability" / "findings.json").read_text())
    assert text.count("<tr") == len(claims) + 1


@pytest.mark.slow
def test_reasons_count_every_issue(executed: dict[str, dict[str, NotebookNode]], run: Path) -> None:
    issues = pd.read_csv(reporting(run) / "issues.csv")
    (text,) = shown(executed["data"]["reasons"], "text/html")
    seen = np.array(re.findall("<td>(.*?)</td>", text)).reshape(-1, 3)
    assert {(step, reason): int(count) for step, reason, count in seen} == issues.value_counts(["step", "reason"]).to_dict()


@pytest.mark.slow
def test_mean_colour_equals_that_of_the_crops(executed: dict[str, dict[str, NotebookNode]], run: Path) -> None:
    written = json.loads((run / "data" / "05_model_input" / "crop_statistics.json").read_text())
    (patch,) = images_of(executed["data"]["mean-rgb"])
    assert patch[0, 0] == pytest.approx(255 * np.array(written["mean_rgb"]), abs=0.5)
    (text,) = shown(executed["data"]["statistics"], "text/html")
    assert written["data_fingerprint"] in text


@pytest.mark.slow
def test_requested_run_is_shown(executed: dict[str, dict[str, NotebookNode]], run: Path) -> None:
    (record,) = (json.loads(path.read_text()) for path in reporting(run).glob("runs/*/run.json"))
    (text,) = shown(executed["run"]["records"], "text/html")
    assert record["run_id"] in text
    (report,) = shown(executed["run"]["report"], "text/plain")
    assert str(reporting(run) / "report.html") in report
