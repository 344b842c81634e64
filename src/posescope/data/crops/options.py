"""Options of the crops and of the split."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from posescope.core.errors import OptionsError
from posescope.core.plugins import ComponentSpec, Options, check_options
from posescope.geometry.crop_recipe import CropRecipe, follows_aspect

__all__ = ["CropOptions", "SplitOptions"]

ChannelValue = Annotated[int, Field(ge=0, le=255)]
CropSide = Annotated[int, Field(ge=16, le=1024)]


def _square_as_one_number(size: int | tuple[int, int]) -> int | tuple[int, int]:
    """Return one number for a square, so that the same crops have the same fingerprint however they are written."""
    return size[0] if isinstance(size, tuple) and size[0] == size[1] else size


CropSize = Annotated[CropSide | tuple[CropSide, CropSide], AfterValidator(_square_as_one_number)]


class CropOptions(Options):
    """How persons are cropped from their images."""

    rule: str = Field("centred_square", description="name of the crop rule")
    rule_options: dict[str, Any] = Field(default_factory=dict, description="options of that rule")
    size_px: CropSize = Field(256, description="size of the stored crops, px: the side, or (height, width); 16 to 1024 each")
    padding_rgb: tuple[ChannelValue, ChannelValue, ChannelValue] = Field(
        (124, 116, 104), description="colour outside the image, 0..255 each"
    )
    shard_persons: int = Field(
        512, ge=1, description="minimum number of persons per shard (the persons of an image share a shard)"
    )
    workers: int = Field(0, ge=0, description="number of processes; 0: one per available CPU; does not change the result")
    reads_in_flight: int = Field(
        16,
        ge=1,
        le=256,
        description="number of images of an object store that each process requests ahead; no effect on local ones",
    )

    @model_validator(mode="after")
    def _rule_is_known(self) -> "CropOptions":
        try:
            check_options("crop_rules", self.rule_spec)
        except OptionsError as error:
            raise ValueError(str(error)) from error
        if isinstance(self.size_px, tuple) and not follows_aspect(self.rule):
            raise ValueError(
                f"size_px: expected one number, because the crop rule '{self.rule}' makes squares, found {list(self.size_px)}. "
                "Set one number, or choose a rule for crops of any aspect ratio, such as top_down"
            )
        return self

    @property
    def rule_spec(self) -> ComponentSpec:
        """The crop rule as a component."""
        return ComponentSpec(name=self.rule, options=self.rule_options)

    @property
    def recipe(self) -> CropRecipe:
        """Crop rule and padding, stored with the model so that prediction crops alike."""
        return CropRecipe(rule=self.rule_spec, padding_rgb=self.padding_rgb)

    @property
    def crop_size(self) -> tuple[int, int]:
        """(height, width) px."""
        return self.size_px if isinstance(self.size_px, tuple) else (self.size_px, self.size_px)


class SplitOptions(Options):
    """How the test and the calibration set are drawn from the training set."""

    max_test_fraction: float = Field(
        0.2, ge=0, le=0.9, description="maximum fraction of the training persons that goes to the test set"
    )
    max_calibration_fraction: float = Field(
        0.1,
        ge=0,
        le=0.5,
        description="maximum fraction of the training persons that calibrates the uncertainty of the joints; 0: no calibration",
    )
    seed: int = Field(0, ge=0, description="seed of the random draws")

    @model_validator(mode="after")
    def _leaves_persons_to_train(self) -> "SplitOptions":
        if self.max_test_fraction + self.max_calibration_fraction >= 1:
            raise ValueError(
                "max_test_fraction and max_calibration_fraction: expected a sum below 1, found "
                f"{self.max_test_fraction:g} + {self.max_calibration_fraction:g}"
            )
        return self
