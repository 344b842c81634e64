"""Pipeline `modelling`: crops and targets -> a trained model, its training history, and the uncertainty of its joints."""

from kedro.pipeline import Pipeline

from posescope.pipelines.modelling import nodes
from posescope.pipelines.stage_results import collect_training
from posescope.pipelines.steps import named_outputs, stage, step
from posescope.reporting.plots.training_plots import plot_history

__all__ = ["create_pipeline"]

DATA = ["crops", "targets", "persons", "skeleton", "crop_statistics"]
PREDICTION = "params:evaluation.prediction"
RECIPE = ["params:data_engineering.codec", "params:modelling.model", "params:modelling.training", "params:modelling.initialise"]


def create_pipeline() -> Pipeline:
    """Return the pipeline that trains and calibrates a model."""
    training = [
        step(
            nodes.train_model,
            [*DATA, "checkpoints_workspace", "training_image_grids_workspace", "trained_models_workspace", *RECIPE],
            named_outputs("model", "history", "history_table"),
        ),
        # No output: it marks the checkpoints. Kedro saves all outputs of train_model before this node starts.
        step(nodes.finish_training, ["model", "checkpoints_workspace"], None),
        step(plot_history, "history", "history_plot"),
        step(
            nodes.calibrate_uncertainty,
            ["model", "crops", "targets", "persons", "crop_statistics", "params:modelling.uncertainty", PREDICTION],
            "uncertainty",
        ),
    ]
    return stage("modelling", training) + collect_training()
