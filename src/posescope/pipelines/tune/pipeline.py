"""The flow of the search."""

from kedro.pipeline import Pipeline, pipeline

from posescope.pipelines.steps import step
from posescope.pipelines.tune import nodes

__all__ = ["create_pipeline"]


def create_pipeline() -> Pipeline:
    """Crops and targets, and a space of parameters -> trials as table and plots, and the best as a parameters file."""
    return pipeline(
        [
            step(
                nodes.search_parameters,
                [
                    "crops",
                    "targets",
                    "persons",
                    "skeleton",
                    "crop_statistics",
                    "tuning_workspace",
                    "params:data_engineering.codec",
                    "params:modelling.model",
                    "params:modelling.training",
                    "params:tune",
                ],
                "tuning",
            ),
            step(nodes.list_trials, "tuning", "tuning_trials"),
            step(nodes.choose_winner, "tuning", "tuning_best"),
            step(nodes.draw_search_history, "tuning_trials", "tuning_history_plot"),
            step(nodes.draw_searched_parameters, "tuning_trials", "tuning_parameters_plot"),
        ],
        tags="tune",
    )
