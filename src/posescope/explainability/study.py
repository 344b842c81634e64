"""The run of one analysis on the persons of a study."""

import logging
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from posescope.artifacts.crop_matching import match_crops
from posescope.artifacts.pose_model import PoseModel
from posescope.core.errors import pluralise
from posescope.core.plugins import ComponentSpec, build
from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.data.crops.crop_store import CropStore
from posescope.drawing.photographs import PhotographMode
from posescope.explainability.base import AnalysisInputs, AnalysisResult, StudyPersons
from posescope.explainability.components.pca import Components
from posescope.explainability.explained_persons import FITTED, JUDGED, read_error_types, read_predictions
from posescope.explainability.features.feature_store import FeatureSet
from posescope.explainability.findings import MIN_IMAGES

__all__ = ["StudyTables", "describe_result", "run_analysis", "select_features", "select_persons"]

_log = logging.getLogger(__name__)

_LARGE_SHARE = 0.1  # of the judged persons in one image: the intervals then depend much on it


@dataclass(frozen=True)
class StudyTables:
    """Tables of the explained persons.

    Attributes:
        persons: table of `choose_persons`.
        predictions: `Predictions` with crop coordinates.
        scores: table of `score_persons`.
        error_types: `JointErrors`.
        attributes: table of `measure_attributes` and `measure_image_attributes`.
    """

    persons: pd.DataFrame
    predictions: pd.DataFrame
    scores: pd.DataFrame
    error_types: pd.DataFrame
    attributes: pd.DataFrame


def select_features(features: FeatureSet, persons: pd.DataFrame, role: str) -> FeatureSet:
    """Return the features of the fitted or of the judged persons, without a copy.

    Args:
        features: features of all explained persons, in the order of the table.
        persons: table of `choose_persons`.
        role: `fitted` or `judged`.
    """
    rows = np.flatnonzero(np.isin(features.person_ids, persons.loc[persons["role"] == role, "person_id"]))
    if len(rows) and rows[-1] - rows[0] + 1 == len(rows):
        return features.subset(slice(int(rows[0]), int(rows[-1]) + 1))
    return features.subset(rows)


def select_persons(
    role: str,
    model: PoseModel,
    crops: CropStore,
    targets: PoseTargets,
    features: FeatureSet,
    skeleton: Skeleton,
    tables: StudyTables,
) -> StudyPersons:
    """Gather what was measured of the fitted or of the judged persons.

    Args:
        role: `fitted` or `judged`.
        model: the network under study.
        crops, targets: crops of the data set and their joints.
        features: features of all explained persons.
        skeleton: skeleton of the data.
        tables: tables of all explained persons.
    """
    own = select_features(features, tables.persons, role)
    ids, joints = own.person_ids, model.skeleton.joints
    chosen = tables.persons.set_index("person_id").loc[ids]
    scores = tables.scores.set_index("person_id").loc[ids]
    return StudyPersons(
        crops=match_crops(model, crops.select(targets, ids)),
        features=own,
        predictions=read_predictions(tables.predictions, ids, skeleton, joints),
        per_person_pck=scores["pck_thesis"].to_numpy(dtype=np.float64),
        per_person_oks=scores["oks"].to_numpy(dtype=np.float64),
        groups=chosen["image_group"].to_numpy(dtype=np.int64),
        attributes=tables.attributes.set_index("person_id").loc[ids].reset_index(drop=True),
        split=str(chosen["split"].iloc[0]),
        error_types=read_error_types(tables.error_types, ids, skeleton, joints),
    )


def run_analysis(
    spec: ComponentSpec | None,
    *,
    name: str,
    model: PoseModel,
    crops: CropStore,
    targets: PoseTargets,
    skeleton: Skeleton,
    features: FeatureSet,
    components: Components,
    tables: StudyTables,
    seed: int,
    batch_size: int,
    population: str = "",
    photographs: PhotographMode = "full",
) -> AnalysisResult:
    """Run an analysis on the persons of the study.

    Args:
        spec: the analysis and its options; none: it is not selected, and the result has nothing but a note.
        name: name of the analysis, for that note.
        model: the network under study.
        crops, targets, skeleton: crops of the data set, their joints and the skeleton.
        features: features of all explained persons.
        components: components of the features of the fitted persons.
        tables: tables of all explained persons.
        seed: random seed.
        batch_size: persons per forward pass.
        population: description of the judged persons, for the findings.
        photographs: how images show photographs.

    Raises:
        ExplainabilityError: if the inputs do not belong together.
    """
    if spec is None:
        return AnalysisResult(facts={}, note=f"The analysis '{name}' is not selected (explainability.analyses.selected).")
    fitted, judged = (
        select_persons(role, model, crops, targets, features, skeleton, tables) for role in (FITTED, JUDGED)
    )  # fmt: skip
    inputs = AnalysisInputs(model, components, fitted, judged, seed, batch_size, photographs)
    return describe_result(build("analyses", spec)(inputs), inputs, population)


def describe_result(result: AnalysisResult, inputs: AnalysisInputs, population: str) -> AnalysisResult:
    """Add the judged persons to the findings, and the origin to the result.

    Args:
        result: result of an analysis.
        inputs: its inputs.
        population: description of the judged persons.
    """
    judged = inputs.judged
    images = len(np.unique(judged.groups))
    findings = tuple(
        replace(
            finding,
            persons=finding.persons or population,
            person_count=finding.person_count or len(judged),
            photograph_count=finding.photograph_count or images,
        )
        for finding in result.findings
    )
    # Features without the name of their model may be of any model: the result then names none either.
    marked = replace(result, findings=findings, model=judged.features.model, data=judged.features.data)
    return _warn_of_one_image(_without_small_samples(marked, images), judged)


def _without_small_samples(result: AnalysisResult, images: int) -> AnalysisResult:
    """Leave every question open that was judged on fewer than `MIN_IMAGES` images."""
    if images >= MIN_IMAGES or not result.findings:
        return result
    note = f"No question is answered: the judged persons are of {pluralise(images, 'image')}, {MIN_IMAGES} are needed."
    findings = tuple(finding.as_unclear() for finding in result.findings)
    return replace(result, findings=findings, note=f"{result.note} {note}".strip())


def _warn_of_one_image(result: AnalysisResult, judged: StudyPersons) -> AnalysisResult:
    """Add a warning if one image has a large share of the judged persons."""
    largest = int(np.unique(judged.groups, return_counts=True)[1].max(initial=0))
    if largest <= _LARGE_SHARE * len(judged) or not result.findings:
        return result
    note = f"One image has {largest} of the {len(judged)} judged persons: the intervals depend much on it and may be too narrow."
    _log.warning("Analysis: %s", note)
    return replace(result, note=f"{result.note} {note}".strip())
