"""The start of a training run: a seeded, untrained model whose parts fit each other."""

import logging

import torch

from posescope.artifacts.pose_model import PoseModel
from posescope.codecs.base import Codec
from posescope.core.errors import OptionsError
from posescope.core.plugins import ComponentSpec, build
from posescope.core.skeleton import Skeleton
from posescope.core.torch_rng import fork_torch_rng
from posescope.geometry.crop_recipe import CropRecipe
from posescope.models.base import PoseNetwork
from posescope.models.complexity import count_macs, count_parameters

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
) -> PoseModel:
    """Build a network with fresh weights, and its codec, on the CPU.

    The weights depend on the options and the seed alone; torch's global generator is left as it was. Parameters and
    multiply-accumulates are logged.

    Args:
        model_spec: a component of `models`.
        codec_spec: a component of `codecs`.
        skeleton: of the data.
        crop_size: (height, width) px of the crops.
        mean_rgb: 0..1, of the training crops.
        crop: how the crops were cut.
        seed: of the weights.

    Raises:
        OptionsError: if a component or an option is wrong, or the network's heatmaps are not of the codec's size.
    """
    codec: Codec = build("codecs", codec_spec, crop_size=crop_size, joint_count=len(skeleton))
    with fork_torch_rng():
        torch.manual_seed(seed)
        network: PoseNetwork = build("models", model_spec, crop_size=crop_size, joint_count=len(skeleton))
    _check_map_sizes(network, codec, model_spec.name, codec_spec.name, crop_size)
    _log.info(
        "Network %s: %s parameters, %.2f GMAC a crop of %dx%d px.",
        model_spec.name, f"{count_parameters(network):,}", count_macs(network, crop_size) / 1e9, *crop_size,
    )  # fmt: skip
    return PoseModel(
        network=network,
        codec=codec,
        skeleton=skeleton,
        crop_size=crop_size,
        mean_rgb=mean_rgb,
        model_spec=model_spec,
        codec_spec=codec_spec,
        crop=crop,
        provenance={"init_seed": seed},
    )


def _check_map_sizes(network: PoseNetwork, codec: Codec, model: str, codec_name: str, crop_size: tuple[int, int]) -> None:
    if tuple(network.map_size) != tuple(codec.map_size):
        raise OptionsError(
            f"For crops of {crop_size[0]}x{crop_size[1]} px the model '{model}' puts out heatmaps of "
            f"{network.map_size[0]}x{network.map_size[1]} cells, but the codec '{codec_name}' makes targets of "
            f"{codec.map_size[0]}x{codec.map_size[1]}. Change the codec's stride or map size, or the model."
        )
