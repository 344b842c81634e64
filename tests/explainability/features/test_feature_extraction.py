from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.explainability.conftest import analysis_inputs
from torch import Tensor, nn

from posescope.artifacts.model_folder import fingerprint_of_model
from posescope.core.errors import DataError
from posescope.core.files import read_json, write_json
from posescope.explainability.components.variance_by_stack import tabulate_variance
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.feature_extraction import FeatureSet, FeatureStore, extract_features
from posescope.models.base import PoseNetwork


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 0.0), ("float16", 1e-3)])
def test_features_are_the_activations_in_the_order_of_the_persons(model, scattered_crops, tmp_path, dtype, tolerance) -> None:
    found = extract_features(model, scattered_crops, None, FeatureStore(tmp_path / "f"), batch_size=7, dtype=dtype)
    images = torch.from_numpy(scattered_crops.read_images(np.arange(60))).permute(0, 3, 1, 2).float() / 255
    expected = torch.nn.functional.avg_pool2d(images, 16).flatten(1).numpy()
    np.testing.assert_allclose(found.values, expected, atol=max(tolerance, 1e-7))
    assert found.values.dtype == dtype
    assert isinstance(found.values, np.memmap)
    assert (found.layer, found.shape) == ("bottleneck", (3, 2, 2))
    np.testing.assert_array_equal(found.person_ids, scattered_crops.targets.person_ids)
    assert [path.name for path in tmp_path.iterdir()] == ["f"]  # nothing temporary is left


def test_existing_features_are_reused(model, scattered_crops, tmp_path) -> None:
    store = FeatureStore(tmp_path / "f")
    assert not store.is_finished()
    first = extract_features(model, scattered_crops, "fine", store)
    written = (tmp_path / "f" / "values.npy").stat().st_mtime_ns
    again = extract_features(model, scattered_crops, "fine", store)
    assert (tmp_path / "f" / "values.npy").stat().st_mtime_ns == written
    assert again.fingerprint == first.fingerprint
    assert again.model == first.model == fingerprint_of_model(model)
    assert store.is_finished(first.fingerprint)
    assert not store.is_finished("another")
    fewer = extract_features(model, scattered_crops.subset(np.arange(5)), "fine", store)
    assert len(fewer) == 5


def test_other_weights_have_another_fingerprint(model, scattered_crops, tmp_path) -> None:
    store = FeatureStore(tmp_path / "f")
    before = extract_features(model, scattered_crops, None, store).fingerprint
    with torch.no_grad():
        model.network.gain.mul_(2)
        after = extract_features(model, scattered_crops, None, store).fingerprint
        model.network.gain.div_(2)
    assert after != before


def test_other_pixels_have_another_fingerprint(model, scattered_crops, tmp_path) -> None:
    store = FeatureStore(tmp_path / "f")
    marks = [
        extract_features(model, scattered_crops, None, store, data_fingerprint=data).fingerprint for data in ("a", "b", None)
    ]
    assert len(set(marks)) == 3
    assert extract_features(model, scattered_crops, None, store).fingerprint == marks[2]


def test_no_persons_are_refused(model, scattered_crops, tmp_path) -> None:
    with pytest.raises(ExplainabilityError, match="person"):
        extract_features(model, scattered_crops.subset(np.arange(0)), None, FeatureStore(tmp_path / "f"))


def test_overflow_of_float16_is_refused_and_writes_nothing(tmp_path) -> None:
    store = FeatureStore(tmp_path / "f")
    facts = {"layer": "t", "shape": (2,), "fingerprint": "x"}
    with pytest.raises(ExplainabilityError, match="float16"):
        store.write(np.arange(2), [np.array([[1.0, 2.0], [7e4, 0.0]])], **facts, dtype="float16")
    assert not (tmp_path / "f").exists()
    store.write(np.arange(2), [np.array([[1.0, 2.0], [7e4, 0.0]])], **facts, dtype="float32")
    assert store.open().values[1, 0] == 7e4


def test_blocks_with_another_number_of_rows_are_refused(tmp_path) -> None:
    store = FeatureStore(tmp_path / "f")
    with pytest.raises(ExplainabilityError, match="3"):
        store.write(np.arange(3), [np.ones((2, 2))], layer="t", shape=(2,), fingerprint="x")
    with pytest.raises(ExplainabilityError, match="fit"):
        store.write(np.arange(1), [np.ones((2, 2))], layer="t", shape=(2,), fingerprint="x")


def test_missing_and_contradictory_features_are_refused(tmp_path) -> None:
    with pytest.raises(DataError, match="found none"):
        FeatureStore(tmp_path / "f").open()
    with pytest.raises(DataError, match="expected values"):
        FeatureSet(person_ids=np.arange(2), values=np.ones((2, 5)), layer="t", shape=(2, 2))


@pytest.mark.parametrize(("pooling", "expected"), [("mean", 1 / 64), ("max", 1 / 16)])
def test_pooled_features_equal_the_hand_computed_ones(model, scattered_crops, tmp_path, pooling, expected) -> None:
    store = FeatureStore(tmp_path / "f")
    whole = extract_features(model, scattered_crops, None, store, dtype="float32")
    found = extract_features(model, scattered_crops, None, store, dtype="float32", pooling=pooling)
    # A red dot fills one of the 16 heatmap px of one of the 4 quarters of the bottleneck.
    np.testing.assert_allclose(found.values[:, 0], expected, rtol=1e-6)
    assert (found.shape, found.values.shape, found.pooling) == ((3, 1, 1), (60, 3), pooling)
    assert found.fingerprint != whole.fingerprint
    assert whole.pooling == "none"


def test_folder_without_checksum_is_refused_and_extracted_again(model, scattered_crops, tmp_path) -> None:
    store = FeatureStore(tmp_path / "f")
    first = extract_features(model, scattered_crops, None, store)
    about = read_json(tmp_path / "f" / "features.json")
    write_json(tmp_path / "f" / "features.json", {name: about[name] for name in ("layer", "shape", "fingerprint")})
    with pytest.raises(DataError, match=r"features\.json: .*seal.*Run the pipeline explainability"):
        store.open()
    assert store.is_finished()
    assert not store.is_finished(first.fingerprint)
    assert extract_features(model, scattered_crops, None, store).pooling == "none"
    assert store.is_finished(first.fingerprint)


@pytest.mark.parametrize("name", ["values.npy", "person_ids.npy", "features.json"])
@pytest.mark.parametrize(
    "harm",
    [
        lambda raw: raw[:-1] + bytes([255 - raw[-1]]),
        lambda raw: raw[:-2],  # the last byte of JSON is a newline
        lambda raw: bytes(len(raw)),
        lambda raw: b"[]",
        lambda raw: b"",
    ],
    ids=["flipped", "cut", "zeros", "list", "empty"],
)
def test_damaged_features_are_refused_and_extracted_again(model, scattered_crops, tmp_path, name, harm) -> None:
    store = FeatureStore(tmp_path / "f")
    before = np.array(extract_features(model, scattered_crops, None, store).values)
    path = tmp_path / "f" / name
    path.write_bytes(harm(path.read_bytes()))
    with pytest.raises(DataError, match=rf"{name}: .*Run the pipeline explainability"):
        store.open()
    np.testing.assert_array_equal(extract_features(model, scattered_crops, None, store).values, before)


def test_values_of_another_folder_are_refused(tmp_path) -> None:
    for name, value in (("one", 1.0), ("two", 2.0)):
        FeatureStore(tmp_path / name).write(np.arange(2), [np.full((2, 2), value)], layer="t", shape=(2,), fingerprint=name)
    (tmp_path / "one" / "values.npy").write_bytes((tmp_path / "two" / "values.npy").read_bytes())
    with pytest.raises(DataError, match="checksum"):
        FeatureStore(tmp_path / "one").open()
    assert FeatureStore(tmp_path / "two").open().fingerprint == "two"


def test_interrupted_extraction_keeps_the_existing_features(model, scattered_crops, tmp_path) -> None:
    store = FeatureStore(tmp_path / "f")
    before = extract_features(model, scattered_crops, None, store).fingerprint

    def blocks():
        yield np.ones((3, 12))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.write(np.arange(6), blocks(), layer="t", shape=(3, 2, 2), fingerprint="new")
    assert store.open().fingerprint == before
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


class PlainConvolutions(PoseNetwork):
    """A network of another package: convolutions without short names, skip connections or a declared bottleneck."""

    def __init__(self) -> None:
        super().__init__()
        self.map_size = (8, 8)
        self.body = nn.Sequential(nn.Conv2d(3, 4, kernel_size=4, stride=4), nn.ReLU(), nn.Conv2d(4, 2, kernel_size=1))

    def forward(self, images: Tensor) -> list[Tensor]:
        return [self.body(images)]


def test_network_without_short_names_is_read_by_module_path(model, noise_crops, tmp_path) -> None:
    torch.manual_seed(0)
    own = replace(model, network=PlainConvolutions())
    found = extract_features(own, noise_crops, "body.1", FeatureStore(tmp_path / "f"), dtype="float32", pooling="mean")
    images = torch.from_numpy(noise_crops.read_images(np.arange(80))).permute(0, 3, 1, 2).float() / 255
    expected = own.network.body[:2](images).mean(dim=(2, 3)).detach().numpy()
    np.testing.assert_allclose(found.values, expected, atol=1e-6)
    assert (found.layer, found.shape) == ("body.1", (4, 1, 1))
    inputs = analysis_inputs(own, noise_crops, found)
    assert tabulate_variance(inputs, most=80)["layer"].tolist() == ["body.1"]
    with pytest.raises(ExplainabilityError, match=r"persons\.layer"):
        extract_features(own, noise_crops, None, FeatureStore(tmp_path / "g"))
