"""Tests of the sessions of ONNX Runtime."""

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from posescope.artifacts.onnx_runtime import load_onnxruntime

_SPINNING = "session.intra_op.allow_spinning"


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """Return the file of a network that returns its input."""
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "identity", ends[:1], ends[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), tmp_path / "network.onnx")
    return tmp_path / "network.onnx"


@pytest.mark.parametrize(("policy", "spins"), [(None, True), ("active", True), ("passive", False), ("PASSIVE", False)])
def test_threads_spin_unless_openmp_waits_passively(
    network: Path, monkeypatch: pytest.MonkeyPatch, policy: str | None, spins: bool
) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    if policy is not None:
        monkeypatch.setenv("OMP_WAIT_POLICY", policy)
    options = load_onnxruntime("A test").open(network, threads=1).get_session_options()
    if spins:
        with pytest.raises(RuntimeError):  # not set
            options.get_session_config_entry(_SPINNING)
    else:
        assert options.get_session_config_entry(_SPINNING) == "0"
