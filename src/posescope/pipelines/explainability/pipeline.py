"""Pipeline `explainability`: a trained model -> features, components and analyses, one node per installed analysis."""

from kedro.pipeline import Pipeline

from posescope.core.plugins import installed
from posescope.explainability.study import list_findings
from posescope.pipelines.explainability import nodes
from posescope.pipelines.stage_results import collect_explainability
from posescope.pipelines.steps import stage, step

__all__ = ["create_pipeline"]

PERSONS = "params:explainability.persons"
PREDICTION = "params:explainability.prediction"
DATA = ["model", "crops", "targets"]


def create_pipeline() -> Pipeline:
    """Return the pipeline from a trained model to the results of the selected analyses."""
    return _features() + _analyses() + collect_explainability()


def _features() -> Pipeline:
    return stage(
        "explainability.features",
        [
            step(
                nodes.extract_features,
                [*DATA, "crop_statistics", "persons", "features_workspace", PERSONS, PREDICTION],
                "features",
            ),
            step(nodes.score_explained_persons, [*DATA, "persons", "crop_boxes", "features", PREDICTION], "explained_scores"),
            step(nodes.measure_pose_attributes, ["persons", "keypoints", "skeleton", "features"], "pose_attributes"),
            step(nodes.fit_components, ["features", "params:explainability.reducer"], "components"),
        ],
    )


def _analyses() -> Pipeline:
    names = [row.name for row in installed("analyses")]
    inputs = [*DATA, "features", "components", "explained_scores", "pose_attributes", "params:explainability.analyses"]
    return stage(
        "explainability.analyses",
        [
            *(
                step(nodes.AnalysisNodes(name).analyse, [*inputs, PERSONS, PREDICTION], f"analysis_{name}", f"analyse_{name}")
                for name in names
            ),
            step(list_findings, {name: f"analysis_{name}" for name in names}, "findings"),
        ],
    )
