"""Checks of the image files of a data set: duplicates within and across splits, and EXIF orientations.

The checks read the records of the shards: files are hashed and their headers read while crops are written.
"""

from collections.abc import Iterator, Sequence

import pandas as pd

from posescope.data.coco.data_quality import QualityFinding, report_findings
from posescope.data.coco.folder import SourceOptions
from posescope.data.coco.sources import SourceList, name_of_source
from posescope.data.crops.crop_store import CropStore
from posescope.data.crops.shard_writer import ImageFacts, ShardRecord
from posescope.data.images.orientation import SIDEWAYS, UPRIGHT

__all__ = ["check_images", "image_quality_table"]

_EXAMPLES = 3


def check_images(
    records: Sequence[ShardRecord], persons: pd.DataFrame, source: SourceOptions, sources: SourceList | None = None
) -> list[QualityFinding]:
    """Find duplicate images and persons, and EXIF orientations that may contradict the labels.

    Near duplicates (another JPEG quality, another size, the next frame) are not found.

    Args:
        records: records of all shards.
        persons: a `Persons` table with the final splits.
        source: names and conventions of the data set.
        sources: the data sets, if there are several; `source` is not read then.

    Returns:
        One finding per check; those across splits first.
    """
    images, crops = _images_table(records, persons), _crops_table(records, persons)
    return [*_check_orientations(images, source, sources), *_check_duplicate_files(images), *_check_duplicate_crops(crops)]


def image_quality_table(
    store: CropStore, persons: pd.DataFrame, source: SourceOptions, sources: SourceList | None = None
) -> pd.DataFrame:
    """Log the findings of `check_images`, and return them as a `DataQuality` table.

    Args:
        store: the finished crops.
        persons: a `Persons` table with the final splits.
        source, sources: names and conventions of the data set, or of several; see `check_images`.
    """
    return report_findings(check_images(store.records(), persons, source, sources))


def _images_table(records: Sequence[ShardRecord], persons: pd.DataFrame) -> pd.DataFrame:
    """Return one row per image file: its facts, the split of the data set and the final split."""
    facts = [image for record in records for image in record.images]
    table = pd.DataFrame(facts, columns=list(ImageFacts._fields))
    splits = persons.assign(name=_names_of(persons)).drop_duplicates("name")[["name", "source_split", "split"]]
    return table.merge(splits, on="name", validate="one_to_one")


def _crops_table(records: Sequence[ShardRecord], persons: pd.DataFrame) -> pd.DataFrame:
    """Return one row per crop: its digest, the person's id and splits, the image file and its digest."""
    digests = [pair for record in records for pair in zip(record.person_ids, record.row_digests, strict=True)]
    files = {image.name: image.digest for record in records for image in record.images}
    table = pd.DataFrame(digests, columns=["person_id", "digest"])
    splits = persons.assign(name=_names_of(persons))[["person_id", "source_split", "split", "name"]]
    table = table.merge(splits, on="person_id", validate="one_to_one")
    return table.assign(file_digest=table["name"].map(files))


def _names_of(persons: pd.DataFrame) -> pd.Series:
    return persons["source_split"] + "/" + persons["file_name"]


def _check_orientations(images: pd.DataFrame, source: SourceOptions, sources: SourceList | None) -> Iterator[QualityFinding]:
    """Find images with an EXIF rotation or reflection whose labels are read as stored pixels."""
    frames = {own.name: own.orientation for own in sources.root} if sources else {}
    read_as = images["source_split"].map(lambda split: frames.get(name_of_source(split), source.orientation))
    rotated = images[(images["orientation"] != UPRIGHT) & (read_as == "stored")]
    if rotated.empty:
        return
    keeps_size = ~rotated["orientation"].isin(SIDEWAYS) | (rotated["height"] == rotated["width"])
    first = (rotated[keeps_size] if keeps_size.any() else rotated).iloc[0]
    yield QualityFinding(
        severity="warned",
        split="all",
        check="exif_orientation",
        records=len(rotated),
        total=len(images),
        detail=(
            f"These images have an EXIF orientation ('{first['name']}': {first['orientation']}), and their labels are read in "
            f"stored pixels; for {int(keeps_size.sum())} of them the annotated size cannot confirm that."
        ),
        remedy=(
            "If the labels were drawn on upright images, as most tools show them, set data_engineering.source.orientation to "
            "upright; crop_grid.png shows which frame is right."
        ),
    )


def _check_duplicate_files(images: pd.DataFrame) -> Iterator[QualityFinding]:
    """Find files with the same bytes."""
    repeated = images[images.duplicated("digest", keep=False)]
    across = repeated.groupby("digest")["split"].transform("nunique") > 1
    yield from _duplicate_findings(repeated, across, len(images), "images", "Files with the same bytes")


def _check_duplicate_crops(crops: pd.DataFrame) -> Iterator[QualityFinding]:
    """Find persons whose crops have the same pixels although their files differ: the same image in another encoding."""
    repeated = crops[crops.duplicated("digest", keep=False)]
    repeated = repeated[repeated.groupby("digest")["file_digest"].transform("nunique") > 1]
    across = repeated.groupby("digest")["split"].transform("nunique") > 1
    named = repeated.assign(name=repeated["name"] + " person " + repeated["person_id"].astype(str))
    subject = "Crops with the same pixels, from files with different bytes,"
    yield from _duplicate_findings(named, across, len(crops), "persons", subject)


def _duplicate_findings(
    repeated: pd.DataFrame, across: pd.Series, total: int, kind: str, subject: str
) -> Iterator[QualityFinding]:
    """Return one finding for the duplicates across splits and one for those within a split.

    Args:
        repeated: the records with equal digests.
        across: which of them occur in several splits.
        total: number of records checked.
        kind: images or persons.
        subject: subject of the sentence that describes them.
    """
    for part, check, where in (
        (repeated[across], f"{kind}_in_two_splits", "in more than one of train, val and test"),
        (repeated[~across], f"duplicate_{kind}", "more than once in one split"),
    ):
        if len(part):
            yield QualityFinding(
                severity="warned",
                split=_split_of(part),
                check=check,
                records=len(part),
                total=total,
                detail=f"{subject} occur {where}: {_show_groups(part)}.",
                remedy=_remedy_of(check, kind),
            )


def _split_of(part: pd.DataFrame) -> str:
    splits = part["source_split"].unique()
    return str(splits[0]) if len(splits) == 1 else "all"


def _remedy_of(check: str, kind: str) -> str:
    if check.endswith("in_two_splits"):
        return f"Remove these {kind} from one of the annotation files: metrics on training images are too high."
    return f"Remove the duplicate {kind} from the annotation file, unless they are meant to count more than once."


def _show_groups(part: pd.DataFrame) -> str:
    """Return the names of the first groups by digest, `a = b`."""
    groups = [" = ".join(f"'{name}'" for name in group[:_EXAMPLES]) for _, group in part.groupby("digest", sort=False)["name"]]
    shown = ", ".join(groups[:_EXAMPLES])
    return shown if len(groups) <= _EXAMPLES else f"{shown}, and {len(groups) - _EXAMPLES} more"
