"""The folder of a COCO-format data set, and the names of its splits and files."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, ClassVar

from pydantic import Field, field_validator

from posescope.core.errors import DataError
from posescope.core.mirrors import fetch, place_of, remote_of
from posescope.core.plugins import Options
from posescope.core.skeleton import Skeleton
from posescope.data.coco.project_split import ProjectSplit
from posescope.data.images.limits import ImageLimits
from posescope.data.images.orientation import PixelFrame

__all__ = ["SAMPLE_MARKER", "CocoFolder", "SourceOptions"]

SAMPLE_MARKER = "sample.json"  # the file in the folder of a generated sample

Sigma = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class SourceOptions(Options):
    """Names of the splits and files of a data set; `{split}` is replaced by the name of the split."""

    train_split: str = Field("train2017", min_length=1, description="name of the training split (the test set is drawn from it)")
    val_split: str = Field("val2017", min_length=1, description="name of the validation split")
    images: str | None = Field(
        "{split}", description="folder of a split's images below the data set's folder; null: annotations only"
    )
    annotations: str = Field(
        "annotations/person_keypoints_{split}.json",
        description="annotation file of a split; also found with the suffix .gz",
    )
    split: ProjectSplit | None = Field(
        None,
        description="how the project splits a data set of one annotation file, that of `train_split`; null: the data set has a "
        "training and a validation split",
    )
    category: str = Field("person", description="name of the category to read")
    orientation: PixelFrame = Field(
        "stored",
        description="pixel frame of the labels: stored (as in COCO) or upright (EXIF orientation applied)",
    )
    image_limits: ImageLimits = Field(default_factory=ImageLimits, description="maximum size of an image")
    oks_sigmas: dict[str, Sigma] = Field(
        default_factory=dict, description="OKS sigma by joint name, > 0, for joints that COCO lacks"
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
            raise ValueError(f"expected only the placeholder {{split}}, found '{pattern}'") from error
        return pattern

    def source_split_of(self, split: str) -> str:
        """Return the split of the data set that a split comes from; test and calibration set are drawn from the training set."""
        return self.val_split if split == "val" and self.split is None else self.train_split

    def rename_joints(self, skeleton: Skeleton) -> Skeleton:
        """Return the skeleton with the joints of the network: the same, unless an option renames joints."""
        return skeleton

    def splits(self) -> dict[str, str]:
        """Return the names of the splits in the data set by train and val; only train if the project splits one file."""
        return {"train": self.train_split} | ({"val": self.val_split} if self.split is None else {})


@dataclass(frozen=True)
class CocoFolder:
    """The folder `root` of a data set. The nodes of the pipelines get it from the catalog and build no paths."""

    on_demand: ClassVar[None] = None  # of a mirror only what is read is fetched

    root: Path

    @property
    def is_generated(self) -> bool:
        """Whether the images are those of the generated sample instead of photographs."""
        fetch(self.root / SAMPLE_MARKER)
        return (self.root / SAMPLE_MARKER).is_file()

    def options_of(self, source: SourceOptions, source_split: str) -> SourceOptions:
        """Return the conventions of a split: `source`, unless the run has several data sets (`posescope.data.coco.sources`).

        Args:
            source: options of the data set.
            source_split: name of the split in the data set.
        """
        return source

    def has_validation_file(self, source: SourceOptions) -> bool:
        """Return whether the validation set has its own annotation file, instead of a part of the training set's file."""
        return source.split is None

    def annotation_file(self, source: SourceOptions, source_split: str) -> Path:
        """Return the annotation file of a split, `.json` or `.json.gz`.

        Args:
            source: names of the files.
            source_split: name of the split in the data set.

        Raises:
            DataError: if neither exists.
        """
        plain = self.root / source.annotations.format(split=source_split)
        zipped = plain.with_name(plain.name + ".gz")
        found = next((path for path in (plain, zipped) if _is_fetched(path)), None)
        if found is None:
            raise DataError(
                f"{place_of(plain)}: the annotation file does not exist (nor {zipped.name}). "
                f"Check raw_dir={place_of(self.root)} and "
                "data_engineering.source.train_split, val_split and annotations. If the data set has one annotation file, set "
                "data_engineering.source.split."
            )
        return found

    def image_folder(self, source: SourceOptions, source_split: str) -> Path:
        """Return the folder of a split's images.

        Args:
            source: names of the files.
            source_split: name of the split in the data set.

        Raises:
            DataError: if the folder does not exist, or the source has annotations only.
        """
        if source.images is None:
            raise DataError(
                f"{self.root}: expected the folder of the images in data_engineering.source.images, found null. Without images "
                "the annotations can be read, filtered and split, but no crops written."
            )
        folder = self.root / source.images.format(split=source_split)
        if not _is_folder(folder):
            raise DataError(
                f"{place_of(folder)}: the image folder does not exist. Check raw_dir={place_of(self.root)} and "
                "data_engineering.source.images."
            )
        return folder

    def check(self, source: SourceOptions) -> None:
        """Check that all files and folders of `source` exist.

        Raises:
            DataError: names the first missing one.
        """
        if not _is_folder(self.root):
            raise DataError(f"{place_of(self.root)}: the folder of the data set (raw_dir) does not exist.")
        for source_split in source.splits().values():
            self.annotation_file(source, source_split)
            if source.images is not None:
                self.image_folder(source, source_split)

    def is_finished(self) -> bool:
        """Return whether the folder exists and is not empty."""
        remote = remote_of(self.root)
        if remote is not None:
            return remote.store.is_folder(remote.name_of(self.root))
        return self.root.is_dir() and any(self.root.iterdir())


def _is_fetched(path: Path) -> bool:
    """Return whether a file exists; one of an object store is on this machine afterwards."""
    fetch(path)
    return path.is_file()


def _is_folder(path: Path) -> bool:
    """Return whether a folder exists; of an object store, whether an object is below it."""
    remote = remote_of(path)
    return path.is_dir() if remote is None else remote.store.is_folder(remote.name_of(path))
