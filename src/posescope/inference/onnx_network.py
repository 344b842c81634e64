"""A foreign network in ONNX that takes one picture at a time, run by onnxruntime (extra `onnx`), without torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posescope.artifacts.onnx_runtime import load_onnxruntime
from posescope.errors import DataError

__all__ = ["OnnxNetwork", "open_network"]

_TYPES: dict[str, type[np.floating[Any]]] = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


@dataclass(frozen=True)
class OnnxNetwork:
    """A session that is open.

    Attributes:
        path: of the file.
        input_size: (height, width) px; none where any will do.
        batched: whether pictures come as (1, 3, H, W); otherwise as (3, H, W).
        dtype: of the pictures.
        session: onnxruntime's.
        errors: what it may raise.
    """

    path: Path
    input_size: tuple[int, int] | None
    batched: bool
    dtype: type[np.floating[Any]]
    session: Any
    errors: tuple[type[Exception], ...]

    def run(self, picture: NDArray[np.float32]) -> list[NDArray[np.generic]]:
        """Every output for one picture, (3, H, W).

        Raises:
            DataError: if the network fails, at this size say.
        """
        tensor = picture.astype(self.dtype, copy=False)
        name = self.session.get_inputs()[0].name
        try:
            return list(self.session.run(None, {name: tensor[None] if self.batched else tensor}))
        except self.errors as error:
            raise DataError(f"{self.path}: the network fails for a picture of {tensor.shape[1:]} px: {error}") from error


def open_network(path: Path) -> OnnxNetwork:
    """Load a network and check that it takes pictures.

    Raises:
        OptionsError: if onnxruntime is not installed.
        DataError: if the file is missing, is no ONNX, or wants something else than one RGB picture; tells what.
    """
    runtime = load_onnxruntime("The detector onnx")
    if not path.is_file():
        raise DataError(f"{path}: there is no such file. The detector's option `path` names a network in ONNX.")
    try:
        session = runtime.open(path)
    except runtime.errors as error:
        raise DataError(f"{path}: onnxruntime cannot load it as a network: {error}") from error
    inputs = session.get_inputs()
    shape, kind = list(inputs[0].shape), inputs[0].type
    if len(inputs) != 1 or not _takes_a_picture(shape) or kind not in _TYPES:
        found = "; ".join(f"{one.name}: {one.type} {one.shape}" for one in inputs)
        raise DataError(
            f"{path}: expected one input, a picture of shape (1, 3, height, width) or (3, height, width) in float32 or float16; "
            f"found {found}."
        )
    height, width = shape[-2:]
    size = (height, width) if isinstance(height, int) and isinstance(width, int) else None
    return OnnxNetwork(path, size, len(shape) == 4, _TYPES[kind], session, runtime.errors)


def _takes_a_picture(shape: Sequence[Any]) -> bool:
    """A side that is no number is of any length."""
    expected = (1, 3, None, None)[-len(shape) :] if len(shape) in (3, 4) else ()
    return bool(expected) and all(
        want is None or not isinstance(side, int) or side == want for side, want in zip(shape, expected, strict=True)
    )
