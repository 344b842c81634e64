"""What the files of the cut pictures say about the data set: the same picture or person twice, and EXIF orientations.

All of it is read from the records of the shards: files were hashed and their headers read when they were cut.
"""

from collections.abc import Iterator, Sequence

import pandas as pd

from posescope.core.tables import DataQuality, table_of
from posescope.data.coco.data_quality import Finding
from posescope.data.coco.folder import SourceOptions
from posescope.data.crops.crop_store import CropStore
from posescope.data.crops.shard_writer import ImageFacts, ShardRecord
from posescope.data.images.orientation import SIDEWAYS, UPRIGHT

__all__ = ["check_images", "image_quality_table"]

_EXAMPLES = 3


def check_images(records: Sequence[ShardRecord], persons: pd.DataFrame, source: SourceOptions) -> list[Finding]:
    """Look for pictures and persons that stand twice, and for orientations that change what labels mean.

    Near duplicates (another JPEG quality, another size, a frame later) are not found.

    Args:
        records: of all shards.
        persons: a `Persons` table with the final splits.
        source: how the data set's files are called.

    Returns:
        The findings, one a check; those across splits first.
    """
    pictures, crops = _pictures_table(records, persons), _crops_table(records, persons)
    return [
        *_check_orientations(pictures, source),
        *_check_same_files(pictures),
        *_check_same_crops(crops),
    ]


def image_quality_table(store: CropStore, persons: pd.DataFrame, source: SourceOptions) -> pd.DataFrame:
    """Return the findings of `check_images` for a finished store as a `DataQuality` table."""
    return table_of(DataQuality, check_images(store.records(), persons, source))


def _pictures_table(records: Sequence[ShardRecord], persons: pd.DataFrame) -> pd.DataFrame:
    """One row an image file: the facts, the data set's split and the final one."""
    facts = [picture for record in records for picture in record.pictures]
    table = pd.DataFrame(facts, columns=list(ImageFacts._fields))
    splits = persons.assign(name=_names_of(persons)).drop_duplicates("name")[["name", "source_split", "split"]]
    return table.merge(splits, on="name", validate="one_to_one")


def _crops_table(records: Sequence[ShardRecord], persons: pd.DataFrame) -> pd.DataFrame:
    """One row a crop: digest, and the person's id, split, picture and the digest of its file."""
    digests = [pair for record in records for pair in zip(record.person_ids, record.row_digests, strict=True)]
    files = {picture.name: picture.digest for record in records for picture in record.pictures}
    table = pd.DataFrame(digests, columns=["person_id", "digest"])
    people = persons.assign(name=_names_of(persons))[["person_id", "source_split", "split", "name"]]
    table = table.merge(people, on="person_id", validate="one_to_one")
    return table.assign(file_digest=table["name"].map(files))


def _names_of(persons: pd.DataFrame) -> pd.Series:
    return persons["source_split"] + "/" + persons["file_name"]


def _check_orientations(pictures: pd.DataFrame, source: SourceOptions) -> Iterator[Finding]:
    """Pictures that EXIF turns while the labels are taken to refer to the stored pixels."""
    turned = pictures[pictures["orientation"] != UPRIGHT]
    if source.orientation == "upright" or turned.empty:
        return
    keeps_size = ~turned["orientation"].isin(SIDEWAYS) | (turned["height"] == turned["width"])
    first = (turned[keeps_size] if keeps_size.any() else turned).iloc[0]
    yield Finding(
        severity="warned",
        split="all",
        check="exif_orientation",
        records=len(turned),
        total=len(pictures),
        detail=(
            f"EXIF turns these pictures ('{first['name']}' has orientation {first['orientation']}), and the labels are taken to "
            f"refer to the stored pixels; for {int(keeps_size.sum())} of them the annotated size cannot tell if that is right."
        ),
        remedy=(
            "If the labels were drawn on upright pictures, as most tools show them, set data_engineering.source.orientation to "
            "upright; crop_grid.png shows which it is."
        ),
    )


def _check_same_files(pictures: pd.DataFrame) -> Iterator[Finding]:
    """Warn of files with the same bytes."""
    repeated = pictures[pictures.duplicated("digest", keep=False)]
    spread = repeated.groupby("digest")["split"].transform("nunique") > 1
    yield from _warn_of_repeated(repeated, spread, len(pictures), "picture", "images", "Files with the same bytes")


def _check_same_crops(crops: pd.DataFrame) -> Iterator[Finding]:
    """Warn of persons whose crops have the same pixels though their files differ: the same picture in another encoding."""
    repeated = crops[crops.duplicated("digest", keep=False)]
    repeated = repeated[repeated.groupby("digest")["file_digest"].transform("nunique") > 1]
    spread = repeated.groupby("digest")["split"].transform("nunique") > 1
    named = repeated.assign(name=repeated["name"] + " person " + repeated["person_id"].astype(str))
    what = "Crops with the same pixels, from files with different bytes,"
    yield from _warn_of_repeated(named, spread, len(crops), "person", "persons", what)


def _warn_of_repeated(
    repeated: pd.DataFrame, spread: pd.Series, total: int, kind: str, records: str, what: str
) -> Iterator[Finding]:
    """Warn of records with equal digests: those in several splits, and those within one, each as a finding of its own."""
    for part, check, where in (
        (repeated[spread], f"same_{kind}_in_two_splits", "in more than one of train, val and test"),
        (repeated[~spread], f"same_{kind}_twice", "more than once in one split"),
    ):
        if len(part):
            yield Finding(
                severity="warned",
                split=_split_of(part),
                check=check,
                records=len(part),
                total=total,
                detail=f"{what} occur {where}: {_show_groups(part)}.",
                remedy=_remedy_of(check, records),
            )


def _split_of(part: pd.DataFrame) -> str:
    splits = part["source_split"].unique()
    return str(splits[0]) if len(splits) == 1 else "all"


def _remedy_of(check: str, what: str) -> str:
    if check.endswith("in_two_splits"):
        return f"Remove these {what} from one of the annotation files: scores on pictures that were trained on say nothing."
    return f"Remove the repeated {what} from the annotation file, unless they are meant to count more than once."


def _show_groups(part: pd.DataFrame) -> str:
    """Return the names of the first groups by digest, `a = b`."""
    groups = [" = ".join(f"'{name}'" for name in group[:_EXAMPLES]) for _, group in part.groupby("digest", sort=False)["name"]]
    shown = ", ".join(groups[:_EXAMPLES])
    return shown if len(groups) <= _EXAMPLES else f"{shown}, and {len(groups) - _EXAMPLES} more"
