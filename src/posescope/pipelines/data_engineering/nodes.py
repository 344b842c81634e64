"""Nodes of data engineering: unpack, one call, return."""

from typing import Any

import pandas as pd
from plotly.graph_objects import Figure

from posescope.core.origin import Origin, add_origin, origin_of_table
from posescope.core.plugins import ComponentSpec
from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.data.coco.failure_limits import FailureLimits
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.person_filters import filter_persons
from posescope.data.coco.reader import read_annotations
from posescope.data.crops.crop_boxes import box_persons, targets_in_crops
from posescope.data.crops.crop_statistics import CropStatistics, measure_crops
from posescope.data.crops.crop_store import CropStore
from posescope.data.crops.cropping import write_crops
from posescope.data.crops.dataset_split import count_distribution, draw_test_set
from posescope.data.crops.image_checks import image_quality_table
from posescope.data.crops.options import CropOptions, SplitOptions
from posescope.data.dataset_summary import count_joint_labels, count_rejected, persons_with_crops
from posescope.drawing.rgb_images import PngImage
from posescope.pipelines.data_engineering.options import FilterOptions
from posescope.reporting.image_grids.average_crops import PreviewOptions, draw_average_crops
from posescope.reporting.image_grids.crop_previews import draw_crop_grid, draw_target_grid
from posescope.reporting.plots.data_plots import (
    plot_box_sizes,
    plot_data_distribution,
    plot_joint_counts,
    plot_joint_labels,
    plot_rejected,
)
from posescope.reporting.result_filter import add_image_origin, add_plot_origin, origin_of_statistics
from posescope.sample.generator import ensure_sample
from posescope.sample.options import SampleOptions

__all__: list[str] = []


def prepare_source(raw_workspace: CocoFolder, source: SourceOptions, sample: SampleOptions | None) -> CocoFolder:
    """Make the sample where it is wanted and absent, and see that every file and folder is there."""
    if sample is not None:
        ensure_sample(raw_workspace.root, sample)
    raw_workspace.check(source)
    return raw_workspace


def read_people(raw_source: CocoFolder, source: SourceOptions, failures: FailureLimits) -> dict[str, Any]:
    """Read and check the annotations."""
    found = read_annotations(raw_source, source, failures)
    return {
        "persons_read": found.persons,
        "keypoints": found.keypoints,
        "issues_read": found.issues,
        "data_quality_read": found.quality,
        "skeleton": found.skeleton,
    }


def filter_people(persons_read: pd.DataFrame, keypoints: pd.DataFrame, options: FilterOptions) -> dict[str, pd.DataFrame]:
    """Set aside crowds, people without labelled joints, and whom the filters name."""
    result = filter_persons(persons_read, keypoints, options.filters)
    return {"persons_filtered": result.persons, "issues_filter": result.issues}


def box_people(persons_filtered: pd.DataFrame, keypoints: pd.DataFrame, crop: CropOptions) -> dict[str, pd.DataFrame]:
    """Find everybody's square box."""
    result = box_persons(persons_filtered, keypoints, crop)
    return {"persons_boxed": result.persons, "crop_boxes": result.crop_boxes, "issues_box": result.issues}


def split_people(persons_boxed: pd.DataFrame, split: SplitOptions) -> pd.DataFrame:
    """Draw the test set by whole image."""
    return draw_test_set(persons_boxed, split)


def cut_crops(
    raw_source: CocoFolder,
    persons: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    crops_workspace: CropStore,
    source: SourceOptions,
    crop: CropOptions,
    failures: FailureLimits,
) -> dict[str, Any]:
    """Cut and resize everybody into shards."""
    issues = write_crops(raw_source, source, persons, crop_boxes, crops_workspace, crop, failures)
    return {"crops": crops_workspace, "issues_crop": issues}


def check_pictures(crops: CropStore, persons: pd.DataFrame, source: SourceOptions) -> pd.DataFrame:
    """Return what the cut pictures say about the data set: orientations, and pictures that stand twice."""
    return image_quality_table(crops, persons, source)


def count_people(persons: pd.DataFrame, crops: CropStore, persons_read: pd.DataFrame, statistics: CropStatistics) -> pd.DataFrame:
    """Count images and persons of each split: those with a crop, and the images with persons before any was rejected."""
    return add_origin(count_distribution(persons, crops, persons_read), origin_of_statistics(statistics))


def place_joints(crop_boxes: pd.DataFrame, keypoints: pd.DataFrame) -> PoseTargets:
    """Move the joints into the crops."""
    return targets_in_crops(crop_boxes, keypoints)


def measure_statistics(
    crops: CropStore, persons: pd.DataFrame, targets: PoseTargets, raw_source: CocoFolder, crop: CropOptions
) -> CropStatistics:
    """Mean colour of the training crops, and the fingerprint of the data."""
    return measure_crops(crops, persons, targets, crop, raw_source.is_generated)


def collect_issues(*tables: pd.DataFrame) -> pd.DataFrame:
    """All that was set aside, step by step."""
    return pd.concat(tables, ignore_index=True)


def collect_quality(statistics: CropStatistics, *tables: pd.DataFrame) -> pd.DataFrame:
    """Return the findings on the data's quality, step by step."""
    return add_origin(pd.concat(tables, ignore_index=True), origin_of_statistics(statistics))


def show_crops(
    crops: CropStore, targets: PoseTargets, persons: pd.DataFrame, skeleton: Skeleton, statistics: CropStatistics
) -> PngImage:
    """Contact sheet of crops with their skeletons."""
    return add_image_origin(draw_crop_grid(crops, targets, persons, skeleton), origin_of_statistics(statistics))


def show_targets(
    crops: CropStore,
    targets: PoseTargets,
    persons: pd.DataFrame,
    skeleton: Skeleton,
    statistics: CropStatistics,
    codec: ComponentSpec,
) -> PngImage:
    """Contact sheet of the heatmaps that a network is to learn, beside the annotation."""
    return add_image_origin(draw_target_grid(crops, targets, persons, skeleton, codec), origin_of_statistics(statistics))


def show_average(
    crops: CropStore,
    targets: PoseTargets,
    persons: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    skeleton: Skeleton,
    statistics: CropStatistics,
    preview: PreviewOptions,
) -> PngImage:
    """The average crop of each split, with the average skeleton."""
    picture = draw_average_crops(crops, targets, persons, crop_boxes, skeleton, preview)
    return add_image_origin(picture, origin_of_statistics(statistics))


def draw_distribution(data_distribution: pd.DataFrame) -> Figure:
    """Images and persons of each split."""
    return add_plot_origin(plot_data_distribution(data_distribution), origin_of_table(data_distribution))


def count_set_aside(persons_read: pd.DataFrame, issues: pd.DataFrame, data_distribution: pd.DataFrame) -> pd.DataFrame:
    """What each step set aside, by reason, and what is left."""
    rejected = count_rejected(persons_read, issues, data_distribution)
    return add_origin(rejected, origin_of_table(data_distribution) or Origin())


def draw_discarded(rejected: pd.DataFrame) -> Figure:
    """What each step set aside, by reason, and what is left."""
    return add_plot_origin(plot_rejected(rejected), origin_of_table(rejected))


def draw_box_sizes(
    persons: pd.DataFrame, crop_boxes: pd.DataFrame, crops: CropStore, statistics: CropStatistics, crop: CropOptions
) -> Figure:
    """Sizes of the annotated boxes and of the crop squares."""
    figure = plot_box_sizes(persons_with_crops(persons, crops), crop_boxes, crop.size_px)
    return add_plot_origin(figure, origin_of_statistics(statistics))


def draw_joint_counts(targets: PoseTargets, persons: pd.DataFrame, crops: CropStore, statistics: CropStatistics) -> Figure:
    """How many joints are labelled on a person."""
    return add_plot_origin(plot_joint_counts(targets, persons_with_crops(persons, crops)), origin_of_statistics(statistics))


def count_labels(
    targets: PoseTargets, persons: pd.DataFrame, crops: CropStore, skeleton: Skeleton, statistics: CropStatistics
) -> pd.DataFrame:
    """On how many persons each joint is visible, hidden or unlabelled."""
    table = count_joint_labels(targets, persons_with_crops(persons, crops), skeleton)
    return add_origin(table, origin_of_statistics(statistics))


def draw_joint_labels(joint_labels: pd.DataFrame) -> Figure:
    """On how many persons each joint is visible, hidden or unlabelled."""
    return add_plot_origin(plot_joint_labels(joint_labels), origin_of_table(joint_labels))
