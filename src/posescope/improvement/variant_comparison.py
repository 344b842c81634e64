"""The networks on the same validation persons: what each of them scores, and what differs between two.

    original     as it was trained
    emptied      the original, its bottlenecks held at their mean: what a code of no numbers would leave
    inserted     with the autoencoders, not trained further
    continued    the original, trained further: the fair control
    improved     with the autoencoders, trained further for as many epochs

More training alone may explain a gain over `original`; what `improved` has more than `continued` is the autoencoders'.
"""

from collections.abc import Mapping, Sequence

import pandas as pd

from posescope.artifacts.model_folder import fingerprint_of_model
from posescope.artifacts.pose_model import PoseModel
from posescope.core.origin import drop_origin
from posescope.core.plugins import ComponentSpec
from posescope.core.skeleton import Skeleton
from posescope.data.crops.crop_set import CropSet
from posescope.evaluation.metric_evaluation import evaluate_persons
from posescope.evaluation.paired_comparison import PairedMetric, compare_joints, compare_persons
from posescope.evaluation.per_joint import tabulate_joint_hits
from posescope.evaluation.scored_persons import gather_scored
from posescope.prediction.crop_predictions import PredictionOptions, predict_crops, predictions_table

__all__ = ["COMPARISONS", "compare_by_joint", "compare_by_person", "score_variants"]

COMPARISONS = (
    ("original", "mean_ablated"),
    ("original", "inserted"),
    ("original", "continued"),
    ("original", "improved"),
    ("continued", "improved"),
)

# A network that is run in another way has the weights, and the fingerprint, of this one.
_WEIGHTS_OF = {"mean_ablated": "original"}


def score_variants(
    variants: Mapping[str, PoseModel],
    crops: CropSet,
    persons: pd.DataFrame,
    keypoints: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    skeleton: Skeleton,
    prediction: PredictionOptions,
    metrics: Sequence[ComponentSpec],
) -> dict[str, pd.DataFrame]:
    """Run every network on the same crops.

    Returns:
        `person_scores`, a `PersonScores` table, and `joint_hits`, a `JointHits` table, each of all networks one below the
        other, with the further columns `variant` and `variant_model`, its fingerprint. `mean_ablated` is the original with held
        bottlenecks, and has its fingerprint.
    """
    scores, hits = [], []
    prints = {name: fingerprint_of_model(variants[_WEIGHTS_OF.get(name, name)]) for name in variants}
    for name, model in variants.items():
        found = predictions_table(predict_crops(model, crops, prediction).predictions, crop_boxes)
        scored = gather_scored(found, persons, keypoints, crop_boxes, skeleton, model.crop_size)
        own = {"variant": name, "variant_model": prints[name]}
        scores.append(evaluate_persons(scored, metrics, skeleton, seed=0, resamples=1).person_scores.assign(**own))
        hits.append(tabulate_joint_hits(scored, skeleton).assign(**own))
    return {"person_scores": pd.concat(scores, ignore_index=True), "joint_hits": pd.concat(hits, ignore_index=True)}


def compare_by_person(person_scores: pd.DataFrame, seed: int, resamples: int) -> pd.DataFrame:
    """Return every figure of any two networks that are compared, by paired bootstrap over images.

    Args:
        person_scores: as `score_variants` has it.
        seed, resamples: of the draws.

    Returns:
        A row a comparison and figure: a, b (networks), model_a, model_b (their fingerprints, where they are known), figure,
        persons, value_a, value_b, difference (b - a), low, high, excludes_zero.
    """
    rows = []
    for a, b in COMPARISONS:
        compared = compare_persons(_of(person_scores, a), _of(person_scores, b), seed, resamples)
        rows += [_row(a, b, figure.name, figure) for figure in compared.metric_values]
    return _with_models(pd.DataFrame(rows), person_scores)


def compare_by_joint(joint_hits: pd.DataFrame, seed: int, resamples: int) -> pd.DataFrame:
    """As `compare_by_person`, joint by joint: joint stands beside the figures pck_thesis and oks, and persons count joints."""
    rows = []
    for a, b in COMPARISONS:
        for joint in compare_joints(_of(joint_hits, a), _of(joint_hits, b), seed, resamples):
            rows += [{"joint": joint.joint, **_row(a, b, one.name, one)} for one in (joint.pck_thesis, joint.oks)]
    return _with_models(pd.DataFrame(rows), joint_hits)


def _of(table: pd.DataFrame, variant: str) -> pd.DataFrame:
    chosen = table[table["variant"] == variant].drop(columns=["variant", "variant_model"], errors="ignore")
    return drop_origin(chosen).reset_index(drop=True)


def _with_models(rows: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    if "variant_model" not in table:
        return rows
    known = table.drop_duplicates("variant")
    prints = dict(zip(known["variant"], known["variant_model"], strict=True))
    return rows.assign(model_a=rows["a"].map(prints), model_b=rows["b"].map(prints))


def _row(a: str, b: str, name: str, figure: PairedMetric) -> dict[str, object]:
    return {
        "a": a,
        "b": b,
        "metric": name,
        "persons": figure.count,
        "value_a": figure.a,
        "value_b": figure.b,
        "difference": figure.difference,
        "low": figure.low,
        "high": figure.high,
        "excludes_zero": figure.excludes_zero,
    }
