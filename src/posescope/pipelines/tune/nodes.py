"""Nodes of the pipeline `tune`."""

import pandas as pd

from posescope.core.plugins import ComponentSpec
from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.core.tables import ids_of
from posescope.data.crops.crop_statistics import CropStatistics, check_current
from posescope.data.crops.crop_store import CropStore
from posescope.runs.trained_models import TrainedModels
from posescope.tracking.run_tracking import observe_trial
from posescope.training.options import TrainingOptions
from posescope.training.weight_transfer import InitialiseOptions
from posescope.tuning.options import Recipe, TuneOptions
from posescope.tuning.records import TuningRecord
from posescope.tuning.search import search
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
    trained_models: TrainedModels,
    codec: ComponentSpec,
    model: ComponentSpec,
    training: TrainingOptions,
    initialise: InitialiseOptions,
    tune: TuneOptions,
) -> TuningRecord:
    """Train the trials on the training persons and score them on the validation persons; the test set is not used.

    Args:
        crops, targets, statistics: crops of the data set, their joints and statistics.
        persons: `Persons` with splits.
        skeleton: joints and limbs.
        tuning_workspace: store of the trials.
        trained_models: models that the trials may start from.
        codec, model, training: the recipe that the trials change.
        initialise: the model that every trial starts from, and the parts that are trained.
        tune: search space, budget and pruning.
    """
    check_current(statistics, crops, persons, targets)
    train_set, val_set = (crops.select(targets, ids_of(persons, split)) for split in ("train", "val"))
    recipe = Recipe(codec=codec, model=model, training=training)
    start = trained_models.read(initialise.from_model) if initialise.from_model else None
    data = TuningData(train_set, val_set, skeleton, statistics, start, initialise)
    return search(recipe, data, tune, tuning_workspace, observe_trial)
