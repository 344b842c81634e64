"""Networks of the library timm as encoders."""

from typing import Any, ClassVar

from pydantic import Field, JsonValue, field_validator
from torch import Tensor

from posescope.core.errors import OptionsError
from posescope.core.plugins import Options
from posescope.models.encoders.base import Encoder, measure_maps, missing_package
from posescope.models.encoders.weights_files import sha256_of_tensors

__all__ = ["TimmBackbone", "TimmBackboneOptions"]

_NAME = "timm"
# Arguments by which timm reads files or the network, or that the encoder sets itself.
_REFUSED = {
    "cache_dir",
    "checkpoint_path",
    "features_only",
    "out_indices",
    "pretrained",
    "pretrained_cfg",
    "pretrained_cfg_overlay",
}


class TimmBackboneOptions(Options):
    """Options of the encoder `timm`."""

    model: str = Field(
        pattern=r"^[\w.-]+$",
        description="Name of a model of timm itself, such as resnet18.a1_in1k, without a prefix such as hf-hub:",
    )
    arguments: dict[str, Any] = Field(default_factory=dict, description="Further arguments of timm.create_model")
    pretrained: bool = Field(default=True, description="Whether a training starts from the weights that timm downloads")
    out_indices: tuple[int, ...] | None = Field(
        default=None, min_length=1, description="Indices of the maps that are read; null: those with stride 4 or more"
    )

    @field_validator("arguments")
    @classmethod
    def _check_arguments(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        if refused := sorted(_REFUSED & set(arguments)):
            raise ValueError(f"expected arguments of the architecture, found {', '.join(refused)}")
        return arguments


class TimmBackbone(Encoder):
    """Any network of the library timm that returns feature maps (`features_only`).

    Raises:
        OptionsError: timm is not installed, or it has no such model.
    """

    Options: ClassVar[type[Options]] = TimmBackboneOptions
    options: TimmBackboneOptions

    def __init__(self, options: TimmBackboneOptions) -> None:
        super().__init__(options)
        self._out_indices = options.out_indices or self._indices_from_stride_4()
        self.backbone = self._create(pretrained=False, out_indices=self._out_indices)
        maps = measure_maps(self.forward, self.backbone, _NAME)
        self.channels, self.strides = (tuple(values) for values in zip(*maps, strict=True))
        expected = self.backbone.pretrained_cfg
        self.mean_rgb, self.std_rgb = tuple(expected["mean"]), tuple(expected["std"])

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the chosen feature maps; see `Encoder.forward`."""
        return list(self.backbone(images))

    def load_initial_weights(self) -> dict[str, JsonValue] | None:
        """Load the weights that timm publishes for this model; timm downloads them if they are not cached."""
        if not self.options.pretrained:
            return None
        weights: dict[str, Tensor] = self._create(pretrained=True, out_indices=self._out_indices).state_dict()
        self.backbone.load_state_dict(weights)
        return {"name": f"timm {self.options.model}", "sha256_of_tensors": sha256_of_tensors(weights)}

    def _indices_from_stride_4(self) -> tuple[int, ...]:
        reductions = self._create(pretrained=False).feature_info.reduction()
        return tuple(index for index, reduction in enumerate(reductions) if reduction >= 4)

    def _create(self, pretrained: bool, **arguments: Any) -> Any:
        try:
            import timm  # noqa: PLC0415 (no dependency: it needs torchvision)
        except ImportError as error:
            raise missing_package(_NAME, "the library timm", error, "pip install timm (it needs torchvision)") from error
        try:
            return timm.create_model(
                self.options.model, features_only=True, pretrained=pretrained, **arguments, **self.options.arguments
            )
        except (RuntimeError, TypeError, ValueError) as error:
            raise OptionsError(f"The encoder 'timm': cannot create the model '{self.options.model}': {error}") from error
