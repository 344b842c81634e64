"""Who is studied, and running one analysis on them."""

import logging
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.artifacts.pose_model import PoseModel
from posescope.crops.crop_set import CropSet
from posescope.explain.base import AnalysisInputs, AnalysisResult, sample_rows
from posescope.explain.components import Components
from posescope.explain.errors import ExplainError
from posescope.explain.feature_store import FeatureSet
from posescope.plugins import ComponentSpec, build
from posescope.records import PoseTargets
from posescope.tables import ids_of

__all__ = ["choose_persons", "run_analysis"]

_log = logging.getLogger(__name__)

_FEWEST = 3  # a component and two clusters need as many
_FEW = 50


def choose_persons(
    persons: pd.DataFrame,
    targets: PoseTargets,
    split: str,
    max_persons: int,
    min_labelled_joints: int | Literal["all"],
    seed: int,
) -> NDArray[np.int64]:
    """(n,) ids, ascending: the persons of a split with enough labelled joints, at most so many of them.

    `all`: all joints of the skeleton must be labelled. Few persons are warned of.

    Raises:
        ExplainError: if fewer than three are left.
    """
    needed = targets.visibility.shape[1] if min_labelled_joints == "all" else min_labelled_joints
    labelled = (targets.visibility > 0).sum(axis=1)
    ids = ids_of(persons, split)
    enough = np.intersect1d(ids, targets.person_ids[labelled >= needed])
    found = f"{len(enough)} of the {len(ids)} persons of '{split}' have {needed} labelled joints or more"
    if len(enough) < _FEWEST:
        raise ExplainError(f"Only {found}, {_FEWEST} are needed; lower explainability.persons.min_labelled_joints.")
    if len(enough) < _FEW:
        _log.warning("Only %s: what the analyses find of so few may be chance.", found)
    return np.asarray(enough[sample_rows(len(enough), max_persons, seed)])


def run_analysis(
    spec: ComponentSpec | None,
    *,
    name: str,
    model: PoseModel,
    crops: CropSet,
    features: FeatureSet,
    components: Components,
    scores: pd.DataFrame,
    seed: int,
    batch_size: int,
) -> AnalysisResult:
    """Run an analysis, or say that it is not selected.

    Args:
        spec: the analysis and its options; None if it is not selected.
        name: for that message.
        model: the network under study.
        crops, features: of the same persons.
        components: of the features.
        scores: person_id and pck_thesis of the same persons, in any order.
        seed: of every random choice.
        batch_size: persons a forward pass.
    """
    if spec is None:
        return AnalysisResult(findings={}, note=f"The analysis '{name}' is not selected (explainability.analyses.selected).")
    pck = scores.set_index("person_id").loc[features.person_ids, "pck_thesis"].to_numpy(dtype=np.float64)
    result: AnalysisResult = build("analyses", spec)(
        AnalysisInputs(
            model=model,
            crops=crops,
            features=features,
            components=components,
            per_person_pck=pck,
            seed=seed,
            batch_size=batch_size,
        )
    )
    return result
