"""Tests of posescope.artifacts.weights: mismatched weights need no memory, and invalid values are refused."""

import tracemalloc
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from posescope.artifacts.description import ModelFolderError
from posescope.artifacts.weights import check_tensor_specs, load_weights, read_tensor_specs


def small() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save_file(small().state_dict(), tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def test_specs_are_types_and_shapes(path: Path) -> None:
    specs = read_tensor_specs(path)
    assert specs["0.weight"] == "float32 (2, 1, 3, 3)"
    assert specs["1.num_batches_tracked"] == "int64 ()"


def test_round_trip(path: Path) -> None:
    network = small()
    check_tensor_specs(small, path)
    load_weights(network, path)
    assert all(torch.equal(value, load_file(path)[name]) for name, value in network.state_dict().items())


def test_huge_network_is_refused_without_memory(path: Path) -> None:
    """The network would need 400 GB."""
    with pytest.raises(ModelFolderError, match=r"0\.weight: expected float32 \(100000, 1000000\), found float32 \(2, 1, 3, 3\)"):
        check_tensor_specs(lambda: nn.Sequential(nn.Linear(1_000_000, 100_000), nn.BatchNorm2d(2)), path)


def test_network_that_reads_its_weights_is_compared_later(path: Path) -> None:
    def reading() -> nn.Module:
        network = small()
        network.scale = float(network[0].weight.sum())  # type: ignore[index, assignment]
        return network

    check_tensor_specs(reading, path)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("0.weight", torch.full((2, 1, 3, 3), float("nan")), r"0\.weight: holds NaN or infinite numbers"),
        ("0.bias", torch.tensor([1.0, float("inf")]), r"0\.bias: holds NaN or infinite numbers"),
        ("0.bias", torch.tensor([1.0, -2e13]), r"0\.bias: holds -2e\+13, expected at most 1e\+12 in size"),
        ("1.running_var", torch.tensor([1.0, 2e25]), r"1\.running_var: holds 2e\+25, expected at most 1e\+24 in size"),
        ("1.running_var", torch.tensor([1.0, -0.5]), r"1\.running_var: holds -0\.5, expected at least 0"),
        ("1.num_batches_tracked", torch.tensor(-1), r"1\.num_batches_tracked: holds -1, expected at least 0"),
        ("0.bias", torch.zeros(2, dtype=torch.int32), r"0\.bias: expected float32 \(2,\), found int32 \(2,\)"),
        ("0.bias", torch.zeros(2, dtype=torch.float16), r"0\.bias: expected float32 \(2,\), found float16 \(2,\)"),
        ("0.bias", torch.zeros(3), r"0\.bias: expected float32 \(2,\), found float32 \(3,\)"),
        ("evil", torch.zeros(3), "evil is unknown"),
    ],
)
def test_what_no_training_leaves_is_refused_by_name(path: Path, name: str, value: torch.Tensor, message: str) -> None:
    save_file({**load_file(path), name: value}, path)
    network, before = small(), small().state_dict()
    network.load_state_dict(before)
    with pytest.raises(ModelFolderError, match=message):
        load_weights(network, path)
    assert all(torch.equal(kept, before[key]) for key, kept in network.state_dict().items())


def test_variances_of_the_first_steps_of_a_training_are_read(path: Path) -> None:
    save_file({**load_file(path), "1.running_var": torch.tensor([1.0, 2.8e12])}, path)
    network = small()
    load_weights(network, path)
    assert network.state_dict()["1.running_var"].tolist() == pytest.approx([1.0, 2.8e12])


def test_header_that_claims_more_than_there_is_takes_no_memory(tmp_path: Path) -> None:
    header = b'{"w":{"dtype":"F32","shape":[1000000000,1000],"data_offsets":[0,4000000000000]}}'
    (tmp_path / "w").write_bytes(len(header).to_bytes(8, "little") + header + b"\0" * 16)
    tracemalloc.start()
    with pytest.raises(ModelFolderError, match="not a safetensors file"):
        read_tensor_specs(tmp_path / "w")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000
