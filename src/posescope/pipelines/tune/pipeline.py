"""Pipeline `tune`: crops, targets and a search space -> the parameters with the best validation PCK."""

from kedro.pipeline import Pipeline

from posescope.pipelines.steps import stage, step
from posescope.pipelines.tune import nodes
from posescope.reporting.plots.tuning_plots import plot_search_history, plot_searched_parameters
from posescope.tuning.search_results import format_best_parameters, tabulate_trials

__all__ = ["create_pipeline"]

DATA = ["crops", "targets", "persons", "skeleton", "crop_statistics"]
STORES = ["tuning_workspace", "trained_models_workspace"]
RECIPE = ["params:data_engineering.codec", "params:modelling.model", "params:modelling.training", "params:modelling.initialise"]


def create_pipeline() -> Pipeline:
    """Return the pipeline that searches for parameters."""
    return stage(
        "tune",
        [
            step(nodes.search_parameters, [*DATA, *STORES, *RECIPE, "params:tune"], "tuning"),
            step(tabulate_trials, "tuning", "tuning_trials"),
            step(format_best_parameters, "tuning", "tuning_best"),
            step(plot_search_history, "tuning_trials", "tuning_history_plot"),
            step(plot_searched_parameters, "tuning_trials", "tuning_parameters_plot"),
        ],
    )
