"""Several data sets in one run: their options, the folders of their files, and their ids and joints in the joined data.

    data set     id in its files    joints in its files       in the joined data
    first        7                  nose, left_shoulder       image 7,                  nose, left_shoulder, neck
    second       7                  neck, l_shoulder          image 10_000_000_000_007, nose, left_shoulder, neck

A split of the joined data is named `<source>/<split>`. Image and annotation ids of source number i (0-based) are increased by
i x `ID_STRIDE`, so that ids are unique, and the id in the files is the remainder.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import ConfigDict, Field, RootModel, field_validator

from posescope.core.errors import DataError
from posescope.core.paths import LocalPath
from posescope.core.skeleton import DEFAULT_OKS_SIGMA, KNOWN_OKS_SIGMAS, Skeleton
from posescope.data.coco.folder import CocoFolder, SourceOptions

__all__ = [
    "ID_STRIDE", "NamedSource", "SourceFolders", "SourceList", "combine_folders", "merge_skeletons", "name_of_source",
    "naming_source", "our_joints",
]  # fmt: skip

ID_STRIDE = 10**13  # the ids of 900 sources are exact in every JSON reader, which may store them as float64


class NamedSource(SourceOptions):
    """One of several data sets: its name, folder, joints and weight, besides the names of its splits and files."""

    name: str = Field(pattern=r"^[A-Za-z0-9][\w.-]*$", description="name of the data set in tables and results")
    raw_dir: LocalPath = Field(description="folder of the data set, absolute or relative to the run's raw_dir")
    joints: dict[str, str | None] = Field(
        default_factory=dict,
        description="name of the network's joint by name of the joint in the data set; null: the joint is left out; others keep "
        "their names",
    )
    weight: float = Field(1.0, gt=0, le=1000, description="factor of its persons in the loss; sampling is not changed")

    def rename_joints(self, skeleton: Skeleton) -> Skeleton:
        """Return the skeleton with the network's names, without the joints that are left out.

        Raises:
            DataError: if the option `joints` does not fit the skeleton.
        """
        return merge_skeletons([(self, skeleton)])


class SourceList(RootModel[tuple[NamedSource, ...]]):
    """The data sets of `data_engineering.sources`; empty: the run has the single data set of `data_engineering.source`."""

    model_config = ConfigDict(frozen=True)

    root: tuple[NamedSource, ...] = ()

    @field_validator("root")
    @classmethod
    def _names_are_unique(cls, sources: tuple[NamedSource, ...]) -> tuple[NamedSource, ...]:
        names = [source.name for source in sources]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"expected sources with different names, found {', '.join(repeated)} more than once")
        return sources

    def __len__(self) -> int:
        return len(self.root)


@dataclass(frozen=True)
class SourceFolders(CocoFolder):
    """Several data sets.

    Attributes:
        root: the run's `raw_dir`, below which relative folders of the sources are.
        sources: the data sets.
    """

    sources: tuple[NamedSource, ...] = ()

    @property
    def is_generated(self) -> bool:
        """Whether the images of all sources are those of a generated sample."""
        return all(self.folder_of(source).is_generated for source in self.sources)

    def folder_of(self, source: NamedSource) -> CocoFolder:
        """Return the folder of one of the data sets."""
        return CocoFolder(self.root / Path(source.raw_dir))

    def options_of(self, source: SourceOptions, source_split: str) -> NamedSource:
        """Return the options of the data set that a split belongs to; `source` is not read."""
        return self._find(source_split)[0]

    def has_validation_file(self, source: SourceOptions) -> bool:
        """Return whether the validation sets of all sources have their own annotation files; `source` is not read."""
        return all(own.split is None for own in self.sources)

    def annotation_file(self, source: SourceOptions, source_split: str) -> Path:
        """Return the annotation file of a split `<source>/<split>`; see `CocoFolder.annotation_file`."""
        own, split = self._find(source_split)
        with naming_source(own.name):
            return self.folder_of(own).annotation_file(own, split)

    def image_folder(self, source: SourceOptions, source_split: str) -> Path:
        """Return the folder of the images of a split `<source>/<split>`; see `CocoFolder.image_folder`."""
        own, split = self._find(source_split)
        with naming_source(own.name):
            return self.folder_of(own).image_folder(own, split)

    def check(self, source: SourceOptions) -> None:
        """Check that the files and folders of all sources exist.

        Raises:
            DataError: names the source and the first missing file or folder.
        """
        for own in self.sources:
            with naming_source(own.name):
                self.folder_of(own).check(own)

    def _find(self, source_split: str) -> tuple[NamedSource, str]:
        name, split = name_of_source(source_split), source_split.partition("/")[2]
        found = next((source for source in self.sources if source.name == name), None)
        if found is None:
            raise DataError(
                f"The data has persons of '{source_split}', expected one of the sources "
                f"{', '.join(source.name for source in self.sources)}: data_engineering.sources was changed. Run the pipeline "
                "data_engineering again."
            )
        return found, split


def combine_folders(folder: CocoFolder, sources: SourceList | None) -> CocoFolder:
    """Return the folders of several data sets, or the folder itself if there is a single one.

    Args:
        folder: folder of the run (`raw_dir`).
        sources: the data sets. Empty or None: the run has the single data set in `folder`.
    """
    return SourceFolders(folder.root, sources.root) if sources else folder


def name_of_source(source_split: str) -> str:
    """Return the name of the data set of a split `<source>/<split>`."""
    return source_split.partition("/")[0]


@contextmanager
def naming_source(name: str) -> Iterator[None]:
    """Name the data set in the message of a `DataError` that is raised in the block."""
    try:
        yield
    except DataError as error:
        where = f"Source '{name}' (data_engineering.sources): "
        if str(error).startswith(where):
            raise
        raise DataError(f"{where}{error}") from error


def our_joints(source: NamedSource, joints: Sequence[str]) -> tuple[str | None, ...]:
    """Return the network's name of each joint of a data set; None for a joint that is left out.

    Args:
        source: has the names that differ.
        joints: names in the data set, in its order.

    Raises:
        DataError: if the option names a joint that the data set lacks, two joints get one name, or no joint is left.
    """
    unknown = [name for name in source.joints if name not in joints]
    if unknown:
        raise DataError(
            f"joints: expected names of joints of the data set, found {', '.join(unknown)}. It has: {', '.join(joints)}."
        )
    names = tuple(source.joints.get(name, name) for name in joints)
    kept = [name for name in names if name is not None]
    doubled = sorted({name for name in kept if kept.count(name) > 1})
    if doubled or not kept or "" in kept:
        raise DataError(
            f"joints: expected at least one joint and another name for each, found {', '.join(map(repr, names))}. Rename joints, "
            "or set them to null to leave them out."
        )
    return names


def merge_skeletons(skeletons: Sequence[tuple[NamedSource, Skeleton]]) -> Skeleton:
    """Return the skeleton with the joints and limbs of all data sets, in the order in which they first occur.

    Args:
        skeletons: each data set with its own skeleton. The category id is that of the first.

    Raises:
        DataError: if two data sets state different OKS sigmas for one joint.
    """
    joints: dict[str, None] = {}
    limbs: dict[frozenset[str], tuple[str, str]] = {}
    given: dict[str, tuple[str, float]] = {}
    for source, skeleton in skeletons:
        with naming_source(source.name):
            names = our_joints(source, skeleton.joints)
        for name, theirs, sigma in zip(names, skeleton.joints, skeleton.oks_sigmas, strict=True):
            if name is None:
                continue
            joints.setdefault(name)
            if theirs not in skeleton.guessed_sigmas:
                first, known = given.setdefault(name, (source.name, sigma))
                if known != sigma:
                    raise DataError(
                        f"Joint '{name}' has the OKS sigma {known:g} in the source '{first}' and {sigma:g} in '{source.name}'. "
                        "Give both sources the same value: data_engineering.sources, oks_sigmas."
                    )
        for start, end in ((names[a], names[b]) for a, b in skeleton.limbs):
            if start is not None and end is not None:
                limbs.setdefault(frozenset((start, end)), (start, end))
    sigmas = {**KNOWN_OKS_SIGMAS, **{name: sigma for name, (_, sigma) in given.items()}}
    place = {name: row for row, name in enumerate(joints)}
    return Skeleton(
        joints=tuple(joints),
        limbs=tuple((place[start], place[end]) for start, end in limbs.values()),
        oks_sigmas=tuple(sigmas.get(name, DEFAULT_OKS_SIGMA) for name in joints),
        guessed_sigmas=tuple(name for name in joints if name not in sigmas),
        category_id=skeletons[0][1].category_id,
    )
