"""Kedro-Viz needs layers without cycles; its site can be built."""

import json
import os
import shutil
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
import yaml

from posescope.pipeline_registry import register_pipelines

REPOSITORY = Path(__file__).resolve().parents[2]


def layers() -> dict[str, str]:
    """Return the layer of each dataset or pattern of all base catalogs."""
    entries: dict[str, dict] = {}
    for path in (REPOSITORY / "conf" / "base").glob("**/catalog*.yml"):
        entries |= {name: entry for name, entry in yaml.safe_load(path.read_text()).items() if not name.startswith("_")}
    return {name.partition("{")[0]: entry["metadata"]["kedro-viz"]["layer"] for name, entry in entries.items()}


def layer_of(dataset: str, known: dict[str, str]) -> str | None:
    if dataset in known:
        return known[dataset]
    return next((layer for prefix, layer in known.items() if prefix.endswith("_") and dataset.startswith(prefix)), None)


@pytest.mark.parametrize("name", ["__default__", "inference"])
def test_the_layers_have_an_order(name):
    known = layers()
    before: dict[str, set[str]] = {}
    for node in register_pipelines()[name].nodes:
        sources = {layer_of(item, known) for item in node.inputs} - {None}
        for target in {layer_of(item, known) for item in node.outputs} - {None}:
            before.setdefault(target, set()).update(sources - {target})
    order = list(TopologicalSorter(before).static_order())  # raises CycleError for a cycle
    assert order.index("raw") < order.index("model_output")
    assert order.index("models") < order.index("model_output")


@pytest.mark.slow
def test_the_site_of_kedro_viz_is_made(tmp_path):
    for name in ("conf", "src", "pyproject.toml", ".telemetry"):
        source = REPOSITORY / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    result = subprocess.run(
        [sys.executable, "-m", "kedro", "viz", "build", "--include-previews"],
        cwd=tmp_path,
        env={**os.environ, "DO_NOT_TRACK": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    # A crash inside a preview exits with 0; the page is missing then.
    assert (tmp_path / "build" / "index.html").is_file(), result.stdout + result.stderr
    assert json.loads((tmp_path / "build" / "api" / "main").read_text())["layers"][0] == "raw"
