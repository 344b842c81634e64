"""Nodes that score one split, shared by the pipelines `evaluation` and `final_test`."""

from typing import Literal

from kedro.pipeline.node import Node

from posescope.evaluation.metric_values import metrics_content
from posescope.pipelines.split_scoring_nodes import SplitNodes
from posescope.pipelines.steps import step

__all__ = ["PREDICTION", "SCORING", "SOURCE", "SOURCES", "scoring_steps"]

SOURCE = "params:data_engineering.source"
SOURCES = "params:data_engineering.sources"
SCORING = "params:evaluation.scoring"
PREDICTION = "params:evaluation.prediction"


def scoring_steps(split: Literal["val", "test"], model: str, metrics: str, results: str | None = None) -> list[Node]:
    """Return the nodes from a model, or a file of results, to predictions, scores and metrics of a split.

    Args:
        split: the split that is scored; dataset names end in it.
        model: dataset of the model.
        metrics: dataset of the content of metrics.json.
        results: parameter that may name a file of COCO results to score instead of the model. None: the model is scored.
    """
    nodes = SplitNodes(split)
    given = [] if results is None else [results]
    truth = [] if results is None else [results, "raw_source", SOURCE, SOURCES]
    predictions, evaluated, images = f"predictions_{split}", f"evaluated_persons_{split}", f"evaluated_images_{split}"
    metric_values, precision, mse = f"metric_values_{split}", f"average_precision_{split}", f"heatmap_mse_{split}"
    found, errors, setting = f"coco_results_{split}", f"heatmap_errors_{split}", f"setting_{split}"
    return [
        step(nodes.select_evaluated_persons, ["persons_read", "keypoints", "persons", "crops", SCORING], evaluated),
        step(
            nodes.describe_setting,
            [model, "crops", "targets", "persons", "crop_statistics", PREDICTION, SCORING, *given],
            setting,
        ),
        step(
            nodes.predict_persons,
            [model, "crops", "targets", evaluated, "keypoints", "crop_boxes", "skeleton", setting, PREDICTION, *truth],
            {"predictions": predictions, "results": found, "heatmap_errors": errors},
        ),
        step(
            nodes.score_average_precision,
            ["raw_source", found, predictions, "persons", evaluated, "skeleton", setting, SOURCE, SOURCES, SCORING],
            {"metric_values": precision, "image_ids": images},
        ),
        step(
            nodes.score_persons,
            ["crops", predictions, evaluated, "keypoints", "crop_boxes", images, "skeleton", setting, SCORING],
            {
                "metric_values": metric_values,
                "person_scores": f"person_scores_{split}",
                "joint_scores": f"joint_scores_{split}",
            },
        ),
        step(nodes.score_heatmaps, [errors, images, setting, SCORING], mse),
        step(metrics_content, [setting, metric_values, precision, mse], metrics, "assemble_metrics"),
    ]
