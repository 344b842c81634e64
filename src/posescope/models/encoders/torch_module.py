"""Any torch module as encoder: the outputs of named layers are its feature maps."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field, JsonValue, model_validator
from torch import Tensor, nn

from posescope.core.errors import OptionsError
from posescope.core.plugins import ComponentSpec, Options, build, component_validator
from posescope.models.encoders.base import IMAGENET_MEAN_RGB, IMAGENET_STD_RGB, Encoder, MeanRgb, StdRgb, measure_maps
from posescope.models.encoders.weights_files import read_weights, sha256_of_tensors

__all__ = ["TorchModule", "TorchModuleOptions"]

ModuleSpec = Annotated[ComponentSpec, component_validator("modules")]


class TorchModuleOptions(Options):
    """Options of the encoder `module`."""

    module: ModuleSpec = Field(
        description="The module: a component of posescope.modules, or a dotted path package.module:attribute to its class or "
        "function, whose arguments are its options"
    )
    layers: tuple[str, ...] = Field(
        min_length=1, description="Paths in `named_modules()` of the layers whose outputs are read, from fine to coarse"
    )
    weights: Path | None = Field(
        default=None,
        description="File of weights that a training starts from, .safetensors or .pth, with the names of the module",
    )
    pretrained_options: dict[str, Any] = Field(
        default_factory=dict,
        description="Options with which the module loads its own weights, such as {weights: DEFAULT} in torchvision; used at the "
        "start of a training only",
    )
    cache_dir: Path | None = Field(
        default=None,
        description="Folder of the weights converted to safetensors; null: posescope/weights in the user's cache folder",
    )
    mean_rgb: MeanRgb = Field(default=IMAGENET_MEAN_RGB, description="Mean RGB that the weights expect, 0..1")
    std_rgb: StdRgb = Field(default=IMAGENET_STD_RGB, description="Standard deviation that the weights expect, 0..1")

    @model_validator(mode="after")
    def _check_weights(self) -> "TorchModuleOptions":
        if self.weights is not None and self.pretrained_options:
            raise ValueError("expected `weights` or `pretrained_options`, found both")
        return self


class TorchModule(Encoder):
    """Any torch module whose named layers return feature maps.

    Layers after the last one that is read are computed in vain; choose a module without them if there is one.

    Raises:
        OptionsError: The module or a layer does not exist, a layer does not run or returns no map, or the layers are not
            ordered from fine to coarse.
    """

    Options: ClassVar[type[Options]] = TorchModuleOptions
    options: TorchModuleOptions

    def __init__(self, options: TorchModuleOptions) -> None:
        super().__init__(options)
        self.module = _build_module(options.module)
        self.mean_rgb, self.std_rgb = options.mean_rgb, options.std_rgb
        for layer in options.layers:
            _find(self.module, layer)
        maps = measure_maps(self.forward, self.module, "module")
        self.channels, self.strides = (tuple(values) for values in zip(*maps, strict=True))
        if list(self.strides) != sorted(self.strides):
            raise OptionsError(f"The encoder 'module': expected `layers` from fine to coarse, found the strides {self.strides}.")

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the outputs of the named layers; see `Encoder.forward`."""
        outputs: dict[str, Tensor] = {}
        # Hooks exist within the pass only, so that copies of the network have none.
        with ExitStack() as hooks:
            for layer in self.options.layers:
                hooks.enter_context(_find(self.module, layer).register_forward_hook(_make_hook(layer, outputs)))
            self.module(images)
        idle = [layer for layer in self.options.layers if layer not in outputs]
        if idle:
            raise OptionsError(f"The encoder 'module': expected layers that run in the forward pass, found {', '.join(idle)}.")
        return [outputs[layer] for layer in self.options.layers]

    def load_initial_weights(self) -> dict[str, JsonValue] | None:
        """Load the weights of the file, or those that the module loads with `pretrained_options`.

        Raises:
            OptionsError: The names or shapes of the weights are not those of the module.
            DataError: The file cannot be read.
        """
        spec, path = self.options.module, self.options.weights
        if path is not None:
            weights, sha256 = read_weights(path, self.options.cache_dir)
            origin: dict[str, JsonValue] = {"name": path.name, "sha256": sha256}
        elif self.options.pretrained_options:
            own = spec.model_copy(update={"options": {**spec.options, **self.options.pretrained_options}})
            weights = dict(_build_module(own).state_dict())
            origin = {
                "name": spec.name,
                "options": self.options.pretrained_options,
                "sha256_of_tensors": sha256_of_tensors(weights),
            }
        else:
            return None
        try:
            self.module.load_state_dict(weights)
        except RuntimeError as error:
            raise OptionsError(f"{path or spec.name}: expected the weights of the module '{spec.name}'. {error}") from error
        return origin

    def stored_options(self) -> dict[str, Any]:
        """Return the options without those that only the start of a training reads."""
        left_out = {"weights", "pretrained_options", "cache_dir"}
        return self.options.model_dump(mode="json", exclude_unset=True, exclude=left_out)


def _build_module(spec: ComponentSpec) -> nn.Module:
    module = build("modules", spec)
    if not isinstance(module, nn.Module):
        raise OptionsError(
            f"The encoder 'module': expected '{spec.name}' to return a torch module, found {type(module).__name__}."
        )
    return module


def _find(module: nn.Module, layer: str) -> nn.Module:
    try:
        return module.get_submodule(layer)
    except AttributeError as error:
        known = ", ".join(name for name, _ in module.named_children())
        raise OptionsError(f"The encoder 'module': the module has no layer '{layer}'. Its first layers: {known}.") from error


def _make_hook(layer: str, outputs: dict[str, Tensor]) -> Callable[[nn.Module, Any, Any], None]:
    def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
        if layer in outputs:
            raise OptionsError(f"The encoder 'module': layer '{layer}' runs more than once in a pass. Choose another layer.")
        outputs[layer] = output

    return hook
