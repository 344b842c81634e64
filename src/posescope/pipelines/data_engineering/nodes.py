"""Nodes of the pipeline `data_engineering`."""

from typing import Any

import pandas as pd

from posescope.core.origin import add_origin
from posescope.core.records import PoseTargets
from posescope.data.coco import person_filters
from posescope.data.coco.failure_limits import FailureLimits
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.joined_annotations import read_sources
from posescope.data.coco.sources import SourceList, combine_folders
from posescope.data.crops import crop_boxes as square_boxes
from posescope.data.crops import cropping
from posescope.data.crops.crop_statistics import CropStatistics, measure_crops
from posescope.data.crops.crop_store import CropStore
from posescope.data.crops.dataset_split import sample_splits
from posescope.data.crops.image_checks import image_quality_table
from posescope.data.crops.options import CropOptions, SplitOptions
from posescope.pipelines.data_engineering.options import FilterOptions
from posescope.reporting.result_filter import origin_of_statistics
from posescope.sample.generator import ensure_sample
from posescope.sample.options import SampleOptions

__all__: list[str] = []


def prepare_source(
    raw_workspace: CocoFolder, source: SourceOptions, sources: SourceList, sample: SampleOptions | None
) -> CocoFolder:
    """Generate the sample if it is wanted and absent, and check that all files and folders of the data set exist.

    Args:
        raw_workspace: folder of the data set.
        source: names of its files and folders.
        sources: the data sets, if there are several; `source` is not read then.
        sample: options of the generated sample. None: real data.
    """
    if sample is not None:
        ensure_sample(raw_workspace.root, sample)
    combine_folders(raw_workspace, sources).check(source)
    return raw_workspace


def read_persons(raw_source: CocoFolder, source: SourceOptions, sources: SourceList, failures: FailureLimits) -> dict[str, Any]:
    """Read and check the annotations.

    Args:
        raw_source, source, sources: the data set and the names of its files and folders, or several data sets.
        failures: limits of malformed records.

    Returns:
        `persons_read`, `keypoints`, `issues_read` and `data_quality_read` (tables), `skeleton`.
    """
    found = read_sources(combine_folders(raw_source, sources), source, failures)
    return {
        "persons_read": found.persons,
        "keypoints": found.keypoints,
        "issues_read": found.issues,
        "data_quality_read": found.quality,
        "skeleton": found.skeleton,
    }


def filter_persons(persons_read: pd.DataFrame, keypoints: pd.DataFrame, options: FilterOptions) -> dict[str, pd.DataFrame]:
    """Reject crowds, persons without labelled joints, and persons that a configured filter rejects.

    Args:
        persons_read, keypoints: `Persons` and `Keypoints` of all well-formed records.
        options: the configured filters.

    Returns:
        `persons_filtered` (`Persons`) and `issues_filter` (`Issues`).
    """
    result = person_filters.filter_persons(persons_read, keypoints, options.filters)
    return {"persons_filtered": result.persons, "issues_filter": result.issues}


def box_persons(persons_filtered: pd.DataFrame, keypoints: pd.DataFrame, crop: CropOptions) -> dict[str, pd.DataFrame]:
    """Compute the crop box of every person.

    Args:
        persons_filtered, keypoints: `Persons` and `Keypoints`.
        crop: crop rule and size.

    Returns:
        `persons_boxed` (`Persons`), `crop_boxes` (`CropBoxes`) and `issues_box` (`Issues`).
    """
    result = square_boxes.box_persons(persons_filtered, keypoints, crop)
    return {"persons_boxed": result.persons, "crop_boxes": result.crop_boxes, "issues_box": result.issues}


def split_persons(persons_boxed: pd.DataFrame, options: SplitOptions, source: SourceOptions, sources: SourceList) -> pd.DataFrame:
    """Draw the test and the calibration set.

    Args:
        persons_boxed: `Persons` with a crop box, of the splits train and val.
        options: sizes and seed.
        source, sources: the data set, or several data sets.

    Returns:
        `Persons` with the final splits.
    """
    return sample_splits(persons_boxed, options, source, sources)


def write_crops(
    raw_source: CocoFolder,
    persons: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    crops_workspace: CropStore,
    source: SourceOptions,
    sources: SourceList,
    crop: CropOptions,
    failures: FailureLimits,
) -> dict[str, Any]:
    """Crop and resize all persons into shards.

    Args:
        raw_source, source, sources: the data set and the names of its files and folders, or several data sets.
        persons, crop_boxes: `Persons` and `CropBoxes`.
        crops_workspace: store that is filled.
        crop: crop rule, size and workers.
        failures: limits of unreadable images.

    Returns:
        `crops` (the finished store) and `issues_crop` (`Issues`).
    """
    folder = combine_folders(raw_source, sources)
    issues = cropping.write_crops(folder, source, persons, crop_boxes, crops_workspace, crop, failures)
    return {"crops": crops_workspace, "issues_crop": issues}


def compute_crop_statistics(
    crops: CropStore,
    persons: pd.DataFrame,
    targets: PoseTargets,
    raw_source: CocoFolder,
    sources: SourceList,
    crop: CropOptions,
) -> CropStatistics:
    """Compute the mean colour of the training crops and the fingerprint of the data.

    Args:
        crops, persons, targets: crops, their `Persons` table and their joints.
        raw_source, sources: the data set, or several data sets.
        crop: crop rule and size.
    """
    return measure_crops(crops, persons, targets, crop, combine_folders(raw_source, sources).is_generated)


def check_images(crops: CropStore, persons: pd.DataFrame, source: SourceOptions, sources: SourceList) -> pd.DataFrame:
    """Find duplicate images and persons, and EXIF orientations that may contradict the labels.

    Args:
        crops, persons: crops and their `Persons` table.
        source, sources: the data set, or several data sets.

    Returns:
        A `DataQuality` table.
    """
    return image_quality_table(crops, persons, source, sources)


def collect_data_quality(statistics: CropStatistics, *tables: pd.DataFrame) -> pd.DataFrame:
    """Concatenate the findings on data quality of all steps.

    Args:
        statistics: statistics of the data, whose fingerprint is the origin of the table.
        *tables: `DataQuality` tables.
    """
    return add_origin(pd.concat(tables, ignore_index=True), origin_of_statistics(statistics))


def collect_issues(*tables: pd.DataFrame) -> pd.DataFrame:
    """Concatenate the rejected and repaired records of all steps."""
    return pd.concat(tables, ignore_index=True)
