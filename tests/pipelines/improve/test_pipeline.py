"""Tests of posescope.pipelines.improve, run through Kedro on a small sample: outputs, required inputs, and read persons."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tests.kedro_sessions import open_session, run_pipelines

from posescope.artifacts.description import model_fingerprint
from posescope.artifacts.model_folder import fingerprint_of_model, load_model
from posescope.core.origin import Origin, origin_of_table
from posescope.core.tables import ids_of
from posescope.data.crops.crop_set import CropSet
from posescope.explainability.base import AnalysisResult
from posescope.explainability.components.pca import Components
from posescope.improvement.errors import ImprovementError
from posescope.improvement.variant_comparison import COMPARISONS
from posescope.improvement.variants import describe_training_data
from posescope.kedro_support.run_checks import MissingInputError
from posescope.pipeline_registry import DEFAULT_PIPELINES, register_pipelines
from posescope.pipelines.improve import create_pipeline
from posescope.reporting.result_filter import origin_of

VARIANTS = {"original", "mean_ablated", "inserted", "continued", "improved"}


def open_context(root: Path) -> Any:
    with open_session(data_dir=str(root / "data"), raw_dir=str(root / "raw")) as session:
        return session.load_context()


def save_explanation(context: Any) -> None:
    """Save components and a truncation result in which five of eight components suffice."""
    components = Components(np.zeros(8), np.eye(8), np.arange(8.0, 0, -1), "stack2.bottleneck", (8, 1, 1))
    context.catalog.save("components", components)
    context.catalog.save("analysis_truncation", AnalysisResult(facts={"components_enough": 5}))


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Any, set[int], bytes]]:
    """Return the folder and the context of a finished run, the ids of the read persons, and the model file before the run."""
    root = tmp_path_factory.mktemp("improve")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    run_pipelines(root, "data_engineering", "modelling", modelling={"training": {"epochs": 1}})
    context = open_context(root)
    with pytest.raises(MissingInputError, match=r"components .*: run the pipeline explainability first"):
        run_pipelines(root, "improve")
    save_explanation(context)
    before = original_file(root).read_bytes()
    read_ids: set[int] = set()
    read_images = CropSet.read_images

    def spy(crops: CropSet, rows: Any) -> Any:
        read_ids.update(crops.targets.person_ids[rows].tolist())
        return read_images(crops, rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CropSet, "read_images", spy)
        run_pipelines(root, "improve", improve={"autoencoder": {"code_size": None}})
    yield root, context, read_ids, before
    torch.set_num_threads(threads)


def original_file(root: Path) -> Path:
    (path,) = (root / "data" / "06_models" / "model").glob("*/model/model.safetensors")
    return path


def test_pipeline_is_not_part_of_the_default_run() -> None:
    assert "improve" not in DEFAULT_PIPELINES
    default = {node.name for node in register_pipelines()["__default__"].nodes}
    assert default.isdisjoint(node.name for node in create_pipeline().nodes)


@pytest.mark.slow
def test_no_test_person_is_read(finished_run: tuple[Path, Any, set[int], bytes]) -> None:
    _, context, read_ids, _ = finished_run
    train, val, test = (set(ids_of(context.catalog.load("persons"), split).tolist()) for split in ("train", "val", "test"))
    assert test
    assert read_ids == train | val


@pytest.mark.slow
def test_original_model_is_not_changed(finished_run: tuple[Path, Any, set[int], bytes]) -> None:
    root, _, _, before = finished_run
    assert original_file(root).read_bytes() == before


@pytest.mark.slow
def test_models_record_their_provenance(finished_run: tuple[Path, Any, set[int], bytes]) -> None:
    root, context, _, _ = finished_run
    models = {name: load_model(root / "data" / "06_models" / "improve" / name) for name in ("inserted", "continued", "improved")}
    original = context.catalog.load("model")
    assert {name: model.model_spec.name for name, model in models.items()} == {
        "inserted": "hourglass_autoencoder", "continued": "hourglass", "improved": "hourglass_autoencoder"
    }  # fmt: skip
    assert models["improved"].model_spec.options["autoencoder"]["code_size"] == 5
    assert models["continued"].provenance["start"] == original.provenance
    assert models["improved"].provenance["start"] == models["inserted"].provenance
    assert models["inserted"].provenance["parts"]["hourglass"] == original.provenance
    assert {models[name].provenance["test_set_fingerprint"] for name in ("continued", "improved")} == {
        original.provenance["test_set_fingerprint"]
    }
    assert {models[name].provenance["training"]["epochs"] for name in ("continued", "improved")} == {1}


@pytest.mark.slow
def test_both_trainings_are_finished(finished_run: tuple[Path, Any, set[int], bytes]) -> None:
    root, _, _, _ = finished_run
    runs = list((root / "data" / "06_models" / "improve" / "checkpoints").iterdir())
    assert len(runs) == 2
    assert all((folder / "finished.json").is_file() for folder in runs)


@pytest.mark.slow
def test_variants_are_compared(finished_run: tuple[Path, Any, set[int], bytes]) -> None:
    _, context, _, _ = finished_run
    metrics: pd.DataFrame = context.catalog.load("improvement_metrics")
    assert {(row.a, row.b) for row in metrics.itertuples()} == set(COMPARISONS)
    assert {"pck_thesis", "pck@0.2", "oks"} <= set(metrics["metric"])
    joints = context.catalog.load("improvement_joints")
    assert set(joints["joint"]) <= set(context.catalog.load("skeleton").joints)
    scores = context.catalog.load("variant_scores")
    assert set(scores["variant"]) == VARIANTS
    means = scores.groupby("variant")["pck_thesis"].mean()
    comparison = metrics[(metrics["a"] == "continued") & (metrics["b"] == "improved")].set_index("metric").loc["pck_thesis"]
    assert comparison["difference"] == pytest.approx(means["improved"] - means["continued"])


@pytest.mark.slow
def test_findings_and_dimensions_are_written(finished_run: tuple[Path, Any, set[int], bytes]) -> None:
    root, context, _, _ = finished_run
    improvement = json.loads((root / "data" / "08_reporting" / "improve" / "improvement.json").read_text())
    assert improvement["code_size"]["dimensions"] == 5
    assert set(improvement["scores"]) == VARIANTS
    assert all(set(claim) >= {"statement", "effect", "low", "high", "control", "verdict"} for claim in improvement["findings"])
    # Two findings on scores; with few images there is none on reconstruction. Dimensions have no interval and stand in the note.
    assert len(improvement["findings"]) == 2
    assert "95 % of its variance" in improvement["note"]
    assert context.catalog.load("reconstruction")["low"].isna().all()
    directions = context.catalog.load("bottleneck_dimensions").set_index(["variant", "layer"])
    assert directions.loc[("improved", "stack2.restored"), "components_95"] <= 16
    assert directions.loc[("improved", "stack1.code"), "dimensions"] == 5
    assert set(context.catalog.load("reconstruction")["method"]) == {"autoencoder", "pca", "mean"}
    for name in ("improvement_plot", "autoencoder_plot"):
        assert len(json.dumps(context.catalog.get(name).preview())) > 100


@pytest.mark.slow
def test_all_outputs_contain_their_origin(finished_run: tuple[Path, Any, set[int], bytes]) -> None:
    root, context, _, _ = finished_run
    own = Origin(
        model=model_fingerprint(original_file(root).parent), data=context.catalog.load("crop_statistics").data_fingerprint
    )
    for name in ("reconstruction", "improvement_metrics", "improvement_joints", "bottleneck_dimensions", "autoencoder_history"):
        assert origin_of_table(context.catalog.load(name)) == own, name
    for name in ("improvement_plot", "autoencoder_plot"):
        assert origin_of(context.catalog.load(name)) == own, name
    improvement = context.catalog.load("improvement")
    assert (improvement["model"], improvement["data"]) == (own.model, own.data)
    fingerprints = {
        name: fingerprint_of_model(context.catalog.load(f"{name}_model")) for name in ("inserted", "continued", "improved")
    }
    assert improvement["models"] == {"original": own.model, "mean_ablated": own.model, **fingerprints}


@pytest.mark.slow
def test_model_of_another_split_is_refused(finished_run: tuple[Path, Any, set[int], bytes]) -> None:
    _, context, _, _ = finished_run
    persons = context.catalog.load("persons")
    moved = persons.assign(split=persons["split"].replace({"test": "train", "train": "test"}))
    for name in ("model", "inserted_model"):
        model, statistics = context.catalog.load(name), context.catalog.load("crop_statistics")
        assert describe_training_data(model, statistics, persons)["test_set_fingerprint"]
        with pytest.raises(ImprovementError, match="test set of the present split"):
            describe_training_data(model, statistics, moved)
