"""Nodes of the pipeline `data_engineering`."""

from typing import Any

import pandas as pd
from plotly.graph_objects import Figure

from posescope.core.origin import Origin, add_origin, origin_of_table
from posescope.core.plugins import ComponentSpec
from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.data import dataset_summary
from posescope.data.coco import person_filters
from posescope.data.coco.failure_limits import FailureLimits
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.reader import read_annotations
from posescope.data.crops import crop_boxes as square_boxes
from posescope.data.crops import cropping
from posescope.data.crops.crop_statistics import CropStatistics, measure_crops
from posescope.data.crops.crop_store import CropStore
from posescope.data.crops.dataset_split import count_distribution
from posescope.data.crops.options import CropOptions
from posescope.data.dataset_summary import persons_with_crops
from posescope.drawing.rgb_images import PngImage
from posescope.pipelines.data_engineering.options import FilterOptions
from posescope.reporting.image_grids import average_crops, crop_previews
from posescope.reporting.image_grids.average_crops import PreviewOptions
from posescope.reporting.plots import data_plots
from posescope.reporting.plots.plot_style import add_plot_origin
from posescope.reporting.result_filter import add_image_origin, origin_of_statistics
from posescope.sample.generator import ensure_sample
from posescope.sample.options import SampleOptions

__all__: list[str] = []


def prepare_source(raw_workspace: CocoFolder, source: SourceOptions, sample: SampleOptions | None) -> CocoFolder:
    """Generate the sample if it is wanted and absent, and check that all files and folders of the data set exist."""
    if sample is not None:
        ensure_sample(raw_workspace.root, sample)
    raw_workspace.check(source)
    return raw_workspace


def read_persons(raw_source: CocoFolder, source: SourceOptions, failures: FailureLimits) -> dict[str, Any]:
    """Read and check the annotations."""
    found = read_annotations(raw_source, source, failures)
    return {
        "persons_read": found.persons,
        "keypoints": found.keypoints,
        "issues_read": found.issues,
        "data_quality_read": found.quality,
        "skeleton": found.skeleton,
    }


def filter_persons(persons_read: pd.DataFrame, keypoints: pd.DataFrame, options: FilterOptions) -> dict[str, pd.DataFrame]:
    """Reject crowds, persons without labelled joints, and persons that a configured filter rejects."""
    result = person_filters.filter_persons(persons_read, keypoints, options.filters)
    return {"persons_filtered": result.persons, "issues_filter": result.issues}


def box_persons(persons_filtered: pd.DataFrame, keypoints: pd.DataFrame, crop: CropOptions) -> dict[str, pd.DataFrame]:
    """Compute the square crop box of every person."""
    result = square_boxes.box_persons(persons_filtered, keypoints, crop)
    return {"persons_boxed": result.persons, "crop_boxes": result.crop_boxes, "issues_box": result.issues}


def write_crops(
    raw_source: CocoFolder,
    persons: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    crops_workspace: CropStore,
    source: SourceOptions,
    crop: CropOptions,
    failures: FailureLimits,
) -> dict[str, Any]:
    """Crop and resize all persons into shards."""
    issues = cropping.write_crops(raw_source, source, persons, crop_boxes, crops_workspace, crop, failures)
    return {"crops": crops_workspace, "issues_crop": issues}


def compute_crop_statistics(
    crops: CropStore, persons: pd.DataFrame, targets: PoseTargets, raw_source: CocoFolder, crop: CropOptions
) -> CropStatistics:
    """Compute the mean colour of the training crops and the fingerprint of the data."""
    return measure_crops(crops, persons, targets, crop, raw_source.is_generated)


def collect_data_quality(statistics: CropStatistics, *tables: pd.DataFrame) -> pd.DataFrame:
    """Concatenate the findings on data quality of all steps."""
    return add_origin(pd.concat(tables, ignore_index=True), origin_of_statistics(statistics))


def count_persons(
    persons: pd.DataFrame, crops: CropStore, persons_read: pd.DataFrame, statistics: CropStatistics
) -> pd.DataFrame:
    """Count images and persons of each split."""
    return add_origin(count_distribution(persons, crops, persons_read), origin_of_statistics(statistics))


def collect_issues(*tables: pd.DataFrame) -> pd.DataFrame:
    """Concatenate the rejected and repaired records of all steps."""
    return pd.concat(tables, ignore_index=True)


def count_rejected(persons_read: pd.DataFrame, issues: pd.DataFrame, data_distribution: pd.DataFrame) -> pd.DataFrame:
    """Count rejected records by step and reason, and accepted records."""
    rejected = dataset_summary.count_rejected(persons_read, issues, data_distribution)
    return add_origin(rejected, origin_of_table(data_distribution) or Origin())


def count_joint_labels(
    targets: PoseTargets, persons: pd.DataFrame, crops: CropStore, skeleton: Skeleton, statistics: CropStatistics
) -> pd.DataFrame:
    """Count, for each joint, the persons in which it is visible, occluded or unlabelled."""
    table = dataset_summary.count_joint_labels(targets, persons_with_crops(persons, crops), skeleton)
    return add_origin(table, origin_of_statistics(statistics))


def draw_crop_grid(
    crops: CropStore, targets: PoseTargets, persons: pd.DataFrame, skeleton: Skeleton, statistics: CropStatistics
) -> PngImage:
    """Draw crops with their annotated skeletons."""
    return add_image_origin(crop_previews.draw_crop_grid(crops, targets, persons, skeleton), origin_of_statistics(statistics))


def draw_target_grid(
    crops: CropStore,
    targets: PoseTargets,
    persons: pd.DataFrame,
    skeleton: Skeleton,
    statistics: CropStatistics,
    codec: ComponentSpec,
) -> PngImage:
    """Draw crops with their target heatmaps."""
    grid = crop_previews.draw_target_grid(crops, targets, persons, skeleton, codec)
    return add_image_origin(grid, origin_of_statistics(statistics))


def draw_average_crops(
    crops: CropStore,
    targets: PoseTargets,
    persons: pd.DataFrame,
    skeleton: Skeleton,
    statistics: CropStatistics,
    crop_boxes: pd.DataFrame,
    preview: PreviewOptions,
) -> PngImage:
    """Draw the average crop and the average skeleton of each split."""
    grid = average_crops.draw_average_crops(crops, targets, persons, crop_boxes, skeleton, preview)
    return add_image_origin(grid, origin_of_statistics(statistics))


def plot_box_sizes(
    persons: pd.DataFrame, crop_boxes: pd.DataFrame, crops: CropStore, statistics: CropStatistics, crop: CropOptions
) -> Figure:
    """Plot the sizes of the annotated boxes and of the square crop boxes."""
    figure = data_plots.plot_box_sizes(persons_with_crops(persons, crops), crop_boxes, crop.size_px)
    return add_plot_origin(figure, origin_of_statistics(statistics))


def plot_joint_counts(targets: PoseTargets, persons: pd.DataFrame, crops: CropStore, statistics: CropStatistics) -> Figure:
    """Plot the number of labelled joints per person."""
    figure = data_plots.plot_joint_counts(targets, persons_with_crops(persons, crops))
    return add_plot_origin(figure, origin_of_statistics(statistics))
