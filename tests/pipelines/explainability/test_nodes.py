from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from posescope.core.errors import DataError, OptionsError
from posescope.core.plugins import ComponentSpec
from posescope.data.crops import crop_statistics
from posescope.data.crops.crop_statistics import CropStatistics
from posescope.explainability.components.pca import principal_components
from posescope.explainability.features.feature_extraction import extract_features
from posescope.explainability.features.feature_store import FeatureStore
from posescope.geometry.crop_recipe import CropRecipe
from posescope.pipelines.explainability import nodes
from posescope.pipelines.explainability.options import AnalysesOptions, PersonsOptions
from posescope.prediction.crop_predictions import PredictionOptions

ABSENT = PredictionOptions(device="cuda:99")  # a device that does not exist


class Store:
    """A crop store in memory whose pixels have the given digest."""

    root = "memory"

    def __init__(self, crops, digest: str = "a") -> None:
        self.crops, self.digest = crops, digest

    def select(self, targets, person_ids):
        return self.crops.subset(np.flatnonzero(np.isin(self.crops.targets.person_ids, person_ids)))

    def records(self):
        ids = self.crops.targets.person_ids.tolist()
        return [SimpleNamespace(person_ids=ids, row_digests=[self.digest] * len(ids))]


def persons_of(crops) -> pd.DataFrame:
    return pd.DataFrame({"person_id": crops.targets.person_ids, "split": "train"})


def statistics_of(store: Store) -> CropStatistics:
    fingerprint = crop_statistics._fingerprint(store, persons_of(store.crops), store.crops.targets)
    return CropStatistics((0.0, 0.0, 0.0), (32, 32), CropRecipe(rule=ComponentSpec(name="centred_square")), fingerprint)


def read(model, crops: Store, store, options=None, prediction=None, statistics=None) -> FeatureStore:
    options, prediction = options or PersonsOptions(), prediction or PredictionOptions(device="cpu")
    persons, statistics = persons_of(crops.crops), statistics or statistics_of(crops)
    chosen = persons[["person_id"]]
    return nodes.extract_features(model, crops, crops.crops.targets, statistics, persons, chosen, store, options, prediction)


def test_fingerprint_of_features_depends_on_the_pixels(model, scattered_crops, tmp_path) -> None:
    store = FeatureStore(tmp_path / "f")
    first = read(model, Store(scattered_crops), store).open().fingerprint
    assert read(model, Store(scattered_crops, digest="b"), store).open().fingerprint != first


def test_crops_of_another_run_are_refused(model, scattered_crops, tmp_path) -> None:
    other = statistics_of(Store(scattered_crops, digest="b"))
    with pytest.raises(DataError):
        read(model, Store(scattered_crops), FeatureStore(tmp_path / "f"), statistics=other)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_features_have_the_dtype_of_the_options(model, scattered_crops, tmp_path, dtype) -> None:
    store = read(model, Store(scattered_crops), FeatureStore(tmp_path / "f"), PersonsOptions(dtype=dtype))
    assert store.open().values.dtype == dtype


def test_features_are_pooled_as_the_options_say(model, scattered_crops, tmp_path) -> None:
    found = read(model, Store(scattered_crops), FeatureStore(tmp_path / "f"), PersonsOptions(pooling="max")).open()
    assert (found.pooling, found.shape) == ("max", (3, 1, 1))


def test_features_are_read_on_the_device_of_the_parameters(model, scattered_crops, tmp_path) -> None:
    with pytest.raises(OptionsError, match="cuda:99"):
        read(model, Store(scattered_crops), FeatureStore(tmp_path / "f"), prediction=ABSENT)


def analyse(model, crops, store, prediction, monkeypatch) -> torch.device:
    """Return the device of the model that the analysis `latent_traversal` gets."""
    seen: list[torch.device] = []
    monkeypatch.setattr(nodes.study, "run_analysis", lambda spec, **inputs: seen.append(inputs["model"].device))
    components = principal_components(extract_features(model, crops, None, store))
    nodes.AnalysisNodes("latent_traversal").analyse(
        model, Store(crops), crops.targets, model.skeleton, store, components, *([None] * 5), AnalysesOptions(),
        PersonsOptions(), prediction,
    )  # fmt: skip
    return seen[0]


def test_analyses_run_on_the_device_of_the_parameters(model, scattered_crops, tmp_path, monkeypatch) -> None:
    store = FeatureStore(tmp_path / "f")
    assert analyse(model, scattered_crops, store, PredictionOptions(device="cpu"), monkeypatch) == torch.device("cpu")
    with pytest.raises(OptionsError, match="cuda:99"):
        analyse(model, scattered_crops, store, ABSENT, monkeypatch)
