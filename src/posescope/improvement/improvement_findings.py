"""Findings of the pipeline improve, with their controls, and a note made from the numbers."""

import math
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import pandas as pd

from posescope.core.origin import check_origins, origin_of_table
from posescope.evaluation.bootstrap import Interval
from posescope.explainability.findings import Control, Finding, finding_from_claim
from posescope.improvement.code_size import CodeSize
from posescope.improvement.options import FineTuning

__all__ = ["conclude"]

_TOLERANCE = 0.01  # of PCK: the whole interval of a loss must be below it
_COMMAND = "kedro run --pipelines improve"
_PLOT = "improvement_plot.json"
_METRIC = "pck_thesis"


def conclude(
    code_size: CodeSize,
    metrics: pd.DataFrame,
    joints: pd.DataFrame,
    reconstruction: pd.DataFrame,
    bottlenecks: pd.DataFrame,
    fine_tuning: FineTuning,
) -> dict[str, Any]:
    """Derive the findings from the tables.

    Args:
        code_size: code size of the autoencoders.
        metrics, joints: tables of `compare_by_person` and `compare_by_joint`.
        reconstruction: table of `train_and_insert`.
        bottlenecks: table of `measure_bottlenecks`.
        fine_tuning: options of the fine-tuning; their epochs are stated.

    Returns:
        JSON-like: model and data (`posescope.core.origin`, of the original model), models (fingerprint of each network),
        code_size, epochs, scores (of each network), findings (the fields of `Finding`, and `command`), note.

    Raises:
        OriginMismatchError: if the tables are of different models or data.
    """
    origin = origin_of_table(metrics)
    found = {"joints": joints, "reconstruction": reconstruction, "bottlenecks": bottlenecks}
    check_origins(origin, {name: origin_of_table(table) for name, table in found.items()}, "improve")
    claims = [
        *_claims_of_score(metrics, code_size, fine_tuning.epochs),
        *_claims_of_inserted(metrics, code_size),
        *_claims_of_reconstruction(reconstruction),
        *_claims_of_dimensionality(bottlenecks),
    ]
    return {
        **({} if origin is None else origin.to_dict()),
        "models": _models(metrics),
        "code_size": code_size.to_dict(),
        "epochs": fine_tuning.epochs,
        "scores": _scores(metrics),
        "findings": [{**asdict(claim), "command": _COMMAND} for claim in claims],
        "note": " ".join([*(claim.statement for claim in claims), _note_of_joints(joints)]).strip(),
    }


def _claims_of_score(metrics: pd.DataFrame, code_size: CodeSize, epochs: int) -> Iterable[Finding]:
    """Yield the claim that the autoencoder helps; the control is fine-tuning alone."""
    fair, control = _compared(metrics, "continued", "improved"), _compared(metrics, "original", "continued")
    if not _all_known(fair, control):
        return
    helped, harmed = fair["low"] > 0, fair["high"] < 0
    verdict = "helps" if helped else "harms" if harmed else "makes no significant difference"
    claim = (
        f"An autoencoder of {code_size.dimensions} numbers in the bottleneck {verdict}: after {epochs} epochs of fine-tuning "
        f"the PCK (thesis) is {fair['value_b']:.3f}, and {fair['value_a']:.3f} after as many without it "
        f"(difference {_with_interval(fair)}). Those epochs alone changed the original's PCK by {_with_interval(control)}."
    )
    alone = Control("as many epochs without an autoencoder, against the original", *_estimate(control))
    stake = fair["difference"] if helped else 0.0
    yield finding_from_claim(claim, Interval(*_estimate(fair)), alone, passed=helped, picture=_PLOT, importance=stake)


def _claims_of_inserted(metrics: pd.DataFrame, code_size: CodeSize) -> Iterable[Finding]:
    """Yield the claim that the code without fine-tuning is sufficient; the control is a mean-ablated bottleneck."""
    inserted, ablated = _compared(metrics, "original", "inserted"), _compared(metrics, "original", "mean_ablated")
    if not _all_known(inserted, ablated):
        return
    enough = inserted["low"] >= -_TOLERANCE
    verdict = "is enough" if enough else "is not enough" if inserted["high"] < 0 else "may or may not be enough"
    needed = "" if ablated["high"] < 0 else ": this network hardly needs its bottleneck, so codes cannot be distinguished"
    claim = (
        f"Without fine-tuning, a code of {code_size.dimensions} numbers {verdict}: it changes the PCK by "
        f"{_with_interval(inserted)}. With the bottleneck at its mean it changes by {_with_interval(ablated)}{needed}."
    )
    control = Control("the bottleneck at its mean", *_estimate(ablated))
    passed = bool(enough and ablated["high"] < -_TOLERANCE)
    yield finding_from_claim(claim, Interval(*_estimate(inserted)), control, passed=passed)


def _claims_of_reconstruction(reconstruction: pd.DataFrame) -> Iterable[Finding]:
    """One claim per stack; none without an interval."""
    for _, rows in reconstruction.groupby("stack", sort=True):
        if rows["low"].notna().all():
            yield _claim_of_reconstruction(rows)


def _claim_of_reconstruction(rows: pd.DataFrame) -> Finding:
    """Yield the claim that the autoencoder explains more variance than as many principal components, on evaluation persons."""
    by = {row["method"]: row for row in rows.to_dict("records")}
    own, pca = by["autoencoder"], by["pca"]
    better, worse = own["low"] > 0, own["high"] < 0
    verdict = "more than" if better else "less than" if worse else "not significantly more or less than"
    claim = (
        f"On {own['persons']} evaluation persons the {own['dimensions']} numbers of the autoencoder of stack {own['stack']} "
        f"({own['active_dimensions']} in use) explain {own['explained_variance']:.1%} of the variance of the bottleneck, "
        f"{verdict} as many principal components ({pca['explained_variance']:.1%})."
    )
    low, high = (float(pca["explained_variance"] + own[end]) for end in ("low", "high"))
    control = Control(f"{pca['dimensions']} principal components", float(pca["explained_variance"]))
    measured = Interval(float(own["explained_variance"]), low, high)
    return finding_from_claim(claim, measured, control, passed=bool(better))


def _claims_of_dimensionality(bottlenecks: pd.DataFrame) -> Iterable[Finding]:
    """Yield the claims that the input of the decoder of each stack has fewer dimensions than before."""
    by = {(row["variant"], row["layer"]): row for row in bottlenecks.to_dict("records")}
    for layer in [layer for variant, layer in by if variant == "continued"]:
        before, control = by["original", layer], by["continued", layer]
        after = by["improved", layer.replace("bottleneck", "restored")]
        passed = 0 < after["components_95"] < control["components_95"]
        claim = (
            f"The input of the decoder of {layer.partition('.')[0]} has 95 % of its variance in {after['components_95']} "
            f"components, in {before['components_95']} in the original, and in {control['components_95']} after fine-tuning "
            f"without an autoencoder (participation ratio {after['participation_ratio']:.1f}, "
            f"{before['participation_ratio']:.1f} and {control['participation_ratio']:.1f})."
        )
        alone = Control("as many epochs without an autoencoder", float(control["components_95"]))
        count = float(after["components_95"])
        yield finding_from_claim(claim, Interval(count, count, count), alone, passed=bool(passed))


def _note_of_joints(joints: pd.DataFrame) -> str:
    rows = joints[(joints["a"] == "continued") & (joints["b"] == "improved") & (joints["metric"] == _METRIC)]
    better, worse = (rows.loc[chosen, "joint"].tolist() for chosen in (rows["low"] > 0, rows["high"] < 0))
    return (
        f"Of {len(rows)} joints {len(better)} are better with it ({', '.join(better) or 'none'}) and {len(worse)} worse "
        f"({', '.join(worse) or 'none'}); about {0.05 * len(rows):.1f} of so many intervals exclude zero by chance."
    )


def _scores(metrics: pd.DataFrame) -> dict[str, dict[str, float | None]]:
    """Every metric value of every network."""
    scores: dict[str, dict[str, float | None]] = {}
    for row in metrics.to_dict("records"):
        for side in "ab":
            value = row[f"value_{side}"]
            scores.setdefault(row[side], {})[row["metric"]] = value if math.isfinite(value) else None
    return scores


def _models(metrics: pd.DataFrame) -> dict[str, str]:
    """Fingerprint of every network, if the table has it."""
    sides = [metrics[[side, f"model_{side}"]].to_numpy().tolist() for side in "ab" if f"model_{side}" in metrics]
    return {str(name): str(mark) for rows in sides for name, mark in rows}


def _compared(metrics: pd.DataFrame, a: str, b: str) -> dict[str, Any]:
    chosen = metrics[(metrics["a"] == a) & (metrics["b"] == b) & (metrics["metric"] == _METRIC)]
    return {str(name): value for name, value in chosen.to_dict("records")[0].items()}


def _estimate(row: dict[str, Any]) -> tuple[float, float, float]:
    """Difference and ends of its interval."""
    return row["difference"], row["low"], row["high"]


def _all_known(*rows: dict[str, Any]) -> bool:
    return all(math.isfinite(value) for row in rows for value in _estimate(row))


def _with_interval(row: dict[str, Any]) -> str:
    return f"{row['difference']:+.3f}, 95 % interval {row['low']:+.3f} to {row['high']:+.3f}"
