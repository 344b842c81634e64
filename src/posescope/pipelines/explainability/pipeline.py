"""Pipeline `explainability`: a trained model -> features, components and analyses, one node per installed analysis."""

from kedro.pipeline import Pipeline

from posescope.core.plugins import installed
from posescope.explainability.findings_file import list_findings
from posescope.explainability.label_errors.suspicious_annotations import list_suspicious_annotations, suspicious_coco
from posescope.pipelines.explainability import nodes
from posescope.pipelines.stage_results import collect_explainability
from posescope.pipelines.steps import PHOTOGRAPHS, stage, step

__all__ = ["create_pipeline"]

PERSONS = "params:explainability.persons"
PREDICTION = "params:explainability.prediction"
DATA = ["model", "crops", "targets"]


def create_pipeline() -> Pipeline:
    """Return the pipeline from a trained model to the results of the selected analyses."""
    return _features() + _analyses() + _suspicious_annotations() + collect_explainability()


def _features() -> Pipeline:
    return stage(
        "explainability.features",
        [
            step(nodes.choose_persons, ["persons", "targets", PERSONS], "explained_persons"),
            step(
                nodes.extract_features,
                [*DATA, "crop_statistics", "persons", "explained_persons", "features_workspace", PERSONS, PREDICTION],
                "features",
            ),
            step(nodes.predict_explained_persons, [*DATA, "crop_boxes", "features", PREDICTION], "explained_predictions"),
            step(
                nodes.score_explained_persons,
                [
                    "explained_predictions", "crops", "targets", "persons_read", "keypoints", "crop_boxes", "skeleton",
                    "features",
                ],
                {"scores": "explained_scores", "error_types": "explained_error_types"},
            ),
            step(
                nodes.measure_attributes,
                ["persons", "keypoints", "skeleton", "crops", "targets", "features", PREDICTION],
                "pose_attributes",
            ),
            step(nodes.fit_components, ["features", "explained_persons", "params:explainability.reducer"], "components"),
        ],
    )  # fmt: skip


def _analyses() -> Pipeline:
    names = [row.name for row in installed("analyses")]
    tables = ["explained_persons", "explained_predictions", "explained_scores", "explained_error_types", "pose_attributes"]
    inputs = [*DATA, "skeleton", "features", "components", *tables, "params:explainability.analyses"]
    return stage(
        "explainability.analyses",
        [
            *(
                step(
                    nodes.AnalysisNodes(name).analyse,
                    [*inputs, PERSONS, PREDICTION, PHOTOGRAPHS],
                    f"analysis_{name}",
                    f"analyse_{name}",
                )
                for name in names
            ),
            step(list_findings, {name: f"analysis_{name}" for name in names}, "findings"),
        ],
    )


def _suspicious_annotations() -> Pipeline:
    return stage(
        "explainability.label_errors",
        [
            step(list_suspicious_annotations, ["analysis_label_errors", "persons", "crop_boxes"], "suspicious_annotations"),
            step(
                suspicious_coco,
                ["suspicious_annotations", "persons", "keypoints", "skeleton", "params:data_engineering.source"],
                {"train": "suspicious_annotations_train", "val": "suspicious_annotations_val"},
            ),
        ],
    )
