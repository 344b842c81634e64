"""Tests of posescope.artifacts.onnx_file: external weights are found in every part of a graph."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from posescope.artifacts.description import ModelFolderError
from posescope.artifacts.onnx_file import check_self_contained


def tensor(external: str = "") -> TensorProto:
    made = helper.make_tensor("w", TensorProto.FLOAT, (2,), [1.0, 2.0])
    if external:
        made.ClearField("float_data")
        made.data_location = TensorProto.EXTERNAL
        made.external_data.add(key="location", value=external)
    return made


def graph(nodes: list[onnx.NodeProto], weights: list[TensorProto]) -> onnx.GraphProto:
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, (2,))
    return helper.make_graph(nodes, "g", [], [output], weights)


def write(path: Path, made: onnx.GraphProto) -> Path:
    path.write_bytes(helper.make_model(made).SerializeToString())
    return path


def test_file_with_its_own_weights_is_taken(tmp_path: Path) -> None:
    check_self_contained(write(tmp_path / "m.onnx", graph([helper.make_node("Identity", ["w"], ["y"])], [tensor()])))


@pytest.mark.parametrize("place", ["/etc/passwd", "../secret", "beside.bin"])
def test_weights_of_another_file_are_an_error(tmp_path: Path, place: str) -> None:
    inner = graph([helper.make_node("Identity", ["w"], ["y"])], [tensor(place)])
    places = {
        "initialiser": inner,
        "constant": graph([helper.make_node("Constant", [], ["y"], value=tensor(place))], []),
        "branch": graph([helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)], []),
    }
    for name, made in places.items():
        with pytest.raises(ModelFolderError, match="another"):
            check_self_contained(write(tmp_path / f"{name}.onnx", made))


def test_external_data_without_the_mark_is_an_error_too(tmp_path: Path) -> None:
    marked = tensor("x")
    marked.ClearField("data_location")
    with pytest.raises(ModelFolderError, match="another"):
        check_self_contained(write(tmp_path / "m.onnx", graph([], [marked])))


@pytest.mark.parametrize("content", [b"\xff" * 20, b"\x3a\xff\xff\x03", b"\x0e", np.random.default_rng(0).bytes(500)])
def test_content_that_is_no_message_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(ModelFolderError, match="ONNX"):
        check_self_contained(tmp_path / "m.onnx")
