"""The flow of scoring one split, for the pipelines that score: the same figures by the same nodes, whosever they are."""

from typing import Literal

from kedro.pipeline import Pipeline, pipeline

from posescope.pipelines.split_scoring_nodes import SplitNodes
from posescope.pipelines.steps import step

__all__ = ["PREDICTION", "SCORING", "score_split"]

SCORING = "params:evaluation.scoring"
PREDICTION = "params:evaluation.prediction"


def score_split(split: Literal["val", "test"], model: str, metrics: str, results: str | None = None) -> Pipeline:
    """A model, or a file of results -> predictions, COCO results, scores, metrics. Nodes and datasets are named by the split.

    Args:
        split: whose people are scored.
        model: name of the dataset of the model.
        metrics: name of the dataset that takes the content of metrics.json.
        results: name of the parameter that may hold a file of results; none: it is always the model that is scored.
    """
    nodes, source = SplitNodes(split), "params:data_engineering.source"
    given = [] if results is None else [results]
    truth = [] if results is None else [results, "raw_source", source]
    predictions, wanted, images = f"predictions_{split}", f"evaluated_persons_{split}", f"evaluated_images_{split}"
    metric_values, precision, mse = f"metric_values_{split}", f"average_precision_{split}", f"heatmap_mse_{split}"
    found, errors, setting = f"coco_results_{split}", f"heatmap_errors_{split}", f"setting_{split}"
    return pipeline(
        [
            step(nodes.choose_people, ["persons_read", "keypoints", "persons", "crops", SCORING], wanted, split),
            step(
                nodes.describe_setting,
                [model, "crops", "targets", "persons", "crop_statistics", PREDICTION, SCORING, *given],
                setting,
                split,
            ),
            step(
                nodes.predict_people,
                [model, "crops", "targets", wanted, "keypoints", "crop_boxes", "skeleton", setting, PREDICTION, *truth],
                {"predictions": predictions, "results": found, "heatmap_errors": errors},
                split,
            ),
            step(
                nodes.score_precision,
                ["raw_source", found, predictions, "persons", wanted, "skeleton", setting, source, SCORING],
                {"metric_values": precision, "image_ids": images},
                split,
            ),
            step(
                nodes.score_persons,
                ["crops", predictions, wanted, "keypoints", "crop_boxes", images, "skeleton", setting, SCORING],
                {
                    "metric_values": metric_values,
                    "person_scores": f"person_scores_{split}",
                    "joint_scores": f"joint_scores_{split}",
                },
                split,
            ),
            step(nodes.score_heatmaps, [errors, images, setting, SCORING], mse, split),
            step(nodes.assemble_metrics, [metric_values, precision, mse, setting], metrics, split),
        ]
    )
