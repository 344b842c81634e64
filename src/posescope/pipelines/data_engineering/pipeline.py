"""The flow of data engineering."""

from kedro.pipeline import Pipeline, node, pipeline

from posescope.pipelines.data_engineering import nodes

__all__ = ["create_pipeline"]

SOURCE = "params:data_engineering.source"
CROP = "params:data_engineering.crop"
CODEC = "params:data_engineering.codec"
ISSUES = ["issues_read", "issues_filter", "issues_crop", "issues_cut"]


def create_pipeline() -> Pipeline:
    """Raw annotations and images -> persons, splits, crops, targets."""
    return pipeline(
        [
            node(nodes.prepare_source, ["raw_workspace", SOURCE, "params:data_engineering.sample"], "raw_source"),
            node(nodes.read_people, ["raw_source", SOURCE], _named("persons_read", "keypoints", "issues_read", "skeleton")),
            node(
                nodes.filter_people,
                ["persons_read", "keypoints", "params:data_engineering.filter"],
                _named("persons_filtered", "issues_filter"),
            ),
            node(
                nodes.box_people,
                ["persons_filtered", "keypoints", CROP],
                _named("persons_boxed", "crop_boxes", "issues_crop"),
            ),
            node(nodes.split_people, ["persons_boxed", "params:data_engineering.split"], _named("persons", "data_distribution")),
            node(
                nodes.cut_crops,
                ["raw_source", "persons", "crop_boxes", "crops_workspace", SOURCE, CROP],
                _named("crops", "issues_cut"),
            ),
            node(nodes.place_joints, ["crop_boxes", "keypoints"], "targets"),
            node(nodes.measure_statistics, ["crops", "persons", "targets", CROP], "crop_statistics"),
            node(nodes.collect_issues, ISSUES, "issues"),
            node(nodes.show_crops, ["crops", "targets", "persons", "skeleton"], "crop_sheet"),
            node(nodes.show_targets, ["crops", "targets", "persons", CODEC], "target_sheet"),
        ],
        tags="data_engineering",
    )


def _named(*names: str) -> dict[str, str]:
    return {name: name for name in names}
