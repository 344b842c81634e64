"""Pipeline `data_engineering`: annotations and images -> persons, splits, crops, targets, statistics and previews."""

from kedro.pipeline import Pipeline

from posescope.data.crops.crop_boxes import targets_in_crops
from posescope.data.crops.dataset_split import count_distribution
from posescope.data.dataset_summary import count_joint_labels, count_rejected
from posescope.pipelines.data_engineering import nodes
from posescope.pipelines.stage_results import collect_data
from posescope.pipelines.steps import PHOTOGRAPHS, named_outputs, stage, step
from posescope.reporting.image_grids.average_crops import draw_average_crops
from posescope.reporting.image_grids.crop_previews import draw_crop_grid, draw_target_grid
from posescope.reporting.plots.data_plots import (
    plot_box_sizes,
    plot_data_distribution,
    plot_joint_counts,
    plot_joint_labels,
    plot_rejected,
)

__all__ = ["create_pipeline"]

SOURCE = "params:data_engineering.source"
SOURCES = "params:data_engineering.sources"
CROP = "params:data_engineering.crop"
FAILURES = "params:data_engineering.failures"
CODEC = "params:data_engineering.codec"
STATISTICS = "crop_statistics"
PREVIEW = "params:data_engineering.preview"
ISSUES = ["issues_read", "issues_filter", "issues_box", "issues_crop"]
QUALITY = ["data_quality_read", "data_quality_images"]


def create_pipeline() -> Pipeline:
    """Return the pipeline from raw annotations and images to crops and targets."""
    return _annotations() + _crops() + _statistics() + _previews() + collect_data()


def _annotations() -> Pipeline:
    return stage(
        "data_engineering.annotations",
        [
            step(nodes.prepare_source, ["raw_workspace", SOURCE, SOURCES, "params:data_engineering.sample"], "raw_source"),
            step(
                nodes.read_persons,
                ["raw_source", SOURCE, SOURCES, FAILURES],
                named_outputs("persons_read", "keypoints", "issues_read", "data_quality_read", "skeleton"),
            ),
            step(
                nodes.filter_persons,
                ["persons_read", "keypoints", "params:data_engineering.filter"],
                named_outputs("persons_filtered", "issues_filter"),
            ),
            step(
                nodes.box_persons,
                ["persons_filtered", "keypoints", CROP],
                named_outputs("persons_boxed", "crop_boxes", "issues_box"),
            ),
            step(nodes.split_persons, ["persons_boxed", "params:data_engineering.split", SOURCE, SOURCES], "persons"),
        ],
    )


def _crops() -> Pipeline:
    return stage(
        "data_engineering.crops",
        [
            step(
                nodes.write_crops,
                ["raw_source", "persons", "crop_boxes", "crops_workspace", SOURCE, SOURCES, CROP, FAILURES],
                named_outputs("crops", "issues_crop"),
            ),
            step(targets_in_crops, ["crop_boxes", "keypoints"], "targets", "compute_targets"),
            step(nodes.compute_crop_statistics, ["crops", "persons", "targets", "raw_source", SOURCES, CROP], STATISTICS),
        ],
    )


def _statistics() -> Pipeline:
    return stage(
        "data_engineering.statistics",
        [
            step(nodes.check_images, ["crops", "persons", SOURCE, SOURCES], "data_quality_images"),
            step(nodes.collect_data_quality, [STATISTICS, *QUALITY], "data_quality"),
            step(count_distribution, ["persons", "crops", "persons_read", STATISTICS], "data_distribution", "count_persons"),
            step(nodes.collect_issues, ISSUES, "issues"),
            step(count_rejected, ["persons_read", "issues", "data_distribution"], "rejected"),
            step(count_joint_labels, ["targets", "persons", "crops", "skeleton", STATISTICS], "joint_labels"),
        ],
    )


def _previews() -> Pipeline:
    drawn = ["crops", "targets", "persons", "skeleton", STATISTICS]
    return stage(
        "data_engineering.previews",
        [
            step(draw_crop_grid, [*drawn, PHOTOGRAPHS], "crop_grid"),
            step(draw_target_grid, [*drawn, CODEC, PHOTOGRAPHS], "target_grid"),
            step(draw_average_crops, [*drawn, "crop_boxes", PREVIEW, PHOTOGRAPHS], "average_crop"),
            step(plot_data_distribution, "data_distribution", "distribution_plot"),
            step(plot_rejected, "rejected", "rejected_plot"),
            step(plot_box_sizes, ["persons", "crop_boxes", "crops", STATISTICS, CROP], "box_sizes_plot"),
            step(plot_joint_counts, ["targets", "persons", "crops", STATISTICS], "joint_counts_plot"),
            step(plot_joint_labels, "joint_labels", "joint_labels_plot"),
        ],
    )
