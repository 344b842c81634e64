"""Nodes of the search: unpack, one call, return."""

import pandas as pd
from plotly.graph_objects import Figure

from posescope.core.plugins import ComponentSpec
from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.core.tables import ids_of
from posescope.data.crops.crop_statistics import CropStatistics, check_current
from posescope.data.crops.crop_store import CropStore
from posescope.reporting.plots.tuning_plots import plot_search_history, plot_searched_parameters
from posescope.training.options import TrainingOptions
from posescope.tuning.options import Recipe, TuneOptions
from posescope.tuning.records import TuningRecord
from posescope.tuning.search import search
from posescope.tuning.search_results import format_best_parameters, tabulate_trials
from posescope.tuning.trial import TuningData
from posescope.tuning.trial_store import TuningStore

__all__: list[str] = []


def search_parameters(
    crops: CropStore,
    targets: PoseTargets,
    persons: pd.DataFrame,
    skeleton: Skeleton,
    statistics: CropStatistics,
    tuning_workspace: TuningStore,
    codec: ComponentSpec,
    model: ComponentSpec,
    training: TrainingOptions,
    tune: TuneOptions,
) -> TuningRecord:
    """Train trial after trial on the training persons, measured on the validation persons; the test set is never selected."""
    check_current(statistics, crops, persons, targets)
    train_set, val_set = (crops.select(targets, ids_of(persons, split)) for split in ("train", "val"))
    recipe = Recipe(codec=codec, model=model, training=training)
    return search(recipe, TuningData(train_set, val_set, skeleton, statistics), tune, tuning_workspace)


def list_trials(tuning: TuningRecord) -> pd.DataFrame:
    """A row a trial."""
    return tabulate_trials(tuning)


def choose_winner(tuning: TuningRecord) -> str:
    """The best trial as a parameters file."""
    return format_best_parameters(tuning)


def draw_search_history(tuning_trials: pd.DataFrame) -> Figure:
    """The PCK of every trial, and the best so far."""
    return plot_search_history(tuning_trials)


def draw_searched_parameters(tuning_trials: pd.DataFrame) -> Figure:
    """The PCK against each parameter."""
    return plot_searched_parameters(tuning_trials)
