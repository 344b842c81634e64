"""Tests of `posescope similarity`: selection of networks, output, and errors."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from posescope.cli import cli
from posescope.core.files import write_json
from posescope.explainability.components.pca import principal_components
from posescope.explainability.features.feature_store import FeatureStore

COUNT = 120
IDS = np.arange(COUNT, dtype=np.int64) * 3

Make = Callable[..., Path]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["similarity", *map(str, arguments)])


def make_values() -> NDArray[np.float32]:
    return (np.random.default_rng(0).normal(size=(COUNT, 8)) * [9, 5, 3, 2, 1, 1, 1, 1]).astype(np.float32)


@pytest.fixture
def make_data_dir(tmp_path: Path) -> Make:
    """Return a function that writes results of the pipeline `explainability`: features, components, clusters and probes."""

    def make(
        name: str,
        values: NDArray[np.float32],
        ids: NDArray[np.int64] = IDS,
        first_image: int = 0,
        first_box: float = 1.0,
        analysed_model: str | None = None,
    ) -> Path:
        folder, model = tmp_path / name, f"model-of-{name}"
        store = FeatureStore(folder / "07_model_output/features" / "bottleneck")
        store.write(ids, [values], layer="stack1.bottleneck", shape=(8, 1, 1), fingerprint=name, dtype="float32", model=model)
        principal_components(store.open()).save(folder / "07_model_output/features" / "components.npz")
        (folder / "03_primary").mkdir()
        images = ids // 2 + first_image
        persons = pd.DataFrame({"person_id": ids, "source_split": "train", "image_id": images, "annotation_id": ids})
        persons["file_name"] = [f"{image}.png" for image in images]
        persons = persons.assign(bbox_x=first_box, bbox_y=2.0, bbox_w=30.0, bbox_h=40.0)
        persons.to_parquet(folder / "03_primary" / "persons.parquet")
        members = pd.DataFrame({"person_id": ids, "cluster": 1 + (values[:, 0] > 0)})
        intervals = {"r2_low": [0.7, -0.1], "r2_high": [0.9, 0.1], "control_high": [0.02, 0.02]}
        probes = pd.DataFrame({"attribute": ["facing", "size"], "r2": [0.8, 0.01], **intervals})
        for analysis, table in (("clusters", members), ("component_names", probes)):
            analysis_dir = folder / "08_reporting" / "explainability" / analysis
            analysis_dir.mkdir(parents=True)
            table.to_csv(
                analysis_dir / ("cluster_members.csv" if analysis == "clusters" else "attribute_probes.csv"), index=False
            )
            write_json(analysis_dir / "result.json", {"model": analysed_model or model})
        return folder

    return make


def test_rotated_features_are_equal(make_data_dir: Make) -> None:
    values = make_values()
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(8, 8)))[0].astype(np.float32)
    result = run(make_data_dir("one", values), make_data_dir("two", values @ turn), "--components", "3")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0].endswith("one  model model-of-one  stack1.bottleneck")
    assert f"{COUNT} persons in common, in {len(np.unique(IDS // 2))} images." in lines
    assert "A      1.00" in lines  # features
    assert [line.split()[2:] for line in lines if re.match("[123] ", line)] == [
        ["1.00", "B1", "1.00"], ["1.00", "B2", "1.00"], ["1.00", "B3", "1.00"],
    ]  # fmt: skip
    assert any(line.split() == ["facing", "0.80", "0.80"] for line in lines)
    assert any(line.split() == ["size", "0.01*", "0.01*"] for line in lines)


def test_json_output_has_the_same_values(make_data_dir: Make) -> None:
    folders = make_data_dir("one", make_values()), make_data_dir("two", make_values()[::-1].copy())
    content = json.loads(run(*folders, "--json", "--shuffles", "9").output)
    assert list(content["networks"]) == ["A", "B"]
    assert content["networks"]["B"]["model"] == "model-of-two"
    assert [(pair["first"], pair["second"]) for pair in content["pairs"]] == [("A", "B"), ("B", "A")]
    assert content["pairs"][0]["cka"] == pytest.approx(content["pairs"][1]["cka"])
    assert content["pairs"][0]["persons"] == COUNT


def test_persons_of_one_network_only_are_excluded(make_data_dir: Make) -> None:
    values = make_values()
    result = run(make_data_dir("one", values), make_data_dir("two", values[:80], IDS[:80]))
    assert "80 persons in common" in result.output


def test_results_of_another_network_are_not_shown(make_data_dir: Make) -> None:
    values = make_values()
    result = run(make_data_dir("one", values), make_data_dir("two", values, analysed_model="another"))
    assert "Clusters: fewer than two networks have clusters." in result.output
    assert "Attributes: not every network" in result.output


def test_incomparable_folders_are_a_one_line_error(make_data_dir: Make, tmp_path: Path) -> None:
    values = make_values()
    one, others = make_data_dir("one", values), make_data_dir("others", values, first_image=1)
    few = make_data_dir("few", values[:10], IDS[:10])
    stale = make_data_dir("stale", values)
    principal_components(FeatureStore(one / "07_model_output/features" / "bottleneck").open()).save(
        stale / "07_model_output/features" / "components.npz"
    )
    (tmp_path / "empty").mkdir()
    for folder, text in (
        (others, "person_id"),
        (few, "found 10"),
        (stale, "components"),
        (tmp_path / "empty", "features"),
    ):
        result = run(one, folder)
        assert result.exit_code == 1
        assert text in result.output
        assert len(result.output.splitlines()) == 1
    assert run(one).exit_code == 2
    assert run(one, tmp_path / "nowhere").exit_code == 2


def test_equal_ids_of_other_persons_are_refused(make_data_dir: Make) -> None:
    """Generated samples with different seeds have the same image and annotation ids and different boxes."""
    result = run(make_data_dir("one", make_values()), make_data_dir("two", make_values(), first_box=1.5))
    assert result.exit_code == 1
    assert "person_id" in result.output
