"""The flow of the improvement: two trainings from the same weights, with autoencoders and without, held against each other."""

from kedro.pipeline import Pipeline, node, pipeline
from kedro.pipeline.node import Node

from posescope.pipelines.improve import nodes
from posescope.pipelines.steps import step

__all__ = ["create_pipeline"]

PREDICTION = "params:evaluation.prediction"
TRAINING = "params:modelling.training"
AUTOENCODER = "params:improve.autoencoder"
FINE_TUNING = "params:improve.fine_tuning"
COMPARISON = "params:improve.comparison"
DATA = ["crops", "targets", "crop_statistics", "persons"]


def create_pipeline() -> Pipeline:
    """A trained model and its truncation curve -> the model with autoencoders, and how it compares."""
    return pipeline([*_build(), *_compare()], tags="improve")


def _build() -> list[Node]:
    return [
        step(nodes.choose_code_size, ["model", "components", "analysis_truncation", AUTOENCODER], "code_size"),
        step(nodes.extract_bottleneck_features, ["model", *DATA, "bottlenecks_workspace", PREDICTION], "bottlenecks"),
        step(
            nodes.train_autoencoders,
            ["model", "bottlenecks", "persons", "code_size", AUTOENCODER, TRAINING],
            {"model": "inserted_model", "history": "autoencoder_history", "reconstruction": "reconstruction"},
        ),
        _train_on("fine_tune_original", "model", "continued"),
        _train_on("fine_tune_with_autoencoder", "inserted_model", "improved"),
        # No output: it leaves marks among the checkpoints, once both models are saved.
        node(
            nodes.finish_fine_tuning,
            ["continued_model", "improved_model", "fine_tuning_checkpoints_workspace"],
            None,
            name="finish_fine_tuning",
        ),
        step(nodes.draw_autoencoder_training, "autoencoder_history", "autoencoder_plot"),
    ]


def _train_on(name: str, start: str, result: str) -> Node:
    return node(
        nodes.train_on,
        [start, *DATA, "fine_tuning_checkpoints_workspace", TRAINING, FINE_TUNING],
        {"model": f"{result}_model", "history": f"{result}_history"},
        name=name,
    )


def _compare() -> list[Node]:
    return [
        step(
            nodes.score_variants,
            [
                "model",
                "bottlenecks",
                "inserted_model",
                "continued_model",
                "improved_model",
                *DATA,
                "keypoints",
                "crop_boxes",
                "skeleton",
                PREDICTION,
                "params:evaluation.scoring",
            ],
            {"person_scores": "variant_scores", "joint_hits": "variant_hits"},
        ),
        step(
            nodes.compare_variants,
            ["variant_scores", "variant_hits", COMPARISON],
            {"figures": "improvement_metrics", "joints": "improvement_joints"},
        ),
        step(
            nodes.measure_bottlenecks,
            ["model", "continued_model", "improved_model", *DATA, PREDICTION, COMPARISON],
            "bottleneck_dimensions",
        ),
        step(
            nodes.conclude,
            ["code_size", "improvement_metrics", "improvement_joints", "reconstruction", "bottleneck_dimensions", FINE_TUNING],
            "improvement",
        ),
        step(nodes.draw_improvement, ["improvement_metrics", "improvement_joints"], "improvement_plot"),
    ]
