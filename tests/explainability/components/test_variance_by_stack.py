import numpy as np
import pytest
import torch
from tests.explainability.conftest import analysis_inputs

from posescope.explainability.base import AnalysisInputs
from posescope.explainability.components import variance_by_stack as module
from posescope.explainability.components.pca import principal_components
from posescope.explainability.components.variance_by_stack import tabulate_variance
from posescope.explainability.features.feature_extraction import FeatureStore, extract_features


@pytest.fixture
def stacked(model, noise_crops, tmp_path, monkeypatch):
    """The toy network with `fine` as the bottleneck of an earlier stack; a function from pooling to inputs."""
    names = {"s1.bottleneck": "fine", "idle": "idle", "s2.bottleneck": "bottleneck"}
    monkeypatch.setattr(model.network, "short_names", names)
    monkeypatch.setattr(model.network, "bottleneck_layer", "s2.bottleneck")

    def make(pooling: str = "none") -> AnalysisInputs:
        store = FeatureStore(tmp_path / pooling)
        features = extract_features(model, noise_crops, None, store, dtype="float32", pooling=pooling)
        return analysis_inputs(model, noise_crops, features, batch_size=7)

    return make


@pytest.mark.parametrize("pooling", ["none", "mean"])
def test_each_stack_has_the_spectrum_of_its_features(stacked, tmp_path, pooling) -> None:
    inputs = stacked(pooling)
    table = tabulate_variance(inputs, most=1000)
    assert table["layer"].tolist() == ["s1.bottleneck", "s2.bottleneck"]
    assert table["features"].tolist() == ([192, 12] if pooling == "none" else [3, 3])
    whole = FeatureStore(tmp_path / "other")
    first = extract_features(inputs.model, inputs.judged.crops, "s1.bottleneck", whole, dtype="float32", pooling=pooling)
    for row, expected in zip(table.to_dict("records"), [principal_components(first), inputs.components], strict=True):
        assert row["persons"] == 80
        assert row["pc1_variance"] == pytest.approx(expected.variances[0], rel=1e-6)
        assert row["pc1_explained_variance_ratio"] == pytest.approx(expected.explained_variance_ratio[0], rel=1e-6)
        assert row["components_for_90"] == expected.components_for(0.9)
        assert row["components_for_99"] == expected.components_for(0.99)
        assert row["participation_ratio"] == pytest.approx(expected.participation_ratio, rel=1e-6)


def test_number_of_persons_is_limited(stacked) -> None:
    assert tabulate_variance(stacked(), most=25)["persons"].tolist() == [25, 80]


def test_stack_with_too_many_features_has_no_row(stacked, monkeypatch, caplog) -> None:
    inputs = stacked()
    monkeypatch.setattr(module, "LARGEST_MATRIX", 100)
    assert tabulate_variance(inputs, most=1000)["layer"].tolist() == ["s2.bottleneck"]
    assert "s1.bottleneck" in caplog.text


def test_single_stack_has_one_row(inputs_of, scattered_crops, monkeypatch) -> None:
    inputs = inputs_of(scattered_crops)
    monkeypatch.setattr(torch, "from_numpy", None)  # no image is read again
    assert tabulate_variance(inputs, most=1000)["layer"].tolist() == ["bottleneck"]


def test_layer_that_is_no_bottleneck_has_an_own_row(model, scattered_crops, tmp_path) -> None:
    features = extract_features(model, scattered_crops, "fine", FeatureStore(tmp_path / "f"), dtype="float32")
    inputs = analysis_inputs(model, scattered_crops, features)
    table = tabulate_variance(inputs, most=1000)
    assert table["layer"].tolist() == ["bottleneck", "fine"]
    assert np.isfinite(table.drop(columns="layer").to_numpy()).all()


def test_layer_by_its_module_path_is_one_of_the_bottlenecks(stacked, tmp_path) -> None:
    inputs = stacked()
    features = extract_features(inputs.model, inputs.judged.crops, "fine", FeatureStore(tmp_path / "path"), dtype="float32")
    table = tabulate_variance(analysis_inputs(inputs.model, inputs.judged.crops, features, batch_size=7), most=1000)
    assert table["layer"].tolist() == ["fine", "s2.bottleneck"]
    expected = tabulate_variance(inputs, most=1000)
    assert table["participation_ratio"].tolist() == pytest.approx(expected["participation_ratio"].tolist(), rel=1e-6)
