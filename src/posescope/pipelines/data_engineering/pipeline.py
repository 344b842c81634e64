"""The flow of data engineering."""

from kedro.pipeline import Pipeline, pipeline

from posescope.pipelines.data_engineering import nodes
from posescope.pipelines.steps import named_outputs, step

__all__ = ["create_pipeline"]

SOURCE = "params:data_engineering.source"
CROP = "params:data_engineering.crop"
FAILURES = "params:data_engineering.failures"
CODEC = "params:data_engineering.codec"
STATISTICS = "crop_statistics"
PREVIEW = "params:data_engineering.preview"
ISSUES = ["issues_read", "issues_filter", "issues_box", "issues_crop"]
QUALITY = ["data_quality_read", "data_quality_images"]


def create_pipeline() -> Pipeline:
    """Raw annotations and images -> persons, splits, crops, targets, and a first look at all of them."""
    return pipeline(
        [
            step(nodes.prepare_source, ["raw_workspace", SOURCE, "params:data_engineering.sample"], "raw_source"),
            step(
                nodes.read_people,
                ["raw_source", SOURCE, FAILURES],
                named_outputs("persons_read", "keypoints", "issues_read", "data_quality_read", "skeleton"),
            ),
            step(
                nodes.filter_people,
                ["persons_read", "keypoints", "params:data_engineering.filter"],
                named_outputs("persons_filtered", "issues_filter"),
            ),
            step(
                nodes.box_people,
                ["persons_filtered", "keypoints", CROP],
                named_outputs("persons_boxed", "crop_boxes", "issues_box"),
            ),
            step(nodes.split_people, ["persons_boxed", "params:data_engineering.split"], "persons"),
            step(
                nodes.cut_crops,
                ["raw_source", "persons", "crop_boxes", "crops_workspace", SOURCE, CROP, FAILURES],
                named_outputs("crops", "issues_crop"),
            ),
            step(nodes.check_pictures, ["crops", "persons", SOURCE], "data_quality_images"),
            step(nodes.count_people, ["persons", "crops", "persons_read", STATISTICS], "data_distribution"),
            step(nodes.place_joints, ["crop_boxes", "keypoints"], "targets"),
            step(nodes.measure_statistics, ["crops", "persons", "targets", "raw_source", CROP], "crop_statistics"),
            step(nodes.collect_issues, ISSUES, "issues"),
            step(nodes.collect_quality, [STATISTICS, *QUALITY], "data_quality"),
            step(nodes.show_crops, ["crops", "targets", "persons", "skeleton", STATISTICS], "crop_grid"),
            step(nodes.show_targets, ["crops", "targets", "persons", "skeleton", STATISTICS, CODEC], "target_grid"),
            step(
                nodes.show_average, ["crops", "targets", "persons", "crop_boxes", "skeleton", STATISTICS, PREVIEW], "average_crop"
            ),
            step(nodes.draw_distribution, "data_distribution", "distribution_plot"),
            step(nodes.count_set_aside, ["persons_read", "issues", "data_distribution"], "rejected"),
            step(nodes.draw_discarded, "rejected", "rejected_plot"),
            step(nodes.draw_box_sizes, ["persons", "crop_boxes", "crops", STATISTICS, CROP], "box_sizes_plot"),
            step(nodes.draw_joint_counts, ["targets", "persons", "crops", STATISTICS], "joint_counts_plot"),
            step(nodes.count_labels, ["targets", "persons", "crops", "skeleton", STATISTICS], "joint_labels"),
            step(nodes.draw_joint_labels, "joint_labels", "joint_labels_plot"),
        ],
        tags="data_engineering",
    )
