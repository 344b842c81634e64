"""Pipeline `reporting`: the results of all stages -> a summary, a report, a model card and a table of the explained persons."""

from kedro.pipeline import Pipeline

from posescope.pipelines.reporting import nodes
from posescope.pipelines.stage_results import collect_data, collect_evaluation, collect_explainability, collect_training
from posescope.pipelines.steps import PHOTOGRAPHS, named_outputs, stage, step

__all__ = ["create_pipeline"]

PAGE = "params:reporting.page"
EXPLORER = "params:reporting.explorer"
PREDICTION = "params:explainability.prediction"
SOURCE = "params:data_engineering.source"
SOURCES = "params:data_engineering.sources"
SETTINGS = [SOURCE, PAGE, PHOTOGRAPHS]
OWN = ["model", "crop_statistics"]


def create_pipeline() -> Pipeline:
    """Return the pipeline that collects the results of all stages and writes the pages, the model card and the explorer table."""
    collected = collect_data() + collect_training() + collect_evaluation() + collect_explainability()
    return collected + _reporting() + _explorer()


def _reporting() -> Pipeline:
    results = ["evaluation_results", "explainability_results"]
    persons = ["crops", "targets", "persons", "crop_boxes"]
    return stage(
        "reporting",
        [
            step(
                nodes.draw_person_examples,
                [
                    *("model", "raw_source", *persons, "evaluation_results", "crop_statistics"),
                    *(SOURCE, SOURCES, PAGE, PHOTOGRAPHS),
                ],
                named_outputs("person_examples", "summary_example"),
            ),
            step(nodes.write_model_card, [*OWN, "data_results", *results], "model_card"),
            step(
                nodes.write_report,
                [
                    *OWN,
                    "data_results",
                    "training_results",
                    *results,
                    "person_examples",
                    "summary_example",
                    "explorer_workspace",
                    *SETTINGS,
                ],
                named_outputs("summary", "report"),
            ),
        ],
    )


def _explorer() -> Pipeline:
    tables = ["persons", "explained_persons", "explained_predictions", "explained_scores", "pose_attributes"]
    return stage(
        "reporting",
        [
            step(
                nodes.write_explorer_persons,
                [
                    *("explorer_workspace", "model", "crops", "targets", "crop_statistics", "skeleton", "features", *tables),
                    *("explainability_results", "uncertainty", PREDICTION, EXPLORER, PHOTOGRAPHS, SOURCE),
                ],
                "explorer_persons",
            )
        ],
    )
