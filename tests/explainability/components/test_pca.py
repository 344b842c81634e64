import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from posescope.core.errors import DataError
from posescope.explainability.components.pca import (
    Components,
    PrincipalComponents,
    PrincipalComponentsOptions,
    principal_components,
)
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features import row_blocks
from posescope.explainability.features.feature_store import FeatureSet


def feature_set(values) -> FeatureSet:
    return FeatureSet(person_ids=np.arange(len(values)), values=values, layer="t", shape=(values.shape[1],))


@pytest.mark.parametrize(("persons", "width"), [(60, 12), (12, 60), (20, 20), (21, 20), (30, 1), (2, 5)])
@pytest.mark.parametrize("block", [50, 4_000_000])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_equals_scikit_learn(persons, width, block, dtype, monkeypatch) -> None:
    monkeypatch.setattr(row_blocks, "_BLOCK_NUMBERS", block)  # the result does not depend on the block size
    values = (np.random.default_rng(0).normal(size=(persons, width)) * np.linspace(1, 4, width) + 50).astype(dtype)
    reference = PCA(svd_solver="full").fit(values.astype(np.float64))
    found = principal_components(feature_set(values))
    rank = min(persons - 1, width)
    assert len(found) == rank
    np.testing.assert_allclose(found.variances, reference.explained_variance_[:rank], rtol=1e-5)
    np.testing.assert_allclose(found.explained_variance_ratio, reference.explained_variance_ratio_[:rank], atol=1e-5)
    np.testing.assert_allclose(np.abs(found.axes), np.abs(reference.components_[:rank]), atol=1e-5)
    np.testing.assert_allclose(found.axes @ found.axes.T, np.eye(rank), atol=1e-8)
    scores = reference.transform(values.astype(np.float64))[:, :rank]
    np.testing.assert_allclose(np.abs(found.project(values)), np.abs(scores), atol=1e-4)
    assert found.approximation == ""


def test_components_equal_the_hand_computed_ones() -> None:
    # Points (+-2, 0) and (0, +-1): variances (4 + 4) / 3 along x, (1 + 1) / 3 along y.
    found = principal_components(feature_set(np.array([[2.0, 0], [-2, 0], [0, 1], [0, -1]], dtype=np.float32)))
    np.testing.assert_allclose(found.variances, [8 / 3, 2 / 3])
    np.testing.assert_allclose(found.axes, np.eye(2), atol=1e-12)
    assert found.components_for(0.8) == 1  # 8 / 10
    assert found.components_for(0.81) == 2
    assert found.components_for(1.0) == 2
    assert found.participation_ratio == pytest.approx(100 / 68)  # (8 + 2)^2 / (8^2 + 2^2)


@pytest.mark.parametrize(("persons", "width"), [(60, 12), (12, 60)])
@pytest.mark.parametrize("most", [None, 4])
def test_torch_equals_numpy(persons, width, most) -> None:
    values = np.random.default_rng(0).normal(size=(persons, width)) * np.linspace(1, 4, width) + 50
    ours = principal_components(feature_set(values), most)
    theirs = principal_components(feature_set(values), most, torch.device("cpu"))
    np.testing.assert_allclose(theirs.axes, ours.axes, atol=1e-10)
    np.testing.assert_allclose(theirs.variances, ours.variances, rtol=1e-10)
    assert len(ours) == (most or min(persons - 1, width))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), wide=st.booleans())
def test_signs_are_fixed_and_the_order_of_persons_has_no_effect(seed, wide) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(6, 9) if wide else (15, 4)) * np.linspace(1, 3, 9 if wide else 4)
    found = principal_components(feature_set(values))
    largest = np.abs(found.axes).argmax(axis=1)
    assert (found.axes[np.arange(len(found)), largest] > 0).all()
    shuffled = principal_components(feature_set(values[rng.permutation(len(values))]))
    np.testing.assert_allclose(shuffled.variances, found.variances, rtol=1e-8)


def test_project_and_reconstruct_are_inverse() -> None:
    values = np.random.default_rng(0).normal(size=(30, 8))
    found = principal_components(feature_set(values))
    np.testing.assert_allclose(found.reconstruct(found.project(values)), values, atol=1e-10)
    scores = found.project(values, count=3)
    assert scores.shape == (30, 3)
    np.testing.assert_allclose(found.project(found.reconstruct(scores), count=3), scores, atol=1e-10)


def test_max_components_keeps_all_variances() -> None:
    values = np.random.default_rng(0).normal(size=(30, 8))
    found = PrincipalComponents(PrincipalComponentsOptions(max_components=2))(feature_set(values))
    assert (found.axes.shape, found.variances.shape) == ((2, 8), (8,))


@pytest.mark.parametrize(("persons", "width"), [(20_000, 64), (64, 20_000)])
def test_memory_does_not_hold_all_features_as_float64(persons, width, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(row_blocks, "_BLOCK_NUMBERS", 100_000)  # 0.8 MB
    values = np.lib.format.open_memmap(tmp_path / "values.npy", mode="w+", dtype="float16", shape=(persons, width))
    values[:] = np.random.default_rng(0).normal(size=(persons, width))
    features = feature_set(values)
    tracemalloc.start()
    found = principal_components(features, max_components=4)
    scores = found.project(values)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert scores.shape == (persons, 4)
    assert peak < 6e6  # the features are 10 MB as float64, 2.6 MB on disk


def test_load_reads_what_save_wrote(tmp_path) -> None:
    found = principal_components(feature_set(np.random.default_rng(0).normal(size=(10, 4))))
    path = tmp_path / "components.npz"
    found.save(path)
    loaded = Components.load(path)
    np.testing.assert_array_equal(loaded.axes, found.axes)
    np.testing.assert_array_equal(loaded.variances, found.variances)
    assert (loaded.layer, loaded.shape) == ("t", (4,))
    assert loaded.approximation == ""
    replace(found, approximation="roughly").save(path)
    assert Components.load(path).approximation == "roughly"
    path.write_bytes(b"no components")
    with pytest.raises(DataError, match="components"):
        Components.load(path)
    with pytest.raises(DataError, match="components"):
        Components.load(tmp_path / "absent.npz")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones((1, 3)), "at least 2"),
        (np.ones((5, 3)), "same"),
        (np.where(np.arange(15).reshape(5, 3) == 7, np.nan, np.arange(15).reshape(5, 3)), "feature 1"),
        (np.where(np.arange(15).reshape(5, 3) == 8, np.inf, np.arange(15).reshape(5, 3)).astype(np.float16), "feature 2"),
    ],
)
def test_features_without_components_are_refused(values, message) -> None:
    with pytest.raises(ExplainabilityError, match=message):
        principal_components(feature_set(values))


def test_planted_component_is_found(inputs_of, shifting_crops) -> None:
    found = inputs_of(shifting_crops).components
    assert found.explained_variance_ratio[0] > 0.999
    # Red of the left upper quarter (feature 0) falls as that of the right upper quarter (feature 1) rises.
    expected = np.zeros(12)
    expected[:2] = [1, -1]
    np.testing.assert_allclose(np.abs(found.axes[0]), np.abs(expected) / np.sqrt(2), atol=1e-3)
    assert found.axes[0, 0] * found.axes[0, 1] < 0
