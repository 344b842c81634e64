"""Pipeline `improve`: two fine-tunings from the same weights, with and without autoencoders, compared with each other."""

from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from posescope.improvement.code_size import choose_code_size
from posescope.improvement.improvement_findings import conclude
from posescope.pipelines.improve import nodes
from posescope.pipelines.steps import stage, step
from posescope.reporting.plots.improvement_plots import plot_autoencoder_training, plot_improvement

__all__ = ["create_pipeline"]

PREDICTION = "params:evaluation.prediction"
TRAINING = "params:modelling.training"
AUTOENCODER = "params:improve.autoencoder"
FINE_TUNING = "params:improve.fine_tuning"
COMPARISON = "params:improve.comparison"
DATA = ["crops", "targets", "crop_statistics", "persons"]


def create_pipeline() -> Pipeline:
    """Return the pipeline from a trained model and its truncation curve to the model with autoencoders and its comparison."""
    return stage("improve.training", _train()) + stage("improve.comparison", _compare())


def _train() -> list[Node]:
    return [
        step(choose_code_size, ["model", "components", "analysis_truncation", AUTOENCODER], "code_size"),
        step(nodes.extract_bottleneck_features, ["model", *DATA, "bottlenecks_workspace", PREDICTION], "bottlenecks"),
        step(
            nodes.train_autoencoders,
            ["model", "bottlenecks", "persons", "code_size", AUTOENCODER, TRAINING],
            {"model": "inserted_model", "history": "autoencoder_history", "reconstruction": "reconstruction"},
        ),
        _fine_tune("fine_tune_original", "model", "continued"),
        _fine_tune("fine_tune_with_autoencoder", "inserted_model", "improved"),
        # No output: it marks the checkpoints once both models are saved.
        step(nodes.finish_fine_tuning, ["continued_model", "improved_model", "fine_tuning_checkpoints_workspace"], None),
        step(plot_autoencoder_training, "autoencoder_history", "autoencoder_plot"),
    ]


def _fine_tune(name: str, start: str, result: str) -> Node:
    return step(
        nodes.fine_tune_model,
        [start, *DATA, "fine_tuning_checkpoints_workspace", TRAINING, FINE_TUNING],
        {"model": f"{result}_model", "history": f"{result}_history"},
        name,
    )


def _compare() -> list[Node]:
    models = ["model", "bottlenecks", "inserted_model", "continued_model", "improved_model"]
    return [
        step(
            nodes.score_variants,
            [*models, *DATA, "keypoints", "crop_boxes", "skeleton", PREDICTION, "params:evaluation.scoring"],
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
            conclude,
            ["code_size", "improvement_metrics", "improvement_joints", "reconstruction", "bottleneck_dimensions", FINE_TUNING],
            "improvement",
            "write_findings",
        ),
        step(plot_improvement, ["improvement_metrics", "improvement_joints"], "improvement_plot"),
    ]
