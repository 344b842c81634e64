"""What came out, whichever way it went: claims with their controls, and a note made from the numbers."""

import math
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import pandas as pd

from posescope.core.origin import check_origins, origin_of_table
from posescope.explainability.findings import Control, Finding
from posescope.improvement.code_size import CodeSize

__all__ = ["conclude"]

_TOLERANCE = 0.01  # of PCK: not more than this is lost, for certain
_COMMAND = "kedro run --pipelines improve"
_IMAGE = "improvement_plot.json"
_MEASURE = "pck_thesis"


def conclude(
    code_size: CodeSize,
    figures: pd.DataFrame,
    joints: pd.DataFrame,
    reconstruction: pd.DataFrame,
    bottlenecks: pd.DataFrame,
    epochs: int,
) -> dict[str, Any]:
    """Put the numbers into sentences.

    Args:
        code_size: of the autoencoders.
        figures, joints: as `compare_by_person` and `compare_by_joint` have them.
        reconstruction: as `train_and_insert` has it.
        bottlenecks: as `measure_bottlenecks` has it.
        epochs: of the fine-tuning.

    Returns:
        JSON-like: model, data (`posescope.core.origin`: of the model that all began with), models (fingerprint of each network),
        code_size, epochs, scores (of each network), findings (the fields of `Finding`, and `command`), note.

    Raises:
        OriginMismatchError: if the tables are of different models or data.
    """
    origin = origin_of_table(figures)
    found = {"joints": joints, "reconstruction": reconstruction, "bottlenecks": bottlenecks}
    check_origins(origin, {name: origin_of_table(table) for name, table in found.items()}, "improve")
    claims = [
        *_claims_of_score(figures, code_size, epochs),
        *_claims_of_inserted(figures, code_size),
        *_claims_of_reconstruction(reconstruction),
        *_claims_of_directions(bottlenecks),
    ]
    return {
        **({} if origin is None else origin.to_dict()),
        "models": _models(figures),
        "code_size": code_size.to_dict(),
        "epochs": epochs,
        "scores": _scores(figures),
        "findings": [{**asdict(claim), "command": _COMMAND} for claim in claims],
        "note": " ".join([*(claim.claim for claim in claims), _note_of_joints(joints)]).strip(),
    }


def _claims_of_score(figures: pd.DataFrame, code_size: CodeSize, epochs: int) -> Iterable[Finding]:
    """That the autoencoder helps; the control is what more training alone does."""
    fair, control = _compared(figures, "continued", "improved"), _compared(figures, "original", "continued")
    if not _all_known(fair, control):
        return
    helped, harmed = fair["low"] > 0, fair["high"] < 0
    verdict = "helps" if helped else "harms" if harmed else "makes no difference that could not be chance"
    yield Finding(
        claim=(
            f"An autoencoder of {code_size.dimensions} numbers in the bottleneck {verdict}: after {epochs} epochs of fine-tuning "
            f"the PCK (thesis) is {fair['value_b']:.3f}, and {fair['value_a']:.3f} after as many without it "
            f"(difference {_with_interval(fair)}). Those epochs alone changed the original's PCK by {_with_interval(control)}."
        ),
        value=fair["difference"],
        low=fair["low"],
        high=fair["high"],
        control=Control(
            "as many epochs without an autoencoder, against the original",
            control["difference"],
            control["low"],
            control["high"],
        ),
        passed=helped,
        shown_in=_IMAGE,
        pck_at_stake=fair["difference"] if helped else 0.0,
    )


def _claims_of_inserted(figures: pd.DataFrame, code_size: CodeSize) -> Iterable[Finding]:
    """That the code, not fine-tuned, passes on what the network uses; the control is a bottleneck that passes on nothing."""
    put_in, nothing = _compared(figures, "original", "inserted"), _compared(figures, "original", "mean_ablated")
    if not _all_known(put_in, nothing):
        return
    enough = put_in["low"] >= -_TOLERANCE
    verdict = "is enough" if enough else "is not enough" if put_in["high"] < 0 else "may or may not be enough"
    needed = "" if nothing["high"] < 0 else ": this network hardly needs its bottleneck, and no code can be told from any other"
    yield Finding(
        claim=(
            f"Put in and not fine-tuned, a code of {code_size.dimensions} numbers {verdict}: it changes the PCK by "
            f"{_with_interval(put_in)}. With the bottleneck at its mean, a code of none, it changes by "
            f"{_with_interval(nothing)}{needed}."
        ),
        value=put_in["difference"],
        low=put_in["low"],
        high=put_in["high"],
        control=Control("the bottleneck held at its mean", nothing["difference"], nothing["low"], nothing["high"]),
        passed=bool(enough and nothing["high"] < -_TOLERANCE),
    )


def _claims_of_reconstruction(reconstruction: pd.DataFrame) -> Iterable[Finding]:
    """One a stack; none where the persons measured are of so few photographs that there is no interval."""
    for _, rows in reconstruction.groupby("stack", sort=True):
        if rows["low"].notna().all():
            yield _claim_of_reconstruction(rows)


def _claim_of_reconstruction(rows: pd.DataFrame) -> Finding:
    """That the autoencoder keeps more than as many principal components, in persons whom neither has seen."""
    by = {row["method"]: row for row in rows.to_dict("records")}
    own, pca = by["autoencoder"], by["pca"]
    better, worse = own["low"] > 0, own["high"] < 0
    verdict = "more than" if better else "less than" if worse else "no more and no less, as far as can be told, than"
    return Finding(
        claim=(
            f"Of the variance of stack {own['stack']}'s bottleneck in {own['persons']} persons, of photographs that were neither "
            f"learned from nor chose the epoch, the {own['dimensions']} numbers of the autoencoder ({own['active_dimensions']} in use) "
            f"keep {own['explained_variance']:.1%}, {verdict} as many principal components ({pca['explained_variance']:.1%})."
        ),
        value=float(own["explained_variance"]),
        low=float(pca["explained_variance"] + own["low"]),
        high=float(pca["explained_variance"] + own["high"]),
        control=Control(f"{pca['dimensions']} principal components", float(pca["explained_variance"])),
        passed=bool(better),
    )


def _claims_of_directions(bottlenecks: pd.DataFrame) -> Iterable[Finding]:
    """That what the upper half goes on from needs fewer directions than before, stack by stack."""
    by = {(row["variant"], row["layer"]): row for row in bottlenecks.to_dict("records")}
    for layer in [layer for variant, layer in by if variant == "continued"]:
        before, control = by["original", layer], by["continued", layer]
        after = by["improved", layer.replace("bottleneck", "restored")]
        passed = 0 < after["components_95"] < control["components_95"]
        yield Finding(
            claim=(
                f"What the upper half of {layer.partition('.')[0]} goes on from needs {after['components_95']} components for 95 % "
                f"of its variance, against {before['components_95']} in the original and {control['components_95']} in that "
                f"trained on without it (participation ratio {after['participation_ratio']:.1f}, "
                f"{before['participation_ratio']:.1f} and {control['participation_ratio']:.1f})."
            ),
            value=float(after["components_95"]),
            low=None,
            high=None,
            control=Control("as many epochs without an autoencoder", float(control["components_95"])),
            passed=bool(passed),
        )


def _note_of_joints(joints: pd.DataFrame) -> str:
    rows = joints[(joints["a"] == "continued") & (joints["b"] == "improved") & (joints["metric"] == _MEASURE)]
    better, worse = (rows.loc[chosen, "joint"].tolist() for chosen in (rows["low"] > 0, rows["high"] < 0))
    return (
        f"Of {len(rows)} joints {len(better)} are better with it ({', '.join(better) or 'none'}) and {len(worse)} worse "
        f"({', '.join(worse) or 'none'}); of so many intervals about {0.05 * len(rows):.1f} miss zero by chance."
    )


def _scores(figures: pd.DataFrame) -> dict[str, dict[str, float | None]]:
    """Every figure of every network."""
    scores: dict[str, dict[str, float | None]] = {}
    for row in figures.to_dict("records"):
        for side in "ab":
            value = row[f"value_{side}"]
            scores.setdefault(row[side], {})[row["metric"]] = value if math.isfinite(value) else None
    return scores


def _models(figures: pd.DataFrame) -> dict[str, str]:
    """Fingerprint of every network, where the table says it."""
    sides = [figures[[side, f"model_{side}"]].to_numpy().tolist() for side in "ab" if f"model_{side}" in figures]
    return {str(name): str(mark) for rows in sides for name, mark in rows}


def _compared(figures: pd.DataFrame, a: str, b: str) -> dict[str, Any]:
    chosen = figures[(figures["a"] == a) & (figures["b"] == b) & (figures["metric"] == _MEASURE)]
    return {str(name): value for name, value in chosen.to_dict("records")[0].items()}


def _all_known(*rows: dict[str, Any]) -> bool:
    return all(math.isfinite(row[name]) for row in rows for name in ("difference", "low", "high"))


def _with_interval(row: dict[str, Any]) -> str:
    return f"{row['difference']:+.3f}, 95 % interval {row['low']:+.3f} to {row['high']:+.3f}"
