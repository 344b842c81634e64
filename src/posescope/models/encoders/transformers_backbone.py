"""Backbones of the library transformers as encoders: ResNet, ConvNeXt, Swin, DINOv2 and others, with their weights.

The configuration is read from a local folder or from the Hugging Face hub, and stored in the options of the model folder. So only
the start of a training reads the folder or the hub; a loaded model needs the library alone. Code of a folder is never run.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from pydantic import Field, JsonValue, model_validator
from torch import Tensor

from posescope.core.errors import DataError, OptionsError
from posescope.core.plugins import Options, is_restricted
from posescope.models.encoders.base import (
    IMAGENET_MEAN_RGB,
    IMAGENET_STD_RGB,
    Encoder,
    MeanRgb,
    StdRgb,
    measure_maps,
    missing_package,
)
from posescope.models.encoders.weights_files import sha256_of_tensors, unreadable_source

__all__ = ["TransformersBackbone", "TransformersBackboneOptions"]

_NAME = "transformers"
_READ_STAGES = 4  # of a network with more of them, as a vision transformer
# Not of the architecture: labels, code, the classes of other uses, and settings that load kernels or packages.
_LEFT_OUT = {
    "architectures", "attn_implementation", "auto_map", "backbone", "dtype", "id2label", "label2id", "out_features",
    "out_indices", "quantization_config", "stage_names", "torch_dtype", "transformers_version",
}  # fmt: skip
_REFUSED_TYPES = {"timm_backbone"}  # it downloads weights by itself; the encoder `timm` does not


class TransformersBackboneOptions(Options):
    """Options of the encoder `transformers`."""

    folder: Path | None = Field(
        default=None,
        description="Folder with config.json and model.safetensors, or several files of weights with their index, as written by "
        "`save_pretrained`",
    )
    hub_id: str | None = Field(
        default=None, description="Model of the Hugging Face hub, such as facebook/dinov2-small; downloaded if it is not cached"
    )
    revision: str | None = Field(default=None, description="Commit, branch or tag of `hub_id`; null: its main branch")
    config: dict[str, Any] | None = Field(
        default=None, description="Configuration with its `model_type`; null: that of the folder or of the hub"
    )
    pretrained: bool = Field(default=True, description="Whether a training starts from the weights of the folder or of the hub")
    out_indices: tuple[int, ...] | None = Field(
        default=None,
        min_length=1,
        description="Indices of the stages (0: the stem) or of the layers of a vision transformer that are read; null: all "
        "stages but the stem, or four layers at equal distances that include the last",
    )
    mean_rgb: MeanRgb | None = Field(
        default=None, description="Mean RGB that the weights expect, 0..1; null: that of preprocessor_config.json, or ImageNet's"
    )
    std_rgb: StdRgb | None = Field(default=None, description="Standard deviation that the weights expect, 0..1; null: likewise")

    @model_validator(mode="after")
    def _check_source(self) -> "TransformersBackboneOptions":
        if self.folder is not None and self.hub_id is not None:
            raise ValueError("expected a `folder` or a `hub_id`, found both")
        if self.folder is None and self.hub_id is None and self.config is None:
            raise ValueError("expected a `folder`, a `hub_id` or a `config`, found none of them")
        return self


class TransformersBackbone(Encoder):
    """Any backbone of the library transformers (`AutoBackbone`), from a local folder, the hub, or a configuration.

    Raises:
        OptionsError: The library is not installed, or the configuration is of no backbone, or stages do not exist.
        DataError: The folder or the hub has no such configuration.
    """

    Options: ClassVar[type[Options]] = TransformersBackboneOptions
    options: TransformersBackboneOptions

    def __init__(self, options: TransformersBackboneOptions) -> None:
        super().__init__(options)
        self._config = self._configure()
        self.backbone = _import_library().AutoBackbone.from_config(self._config)
        maps = measure_maps(self.forward, self.backbone, _NAME)
        self.channels, self.strides = (tuple(values) for values in zip(*maps, strict=True))
        self.mean_rgb, self.std_rgb = self._normalisation()

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the feature maps of the chosen stages; see `Encoder.forward`."""
        return list(self.backbone(images).feature_maps)

    def load_initial_weights(self) -> dict[str, JsonValue] | None:
        """Load the weights of the folder or of the hub.

        Raises:
            OptionsError: The options name neither.
            DataError: There are no weights as safetensors, or they do not match the configuration.
        """
        if not self.options.pretrained:
            return None
        if not self._source():
            raise OptionsError("The encoder 'transformers': `pretrained: true` needs a `folder` or a `hub_id`.")
        try:
            # Of the class: `AutoBackbone.from_pretrained` asks the hub, also for a folder.
            loaded, report = type(self.backbone).from_pretrained(
                self._source(), config=self._config, dtype=torch.float32, use_safetensors=True, output_loading_info=True,
                **self._access(),
            )  # fmt: skip
        except (OSError, RuntimeError, ValueError) as error:
            raise unreadable_source(self._source(), "weights of this backbone", error, not self.options.folder) from error
        weights: dict[str, Tensor] = loaded.state_dict()
        absent = [name for name in report["missing_keys"] if not _starts_random(name)]
        if absent:
            raise DataError(
                f"{self._source()}: expected the weights of this backbone; {len(absent)} are missing, the first is {absent[0]}."
            )
        self.backbone.load_state_dict(weights)
        return {"name": self._source(), "sha256_of_tensors": sha256_of_tensors(weights)}

    def stored_options(self) -> dict[str, Any]:
        """Return the configuration and the normalisation, which replace the folder or the hub."""
        config = {name: value for name, value in self._config.to_diff_dict().items() if _is_of_architecture(name)}
        return {
            "config": json.loads(json.dumps(config)),
            "pretrained": self.options.pretrained,
            "out_indices": list(self._config.out_indices),
            "mean_rgb": list(self.mean_rgb),
            "std_rgb": list(self.std_rgb),
        }

    def _configure(self) -> Any:
        """Return the configuration with the stages to read."""
        if self.options.config is not None:
            content: Mapping[str, Any] = self.options.config
        elif is_restricted():
            raise OptionsError(
                "The encoder 'transformers': expected the `config` in the model folder, which reads no other source."
            )
        else:
            try:
                read = _import_library().AutoConfig.from_pretrained(self._source(), **self._access())
            except (OSError, ValueError) as error:
                raise unreadable_source(self._source(), "a configuration", error, not self.options.folder) from error
            content = read.to_dict()
        return _make_config(_import_library(), content, self.options.out_indices)

    def _normalisation(self) -> tuple[MeanRgb, StdRgb]:
        read: Mapping[str, Any] = {}
        if self.options.config is None:
            try:
                read, _ = _import_library().ImageProcessingMixin.get_image_processor_dict(self._source(), **self._access())
            except OSError:
                read = {}
        mean = self.options.mean_rgb or read.get("image_mean") or IMAGENET_MEAN_RGB
        std = self.options.std_rgb or read.get("image_std") or IMAGENET_STD_RGB
        return _three(mean), _three(std)

    def _source(self) -> str:
        return self.options.folder.as_posix() if self.options.folder else self.options.hub_id or ""

    def _access(self) -> dict[str, Any]:
        """Return how files are found: the network is used for a hub id only."""
        if self.options.folder is not None:
            return {"local_files_only": True}
        return {"revision": self.options.revision} if self.options.revision else {}


def _import_library() -> Any:
    try:
        import transformers  # noqa: PLC0415 (an extra, and slow to import)
    except ImportError as error:
        raise missing_package(_NAME, "the library transformers", error) from error
    return transformers


def _make_config(library: Any, content: Mapping[str, Any], out_indices: tuple[int, ...] | None) -> Any:
    """Return the configuration of a backbone from JSON-like content, with the stages to read."""
    fields = {name: value for name, value in content.items() if _is_of_architecture(name)}
    kind = fields.pop("model_type", None)
    try:
        config = library.AutoConfig.for_model(kind, **fields)
        if type(config) not in library.MODEL_FOR_BACKBONE_MAPPING or kind in _REFUSED_TYPES:
            raise OptionsError(f"The encoder 'transformers': the model type '{kind}' of the configuration has no backbone.")
        config.out_indices = list(out_indices or _default_indices(len(config.stage_names)))
    except OptionsError:
        raise
    except Exception as error:  # of many types: the library checks each field in its own way
        raise OptionsError(f"The encoder 'transformers': cannot use this configuration of '{kind}': {error}") from error
    return config


def _default_indices(stages: int) -> list[int]:
    """Return the stages to read of a network with a stem and further stages or layers."""
    last = stages - 1
    if last <= _READ_STAGES:
        return list(range(1, stages))
    return [round(last * (number + 1) / _READ_STAGES) for number in range(_READ_STAGES)]


def _starts_random(name: str) -> bool:
    """Return whether a weight is of the normalisation of read maps, which no published file contains; it starts at 1 and 0."""
    return "hidden_states_norms" in name


def _is_of_architecture(name: str) -> bool:
    return not name.startswith("_") and name not in _LEFT_OUT


def _three(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
