"""Scores of the variants of a network on the same validation persons, and their differences.

    original     the trained network
    mean_ablated the original with its bottlenecks at their mean: a code of size 0
    inserted     with the autoencoders, not fine-tuned
    continued    the original, fine-tuned: the control of `improved`
    improved     with the autoencoders, fine-tuned for as many epochs

Fine-tuning alone may explain a gain over `original`; the gain of `improved` over `continued` is that of the autoencoders.
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
from posescope.prediction.crop_predictions import predict_crops, predictions_table
from posescope.prediction.options import PredictionOptions

__all__ = ["COMPARISONS", "compare_by_joint", "compare_by_person", "score_variants"]

COMPARISONS = (
    ("original", "mean_ablated"),
    ("original", "inserted"),
    ("original", "continued"),
    ("original", "improved"),
    ("continued", "improved"),
)

# An ablated network has the weights, and so the fingerprint, of the network that it was made from.
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
    """Predict and score the same crops with every network.

    Args:
        variants: networks by name.
        crops: crops of the persons.
        persons, keypoints, crop_boxes: tables with these persons.
        skeleton: skeleton of the annotations.
        prediction: options of the prediction.
        metrics: metrics per person.

    Returns:
        `person_scores`, a `PersonScores` table, and `joint_hits`, a `JointHits` table, with the rows of all networks and the
        columns `variant` and `variant_model`, its fingerprint (of `mean_ablated` that of the original).
    """
    scores, hits = [], []
    prints = {name: fingerprint_of_model(variants[_WEIGHTS_OF.get(name, name)]) for name in variants}
    for name, model in variants.items():
        found = predictions_table(predict_crops(model, crops, prediction).predictions, crop_boxes)
        scored = gather_scored(found, persons, keypoints, crop_boxes, skeleton, model.crop_size)
        own = {"variant": name, "variant_model": prints[name]}
        scores.append(evaluate_persons(scored, metrics, seed=0, resamples=1).person_scores.assign(**own))
        hits.append(tabulate_joint_hits(scored).assign(**own))
    return {"person_scores": pd.concat(scores, ignore_index=True), "joint_hits": pd.concat(hits, ignore_index=True)}


def compare_by_person(person_scores: pd.DataFrame, seed: int, resamples: int) -> pd.DataFrame:
    """Compare pairs of networks (`COMPARISONS`) in every metric by a paired bootstrap over images.

    Args:
        person_scores: table of `score_variants`.
        seed, resamples: random seed and number of samples of the bootstrap.

    Returns:
        A row per comparison and metric: a, b (networks), model_a, model_b (their fingerprints, if known), metric, persons,
            value_a,
        value_b, difference (b - a), low, high, excludes_zero.
    """
    rows = []
    for a, b in COMPARISONS:
        compared = compare_persons(_of(person_scores, a), _of(person_scores, b), seed, resamples)
        rows += [_row(a, b, figure.name, figure) for figure in compared.metric_values]
    return _with_models(pd.DataFrame(rows), person_scores)


def compare_by_joint(joint_hits: pd.DataFrame, seed: int, resamples: int) -> pd.DataFrame:
    """Compare pairs of networks joint by joint in pck_thesis and oks by a paired bootstrap over images.

    Args:
        joint_hits: table of `score_variants`.
        seed, resamples: random seed and number of samples of the bootstrap.

    Returns:
        The columns of `compare_by_person` and joint; persons counts the persons with this joint.
    """
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


def _row(a: str, b: str, name: str, paired: PairedMetric) -> dict[str, object]:
    return {
        "a": a,
        "b": b,
        "metric": name,
        "persons": paired.count,
        "value_a": paired.a,
        "value_b": paired.b,
        "difference": paired.difference,
        "low": paired.low,
        "high": paired.high,
        "excludes_zero": paired.excludes_zero,
    }
