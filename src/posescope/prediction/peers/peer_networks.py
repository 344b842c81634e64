"""Networks of others that predict the joints of one person in a crop, as ONNX files, run by ONNX Runtime (extra `onnx`).

    format     input                                      output
    movenet    (1, H, W, 3) int32 RGB, 0..255, square     (1, 1, 17, 3): y, x as fractions of the crop's edges, score
    heatmaps   (N, 3, H, W) float32, normalised           (N, K, h, w): one heatmap per joint, its height is the score

Sources: MoveNet (Google, TensorFlow Hub: movenet/singlepose). Simple Baselines (Xiao et al. 2018) and HRNet (Sun et al.
2019) with their decoder: the largest cell, moved by a quarter towards its larger neighbour. ViTPose (Xu et al. 2022), whose
heatmaps follow unbiased data processing (UDP, Huang et al. 2020).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError, field_validator

from posescope.artifacts.onnx_runtime import OnnxNetwork, load_onnxruntime
from posescope.core.errors import DataError, OptionsError
from posescope.core.plugins import Options, StoredComponent, describe_validation_error
from posescope.core.skeleton import COCO_PERSON
from posescope.geometry.crop_recipe import CropRecipe
from posescope.prediction.person_crops import PersonCrops, crop_persons

__all__ = ["PEER_FORMATS", "HeatmapsOptions", "MovenetOptions", "PeerJoints", "PeerNetwork", "open_peer"]

Channel = Literal["rgb", "bgr"]
_JOINTS = COCO_PERSON.joints
_BLACK = (0, 0, 0)


@dataclass(frozen=True)
class PeerJoints:
    """Predictions for n persons.

    Attributes:
        joints: (n, K, 2) float64 image px.
        scores: (n, K) float64, as the network gives them.
    """

    joints: NDArray[np.float64]
    scores: NDArray[np.float64]


class PeerNetwork(Protocol):
    """A network that predicts the joints of persons whose boxes are given.

    Attributes:
        joints: (K,) names of its joints.
        box_scale: factor by which a person's box grows to the crop that the network was trained with.
    """

    joints: tuple[str, ...]
    box_scale: float

    def predict(self, image: NDArray[np.uint8], boxes: NDArray[np.float64], scale: float) -> PeerJoints:
        """Predict the persons of one image.

        Args:
            image: (H, W, 3) uint8 RGB.
            boxes: (n, 4) x, y, w, h px in the project's convention; w, h > 0.
            scale: factor by which the boxes grow.

        Raises:
            DataError: if the network fails, or its output is not in the format.
        """
        ...


class MovenetOptions(Options):
    """Options of the format `movenet`."""

    box_scale: float = Field(1.25, ge=1, le=4, description="factor by which a box grows to the square crop")


class HeatmapsOptions(Options):
    """Options of the format `heatmaps`; the defaults are those of mmpose's top-down networks for COCO."""

    joints: tuple[str, ...] = Field(_JOINTS, min_length=1, description="names of the joints, in the order of the heatmaps")
    box_scale: float = Field(1.25, ge=1, le=4, description="factor by which a box grows to the crop")
    input_size: tuple[int, int] | None = Field(
        None, description="(height, width) px of the input, if the network does not fix it; null: the network's own"
    )
    channels: Channel = Field("rgb", description="order of the colours of the input")
    mean: tuple[float, float, float] = Field((0.485, 0.456, 0.406), description="subtracted from the colours, of 0..1")
    std: tuple[float, float, float] = Field((0.229, 0.224, 0.225), description="divides the colours after that, each above 0")
    first_cell_px: float = Field(
        0.0,
        ge=-64,
        le=64,
        description="position of the middle of the first cell in the crop, px: 0 for Simple Baselines, HRNet and mmpose; "
        "(stride - 1) / 2 for a network whose cells are centred, such as those of this project",
    )

    udp: bool = Field(
        False,
        description="whether the outermost cells are the outermost px of the crop (unbiased data processing, Huang et al. 2020: "
        "ViTPose, HRNet-UDP)",
    )

    @field_validator("joints")
    @classmethod
    def _check_names(cls, joints: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(joints)) != len(joints):
            raise ValueError("expected every joint once")
        return joints

    @field_validator("std")
    @classmethod
    def _check_std(cls, std: tuple[float, float, float]) -> tuple[float, float, float]:
        if min(std) <= 0:
            raise ValueError(f"expected numbers above 0, found {std}")
        return std

    @field_validator("input_size")
    @classmethod
    def _check_size(cls, size: tuple[int, int] | None) -> tuple[int, int] | None:
        if size is not None and (min(size) < 1 or max(size) > 4096):
            raise ValueError(f"expected 1 to 4096 px, found {size}")
        return size


class _Movenet:
    """MoveNet of one person."""

    Options = MovenetOptions

    def __init__(self, network: OnnxNetwork, options: MovenetOptions) -> None:
        self.joints, self.box_scale, self._network = _JOINTS, options.box_scale, network
        shape = network.input_shape
        size = _size_of(shape[1:3])
        if len(shape) != 4 or shape[3] != 3 or network.input_type != "tensor(int32)" or size is None:
            raise DataError(
                f"{network.path}: the format movenet expects an input of int32 (1, height, width, 3), found "
                f"{network.input_type} {shape}."
            )
        self._size = size

    def predict(self, image: NDArray[np.uint8], boxes: NDArray[np.float64], scale: float) -> PeerJoints:
        persons = _crop_grown(image, boxes, scale, self._size)
        found = [self._predict_one(crop) for crop in persons.crops]
        values = np.stack(found) if found else np.empty((0, len(self.joints), 3))
        # Fractions of the edges: 0 is the left edge of the first pixel, whose centre is 0 here.
        in_crop = values[..., 1::-1] * np.array(self._size[::-1], np.float64) - 0.5
        return PeerJoints(persons.to_image(in_crop), values[..., 2])

    def _predict_one(self, crop: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return (17, 3) y, x, score."""
        found = self._network.run(crop[None].astype(np.int32))
        if len(found) != 1 or found[0].shape != (1, 1, len(self.joints), 3):
            shapes = [one.shape for one in found]
            raise DataError(f"{self._network.path}: the format movenet expects one output (1, 1, 17, 3), found {shapes}.")
        return _finite(np.asarray(found[0][0, 0], dtype=np.float64), self._network.path)


class _Heatmaps:
    """A network with one heatmap per joint."""

    Options = HeatmapsOptions

    def __init__(self, network: OnnxNetwork, options: HeatmapsOptions) -> None:
        self.joints, self.box_scale, self._network, self._options = options.joints, options.box_scale, network, options
        shape = network.input_shape
        if len(shape) != 4 or (isinstance(shape[1], int) and shape[1] != 3) or network.input_type != "tensor(float)":
            raise DataError(
                f"{network.path}: the format heatmaps expects an input of float32 (persons, 3, height, width), found "
                f"{network.input_type} {shape}."
            )
        own = _size_of(shape[2:4])
        if own is None and options.input_size is None:
            raise OptionsError(f"{network.path}: its input has no fixed size: set the option input_size, for instance [256,192].")
        if None not in (own, options.input_size) and own != options.input_size:
            raise OptionsError(f"{network.path}: expected input_size {own} as in the network, found {options.input_size}.")
        self._size = options.input_size or own or (0, 0)

    def predict(self, image: NDArray[np.uint8], boxes: NDArray[np.float64], scale: float) -> PeerJoints:
        persons = _crop_grown(image, boxes, scale, self._size)
        maps = [self._predict_one(crop) for crop in persons.crops]
        if not maps:
            return PeerJoints(np.empty((0, len(self.joints), 2)), np.empty((0, len(self.joints))))
        cells, scores = _decode(np.stack(maps))
        # With UDP the outermost cells are the outermost px of the crop.
        ends = 1 if self._options.udp else 0
        strides = (np.array(self._size[::-1]) - ends) / np.maximum(np.array(maps[0].shape[:0:-1]) - ends, 1)
        return PeerJoints(persons.to_image(cells * strides + self._options.first_cell_px), scores)

    def _predict_one(self, crop: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return (K, h, w) heatmaps. Persons are run one by one: many exported networks have a batch of 1."""
        pixels = (crop if self._options.channels == "rgb" else crop[..., ::-1]).astype(np.float32) / 255
        pixels = (pixels - np.array(self._options.mean, np.float32)) / np.array(self._options.std, np.float32)
        found = self._network.run(np.ascontiguousarray(pixels.transpose(2, 0, 1)[None]))
        maps = found[0]
        if maps.ndim != 4 or maps.shape[:2] != (1, len(self.joints)):
            raise DataError(
                f"{self._network.path}: the format heatmaps expects an output (1, {len(self.joints)}, h, w), one for each of "
                f"{', '.join(self.joints)}; found {maps.shape}. Name the network's joints by the option `joints`."
            )
        return _finite(np.asarray(maps[0], dtype=np.float64), self._network.path)


PEER_FORMATS: Mapping[str, type[_Movenet] | type[_Heatmaps]] = {"movenet": _Movenet, "heatmaps": _Heatmaps}


def open_peer(path: Path, name: str, settings: Mapping[str, Any] | None = None) -> PeerNetwork:
    """Load a network of others.

    Args:
        path: the ONNX file.
        name: its format, one of `PEER_FORMATS`.
        settings: options of the format.

    Raises:
        OptionsError: if onnxruntime is not installed, or an option is unknown or out of bounds.
        DataError: if the file is missing, no network, or has another input than the format.
    """
    if name not in PEER_FORMATS:
        raise OptionsError(f"Unknown format of a peer '{name}'. Known ones: {', '.join(PEER_FORMATS)}.")
    kind: Any = PEER_FORMATS[name]
    try:
        options = kind.Options.model_validate(dict(settings or {}))
    except ValidationError as error:
        known = ", ".join(kind.Options.model_fields)
        faults = describe_validation_error(error, lambda option: f"unknown option '{option}'; the format {name} has: {known}")
        raise OptionsError(f"Format {name}: {'; '.join(faults)}.") from error
    network = load_onnxruntime("A peer").open_network(path, "Name an ONNX file by --peer.")
    opened: PeerNetwork = kind(network, options)
    return opened


def _crop_grown(image: NDArray[np.uint8], boxes: NDArray[np.float64], scale: float, input_size: tuple[int, int]) -> PersonCrops:
    """Crop persons by the rule `top_down`, whose padding is `scale`; the part outside the image is black."""
    rule = StoredComponent(name="top_down", options={"padding": scale})
    return crop_persons(image, boxes, CropRecipe(rule=rule, padding_rgb=_BLACK), input_size)


def _decode(maps: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the cells (n, K, 2) x, y of the peaks, moved by a quarter towards the larger neighbour, and their heights."""
    count, joints, height, width = maps.shape
    flat = maps.reshape(count, joints, -1)
    best = flat.argmax(axis=2)
    x, y = best % width, best // width
    rows = np.arange(count)[:, None], np.arange(joints)[None, :]
    inner_x, inner_y = (x > 0) & (x < width - 1), (y > 0) & (y < height - 1)
    right, left = maps[*rows, y, np.minimum(x + 1, width - 1)], maps[*rows, y, np.maximum(x - 1, 0)]
    below, above = maps[*rows, np.minimum(y + 1, height - 1), x], maps[*rows, np.maximum(y - 1, 0), x]
    # As in Simple Baselines, a peak at the border of the map is not moved in either direction.
    inner = inner_x & inner_y
    shift = np.stack([np.sign(right - left), np.sign(below - above)], axis=-1) * 0.25 * inner[..., None]
    return np.stack([x, y], axis=-1) + shift, np.take_along_axis(flat, best[..., None], axis=2)[..., 0]


def _finite(values: NDArray[np.float64], path: Path) -> NDArray[np.float64]:
    if not np.isfinite(values).all():
        raise DataError(f"{path}: the network predicts NaN or infinite numbers.")
    return values


def _size_of(sides: Sequence[int | str | None]) -> tuple[int, int] | None:
    """Return (height, width) px; None if a side may have any length."""
    height, width = sides if len(sides) == 2 else (None, None)
    return (height, width) if isinstance(height, int) and isinstance(width, int) else None
