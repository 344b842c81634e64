"""The flow of data engineering."""

from kedro.pipeline import Pipeline, pipeline

from posescope.pipelines.data_engineering import nodes
from posescope.pipelines.steps import named_outputs, step

__all__ = ["create_pipeline"]

SOURCE = "params:data_engineering.source"
CROP = "params:data_engineering.crop"
CODEC = "params:data_engineering.codec"
ISSUES = ["issues_read", "issues_filter", "issues_crop", "issues_cut"]


def create_pipeline() -> Pipeline:
    """Raw annotations and images -> persons, splits, crops, targets."""
    return pipeline(
        [
            step(nodes.prepare_source, ["raw_workspace", SOURCE, "params:data_engineering.sample"], "raw_source"),
            step(
                nodes.read_people, ["raw_source", SOURCE], named_outputs("persons_read", "keypoints", "issues_read", "skeleton")
            ),
            step(
                nodes.filter_people,
                ["persons_read", "keypoints", "params:data_engineering.filter"],
                named_outputs("persons_filtered", "issues_filter"),
            ),
            step(
                nodes.box_people,
                ["persons_filtered", "keypoints", CROP],
                named_outputs("persons_boxed", "crop_boxes", "issues_crop"),
            ),
            step(nodes.split_people, ["persons_boxed", "params:data_engineering.split"], "persons"),
            step(
                nodes.cut_crops,
                ["raw_source", "persons", "crop_boxes", "crops_workspace", SOURCE, CROP],
                named_outputs("crops", "issues_cut"),
            ),
            step(nodes.count_people, ["persons", "crops"], "data_distribution"),
            step(nodes.place_joints, ["crop_boxes", "keypoints"], "targets"),
            step(nodes.measure_statistics, ["crops", "persons", "targets", CROP], "crop_statistics"),
            step(nodes.collect_issues, ISSUES, "issues"),
            step(nodes.show_crops, ["crops", "targets", "persons", "skeleton"], "crop_sheet"),
            step(nodes.show_targets, ["crops", "targets", "persons", CODEC], "target_sheet"),
        ],
        tags="data_engineering",
    )
