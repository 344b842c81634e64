"""Export of a trained model to ONNX: network and decoders, which run without PyTorch.

<folder>/model.onnx               crops (N, H, W, 3) uint8 RGB -> heatmaps (N, K, h, w) float32; subtracts the mean RGB
         decoder.onnx             heatmaps -> joints (N, K, 2) float32 crop px, scores (N, K)
         flip_test_decoder.onnx   heatmaps, and those of the mirrored crops -> joints, scores of their mean
         model.json               as beside `model.safetensors`, with `export`: checksums, largest differences from PyTorch
         uncertainty.json         as beside `model.safetensors`, if the model was calibrated

Codecs are exported, too, so a codec needs no second implementation without PyTorch. The batch size N is free.
"""

import logging
import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from posescope.artifacts.description import (
    DESCRIPTION,
    FLOAT32,
    add_description_checksum,
    model_fingerprint,
    read_description,
    read_description_content,
)
from posescope.artifacts.exported_model import DECODER, FLIP_TEST_DECODER, GRAPHS, NETWORK, ExportedModel
from posescope.artifacts.model_folder import load_model
from posescope.artifacts.onnx_model import OnnxModel
from posescope.artifacts.pose_model import PoseModel
from posescope.artifacts.uncertainty import UNCERTAINTY, read_uncertainty, write_uncertainty
from posescope.codecs.base import DecodedJoints
from posescope.core.errors import DataError, OptionsError
from posescope.core.extras import translate_missing
from posescope.core.files import atomic_folder, sha256_of, write_json
from posescope.core.records import CropJoints

__all__ = ["OPSET", "ExportCheck", "check_destination", "check_example_crops", "compare_with_torch", "export_onnx"]

log = logging.getLogger(__name__)

OPSET = 18
_FILES = frozenset({NETWORK, DECODER, FLIP_TEST_DECODER, DESCRIPTION, UNCERTAINTY})
_BATCH = 2  # of the example: the exporter treats a batch of one as a constant
_MOST_PX = 0.01
_LARGEST_BATCH = 65_535
_VERBOSE_LOGGERS = ("torch.onnx", "onnxscript", "onnx_ir")


@dataclass(frozen=True)
class ExportCheck:
    """Largest differences between the predictions of the exported model and of PyTorch.

    Attributes:
        crops: number of crops compared.
        heatmaps: largest absolute difference of a heatmap px, of the crops and of the mirrored crops.
        joints_px: largest distance of a joint, crop px, with and without flip test; large where two peaks are equal except
            for rounding.
        scores: largest absolute difference of a score.
        decoders_px: as `joints_px`, of the decoders only: both decode the heatmaps of PyTorch.
    """

    crops: int
    heatmaps: float
    joints_px: float
    scores: float
    decoders_px: float


def export_onnx(
    source: Path, destination: Path, crops: NDArray[np.uint8], tolerance: float = 1e-3, allow: Collection[str] = ()
) -> ExportCheck:
    """Export a model folder, and compare the result with PyTorch on some crops.

    Args:
        source: a model folder.
        destination: the folder to write; only an earlier export is replaced.
        crops: (n, H, W, 3) uint8 RGB, n > 0: real crops of the model's crop size.
        tolerance: largest accepted difference of a heatmap px and of a score, as a fraction of the largest heatmap px. Decoders
            may differ by 0.01 px.
        allow: dotted paths of components that the model folder may name.

    Raises:
        DataError: if there are no crops, or the predictions differ by more.
        OptionsError: if packages of the extra `export` are missing, or the destination is anything but an earlier export.
        ModelFolderError: if the source is no model folder.
    """
    _require_exporter()
    destination = destination.resolve()  # `.` has no name that a rename could use
    check_destination(source, destination)
    model = load_model(source, allow=allow)
    fingerprint = model_fingerprint(source)
    uncertainty = read_uncertainty(source, fingerprint, model.skeleton.joints)
    check_example_crops(crops, model.crop_size)
    with atomic_folder(destination) as folder:
        _write_graphs(model, folder)
        content = add_description_checksum(read_description_content(source))
        export = {
            "format": "onnx",
            "backend": {"name": "onnx", "options": {}},
            "precision": FLOAT32,
            "source": fingerprint,
            "opset": OPSET,
            "files": {name: sha256_of(folder / name) for name in GRAPHS},
        }
        write_json(folder / DESCRIPTION, {**content, "export": export})
        check = compare_with_torch(model, OnnxModel(read_description(folder), device="cpu"), crops, tolerance)
        write_json(folder / DESCRIPTION, {**content, "export": {**export, "largest_difference": asdict(check)}})
        if uncertainty is not None:
            write_uncertainty(folder, uncertainty)
    log.info(
        "Wrote %s; its joints differ from those of PyTorch by at most %.2g px on %d crops.",
        destination,
        check.joints_px,
        len(crops),
    )
    return check


class _Network(nn.Module):
    mean: Tensor

    def __init__(self, model: PoseModel) -> None:
        super().__init__()
        self.network = model.network
        self.register_buffer("mean", torch.tensor(model.mean_rgb).view(1, 3, 1, 1))

    def forward(self, crops: Tensor) -> Tensor:
        images = crops.permute(0, 3, 1, 2).float() / 255.0 - self.mean
        heatmaps: Tensor = self.network(images)[-1]
        return heatmaps


class _Decoder(nn.Module):
    def __init__(self, model: PoseModel) -> None:
        super().__init__()
        self.codec = model.codec

    def forward(self, heatmaps: Tensor) -> tuple[Tensor, Tensor]:
        decoded = self.codec.decode(heatmaps)
        return decoded.joints, decoded.scores


class _FlipTestDecoder(_Decoder):
    def __init__(self, model: PoseModel) -> None:
        super().__init__(model)
        self.flip_indices = model.skeleton.flip_indices

    def forward(self, heatmaps: Tensor, mirrored: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        return super().forward((heatmaps + self.codec.unflip(mirrored, self.flip_indices)) / 2)


def _write_graphs(model: PoseModel, folder: Path) -> None:
    crops = torch.zeros((_BATCH, *model.crop_size, 3), dtype=torch.uint8)
    maps = torch.rand(_BATCH, len(model.skeleton), *model.codec.map_size)
    answers = ["joints", "scores"]
    _write_graph(_Network(model), (crops,), folder / NETWORK, ["crops"], ["heatmaps"])
    _write_graph(_Decoder(model), (maps,), folder / DECODER, ["heatmaps"], answers)
    _write_graph(_FlipTestDecoder(model), (maps, maps.clone()), folder / FLIP_TEST_DECODER, ["heatmaps", "mirrored"], answers)


def _write_graph(
    module: nn.Module, example: tuple[Tensor, ...], path: Path, inputs: Sequence[str], outputs: Sequence[str]
) -> None:
    batch = torch.export.Dim("batch", min=1, max=_LARGEST_BATCH)
    # Attention by plain matrix products: the layout that the fused kernel of a CPU returns cannot be decomposed for Swin.
    with _quiet(), sdpa_kernel(SDPBackend.MATH):
        torch.onnx.export(
            module.eval(),
            example,
            path,
            dynamo=True,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes=tuple({0: batch} for _ in example),
            external_data=False,
            verbose=False,
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter, whose warnings concern its own developers."""
    loggers = [logging.getLogger(name) for name in _VERBOSE_LOGGERS]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _require_exporter() -> None:
    with translate_missing("export", "export"):
        import onnx  # noqa: F401, PLC0415
        import onnxruntime  # noqa: F401, PLC0415
        import onnxscript  # noqa: F401, PLC0415


def check_destination(source: Path, destination: Path) -> None:
    """Check that replacing the destination folder loses nothing.

    Args:
        source: the model to export.
        destination: the folder to write.

    Raises:
        OptionsError: if it is anything but a new folder, an empty one or an earlier export.
    """
    source, destination = source.resolve(), destination.resolve()
    if source.is_relative_to(destination):
        raise OptionsError(f"export: {destination} is, or contains, the model to export. Name another folder.")
    if Path.cwd().is_relative_to(destination):
        raise OptionsError(f"export: {destination} is, or contains, the working directory. Name another folder.")
    if not destination.exists():
        return
    if not destination.is_dir():
        raise OptionsError(f"export: {destination} is a file. Name a folder.")
    found = {path.name for path in destination.iterdir()}
    if found and not {DESCRIPTION, NETWORK} <= found <= _FILES:
        first = min(found - _FILES, default=min(found))
        raise OptionsError(f"export: {destination} contains {first} and is no earlier export. Name a new or an empty folder.")


def check_example_crops(crops: NDArray[np.uint8], crop_size: tuple[int, int]) -> None:
    """Check that there are crops, and that they have the size of the model.

    Args:
        crops: (n, H, W, 3).
        crop_size: (H, W) of the model.

    Raises:
        DataError: if there is none, or they have another size.
    """
    if crops.ndim != 4 or crops.shape[1:] != (*crop_size, 3) or not len(crops):
        raise DataError(f"export: expected crops (n, {crop_size[0]}, {crop_size[1]}, 3), n > 0, found {crops.shape}.")


def compare_with_torch(model: PoseModel, exported: ExportedModel, crops: NDArray[np.uint8], tolerance: float) -> ExportCheck:
    """Compare the predictions of an exported model and of PyTorch.

    Args:
        model: the original, on the CPU.
        exported: the exported model.
        crops: (n, H, W, 3) uint8 RGB, n > 0.
        tolerance: largest accepted difference, see `export_onnx`.

    Raises:
        DataError: if they differ by more.
    """
    images = torch.from_numpy(crops)
    maps, mirrored = model.heatmaps(images), model.heatmaps(images.flip(2))
    mean = (maps + model.codec.unflip(mirrored, model.skeleton.flip_indices)) / 2
    mirrored_crops = crops[:, :, ::-1]
    heatmaps = max(
        _largest(exported.heatmaps(crops) - maps.numpy()), _largest(exported.heatmaps(mirrored_crops) - mirrored.numpy())
    )
    plain, averaged = model.codec.decode(maps), model.codec.decode(mean)
    answers = [(exported.run(crops), plain), (exported.run(crops, flip_test=True), averaged)]
    decoded = [(exported.decode(maps.numpy()), plain), (exported.decode(maps.numpy(), mirrored.numpy()), averaged)]
    check = ExportCheck(
        crops=len(crops),
        heatmaps=heatmaps,
        joints_px=_largest_distance(answers),
        scores=max(_largest(found.scores - expected.scores.numpy()) for found, expected in answers + decoded),
        decoders_px=_largest_distance(decoded),
    )
    _accept(check, tolerance * max(_largest(maps.numpy()), _largest(mirrored.numpy())))
    return check


def _largest(values: NDArray[np.float32]) -> float:
    return float(np.abs(values).max())


def _largest_distance(pairs: Sequence[tuple[CropJoints, DecodedJoints]]) -> float:
    return max(float(np.linalg.norm(found.joints - expected.joints.numpy(), axis=-1).max()) for found, expected in pairs)


def _accept(check: ExportCheck, most: float) -> None:
    """`most` bounds heatmap px and scores. `joints_px` has no bound: where two peaks tie, rounding moves a joint far."""
    bounds = [
        ("network's heatmaps", check.heatmaps, most, ""),
        ("decoders' joints", check.decoders_px, _MOST_PX, " px"),
        ("model's scores", check.scores, most, ""),
    ]
    for what, found, bound, unit in bounds:
        if not found <= bound:
            raise DataError(
                f"export: the exported {what} differ from PyTorch's by {found:.2g}{unit} on {check.crops} crops, "
                f"expected at most {bound:.2g}{unit}. The model was not written."
            )
