"""The flow of modelling."""

from kedro.pipeline import Pipeline, node, pipeline

from posescope.pipelines.modelling import nodes

__all__ = ["create_pipeline"]


def create_pipeline() -> Pipeline:
    """Crops and targets -> a trained model, its history as table and plot."""
    return pipeline(
        [
            node(
                nodes.train_model,
                [
                    "crops",
                    "targets",
                    "persons",
                    "skeleton",
                    "crop_statistics",
                    "checkpoints_workspace",
                    "params:data_engineering.codec",
                    "params:modelling.model",
                    "params:modelling.training",
                ],
                {"model": "model", "history": "history"},
            ),
            node(nodes.draw_history, "history", "history_plot"),
        ],
        tags="modelling",
    )
