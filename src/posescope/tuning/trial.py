"""One trial: training with a sampled recipe, with pruning by its validation PCK."""

from dataclasses import dataclass, field
from typing import Any

import torch

from posescope.artifacts.pose_model import PoseModel
from posescope.artifacts.stored_model import StoredModel
from posescope.core.errors import OptionsError
from posescope.core.files import fingerprint
from posescope.core.skeleton import Skeleton
from posescope.data.crops.crop_set import CropSet
from posescope.data.crops.crop_statistics import CropStatistics
from posescope.training.checkpoint_store import CheckpointStore
from posescope.training.initialisation import build_untrained
from posescope.training.observer import TrainingObserver
from posescope.training.trainer import NonFiniteLossError, train
from posescope.training.weight_transfer import InitialiseOptions, identify_start, start_from
from posescope.tuning.options import Recipe
from posescope.tuning.optuna_sampler import LiveTrial, TrialPrunedError
from posescope.tuning.records import TrialRecord

__all__ = ["TuningData", "build_model", "run_trial"]


@dataclass(frozen=True)
class TuningData:
    """Data of all trials; the test set is not part of it.

    Attributes:
        train_set, val_set: crops of the training and validation persons.
        skeleton: skeleton of the data.
        statistics: statistics of the crops.
        start: model that every trial starts from; None: random weights.
        initialise: what is taken of it, and the parts that are trained.
    """

    train_set: CropSet
    val_set: CropSet
    skeleton: Skeleton
    statistics: CropStatistics
    start: StoredModel | None = None
    initialise: InitialiseOptions = field(default_factory=InitialiseOptions)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-like content that identifies the data and the start."""
        start = identify_start(self.initialise, self.start)
        return {"statistics": self.statistics.to_dict(), "skeleton": self.skeleton.to_dict(), **start}


def build_model(recipe: Recipe, data: TuningData) -> PoseModel:
    """Return the model of a recipe with its initial weights.

    Args:
        recipe: codec, network and training.
        data: data with skeleton and crop statistics.

    Raises:
        OptionsError: if codec and network have different heatmap sizes, or the start model does not match.
    """
    statistics, seed = data.statistics, recipe.training.seed
    untrained = build_untrained(
        recipe.model, recipe.codec, data.skeleton, statistics.crop_size, statistics.mean_rgb, statistics.crop, seed,
        load_pretrained=data.start is None,
    )  # fmt: skip
    return start_from(untrained, data.start, data.initialise) if data.start else untrained


def run_trial(
    recipe: Recipe,
    data: TuningData,
    live: LiveTrial,
    checkpoints: CheckpointStore,
    observer: TrainingObserver | None = None,
) -> TrialRecord:
    """Train until the last epoch or until the trial is pruned, from the last checkpoint if its process died before.

    A loss that is NaN or infinite, a network that does not match its codec, and insufficient GPU memory end the trial as failed,
    but not the search.

    Args:
        recipe: recipe with the sampled values.
        data: training and validation persons.
        live: running trial in Optuna.
        checkpoints: checkpoint store of this trial.
        observer: observer of the training; None: there is none.
    """
    run_id = fingerprint([recipe.model_dump(mode="json"), data.to_dict()])
    try:
        before = checkpoints.latest(run_id)
        for record in before.history if before else ():
            live(record)
        model = build_model(recipe, data)
        train(
            model, data.train_set, data.val_set, recipe.training.on_one_node(), checkpoints, run_id, on_epoch=live,
            parts=data.initialise, observer=observer,
        )  # fmt: skip
    except TrialPrunedError:
        return live.finish("pruned")
    except (NonFiniteLossError, OptionsError, torch.OutOfMemoryError) as error:
        return live.finish("failed", f"{type(error).__name__}: {' '.join(str(error).split())}")
    return live.finish("completed")
