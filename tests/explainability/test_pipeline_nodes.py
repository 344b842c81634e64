"""Options and nodes of the pipeline `explainability`."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from posescope.core.errors import OptionsError
from posescope.core.plugins import ComponentSpec, describe_validation_error, installed
from posescope.data.crops.crop_statistics import CropStatistics
from posescope.explainability.components.pca import principal_components
from posescope.explainability.features.feature_extraction import FeatureStore, extract_features
from posescope.geometry.crop_recipe import CropRecipe
from posescope.pipelines.explainability import nodes
from posescope.pipelines.explainability.options import AnalysesOptions, ExplainabilityOptions, PersonsOptions
from posescope.prediction.options import PredictionOptions

STATISTICS = CropStatistics((0.0, 0.0, 0.0), (32, 32), CropRecipe(rule=ComponentSpec(name="centred_square")), "data-1")
# No machine has so many: whoever resolves the device says so.
ABSENT = PredictionOptions(device="cuda:99")


@pytest.fixture(autouse=True)
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """The crops here were never measured; that they must be is held in tests/data/crops/test_crop_statistics.py."""
    monkeypatch.setattr(nodes, "check_current", lambda *records: None)


def faults(content: dict[str, Any]) -> tuple[str, ...]:
    with pytest.raises(ValidationError) as caught:
        ExplainabilityOptions.model_validate(content)
    return describe_validation_error(caught.value)


def test_an_analysis_without_a_node_is_refused() -> None:
    (fault,) = faults(
        {
            "analyses": {
                "selected": [
                    {"name": "latent_traversal"},
                    {"name": "posescope.explainability.traversal.latent_traversal:LatentTraversal"},
                ]
            }
        }
    )
    assert fault.startswith(
        "analyses.selected.1: 'posescope.explainability.traversal.latent_traversal:Walks' is no installed analysis "
        "and would never run"
    )
    names = ", ".join(row.name for row in installed("analyses"))
    assert f"register it as an entry point of posescope.analyses. Installed: {names}." in fault


def test_an_analysis_is_selected_once_at_most() -> None:
    (fault,) = faults(
        {"analyses": {"selected": [{"name": name} for name in ("latent_traversal", "clusters", "latent_traversal")]}}
    )
    assert fault == "analyses.selected: each analysis runs once at most; selected more than once: walks"


def test_whom_the_findings_are_of_is_said_in_words() -> None:
    assert PersonsOptions(split="val", min_labelled_joints=8).in_words() == "persons of val with at least 8 labelled joints"
    assert PersonsOptions(min_labelled_joints="all").in_words() == "persons of train with all joints labelled"


@pytest.mark.parametrize("value", [1, 17, "all"])
def test_labelled_joints_are_a_number_or_all(value: int | str) -> None:
    assert PersonsOptions(min_labelled_joints=value).min_labelled_joints == value


@pytest.mark.parametrize("value", [0, "every", 1.5, None])
def test_other_labelled_joints_are_one_fault(value: object) -> None:
    expected = f"persons.min_labelled_joints: expected a whole number from 1, or 'all' (found {value!r})"
    assert faults({"persons": {"min_labelled_joints": value}}) == (expected,)


class Store:
    """Stands for the crop store: the persons asked for, out of a crop set."""

    def __init__(self, crops) -> None:
        self.crops = crops

    def select(self, targets, person_ids):
        return self.crops.subset(np.flatnonzero(np.isin(self.crops.targets.person_ids, person_ids)))


def read(model, crops, store, options=None, prediction=None, statistics=STATISTICS) -> FeatureStore:
    persons = pd.DataFrame({"person_id": crops.targets.person_ids, "split": "train"})
    options, prediction = options or PersonsOptions(), prediction or PredictionOptions(device="cpu")
    return nodes.extract_features(model, Store(crops), crops.targets, statistics, persons, store, options, prediction)


def test_features_hang_on_the_data(model, scattered_crops, tmp_path) -> None:
    store = FeatureStore(tmp_path / "f")
    first = read(model, scattered_crops, store).open().fingerprint
    other = CropStatistics((0.0, 0.0, 0.0), (32, 32), CropRecipe(rule=ComponentSpec(name="centred_square")), "data-2")
    assert read(model, scattered_crops, store, statistics=other).open().fingerprint != first


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_features_are_stored_as_asked(model, scattered_crops, tmp_path, dtype) -> None:
    store = read(model, scattered_crops, FeatureStore(tmp_path / "f"), PersonsOptions(dtype=dtype))
    assert store.open().values.dtype == dtype


def test_features_are_pooled_as_asked(model, scattered_crops, tmp_path) -> None:
    found = read(model, scattered_crops, FeatureStore(tmp_path / "f"), PersonsOptions(pooling="max")).open()
    assert (found.pooling, found.shape) == ("max", (3, 1, 1))
    (fault,) = faults({"persons": {"pooling": "median"}})
    assert "'none', 'mean' or 'max'" in fault


def test_features_are_read_on_the_device_of_the_parameters(model, scattered_crops, tmp_path) -> None:
    with pytest.raises(OptionsError, match="device 'cuda:99'"):
        read(model, scattered_crops, FeatureStore(tmp_path / "f"), prediction=ABSENT)


def analyse(model, crops, store, prediction, monkeypatch) -> torch.device:
    """The device of the model that the analysis `latent_traversal` is handed."""
    seen: list[torch.device] = []
    monkeypatch.setattr(nodes.study, "run_analysis", lambda spec, **inputs: seen.append(inputs["model"].device))
    features = extract_features(model, crops, None, store)
    nodes.AnalysisNodes("latent_traversal").analyse(
        model,
        Store(crops),
        crops.targets,
        store,
        principal_components(features),
        pd.DataFrame(),
        pd.DataFrame(),
        AnalysesOptions(),
        PersonsOptions(),
        prediction,
    )
    return seen[0]


def test_analyses_run_on_the_device_of_the_parameters(model, scattered_crops, tmp_path, monkeypatch) -> None:
    store = FeatureStore(tmp_path / "f")
    assert analyse(model, scattered_crops, store, PredictionOptions(device="cpu"), monkeypatch) == torch.device("cpu")
    with pytest.raises(OptionsError, match="device 'cuda:99'"):
        analyse(model, scattered_crops, store, ABSENT, monkeypatch)
