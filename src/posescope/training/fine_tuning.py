"""Going on with a model that is trained already: the same loop, from its weights."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from posescope.artifacts.model_folder import fingerprint_of_model
from posescope.artifacts.pose_model import PoseModel
from posescope.crops.crop_set import CropSet
from posescope.files import fingerprint
from posescope.training.checkpoints import CheckpointStore
from posescope.training.loop import train
from posescope.training.options import TrainingOptions
from posescope.training.records import TrainingOutcome

__all__ = ["fine_tune"]


def fine_tune(
    start: PoseModel,
    train_set: CropSet,
    val_set: CropSet,
    options: TrainingOptions,
    store: CheckpointStore,
    made_of: Mapping[str, Any],
) -> TrainingOutcome:
    """Train a model from the weights that it has, or go on with the unfinished run that began from the same weights.

    As `train`, with its errors; the optimiser and the schedule begin anew. The run is over once `store.finish` is called with the
    `fingerprint` in the outcome's provenance, which holds that of `start` too.

    Args:
        start: trained; it is not changed.
        train_set, val_set: crops of the model's size and skeleton.
        options: of this training.
        store: where checkpoints go.
        made_of: JSON-like, what stands for the data; options and the weights at the start are added.
    """
    whole = {
        **made_of,
        "modelling": {"model": start.model_spec.model_dump(mode="json"), "training": options.identity()},
        "start": fingerprint_of_model(start),
    }
    begun = replace(start, provenance={"start": dict(start.provenance)})
    return train(begun, train_set, val_set, options, store, fingerprint(whole), made_of=whole)
