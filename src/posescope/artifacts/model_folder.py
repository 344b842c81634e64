"""The model folder: a trained model on disk that describes itself and is read without unpickling anything.

<folder>/model.safetensors   the network's weights
         model.json          format, architecture, codec, skeleton, input, provenance, SHA-256 of the weights
"""

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save, save_file
from torch import Tensor

from posescope.artifacts.devices import resolve_device
from posescope.artifacts.pose_model import PoseModel
from posescope.errors import DataError, OptionsError
from posescope.files import atomic_folder, fingerprint, read_json, sha256_of, write_json
from posescope.geometry.recipe import recipe_of
from posescope.models.network import PoseNetwork
from posescope.plugins import ComponentSpec, build
from posescope.skeleton import Skeleton

__all__ = ["ModelFolderError", "fingerprint_of_model", "model_fingerprint", "read_model", "write_model"]

log = logging.getLogger(__name__)

# 1: `crop_rule`, the name alone, in the place of `crop`; still read.
FORMAT_VERSION = 2
WEIGHTS, DESCRIPTION = "model.safetensors", "model.json"
FIELDS = ("architecture", "codec", "skeleton", "crop_size", "mean_rgb", "crop", "weights_sha256")


class ModelFolderError(DataError):
    """A model folder is incomplete, damaged, too new, or needs a component that is not installed."""


def write_model(folder: Path, model: PoseModel) -> None:
    """Write a model: the new folder is whole before the old one goes.

    While the old one is removed and the new one renamed, a reader may find no model there, or one with a file missing;
    `read_model` refuses both. After a crash in that moment the old model is gone.

    Raises:
        ValueError: if the provenance holds NaN or an infinite number.
    """
    with atomic_folder(folder) as temporary:
        save_file(_weights_of(model), temporary / WEIGHTS)
        write_json(temporary / DESCRIPTION, _describe(model, sha256_of(temporary / WEIGHTS)))
    log.info("Wrote the model folder %s.", folder)


def read_model(folder: Path, device: str = "cpu") -> PoseModel:
    """Read a model in evaluation mode.

    Args:
        folder: as `write_model` left it.
        device: `auto`, `cpu`, `cuda` or `cuda:<index>`.

    Raises:
        ModelFolderError: if a file or a field is missing, the format is newer than this version knows, the weights do not match
            their checksum or the architecture, or a component is not installed; the message says which.
        OptionsError: if the device does not exist.
    """
    place = resolve_device(device)
    content = _read_description(folder)
    _check_weights_file(folder, content["weights_sha256"])
    try:
        crop_size = _pair(content["crop_size"])
        skeleton = Skeleton.from_dict(content["skeleton"])
        model_spec, codec_spec = (ComponentSpec.model_validate(content[name]) for name in ("architecture", "codec"))
        with torch.random.fork_rng(devices=[]):  # a network draws its first weights as it is built
            network: PoseNetwork = build("models", model_spec, crop_size=crop_size, joint_count=len(skeleton))
        codec = build("codecs", codec_spec, crop_size=crop_size, joint_count=len(skeleton))
        crop = recipe_of(content)
        red, green, blue = (float(value) for value in content["mean_rgb"])
    except (OptionsError, ValidationError, KeyError, TypeError, ValueError) as error:
        raise ModelFolderError(f"{folder / DESCRIPTION}: cannot build this model: {error}") from error
    _load_weights(network, folder / WEIGHTS)
    # As in training: the layout in which convolutions are fastest, and so the same sums in the same order.
    network = network.to(place).to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    return PoseModel(
        network=network,
        codec=codec,
        skeleton=skeleton,
        crop_size=crop_size,
        mean_rgb=(red, green, blue),
        model_spec=model_spec,
        codec_spec=codec_spec,
        crop=crop,
        provenance=content.get("provenance", {}),
    )


def model_fingerprint(folder: Path) -> str:
    """16 hexadecimal digits that change when what the model computes changes; its provenance does not count.

    Raises:
        ModelFolderError: if the description is missing or not whole.
    """
    content = _read_description(folder)
    return fingerprint({name: content[name] for name in FIELDS})


def fingerprint_of_model(model: PoseModel) -> str:
    """The same of a model in memory: `model_fingerprint` of the folder that `write_model` makes of it, wherever it came from."""
    content = _describe(model, hashlib.sha256(save(_weights_of(model))).hexdigest())
    return fingerprint({name: content[name] for name in FIELDS})


def _weights_of(model: PoseModel) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in model.network.state_dict().items()}


def _describe(model: PoseModel, weights_sha256: str) -> dict[str, Any]:
    return {
        "format_version": FORMAT_VERSION,
        "architecture": model.model_spec.model_dump(mode="json"),
        "codec": model.codec_spec.model_dump(mode="json"),
        "skeleton": model.skeleton.to_dict(),
        "crop_size": list(model.crop_size),
        "mean_rgb": list(model.mean_rgb),
        "crop": model.crop.model_dump(mode="json"),
        "provenance": dict(model.provenance),
        "weights_sha256": weights_sha256,
    }


def _read_description(folder: Path) -> Mapping[str, Any]:
    path = folder / DESCRIPTION
    for needed in (path, folder / WEIGHTS):
        if not needed.is_file():
            raise ModelFolderError(f"{folder} is no model folder: it has no {needed.name}.")
    try:
        content = read_json(path)
    except DataError as error:
        raise ModelFolderError(str(error)) from error
    version = content.get("format_version") if isinstance(content, dict) else None
    if not isinstance(version, int) or version < 1:
        raise ModelFolderError(f"{path}: expected a model description with a format_version, found {version!r}.")
    if version > FORMAT_VERSION:
        raise ModelFolderError(
            f"{path}: format_version {version}, but this posescope reads up to {FORMAT_VERSION}. Install a newer posescope."
        )
    if version == 1 and "crop_rule" in content:
        content = {**content, "crop": {"rule": {"name": content["crop_rule"]}}}
    missing = [name for name in FIELDS if name not in content]
    if missing:
        raise ModelFolderError(f"{path}: these fields are missing: {', '.join(missing)}.")
    return dict(content)


def _check_weights_file(folder: Path, expected: str) -> None:
    found = sha256_of(folder / WEIGHTS)
    if found != expected:
        raise ModelFolderError(
            f"{folder / WEIGHTS}: SHA-256 {found}, but {DESCRIPTION} says {expected}. It is damaged or of another model."
        )


def _load_weights(network: PoseNetwork, path: Path) -> None:
    try:
        weights = load_file(path)
    except SafetensorError as error:
        raise ModelFolderError(f"{path}: not a safetensors file ({error}).") from error
    differences = _differences(network.state_dict(), weights)
    if differences:
        shown = "; ".join(differences[:5]) + ("; ..." if len(differences) > 5 else "")
        raise ModelFolderError(f"{path}: the weights do not fit the architecture of {DESCRIPTION}: {shown}.")
    network.load_state_dict(weights)


def _differences(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> list[str]:
    absent = [f"{name} is missing" for name in expected if name not in found]
    surplus = [f"{name} is unknown" for name in found if name not in expected]
    reshaped = [
        f"{name}: expected {tuple(expected[name].shape)}, found {tuple(found[name].shape)}"
        for name in expected
        if name in found and expected[name].shape != found[name].shape
    ]
    return absent + surplus + reshaped


def _pair(values: Any) -> tuple[int, int]:
    height, width = values
    return int(height), int(width)
