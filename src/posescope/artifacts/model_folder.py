"""The model folder: a trained model on disk, which describes itself and is read without unpickling.

<folder>/model.safetensors   weights of the network
         model.json          format, architecture, codec, skeleton, input, provenance, SHA-256 of the weights and of itself
         uncertainty.json    radii of the joints, if the model was calibrated (`posescope.artifacts.uncertainty`)
"""

import hashlib
import logging
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save, save_file
from torch import Tensor

from posescope.artifacts.description import (
    DESCRIPTION,
    FORMAT_VERSION,
    ModelFolderError,
    add_description_checksum,
    check_file,
    fingerprint_of_content,
    read_description,
)
from posescope.artifacts.devices import resolve_device
from posescope.artifacts.pose_model import PoseModel
from posescope.artifacts.weights import check_tensor_specs, load_weights
from posescope.core.errors import OptionsError
from posescope.core.files import atomic_folder, sha256_of, write_json
from posescope.core.plugins import build, restrict_dotted_paths, trust_component
from posescope.core.torch_rng import fork_torch_rng
from posescope.models.plain_modules import build_network

__all__ = ["WEIGHTS", "ModelFolderError", "fingerprint_of_model", "load_model", "save_model"]

log = logging.getLogger(__name__)

WEIGHTS = "model.safetensors"


def save_model(folder: str | Path, model: PoseModel) -> None:
    """Write a model folder; the new folder is complete before the old one is removed.

    Between the two steps a reader may find no model, or one with a missing file; `load_model` refuses both. After a crash at that
    moment the old model is lost.

    Args:
        folder: The folder to write; it is replaced if it exists.
        model: The model.

    Raises:
        ValueError: if the provenance holds NaN or an infinite number.
    """
    with atomic_folder(Path(folder)) as temporary:
        save_file(_weights_of(model), temporary / WEIGHTS)
        write_json(temporary / DESCRIPTION, add_description_checksum(_describe(model, sha256_of(temporary / WEIGHTS))))
    log.info("Wrote the model folder %s.", folder)


def load_model(folder: str | Path, device: str = "cpu", allow: Collection[str] = ()) -> PoseModel:
    """Load a model in evaluation mode.

    Args:
        folder: A model folder of this or an earlier format version.
        device: `auto`, `cpu`, `cuda` or `cuda:<index>`.
        allow: Dotted paths (`package.module:attribute`) that the folder may name as network, codec or crop rule, or in their
            options. Other components that are not installed are refused, since loading them would run code.

    Raises:
        ModelFolderError: if a file or a field is missing, the format is newer than this version, the weights do not match their
            checksum or the architecture, or a component is not installed.
        OptionsError: if the device does not exist.

    Example:
        >>> load_model("model", device="cpu")  # doctest: +SKIP
    """
    folder, place = Path(folder), resolve_device(device)
    about = read_description(folder)
    check_file(folder / WEIGHTS, about.weights_sha256)
    crop_size, joint_count = about.crop_size, len(about.skeleton)
    try:
        model_spec = trust_component("models", about.architecture, allow)
        codec_spec, crop = trust_component("codecs", about.codec, allow), about.crop.trusted(allow)
        with fork_torch_rng(), restrict_dotted_paths(allow):  # building a network draws its initial weights
            codec = build("codecs", codec_spec, crop_size=crop_size, joint_count=joint_count)
            check_tensor_specs(lambda: build_network(model_spec, crop_size, joint_count), folder / WEIGHTS)
            network = build_network(model_spec, crop_size, joint_count)
    except (OptionsError, ArithmeticError, TypeError, ValueError) as error:
        raise ModelFolderError(f"{folder / DESCRIPTION}: cannot build this model: {error}") from error
    load_weights(network, folder / WEIGHTS)
    # As in training: the fastest layout for convolutions, and the same order of summation.
    network = network.to(place).to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    return PoseModel(
        network=network,
        codec=codec,
        skeleton=about.skeleton,
        crop_size=about.crop_size,
        mean_rgb=about.mean_rgb,
        model_spec=model_spec,
        codec_spec=codec_spec,
        crop=crop,
        provenance=about.provenance,
    )


def fingerprint_of_model(model: PoseModel) -> str:
    """Return the fingerprint of a model in memory, equal to `model_fingerprint` of its folder."""
    return fingerprint_of_content(_describe(model, hashlib.sha256(save(_weights_of(model))).hexdigest()))


def _weights_of(model: PoseModel) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in model.network.state_dict().items()}


def _describe(model: PoseModel, weights_sha256: str) -> dict[str, Any]:
    """Return the content of `model.json`, without its own checksum."""
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
