"""Findings of the pipeline improve, with their controls, and a note made from the numbers."""

import math
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import pandas as pd

from posescope.core.origin import check_origins, origin_of_table
from posescope.evaluation.bootstrap import Interval
from posescope.explainability.answers import Question, answer_at_most, answer_more, need_also
from posescope.explainability.findings import Control, Finding, control_of, correct_findings, p_from_interval
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
    findings = correct_findings(
        [
            *_ask_about_score(metrics, code_size, fine_tuning.epochs),
            *_ask_about_insertion(metrics, code_size),
            *_ask_about_reconstruction(reconstruction),
        ]
    )
    sentences = [finding.statement for finding in findings]
    return {
        **({} if origin is None else origin.to_dict()),
        "models": _models(metrics),
        "code_size": code_size.to_dict(),
        "epochs": fine_tuning.epochs,
        "scores": _scores(metrics),
        "findings": [{**asdict(finding), "command": _COMMAND} for finding in findings],
        "note": " ".join([*sentences, *_notes_of_dimensionality(bottlenecks), _note_of_joints(joints)]).strip(),
    }


def _ask_about_score(metrics: pd.DataFrame, code_size: CodeSize, epochs: int) -> Iterable[Finding]:
    """Ask whether the autoencoder makes the network better than as many epochs without it."""
    fair, control = _compared(metrics, "continued", "improved"), _compared(metrics, "original", "continued")
    if not _all_known(fair, control):
        return
    gain, alone = _estimate(fair), _estimate(control)
    answer = answer_more(gain, _TOLERANCE)
    what = f"With an autoencoder of {code_size.dimensions} numbers the PCK is"
    than = f"than after {epochs} epochs of fine-tuning without it"
    size = f"{abs(gain.estimate):.3f} {'higher' if gain.estimate >= 0 else 'lower'}"
    question = Question(
        id="autoencoder-helps",
        text=f"Does an autoencoder of {code_size.dimensions} numbers in the bottleneck make the network better?",
        yes=f"{what} {size} {than}.",
        no=f"{what} {size} {than}." if gain.high < 0 else f"{what} {size} {than}, which counts as no difference.",
        unclear=f"{what} {size} {than}, which is not a clear difference.",
    )
    yield question.to_finding(
        answer,
        gain,
        "PCK",
        control_of("gain of the same epochs without an autoencoder, against the original", alone),
        picture=_PLOT,
        importance=gain.estimate if answer.verdict == "supported" else 0.0,
        detail=f"The PCK is {fair['value_b']:.3f} with it and {fair['value_a']:.3f} without it; a difference up to "
        f"{_TOLERANCE:g} does not count.",
        person_count=int(fair["persons"]),
    )


def _ask_about_insertion(metrics: pd.DataFrame, code_size: CodeSize) -> Iterable[Finding]:
    """Ask whether the code is enough without fine-tuning. A yes needs a bottleneck that matters: without it more must be lost."""
    inserted, ablated = _compared(metrics, "original", "inserted"), _compared(metrics, "original", "mean_ablated")
    if not _all_known(inserted, ablated):
        return
    drop, control = (_reversed(_estimate(row)) for row in (inserted, ablated))
    answer = answer_at_most(drop, _TOLERANCE)
    if answer.verdict == "supported":
        answer = need_also(answer, p_from_interval(control, _TOLERANCE) if control.low > _TOLERANCE else 1.0)
    change = f"without fine-tuning the PCK {'falls' if drop.estimate >= 0 else 'rises'} by {abs(drop.estimate):.3f}"
    code = f"a code of {code_size.dimensions} numbers"
    question = Question(
        id="code-is-enough",
        text=f"Is {code} enough for what the bottleneck carries?",
        yes=f"A{code[1:]} is enough: {change}.",
        no=f"A{code[1:]} is not enough: {change}.",
        unclear=f"It is not clear whether {code} is enough: {change}.",
    )
    yield question.to_finding(
        answer,
        drop,
        "drop of PCK",
        control_of("PCK drop with the bottleneck at its mean", control),
        picture=_PLOT,
        detail=f"A drop up to {_TOLERANCE:g} does not count. If the PCK hardly falls with the bottleneck at its mean, the "
        "network does not need it, and codes cannot be compared.",
        person_count=int(inserted["persons"]),
    )


def _ask_about_reconstruction(reconstruction: pd.DataFrame) -> Iterable[Finding]:
    """Ask one question per stack; none without an interval."""
    for _, rows in reconstruction.groupby("stack", sort=True):
        if rows["low"].notna().all():
            yield _ask_about_stack(rows)


def _ask_about_stack(rows: pd.DataFrame) -> Finding:
    """Ask whether the autoencoder explains more variance than as many principal components, on evaluation persons."""
    by = {row["method"]: row for row in rows.to_dict("records")}
    own, pca = by["autoencoder"], by["pca"]
    gain = Interval(float(own["difference_to_pca"]), float(own["low"]), float(own["high"]))
    answer = answer_more(gain, _TOLERANCE)
    kept, other = float(own["explained_variance"]), float(pca["explained_variance"])
    keeps = f"The {own['dimensions']} numbers of the autoencoder keep {kept:.1%} of the variance of the bottleneck"
    than = "as many principal components"
    no = "less than" if gain.high < 0 else "no more than"
    question = Question(
        id=f"autoencoder-keeps-more-{own['stack']}",
        text=f"Does the autoencoder of stack {own['stack']} keep more of the variance than {than} do?",
        yes=f"{keeps}, more than {than}.",
        no=f"{keeps}, {no} {than}.",
        unclear=f"{keeps}, not clearly more or less than {than}.",
    )
    return question.to_finding(
        answer,
        Interval(kept, other + gain.low, other + gain.high),
        "fraction of the variance",
        Control(f"{pca['dimensions']} principal components", other),
        detail=f"{own['active_dimensions']} of the numbers are in use. The interval is that of the difference, paired by person.",
        person_count=int(own["persons"]),
    )


def _notes_of_dimensionality(bottlenecks: pd.DataFrame) -> Iterable[str]:
    """State the number of dimensions of the input of each decoder; it has no interval, so it answers no question."""
    by = {(row["variant"], row["layer"]): row for row in bottlenecks.to_dict("records")}
    for layer in [layer for variant, layer in by if variant == "continued"]:
        before, control = by["original", layer], by["continued", layer]
        after = by["improved", layer.replace("bottleneck", "restored")]
        yield (
            f"The input of the decoder of {layer.partition('.')[0]} has 95 % of its variance in {after['components_95']} "
            f"components, in {before['components_95']} in the original, and in {control['components_95']} after fine-tuning "
            f"without an autoencoder (participation ratio {after['participation_ratio']:.1f}, "
            f"{before['participation_ratio']:.1f} and {control['participation_ratio']:.1f})."
        )


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


def _estimate(row: dict[str, Any]) -> Interval:
    """Difference and ends of its interval."""
    return Interval(row["difference"], row["low"], row["high"])


def _reversed(change: Interval) -> Interval:
    return Interval(-change.estimate, -change.high, -change.low)


def _all_known(*rows: dict[str, Any]) -> bool:
    return all(_estimate(row).is_known for row in rows)
