"""The flow as Kedro-Viz shows it: stages are namespaces, and layers follow the data flow in every pipeline."""

import json
import os
import shutil
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path

import pytest
import yaml
from kedro.pipeline import Pipeline

from posescope.pipeline_registry import DEFAULT_PIPELINES, register_pipelines

REPOSITORY = Path(__file__).resolve().parents[2]
ORDER = (
    "01_raw", "02_intermediate", "03_primary", "05_model_input", "06_models", "07_model_output",
    "improved_models", "08_reporting",
)  # fmt: skip
MAX_NODES = 10
PIPELINES = register_pipelines()


def layers() -> dict[str, str]:
    """Return the layer of every dataset, or of the fixed part of a pattern, of all base catalogs."""
    entries: dict[str, dict] = {}
    for path in (REPOSITORY / "conf" / "base").glob("**/catalog*.yml"):
        entries |= {name: entry for name, entry in yaml.safe_load(path.read_text()).items() if not name.startswith("_")}
    known = {
        name.partition("{")[0]: entry.get("metadata", {}).get("kedro-viz", {}).get("layer") for name, entry in entries.items()
    }
    return {name: layer for name, layer in known.items() if layer is not None}


def layer_of(dataset: str, known: dict[str, str]) -> str | None:
    if dataset in known:
        return known[dataset]
    return next((layer for prefix, layer in known.items() if prefix.endswith("_") and dataset.startswith(prefix)), None)


def parts(pipeline: Pipeline) -> list[Pipeline]:
    """Return all nodes and all stages, as Kedro-Viz draws them opened or closed."""
    namespaces = {prefix for node in pipeline.nodes for prefix in node.namespace_prefixes}
    return [Pipeline([node]) for node in pipeline.nodes] + [pipeline.only_nodes_with_namespaces([name]) for name in namespaces]


@pytest.mark.parametrize("name", sorted(PIPELINES))
def test_layers_follow_the_data_flow(name: str) -> None:
    known = layers()
    assert set(known.values()) == set(ORDER)
    for part in parts(PIPELINES[name]):
        sources = [layer for item in part.inputs() if (layer := layer_of(item, known))]
        targets = [layer for item in part.all_outputs() - part.inputs() if (layer := layer_of(item, known))]
        last = max((ORDER.index(layer) for layer in sources), default=0)
        assert all(ORDER.index(layer) >= last for layer in targets), part.describe()


@pytest.mark.parametrize("name", sorted(set(PIPELINES) - {"__default__"}))
def test_stages_are_namespaces_of_at_most_ten_nodes(name: str) -> None:
    stages = {node.namespace.partition(".")[0] for node in PIPELINES[name].nodes}
    assert stages == (set(DEFAULT_PIPELINES) if name == "reporting" else {name})
    counts = Counter(node.namespace for node in PIPELINES[name].nodes)
    assert max(counts.values()) <= MAX_NODES, counts


def test_no_namespace_is_interrupted_by_nodes_of_another() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sum(PIPELINES.values(), Pipeline([]))


@pytest.mark.parametrize("stage", DEFAULT_PIPELINES)
def test_namespace_selects_its_stage(stage: str) -> None:
    selected = PIPELINES["__default__"].filter(node_namespaces=[stage])
    assert {node.name for node in PIPELINES[stage].nodes if node.namespace.startswith(stage)} == {
        node.name for node in selected.nodes
    }


@pytest.mark.slow
def test_site_of_kedro_viz_is_built_without_warnings(tmp_path):
    for name in ("conf", "src", "pyproject.toml", ".telemetry"):
        source = REPOSITORY / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    events = tmp_path / ".viz" / "kedro_pipeline_events.json"  # as after a run
    events.parent.mkdir()
    events.write_text("[]")
    result = subprocess.run(
        [sys.executable, "-m", "kedro", "viz", "build", "--include-previews"],
        cwd=tmp_path,
        env={**os.environ, "DO_NOT_TRACK": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    # A failed preview still exits with 0, so that the page is checked.
    assert (tmp_path / "build" / "index.html").is_file(), result.stdout + result.stderr
    assert "WARNING" not in result.stdout + result.stderr
    shown = json.loads((tmp_path / "build" / "api" / "main").read_text())["layers"]
    assert [layer for layer in shown if layer in ORDER[:6]] == list(ORDER[:6])
