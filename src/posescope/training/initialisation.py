"""Initialisation of a pose model: a network with seeded weights and a codec for heatmaps of its size."""

import logging

import torch

from posescope.artifacts.pose_model import PoseModel
from posescope.codecs.base import Codec
from posescope.core.errors import OptionsError
from posescope.core.plugins import ComponentSpec, build
from posescope.core.skeleton import Skeleton
from posescope.core.torch_rng import fork_torch_rng
from posescope.geometry.crop_recipe import CropRecipe
from posescope.models.complexity import count_macs, count_parameters
from posescope.models.plain_modules import build_network

__all__ = ["build_untrained"]

_log = logging.getLogger(__name__)


def build_untrained(
    model_spec: ComponentSpec,
    codec_spec: ComponentSpec,
    skeleton: Skeleton,
    crop_size: tuple[int, int],
    mean_rgb: tuple[float, float, float],
    crop: CropRecipe,
    seed: int,
    load_pretrained: bool = True,
) -> PoseModel:
    """Build a network with its initial weights and its codec on the CPU, and log the model's complexity.

    The weights are random, or pretrained if the options of the network name some; the origin of the latter is in the provenance.
    Random weights depend on the options and the seed only; torch's global generator is restored.

    Args:
        model_spec: component of `models`.
        codec_spec: component of `codecs`.
        skeleton: skeleton of the data.
        crop_size: (height, width) px of the crops.
        mean_rgb: mean RGB of the training crops, 0..1; replaced by that of the network if it has one.
        crop: recipe of the crops.
        seed: seed of the weights.
        load_pretrained: whether pretrained weights that the options name are loaded; false: all weights are random, for a
            training from a trained model (`weight_transfer.start_from`).

    Raises:
        OptionsError: A component or an option is invalid, the heatmap sizes of network and codec differ, or the package of
            pretrained weights is missing.
        DataError: A file of pretrained weights cannot be read.
    """
    codec: Codec = build("codecs", codec_spec, crop_size=crop_size, joint_count=len(skeleton))
    with fork_torch_rng():
        torch.manual_seed(seed)
        network = build_network(model_spec, crop_size, len(skeleton))
        initial_weights = network.load_initial_weights() if load_pretrained else None
    if tuple(network.map_size) != tuple(codec.map_size):
        raise OptionsError(
            f"For crops of {crop_size[0]}x{crop_size[1]} px the model '{model_spec.name}' has heatmaps of "
            f"{network.map_size[0]}x{network.map_size[1]} px, but the codec '{codec_spec.name}' has targets of "
            f"{codec.map_size[0]}x{codec.map_size[1]} px. Change the stride or the map size of the codec, or the model."
        )
    _log.info(
        "Network %s: %s parameters, %.2f GMAC per crop of %dx%d px.",
        model_spec.name, f"{count_parameters(network):,}", count_macs(network, crop_size) / 1e9, *crop_size,
    )  # fmt: skip
    return PoseModel(
        network=network,
        codec=codec,
        skeleton=skeleton,
        crop_size=crop_size,
        mean_rgb=network.mean_rgb or mean_rgb,
        model_spec=model_spec.model_copy(update={"options": network.stored_options(model_spec.options)}),
        codec_spec=codec_spec,
        crop=crop,
        provenance={"init_seed": seed, **({"initial_weights": initial_weights} if initial_weights else {})},
    )
