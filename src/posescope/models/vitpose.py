"""ViTPose (Xu et al. 2022): a plain vision transformer and a small decoder, by the library transformers (extra `networks`).

    images ─ 1/std ─ patches ─ block 1 .. n ─ norm ─ feature map at the patch size ─ head ──> heatmaps, 4 times as large

The weights of the authors are of crops of 256 x 192 px by the rule `top_down` and of heatmaps with aligned corner px
(`alignment: corners` of the codec `gaussian`). A mixture of experts (ViTPose+) runs with one expert, that of a data set.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field, JsonValue, ValidationError, model_validator
from torch import Tensor, nn

from posescope.core.errors import DataError, OptionsError
from posescope.core.extras import install_command
from posescope.core.plugins import Options, describe_validation_error
from posescope.models.base import PoseNetwork
from posescope.models.encoders.base import IMAGENET_MEAN_RGB, IMAGENET_STD_RGB, MeanRgb, StdRgb
from posescope.models.encoders.weights_files import read_shard_names, read_weights, sha256_of_tensors, unreadable_source

__all__ = ["VitPose", "VitPoseArchitecture", "VitPoseOptions"]

_CONFIG, _WEIGHTS, _INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
_CLASSIC_SCALE = 4  # two deconvolutions of stride 2
_PATCH_PADDING_PX = 2  # of the convolution that embeds the patches
_LAST = "head.conv."  # the layer with one row per joint


class VitPoseArchitecture(Options):
    """Architecture; the defaults are those of ViTPose-B with the simple decoder."""

    patch_size: tuple[int, int] = Field((16, 16), description="(height, width) of a patch, px; more than 4 each")
    hidden_size: int = Field(768, ge=4, le=4096, description="Channels of the transformer")
    num_hidden_layers: int = Field(12, ge=1, le=64, description="Number of blocks")
    num_attention_heads: int = Field(12, ge=1, le=64, description="Heads of an attention")
    mlp_ratio: int = Field(4, ge=1, le=16, description="Width of the MLP of a block divided by `hidden_size`")
    num_experts: int = Field(1, ge=1, le=64, description="Experts in the MLPs; 1: no mixture of experts")
    part_features: int = Field(256, ge=1, le=4096, description="Channels that the experts compute")
    hidden_act: Literal["gelu", "gelu_new", "quick_gelu", "relu", "silu"] = Field("gelu", description="Activation function")
    hidden_dropout_prob: float = Field(0.0, ge=0, lt=1, description="Dropout of the blocks")
    attention_probs_dropout_prob: float = Field(0.0, ge=0, lt=1, description="Dropout of the attention")
    layer_norm_eps: float = Field(1e-12, gt=0, le=1, description="Constant added to the variance in layer norms")
    initializer_range: float = Field(0.02, gt=0, le=1, description="Standard deviation of random initial weights")
    qkv_bias: bool = Field(True, description="Whether queries, keys and values have a bias")
    use_simple_decoder: bool = Field(True, description="Upsampling and one convolution, or else two deconvolutions")
    scale_factor: int = Field(4, ge=1, le=16, description="Upsampling of the simple decoder")

    @model_validator(mode="after")
    def _fits_together(self) -> "VitPoseArchitecture":
        if self.hidden_size % self.num_attention_heads:
            raise ValueError("hidden_size: expected a multiple of num_attention_heads")
        if min(self.patch_size) <= 2 * _PATCH_PADDING_PX:
            raise ValueError(f"patch_size: expected more than {2 * _PATCH_PADDING_PX} px")
        return self

    @property
    def map_scale(self) -> int:
        """Heatmap px per patch."""
        return self.scale_factor if self.use_simple_decoder else _CLASSIC_SCALE


class VitPoseOptions(Options):
    """Options of the network `vitpose`."""

    folder: Path | None = Field(
        default=None,
        description="Folder with config.json and model.safetensors of transformers, or several files of weights with their index",
    )
    hub_id: str | None = Field(
        default=None, description="Model of the Hugging Face hub, such as usyd-community/vitpose-base-simple; downloaded once"
    )
    revision: str | None = Field(default=None, description="Commit, branch or tag of `hub_id`; null: its main branch")
    config: VitPoseArchitecture | None = Field(
        default=None, description="Architecture; null: that of the folder or of the hub, or without them ViTPose-B"
    )
    pretrained: bool = Field(default=True, description="Whether a training starts from the weights of the folder or of the hub")
    dataset_index: int = Field(default=0, ge=0, le=63, description="Expert of a mixture of experts; 0 is COCO's in ViTPose+")
    mean_rgb: MeanRgb = Field(default=IMAGENET_MEAN_RGB, description="Mean RGB that the weights expect, 0..1")
    std_rgb: StdRgb = Field(default=IMAGENET_STD_RGB, description="Standard deviation that the weights expect, 0..1")

    @model_validator(mode="after")
    def _names_one_source_at_most(self) -> "VitPoseOptions":
        if self.folder is not None and self.hub_id is not None:
            raise ValueError("expected a `folder` or a `hub_id`, found both")
        return self


class VitPose(PoseNetwork):
    """ViTPose with the weights of a folder or of the hub, or with random ones.

    Short names of the layers: `embeddings` and `block1`, `block2` and so on, tokens (N, L, C); `feature_map`, the normalised
    output of the last block as a map (N, C, h, w), the bottleneck; `head`, the heatmaps. There are no skip connections.

    The weights of the tensors have the names of transformers' `VitPoseForPoseEstimation`.

    Raises:
        OptionsError: transformers is not installed, or the crop size does not fit the patches or the weights.
        DataError: The folder or the hub has no such configuration.
    """

    Options: ClassVar[type[Options]] = VitPoseOptions
    inverse_std: Tensor

    def __init__(self, options: VitPoseOptions, crop_size: tuple[int, int], joint_count: int) -> None:
        super().__init__()
        self.options = options
        self.architecture = options.config or _find_architecture(options, crop_size)
        if options.dataset_index >= self.architecture.num_experts:
            raise OptionsError(
                f"vitpose: dataset_index: expected less than num_experts ({self.architecture.num_experts}), "
                f"found {options.dataset_index}."
            )
        self._grid = _grid_of(crop_size, self.architecture.patch_size)
        self.map_size = (self._grid[0] * self.architecture.map_scale, self._grid[1] * self.architecture.map_scale)
        self.mean_rgb = options.mean_rgb
        self.register_buffer("inverse_std", 1 / torch.tensor(options.std_rgb).view(1, 3, 1, 1))
        library = _build_library_model(self.architecture, crop_size, joint_count)
        self.backbone, self.head = library.backbone, library.head
        self.feature_map = nn.Identity()  # a layer that is read and replaced
        blocks = {
            f"block{number + 1}": f"backbone.encoder.layer.{number}" for number in range(self.architecture.num_hidden_layers)
        }
        self.short_names = {"embeddings": "backbone.embeddings", **blocks, "feature_map": "feature_map", "head": "head"}
        self.bottleneck_layer, self.head_layers, self.pretrained_layers = "feature_map", ("head",), ("backbone", "head")

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return one tensor of heatmaps (N, K, h, w); see `PoseNetwork.forward`."""
        tokens = self.backbone.embeddings(images * self.inverse_std)
        expert = None
        if self.architecture.num_experts > 1:
            expert = torch.full((len(images),), self.options.dataset_index, device=images.device)
        for block in self.backbone.encoder.layer:
            tokens = block(tokens, expert)
        tokens = self.backbone.layernorm(tokens)
        return [self.head(self.feature_map(tokens.transpose(1, 2).unflatten(2, self._grid).contiguous()))]

    def load_initial_weights(self) -> dict[str, JsonValue] | None:
        """Load the weights of the folder or of the hub; the last layer stays random if their number of joints is another.

        Raises:
            DataError: There is no such file, or it has not the weights of this architecture.
        """
        if not self.options.pretrained or not (self.options.folder or self.options.hub_id):
            return None
        path, weights, checksum = _read_weights(self.options)
        own = self.state_dict()
        anew = sorted(
            name for name in own if name.startswith(_LAST) and name in weights and weights[name].shape != own[name].shape
        )
        kept = {name: value for name, value in weights.items() if name not in anew}
        try:
            report = self.load_state_dict(kept, strict=False)
        except RuntimeError as error:
            raise DataError(f"{path}: expected the weights of this ViTPose. {error}") from error
        absent = sorted(set(report.missing_keys) - {"inverse_std", *anew})
        if absent or report.unexpected_keys:
            raise DataError(
                f"{path}: expected the weights of this ViTPose, found {len(absent)} missing ({', '.join(absent[:2]) or 'none'}) "
                f"and {len(report.unexpected_keys)} unknown ones ({', '.join(report.unexpected_keys[:2]) or 'none'})."
            )
        name = self.options.hub_id or str(self.options.folder)
        return {"name": name, **checksum, **({"started_anew": list(anew)} if anew else {})}

    def stored_options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options with the architecture in place of the folder or the hub."""
        kept = {name: value for name, value in options.items() if name not in {"folder", "hub_id", "revision"}}
        return {**kept, "config": self.architecture.model_dump(mode="json")}


def _grid_of(crop_size: tuple[int, int], patch_size: tuple[int, int]) -> tuple[int, int]:
    if any(side % patch for side, patch in zip(crop_size, patch_size, strict=True)):
        raise OptionsError(
            f"vitpose: expected crops whose height and width are multiples of the patch ({patch_size[0]}x{patch_size[1]} px), "
            f"found {crop_size[0]}x{crop_size[1]} px. Choose another data_engineering.crop.size_px."
        )
    return crop_size[0] // patch_size[0], crop_size[1] // patch_size[1]


def _find_file(options: VitPoseOptions, name: str) -> Path:
    """Return the path of a file of the folder, or of the hub, from which it is downloaded once."""
    if options.folder is not None:
        path = options.folder / name
        if not path.is_file():
            raise DataError(
                f"{path}: expected this file in the folder of a ViTPose of transformers, found none. Correct the path."
            )
        return path
    try:
        from huggingface_hub import hf_hub_download  # noqa: PLC0415 (an extra, and slow to import)
    except ImportError as error:
        raise _missing(error) from error
    try:
        return Path(hf_hub_download(str(options.hub_id), name, revision=options.revision))
    except (OSError, ValueError) as error:
        raise unreadable_source(str(options.hub_id), name, error, is_hub=True) from error


def _read_weights(options: VitPoseOptions) -> tuple[Path, dict[str, Tensor], dict[str, JsonValue]]:
    """Return the file of the weights or its index, the tensors of one or several files, and their SHA-256 by its name."""
    try:
        path = _find_file(options, _WEIGHTS)
    except DataError as error:
        try:
            index = _find_file(options, _INDEX)
        except DataError:
            raise error from None
        parts = [read_weights(_find_file(options, name))[0] for name in read_shard_names(index)]
        tensors = {name: tensor for part in parts for name, tensor in part.items()}
        return index, tensors, {"sha256_of_tensors": sha256_of_tensors(tensors)}
    tensors, sha256 = read_weights(path)
    return path, tensors, {"sha256": sha256}


def _find_architecture(options: VitPoseOptions, crop_size: tuple[int, int]) -> VitPoseArchitecture:
    if options.folder is None and options.hub_id is None:
        return VitPoseArchitecture()
    return _read_architecture(_find_file(options, _CONFIG), crop_size)


def _read_architecture(path: Path, crop_size: tuple[int, int]) -> VitPoseArchitecture:
    """Return the architecture of a config.json; it must be of a ViTPose for crops of this size."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        backbone = dict(content["backbone_config"])
        size = backbone.get("image_size", [256, 192])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: expected the configuration of a ViTPose, found {type(error).__name__}: {error}.") from error
    found = (size, size) if isinstance(size, int) else tuple(size)
    if found != crop_size:
        raise OptionsError(
            f"{path}: the weights are of crops of {list(found)} px (height, width), found {list(crop_size)}. Set "
            f"data_engineering.crop.size_px to {list(found)}, with the crop rule top_down."
        )
    values = {
        name: value for name, value in {**backbone, **_decoder_of(content)}.items() if name in VitPoseArchitecture.model_fields
    }
    if isinstance(values.get("patch_size"), int):
        values["patch_size"] = (values["patch_size"],) * 2
    try:
        return VitPoseArchitecture.model_validate(values)
    except ValidationError as error:
        faults = "; ".join(describe_validation_error(error))
        raise DataError(f"{path}: expected the configuration of a ViTPose: {faults}.") from error


def _decoder_of(content: Mapping[str, Any]) -> dict[str, Any]:
    return {name: content[name] for name in ("use_simple_decoder", "scale_factor") if name in content}


def _build_library_model(architecture: VitPoseArchitecture, crop_size: tuple[int, int], joint_count: int) -> Any:
    try:
        from transformers import VitPoseBackboneConfig, VitPoseConfig, VitPoseForPoseEstimation  # noqa: PLC0415 (slow to import)
    except ImportError as error:
        raise _missing(error) from error
    values = architecture.model_dump(exclude={"use_simple_decoder", "scale_factor"})
    last = architecture.num_hidden_layers
    backbone = VitPoseBackboneConfig(image_size=list(crop_size), out_indices=[last], attn_implementation="sdpa", **values)
    config = VitPoseConfig(
        backbone_config=backbone, num_labels=joint_count, use_simple_decoder=architecture.use_simple_decoder,
        scale_factor=architecture.scale_factor, initializer_range=architecture.initializer_range,
    )  # fmt: skip
    return VitPoseForPoseEstimation(config)


def _missing(error: ImportError) -> OptionsError:
    return OptionsError(
        f"The network 'vitpose' needs the library transformers, which cannot be imported ({error}). Install it: "
        f"{install_command('transformers')}"
    )
