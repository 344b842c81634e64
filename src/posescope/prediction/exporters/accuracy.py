"""What an export of lower precision costs: its accuracy beside that of the float32 model, and its own radii."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from posescope.artifacts.exported_model import ExportedModel
from posescope.artifacts.uncertainty import Uncertainty
from posescope.core.records import CropJoints
from posescope.evaluation.bootstrap import resample_images
from posescope.evaluation.metrics.pck_thesis import pck_thesis
from posescope.evaluation.paired_comparison import PairedMetric, compare_values
from posescope.prediction.exporters.exporter import LabelledCrops
from posescope.prediction.uncertainty_calibration import calibrate_again

__all__ = ["METRIC", "calibrate_radii", "compare_accuracy", "predict_persons"]

METRIC = "pck_thesis"
_BATCH = 32
_RESAMPLES = 1000


def compare_accuracy(original: ExportedModel, exported: ExportedModel, persons: LabelledCrops, seed: int = 0) -> PairedMetric:
    """Return PCK of a float32 model (a) and of its export (b) on the same persons, with a paired bootstrap over photographs.

    Args:
        original: the float32 model.
        exported: the model of lower precision.
        persons: validation persons.
        seed: random seed of the bootstrap.
    """
    targets, size = persons.crops.targets, persons.crops.crop_size
    first, second = (
        pck_thesis(predict_persons(model, persons).joints, targets.joints, targets.visibility, size)
        for model in (original, exported)
    )
    draws = resample_images(persons.photographs, seed, _RESAMPLES)
    return compare_values(METRIC, first, second, persons.photographs, draws)


def calibrate_radii(before: Uncertainty, fingerprint: str, exported: ExportedModel, persons: LabelledCrops) -> Uncertainty:
    """Return the radii of an exported model, from its own errors.

    Args:
        before: radii of the original, which give the levels.
        fingerprint: fingerprint of the exported model.
        exported: the exported model.
        persons: calibration persons.
    """
    found = (predict_persons(exported, persons, flip_test=False), predict_persons(exported, persons, flip_test=True))
    own = calibrate_again(before, fingerprint, persons.crops, persons.photographs, found)
    return own.model_copy(update={"numerics": exported.numerics})


def predict_persons(model: ExportedModel, persons: LabelledCrops, flip_test: bool = False) -> CropJoints:
    """Return joints (crop px) and scores of all persons.

    Args:
        model: an exported model.
        persons: N persons.
        flip_test: whether heatmaps are averaged with those of the mirrored crops.
    """
    found = [model.run(persons.crops.read_images(rows), flip_test) for rows in _batches(len(persons.crops))]
    return CropJoints(np.concatenate([one.joints for one in found]), np.concatenate([one.scores for one in found]))


def _batches(count: int) -> Iterator[NDArray[np.int64]]:
    for first in range(0, count, _BATCH):
        yield np.arange(first, min(first + _BATCH, count))
