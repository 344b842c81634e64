"""Contract of an encoder, the normalisation of ImageNet, and the strides of a module found by a dry run."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeAlias

import torch
from pydantic import Field, JsonValue
from torch import Tensor, nn

from posescope.core.errors import OptionsError
from posescope.core.extras import install_command
from posescope.core.plugins import Options

__all__ = ["IMAGENET_MEAN_RGB", "IMAGENET_STD_RGB", "Encoder", "MeanRgb", "StdRgb", "measure_maps", "missing_package"]

_Mean: TypeAlias = Annotated[float, Field(ge=0, le=1)]
_Std: TypeAlias = Annotated[float, Field(gt=0, le=1)]
# Mean and standard deviation of the channels red, green and blue, 0..1.
MeanRgb: TypeAlias = tuple[_Mean, _Mean, _Mean]
StdRgb: TypeAlias = tuple[_Std, _Std, _Std]

# Of the training images of ImageNet, as published by torchvision; most pretrained networks expect them.
IMAGENET_MEAN_RGB: MeanRgb = (0.485, 0.456, 0.406)
IMAGENET_STD_RGB: StdRgb = (0.229, 0.224, 0.225)

# The usual input of networks trained on ImageNet; a multiple of 2, 4, 7, 8, 14, 16 and 32 px.
_DRY_RUN_PX = 224


class Encoder(nn.Module, ABC):
    """Contract of the components of `posescope.encoders`: `encoder(options)`.

    The constructor reads no weights: a model folder contains all weights, and the encoder of a loaded model needs no other file.

    Attributes:
        channels: channels of the feature maps, from the finest to the coarsest map.
        strides: crop px per map px, in the same order.
        mean_rgb, std_rgb: mean and standard deviation of the images that the initial weights expect, 0..1.
    """

    channels: tuple[int, ...]
    strides: tuple[int, ...]
    mean_rgb: MeanRgb = IMAGENET_MEAN_RGB
    std_rgb: StdRgb = IMAGENET_STD_RGB

    def __init__(self, options: Options) -> None:
        super().__init__()
        self.options = options

    @abstractmethod
    def forward(self, images: Tensor) -> list[Tensor]:
        """Return feature maps (N, C_i, H / stride_i, W / stride_i), from fine to coarse.

        Args:
            images: (N, 3, H, W) float, (value / 255 - `mean_rgb`) / `std_rgb`; H and W are multiples of all strides.
        """

    def load_initial_weights(self) -> dict[str, JsonValue] | None:
        """Load the weights that a training starts from; by default the encoder keeps its random weights.

        Returns:
            The origin of the weights for the provenance of the model: `name`, and the SHA-256 of the file or of the tensors;
            None: the weights are random.
        """
        return None

    def stored_options(self) -> dict[str, Any]:
        """Return the options for a model folder, JSON-like: the encoder is built from them without any other file."""
        return self.options.model_dump(mode="json", exclude_unset=True)


def measure_maps(compute_maps: Callable[[Tensor], Sequence[Tensor]], module: nn.Module, name: str) -> list[tuple[int, int]]:
    """Return (channels, stride) of each map of a module, found by a dry run on zeros of 224 x 224 px in evaluation mode.

    Args:
        compute_maps: function from images (1, 3, 224, 224) to the maps.
        module: the module that computes them; its mode is restored.
        name: name of the component, for messages.

    Raises:
        OptionsError: A map is no tensor (N, C, h, w), or 224 px are no multiple of its height and width.
    """
    was_training, device = module.training, next(module.parameters()).device
    module.eval()
    with torch.no_grad():
        maps = compute_maps(torch.zeros(1, 3, _DRY_RUN_PX, _DRY_RUN_PX, device=device))
    module.train(was_training)
    return [_channels_and_stride(item, name) for item in maps]


def missing_package(
    component: str, package: str, error: ImportError, remedy: str = install_command("transformers")
) -> OptionsError:
    """Return the error for a package that a component needs and that cannot be imported.

    Args:
        component: name of the component.
        package: name of the package.
        error: the error of the import.
        remedy: the command that installs it.
    """
    return OptionsError(f"The encoder '{component}' needs {package}, which cannot be imported ({error}). Install it: {remedy}.")


def _channels_and_stride(feature_map: Any, name: str) -> tuple[int, int]:
    if not isinstance(feature_map, Tensor) or feature_map.ndim != 4:
        found = tuple(feature_map.shape) if isinstance(feature_map, Tensor) else type(feature_map).__name__
        raise OptionsError(f"The encoder '{name}': expected feature maps (N, C, h, w), found {found}. Choose other layers.")
    _, channels, height, width = feature_map.shape
    if height != width or not height or _DRY_RUN_PX % height:
        raise OptionsError(
            f"The encoder '{name}': expected maps whose sides divide {_DRY_RUN_PX} px, found {height}x{width} px for an image of "
            f"{_DRY_RUN_PX}x{_DRY_RUN_PX} px. Choose other layers or another network."
        )
    return channels, _DRY_RUN_PX // height
