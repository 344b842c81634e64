"""The flow of explainability: one node an installed analysis."""

from kedro.pipeline import Pipeline, pipeline

from posescope.core.plugins import installed
from posescope.pipelines.explainability import nodes
from posescope.pipelines.steps import step

__all__ = ["create_pipeline"]

PREDICTION = "params:explainability.prediction"


def create_pipeline() -> Pipeline:
    """A trained model -> features, components, and the answers of every selected analysis."""
    names = [row.name for row in installed("analyses")]
    return pipeline(
        [
            step(
                nodes.read_features,
                [
                    "model",
                    "crops",
                    "targets",
                    "crop_statistics",
                    "persons",
                    "features_workspace",
                    "params:explainability.persons",
                    PREDICTION,
                ],
                "features",
            ),
            step(
                nodes.score_explained,
                ["model", "crops", "targets", "persons", "crop_boxes", "features", PREDICTION],
                "explained_scores",
            ),
            step(nodes.describe_poses, ["persons", "keypoints", "skeleton", "features"], "pose_attributes"),
            step(nodes.find_components, ["features", "params:explainability.reducer"], "components"),
            *(
                step(
                    nodes.AnalysisNodes(name).analyse,
                    [
                        "model",
                        "crops",
                        "targets",
                        "features",
                        "components",
                        "explained_scores",
                        "pose_attributes",
                        "params:explainability.analyses",
                        "params:explainability.persons",
                        PREDICTION,
                    ],
                    f"analysis_{name}",
                    name,
                )
                for name in names
            ),
            step(nodes.list_findings, {name: f"analysis_{name}" for name in names}, "findings"),
        ],
        tags="explainability",
    )
