"""Where a COCO-format data set lies: the store object that the catalog hands to the nodes."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import Field, field_validator

from posescope.core.errors import DataError
from posescope.core.plugins import Options
from posescope.data.images.headers import ImageLimits
from posescope.data.images.orientation import PixelFrame

__all__ = ["SAMPLE_MARKER", "CocoFolder", "SourceOptions"]

SAMPLE_MARKER = "sample.json"  # stands in the folder of a generated sample

Sigma = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class SourceOptions(Options):
    """How the splits and files of a data set are called; `{split}` stands for the split's name."""

    train_split: str = Field("train2017", min_length=1, description="name of the split that trains (and gives the test set)")
    val_split: str = Field("val2017", min_length=1, description="name of the split that validates")
    images: str | None = Field(
        "{split}", description="folder of a split's images, under the data set's folder; null: there are annotations only"
    )
    annotations: str = Field(
        "annotations/person_keypoints_{split}.json", description="annotation file of a split; with .gz added it is found too"
    )
    category: str = Field("person", description="name of the category to read")
    orientation: PixelFrame = Field(
        "stored",
        description="frame of the labels: stored (the file's pixels, as in COCO) or upright (turned by EXIF)",
    )
    image_limits: ImageLimits = Field(default_factory=ImageLimits, description="the largest picture that is decoded")
    oks_sigmas: dict[str, Sigma] = Field(
        default_factory=dict, description="OKS sigmas by joint name, > 0, for joints that COCO lacks"
    )

    @field_validator("images", "annotations")
    @classmethod
    def _stays_inside(cls, pattern: str | None) -> str | None:
        if pattern is None:
            return None
        if PurePosixPath(pattern).is_absolute() or ".." in PurePosixPath(pattern).parts:
            raise ValueError(f"expected a path below the data set's folder, found '{pattern}'")
        try:
            pattern.format(split="any")
        except (LookupError, ValueError, AttributeError) as error:
            raise ValueError(f"expected no placeholder but {{split}}, found '{pattern}'") from error
        return pattern

    def source_split_of(self, split: str) -> str:
        """The data set's split that the people of ours (train, val, test) come from: the test set is drawn from train."""
        return self.val_split if split == "val" else self.train_split

    def splits(self) -> dict[str, str]:
        """The splits that have files of their own: our name -> the data set's."""
        return {"train": self.train_split, "val": self.val_split}


@dataclass(frozen=True)
class CocoFolder:
    """A data set's folder. Nodes get it from the catalog; they never build paths themselves."""

    root: Path

    @property
    def is_generated(self) -> bool:
        """Whether these are the drawn people of the generated sample, and no photographs."""
        return (self.root / SAMPLE_MARKER).is_file()

    def annotation_file(self, source: SourceOptions, source_split: str) -> Path:
        """The annotation file of a split, `.json` or `.json.gz`.

        Raises:
            DataError: if there is neither.
        """
        plain = self.root / source.annotations.format(split=source_split)
        zipped = plain.with_name(plain.name + ".gz")
        found = next((path for path in (plain, zipped) if path.is_file()), None)
        if found is None:
            raise DataError(
                f"{plain}: there is no such annotation file (nor {zipped.name}). Is raw_dir={self.root} right, and are "
                "data_engineering.source.train_split, val_split and annotations?"
            )
        return found

    def image_folder(self, source: SourceOptions, source_split: str) -> Path:
        """The folder of a split's images.

        Raises:
            DataError: if there is no such folder, or the source has annotations only.
        """
        if source.images is None:
            raise DataError(
                f"{self.root}: this source has no images (data_engineering.source.images is null). Its annotations can be read, "
                "filtered, boxed and split; to cut people out, say in which folder the images of a split lie."
            )
        folder = self.root / source.images.format(split=source_split)
        if not folder.is_dir():
            raise DataError(
                f"{folder}: there is no such folder of images. Is raw_dir={self.root} right, and data_engineering.source.images?"
            )
        return folder

    def check(self, source: SourceOptions) -> None:
        """See that every file and folder that `source` names is there.

        Raises:
            DataError: naming the first one that is missing.
        """
        if not self.root.is_dir():
            raise DataError(f"{self.root}: there is no such folder. raw_dir names the data set's folder.")
        for source_split in source.splits().values():
            self.annotation_file(source, source_split)
            if source.images is not None:
                self.image_folder(source, source_split)

    def is_finished(self) -> bool:
        """True if the folder is there with something in it."""
        return self.root.is_dir() and any(self.root.iterdir())
