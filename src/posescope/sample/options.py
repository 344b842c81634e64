"""Options of the generated sample."""

from typing import Self

from pydantic import Field, model_validator

from posescope.core.plugins import Options

__all__ = ["SampleOptions"]


class SampleOptions(Options):
    """Size, seed and quality of the sample. All options except `workers` determine its bytes."""

    train_persons: int = Field(2500, ge=1, le=200_000, description="Persons with keypoints in train2017")
    val_persons: int = Field(400, ge=1, le=200_000, description="Persons with keypoints in val2017")
    seed: int = Field(0, ge=0, description="Seed of all random choices")
    image_short_side: int = Field(240, ge=96, le=2048, description="Shorter side of an image, px (grows by up to 8 %)")
    image_long_side: int = Field(320, ge=96, le=2048, description="Longer side of an image, px (shrinks by up to 8 %)")
    jpeg_quality: int = Field(92, ge=1, le=100, description="JPEG quality of the images, 1..100")
    workers: int = Field(0, ge=0, le=1024, description="Rendering processes; 0: one per available CPU. Same bytes for any number")

    @model_validator(mode="after")
    def _check_sides(self) -> Self:
        if self.image_long_side < 1.2 * self.image_short_side:
            raise ValueError(
                f"image_long_side must be at least 1.2 x image_short_side; "
                f"found {self.image_long_side} and {self.image_short_side}."
            )
        return self
