"""Assembly of a hourglass with autoencoders in its bottlenecks: the start of the second training of the thesis."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from posescope.artifacts.pose_model import PoseModel
from posescope.core.errors import OptionsError
from posescope.core.plugins import ComponentSpec, build
from posescope.core.torch_rng import fork_torch_rng
from posescope.models.hourglass_autoencoder import Autoencoder

__all__ = ["check_accepts_autoencoders", "insert_autoencoders"]

PLAIN, WITH_AUTOENCODER = "hourglass", "hourglass_autoencoder"


def check_accepts_autoencoders(model: PoseModel) -> None:
    """Check that autoencoders can be inserted into a model.

    Raises:
        OptionsError: if its network is not the component `hourglass`.
    """
    if model.model_spec.name != PLAIN:
        raise OptionsError(f"Autoencoders: expected a '{PLAIN}' to insert them into, found a '{model.model_spec.name}'.")


def insert_autoencoders(
    model: PoseModel, autoencoders: Sequence[Autoencoder], provenance: Mapping[str, Any] | None = None
) -> PoseModel:
    """Assemble a `hourglass_autoencoder` from a trained hourglass and separately trained autoencoders.

    The weights are copied. Codec, skeleton, crop recipe and mean colour are those of the model.

    Args:
        model: A model with the component `hourglass`.
        autoencoders: One per stack, with equal options.
        provenance: JSON-like: how the autoencoders were trained.

    Returns:
        The model on the device of the hourglass; its provenance contains that of the parts.

    Raises:
        OptionsError: if the model is another component, or the parts do not match.
    """
    check_accepts_autoencoders(model)
    if len({autoencoder.options for autoencoder in autoencoders}) != 1:
        raise OptionsError("Expected one autoencoder per stack, all with the same options.")
    own = autoencoders[0].options.model_dump(mode="json")
    spec = ComponentSpec(name=WITH_AUTOENCODER, options={**model.model_spec.options, "autoencoder": own})
    with fork_torch_rng():  # building a network draws its initial weights
        network = build("models", spec, crop_size=model.crop_size, joint_count=len(model.skeleton))
    weights = dict(model.network.state_dict())
    for index, autoencoder in enumerate(autoencoders):
        weights |= {f"autoencoders.{index}.{name}": value for name, value in autoencoder.state_dict().items()}
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise OptionsError(f"Expected one autoencoder per stack, made for the bottleneck of this hourglass. {error}") from error
    network = network.to(model.device).to(memory_format=torch.channels_last).eval()
    parts = {"hourglass": dict(model.provenance), "autoencoders": dict(provenance or {})}
    return replace(model, network=network, model_spec=spec, provenance={"parts": parts})
