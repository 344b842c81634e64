"""Calibration of a trained model: the errors of persons that it was not trained on become radii of its joints."""

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.artifacts.crop_matching import match_crops
from posescope.artifacts.model_folder import fingerprint_of_model
from posescope.artifacts.pose_model import PoseModel
from posescope.artifacts.uncertainty import JointCalibration, Uncertainty
from posescope.core.errors import DataError
from posescope.core.records import CropJoints
from posescope.data.crops.crop_set import CropSet
from posescope.evaluation.conformal import JointRadii, UncertaintyOptions, calibrate_joints
from posescope.prediction.crop_predictions import predict_crops
from posescope.prediction.options import PredictionOptions

__all__ = ["calibrate_again", "calibrate_uncertainty", "photographs_of"]

_log = logging.getLogger(__name__)


def calibrate_uncertainty(
    model: PoseModel,
    crops: CropSet,
    photographs: NDArray[np.int64],
    data_fingerprint: str,
    options: UncertaintyOptions,
    prediction: PredictionOptions,
) -> Uncertainty:
    """Compute the radii of all joints, with and without flip test.

    Args:
        model: the trained model.
        crops: calibration persons (N).
        photographs: (N,) the photograph of each.
        data_fingerprint: fingerprint of the data that the persons are of.
        options: levels and ranges of scores.
        prediction: batch size and device.

    Raises:
        DataError: if the model was trained on other data, in which the calibration persons may have been training persons.
    """
    trained_on = model.provenance.get("data_fingerprint")
    if trained_on != data_fingerprint:
        raise DataError(
            f"The model was trained on other data ({trained_on}) than the calibration persons are of ({data_fingerprint}); they "
            "may have been training persons, whose errors are too small. Run the pipeline modelling."
        )
    crops = match_crops(model, crops)
    plain, mirrored = (_calibrate(model, crops, photographs, options, prediction, flip_test) for flip_test in (False, True))
    found = Uncertainty(
        model=fingerprint_of_model(model),
        data=data_fingerprint,
        persons=len(crops),
        photographs=len(np.unique(photographs)),
        level=options.level,
        levels=options.levels,
        max_radius_px=options.max_radius * max(model.crop_size),
        plain=plain,
        flip_test=mirrored,
    )
    _report(found)
    return found


def calibrate_again(
    before: Uncertainty,
    fingerprint: str,
    crops: CropSet,
    photographs: NDArray[np.int64],
    predictions: tuple[CropJoints, CropJoints],
) -> Uncertainty:
    """Compute the radii of a model that was made from a calibrated one, at the same levels.

    Args:
        before: radii of the original.
        fingerprint: fingerprint of the new model.
        crops: calibration persons (N), with the joints in the order of the model.
        photographs: (N,) the photograph of each.
        predictions: of the new model for these crops, without and with flip test.
    """
    side = max(crops.crop_size)
    options = UncertaintyOptions(
        level=before.level,
        other_levels=before.levels,
        score_bins=max(len(one.radii) for one in (*before.plain, *before.flip_test)),
        max_radius=min(1.0, before.max_radius_px / side),
    )
    plain, mirrored = (_radii_of(before.joints, crops, found, photographs, options) for found in predictions)
    counts = {"persons": len(crops), "photographs": len(np.unique(photographs))}
    return before.model_copy(update={"model": fingerprint, "plain": plain, "flip_test": mirrored, **counts})


def photographs_of(persons: pd.DataFrame, person_ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a number for the photograph of each person, (N,); records with the same file share it.

    Args:
        persons: a `Persons` table that holds these persons.
        person_ids: (N,).
    """
    rows = persons.set_index("person_id").loc[person_ids]
    return rows.groupby(["source_split", "file_name"], sort=True).ngroup().to_numpy().astype(np.int64)


def _calibrate(
    model: PoseModel,
    crops: CropSet,
    photographs: NDArray[np.int64],
    options: UncertaintyOptions,
    prediction: PredictionOptions,
    flip_test: bool,
) -> tuple[JointCalibration, ...]:
    found = CropJoints(np.empty((0, len(model.skeleton), 2), np.float32), np.empty((0, len(model.skeleton)), np.float32))
    if len(crops):
        predicted = predict_crops(model, crops, prediction.model_copy(update={"flip_test": flip_test})).predictions
        found = CropJoints(predicted.joints, predicted.scores)
    return _radii_of(model.skeleton.joints, crops, found, photographs, options)


def _radii_of(
    joints: Sequence[str], crops: CropSet, found: CropJoints, photographs: NDArray[np.int64], options: UncertaintyOptions
) -> tuple[JointCalibration, ...]:
    """Return the radii of the joints by the errors of predictions for the crops."""
    offset = found.joints.astype(np.float64) - (crops.targets.joints if len(crops) else 0)
    errors = np.hypot(offset[..., 0], offset[..., 1])
    table = calibrate_joints(errors, found.scores.astype(np.float64), photographs, options)
    return tuple(map(_as_record, joints, table.joints))


def _as_record(joint: str, radii: JointRadii) -> JointCalibration:
    rows = tuple(tuple(None if np.isnan(value) else value for value in row) for row in radii.radii.tolist())
    return JointCalibration(
        joint=joint,
        labels=radii.labels,
        photographs=radii.photographs,
        score_edges=tuple(radii.score_edges.tolist()),
        radii=rows,
        reason=radii.reason,
    )


def _report(found: Uncertainty) -> None:
    if not found.persons:
        _log.warning("No calibration person: the joints get no radius (data_engineering.split.max_calibration_fraction).")
    elif reasons := found.reasons():
        _log.warning("No radius for %d joints: %s", len(reasons), "; ".join(f"{name}: {why}" for name, why in reasons.items()))
    else:
        _log.info("Calibrated the radii of %d joints on %d persons.", len(found.joints), found.persons)
