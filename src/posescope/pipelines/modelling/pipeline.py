"""The flow of modelling."""

from kedro.pipeline import Pipeline, node, pipeline

from posescope.pipelines.modelling import nodes
from posescope.pipelines.steps import named_outputs, step

__all__ = ["create_pipeline"]


def create_pipeline() -> Pipeline:
    """Crops and targets -> a trained model, its history as table and plot."""
    return pipeline(
        [
            step(
                nodes.train_model,
                [
                    "crops",
                    "targets",
                    "persons",
                    "skeleton",
                    "crop_statistics",
                    "checkpoints_workspace",
                    "training_image_grids_workspace",
                    "params:data_engineering.codec",
                    "params:modelling.model",
                    "params:modelling.training",
                ],
                named_outputs("model", "history", "history_table"),
            ),
            # No output: it leaves a mark among the checkpoints. Kedro saves all that train_model gives back before this starts.
            node(nodes.finish_training, ["model", "checkpoints_workspace"], None, name="finish_training"),
            step(nodes.draw_history, "history", "history_plot"),
        ],
        tags="modelling",
    )
