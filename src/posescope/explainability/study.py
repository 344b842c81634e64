"""Selection of the persons of a study, their scores, and the run of one analysis on them."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.artifacts.crop_matching import match_crops
from posescope.artifacts.pose_model import PoseModel
from posescope.core.errors import pluralise
from posescope.core.plugins import ComponentSpec, build
from posescope.core.records import PosePredictions, PoseTargets
from posescope.core.tables import ids_of, matrices_of
from posescope.data.crops.crop_set import CropSet
from posescope.evaluation.metrics.oks import person_oks
from posescope.evaluation.metrics.pck_thesis import pck_thesis
from posescope.explainability.base import AnalysisInputs, AnalysisResult
from posescope.explainability.components.pca import Components
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.feature_store import FeatureSet
from posescope.explainability.features.row_blocks import sample_rows
from posescope.explainability.findings import MIN_IMAGES, Finding, rank_findings

__all__ = ["choose_persons", "findings_of", "image_groups_of", "list_findings", "run_analysis", "score_persons"]

_log = logging.getLogger(__name__)

_MIN_PERSONS = 3  # for one component and two clusters
_FEW_PERSONS = 50


def choose_persons(
    persons: pd.DataFrame,
    targets: PoseTargets,
    split: str,
    max_persons: int,
    min_labelled_joints: int | Literal["all"],
    seed: int,
) -> NDArray[np.int64]:
    """Select persons of a split with enough labelled joints. A warning is logged if they are few.

    Args:
        persons: a `Persons` table.
        targets: targets of all persons.
        split: name of the split.
        max_persons: maximum number of persons; a random sample of this size if there are more.
        min_labelled_joints: per person; `all`: all joints of the skeleton.
        seed: random seed of the sample.

    Returns:
        (n,) person ids, ascending.

    Raises:
        ExplainabilityError: if fewer than three persons are left.
    """
    needed = targets.visibility.shape[1] if min_labelled_joints == "all" else min_labelled_joints
    labelled = (targets.visibility > 0).sum(axis=1)
    ids = ids_of(persons, split)
    enough = np.intersect1d(ids, targets.person_ids[labelled >= needed])
    found = f"{len(enough)} of the {len(ids)} persons of '{split}' have {needed} labelled joints or more"
    if len(enough) < _MIN_PERSONS:
        raise ExplainabilityError(f"Only {found}, {_MIN_PERSONS} are needed. Lower explainability.persons.min_labelled_joints.")
    if len(enough) < _FEW_PERSONS:
        _log.warning("Only %s: results for so few persons are unreliable.", found)
    return np.asarray(enough[sample_rows(len(enough), max_persons, seed)])


def score_persons(
    predictions: PosePredictions,
    targets: PoseTargets,
    persons: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    sigmas: Sequence[float],
    crop_size: tuple[int, int],
) -> pd.DataFrame:
    """Score each person.

    Args:
        predictions, targets: predictions and targets of the same N persons, crop px.
        persons, crop_boxes: tables with these persons.
        sigmas: (K,) OKS sigmas.
        crop_size: (height, width) px.

    Returns:
        A row per person: person_id; image_group, the same number for persons of one image; pck_thesis and oks, NaN for a person
        without labelled joints.
    """
    ids = targets.person_ids
    rows = persons.set_index("person_id").loc[ids]
    # OKS is the same in crop px if joints and area are both converted.
    a, b, _, d, e, _ = matrices_of(crop_boxes.set_index("person_id").loc[ids]).reshape(-1, 6).T
    areas = rows["area"].to_numpy(dtype=np.float64) * np.abs(a * e - b * d)
    predicted, truth = predictions.joints.astype(np.float64), targets.joints.astype(np.float64)
    return pd.DataFrame(
        {
            "person_id": ids,
            "image_group": image_groups_of(persons, ids),
            "pck_thesis": pck_thesis(predictions.joints, targets.joints, targets.visibility, crop_size),
            "oks": person_oks(predicted, truth, targets.visibility, areas, sigmas),
        }
    )


def image_groups_of(persons: pd.DataFrame, person_ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the image of each person as a number, the same for persons of one image.

    Args:
        persons: a `Persons` table with these persons.
        person_ids: (N,).

    Returns:
        (N,) numbers from 0.
    """
    rows = persons.set_index("person_id").loc[person_ids]
    # An image_id is unique only within one annotation file.
    return np.asarray(rows.groupby(["source_split", "image_id"], sort=False).ngroup(), dtype=np.int64)


def run_analysis(
    spec: ComponentSpec | None,
    *,
    name: str,
    model: PoseModel,
    crops: CropSet,
    features: FeatureSet,
    components: Components,
    scores: pd.DataFrame,
    attributes: pd.DataFrame,
    seed: int,
    batch_size: int,
    population: str = "",
) -> AnalysisResult:
    """Run an analysis on the persons of the study.

    Args:
        spec: the analysis and its options; none: it is not selected, and the result has nothing but a note.
        name: name of the analysis, for that note.
        model: the network under study.
        crops, features: crops and features of the same persons.
        components: components of the features.
        scores: table of `score_persons` for the same persons, in any order.
        attributes: table of `measure_attributes` for the same persons, in any order.
        seed: random seed.
        batch_size: persons per forward pass.
        population: description of the persons, for the findings.

    Raises:
        ExplainabilityError: if the inputs do not belong together.
    """
    if spec is None:
        return AnalysisResult(facts={}, note=f"The analysis '{name}' is not selected (explainability.analyses.selected).")
    known = scores.set_index("person_id").loc[features.person_ids]
    answer: AnalysisResult = build("analyses", spec)(
        AnalysisInputs(
            model=model,
            crops=match_crops(model, crops),
            features=features,
            components=components,
            per_person_pck=known["pck_thesis"].to_numpy(dtype=np.float64),
            per_person_oks=known["oks"].to_numpy(dtype=np.float64),
            groups=known["image_group"].to_numpy(dtype=np.int64),
            attributes=attributes.set_index("person_id").loc[features.person_ids].reset_index(drop=True),
            seed=seed,
            batch_size=batch_size,
        )
    )
    findings = tuple(replace(finding, persons=population) for finding in answer.findings)
    # Features without the name of their model may be of any model: the result then names none either.
    marked = replace(answer, findings=findings, model=features.model, data=features.data)
    return _without_small_samples(marked, images=known["image_group"].nunique())


def _without_small_samples(result: AnalysisResult, images: int) -> AnalysisResult:
    """Let no claim hold that rests on fewer than `MIN_IMAGES` images."""
    if images >= MIN_IMAGES or not result.findings:
        return result
    note = f"No claim counts as held: the persons are of {pluralise(images, 'image')}, {MIN_IMAGES} are needed."
    findings = tuple(replace(finding, passed=False) for finding in result.findings)
    return replace(result, findings=findings, note=f"{result.note} {note}".strip())


def findings_of(results: Mapping[str, AnalysisResult]) -> tuple[Finding, ...]:
    """Return the claims of all analyses, sorted by the name of the analysis."""
    return tuple(finding for _, result in sorted(results.items()) for finding in result.findings)


def list_findings(**results: AnalysisResult) -> list[dict[str, Any]]:
    """Return the ranked claims of all analyses as JSON-like records.

    Returns:
        Per finding the fields of `Finding`, `analysis`, the fingerprints of `model` and `data`, and `command`, which repeats the
        analysis; `shown_in` is a path relative to the folder of the explainability reports.
    """
    origin = {id(finding): name for name, result in results.items() for finding in result.findings}
    ranked = rank_findings(findings_of(results))
    return [_as_json(finding, origin[id(finding)], results[origin[id(finding)]]) for finding in ranked]


def _as_json(finding: Finding, analysis: str, result: AnalysisResult) -> dict[str, Any]:
    ending = "png" if finding.shown_in in result.images else "plotly.json"
    shown_in = None if finding.shown_in is None else f"{analysis}/{finding.shown_in}.{ending}"
    command = f"kedro run --pipelines explainability --nodes explainability.analyses.analyse_{analysis}"
    return {
        **asdict(finding),
        "shown_in": shown_in,
        "analysis": analysis,
        "model": result.model,
        "data": result.data,
        "command": command,
    }
