"""Who is studied, and running one analysis on them."""

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

__all__ = ["choose_persons", "findings_of", "list_findings", "run_analysis", "score_persons"]

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
        raise ExplainabilityError(f"Only {found}, {_FEWEST} are needed; lower explainability.persons.min_labelled_joints.")
    if len(enough) < _FEW:
        _log.warning("Only %s: what the analyses find of so few may be chance.", found)
    return np.asarray(enough[sample_rows(len(enough), max_persons, seed)])


def score_persons(
    predictions: PosePredictions,
    targets: PoseTargets,
    persons: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    sigmas: Sequence[float],
    crop_size: tuple[int, int],
) -> pd.DataFrame:
    """How well the network does on each person, and which of them share a photograph.

    Args:
        predictions, targets: of the same N persons, in crop px.
        persons, crop_boxes: tables that have them.
        sigmas: (K,) of OKS.
        crop_size: (height, width) px.

    Returns:
        person_id; image_group: a number a photograph; pck_thesis and oks, NaN for a person without labelled joints.
    """
    ids = targets.person_ids
    rows = persons.set_index("person_id").loc[ids]
    # OKS does not change when joints and area are measured in crop px together.
    a, b, _, d, e, _ = matrices_of(crop_boxes.set_index("person_id").loc[ids]).reshape(-1, 6).T
    areas = rows["area"].to_numpy(dtype=np.float64) * np.abs(a * e - b * d)
    predicted, truth = predictions.joints.astype(np.float64), targets.joints.astype(np.float64)
    return pd.DataFrame(
        {
            "person_id": ids,
            # The same image_id may stand in several files of annotations.
            "image_group": rows.groupby(["source_split", "image_id"], sort=False).ngroup().to_numpy(dtype=np.int64),
            "pck_thesis": pck_thesis(predictions.joints, targets.joints, targets.visibility, crop_size),
            "oks": person_oks(predicted, truth, targets.visibility, areas, sigmas),
        }
    )


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
    """Run an analysis, or say that it is not selected.

    Args:
        spec: the analysis and its options; None if it is not selected.
        name: for that message.
        model: the network under study.
        crops, features: of the same persons.
        components: of the features.
        scores: of the same persons, in any order: what `score_persons` puts out.
        attributes: likewise, what `measure_attributes` puts out.
        seed: of every random choice.
        batch_size: persons a forward pass.
        population: of whom the findings are, in words.
    """
    if spec is None:
        return AnalysisResult(facts={}, note=f"The analysis '{name}' is not selected (explainability.analyses.selected).")
    known = scores.set_index("person_id").loc[features.person_ids]
    answer: AnalysisResult = build("analyses", spec)(
        AnalysisInputs(
            model=model,
            crops=match_crops(model, crops).crops,
            features=features,
            components=components,
            per_person_pck=known["pck_thesis"].to_numpy(dtype=np.float64),
            per_person_oks=known["oks"].to_numpy(dtype=np.float64),
            image_groups=known["image_group"].to_numpy(dtype=np.int64),
            attributes=attributes.set_index("person_id").loc[features.person_ids].reset_index(drop=True),
            seed=seed,
            batch_size=batch_size,
        )
    )
    findings = tuple(replace(finding, persons=population) for finding in answer.findings)
    # Features that do not say their model may be of any: what is found in them is marked as of none.
    told = replace(answer, findings=findings, model=features.model, data=features.data)
    return _without_chance(told, photographs=known["image_group"].nunique())


def _without_chance(result: AnalysisResult, photographs: int) -> AnalysisResult:
    """Of a handful of photographs nothing holds: their intervals are as wide as chance has drawn them."""
    if photographs >= MIN_IMAGES or not result.findings:
        return result
    said = f"Of {pluralise(photographs, 'photograph')} alone no claim is called held; {MIN_IMAGES} are needed."
    findings = tuple(replace(finding, passed=False) for finding in result.findings)
    return replace(result, findings=findings, note=f"{result.note} {said}".strip())


def findings_of(results: Mapping[str, AnalysisResult]) -> tuple[Finding, ...]:
    """What all analyses claim, by the analyses' names."""
    return tuple(finding for _, result in sorted(results.items()) for finding in result.findings)


def list_findings(results: Mapping[str, AnalysisResult]) -> list[dict[str, Any]]:
    """The claims of all analyses, those on which most error hangs first.

    Returns:
        JSON-like, a dictionary a finding: the fields of `Finding`, `analysis`, the fingerprints of `model` and `data`, and
        `command`, which repeats it; `shown_in` is a path below the folder of the explainability reports.
    """
    origin = {id(finding): name for name, result in results.items() for finding in result.findings}
    ranked = rank_findings(findings_of(results))
    return [_as_json(finding, origin[id(finding)], results[origin[id(finding)]]) for finding in ranked]


def _as_json(finding: Finding, analysis: str, result: AnalysisResult) -> dict[str, Any]:
    ending = "png" if finding.shown_in in result.images else "plotly.json"
    shown_in = None if finding.shown_in is None else f"{analysis}/{finding.shown_in}.{ending}"
    command = f"kedro run --pipelines explainability --nodes analyse_{analysis}"
    return {
        **asdict(finding),
        "shown_in": shown_in,
        "analysis": analysis,
        "model": result.model,
        "data": result.data,
        "command": command,
    }
