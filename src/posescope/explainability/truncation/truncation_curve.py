"""PCK against the number of kept components, under one way of filling the skip connections."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

import pandas as pd

from posescope.evaluation.bootstrap import Interval
from posescope.explainability.paired_pck import Hits, PairedPck
from posescope.explainability.truncation.component_subsets import INTACT, ComponentSubset, SubsetKind

__all__ = ["SkipMode", "TruncationCurve", "tabulate_curves", "tabulate_joints"]

SkipMode: TypeAlias = Literal["own", "mean", "none"]


@dataclass(frozen=True)
class TruncationCurve:
    """What was measured.

    Attributes:
        skips: what goes round the tap: each person's own, the mean; none: the network has no skips.
        hits: for what was kept; the intact network, none and all of the axes are among them.
        scores: of the same persons.
        axes: P, how many there are to keep.
        tolerance: a drop of PCK up to this one does not count.
    """

    skips: SkipMode
    hits: Mapping[ComponentSubset, Hits]
    scores: PairedPck
    axes: int
    tolerance: float

    def pck(self, kept: ComponentSubset) -> Interval:
        """Of the persons, with so much kept."""
        return self.scores.pck(self.hits[kept])

    def drop(self, kept: ComponentSubset, reference: ComponentSubset = INTACT) -> Interval:
        """By how much PCK is lower than with the reference kept; person by person."""
        return self.scores.drop(self.hits[reference], self.hits[kept])

    def counts(self, choice: SubsetKind) -> list[int]:
        """The numbers of components that were kept by this choice, none and all among them; ascending."""
        ends = {0, self.axes}
        return sorted(ends | {kept.count for kept in self.hits if kept.choice == choice and kept != INTACT})

    def loses_nothing(self, kept: ComponentSubset) -> bool:
        """Whether, for certain, not more than the tolerance is lost: what few persons cannot tell from 0 is not nothing."""
        return self.drop(kept).high <= self.tolerance

    @cached_property
    def sufficient(self) -> int | None:
        """The smallest number of first components that loses nothing, and no larger one does either; none: not even all."""
        enough = None
        for count in reversed(self.counts("first")):
            if not self.loses_nothing(ComponentSubset("first", count)):
                break
            enough = count
        return enough

    @property
    def insufficient(self) -> int | None:
        """The next smaller number that was tried."""
        smaller = [count for count in self.counts("first") if self.sufficient is None or count < self.sufficient]
        return smaller[-1] if smaller else None


def tabulate_curves(curves: Iterable[TruncationCurve]) -> pd.DataFrame:
    """A row a measurement: skips, kept, k (missing for the intact network), pck and its drop against the intact network, with
    95 % intervals.
    """  # fmt: skip
    rows = [_row(curve, kept) for curve in curves for kept in curve.hits]
    return pd.DataFrame(rows).astype({"k": "Int64"})


def tabulate_joints(curves: Iterable[TruncationCurve], joints: Sequence[str]) -> pd.DataFrame:
    """A row a joint for every number of first components: share of its labels that is right, and the drop of that share."""
    rows: list[dict[str, Any]] = []
    for curve in curves:
        for count in curve.counts("first"):
            hits = curve.hits[ComponentSubset("first", count)]
            drops = curve.scores.joint_drops(curve.hits[INTACT], hits)
            for joint, pck, drop in zip(joints, curve.scores.joint_pck(hits), drops, strict=True):
                rows.append({"skips": curve.skips, "k": count, "joint": joint, "pck": pck, **_ends("drop", drop)})
    return pd.DataFrame(rows)


def _row(curve: TruncationCurve, kept: ComponentSubset) -> dict[str, Any]:
    pck, drop = curve.pck(kept), curve.drop(kept)
    return {
        "skips": curve.skips,
        "subset": kept.choice,
        "k": None if kept == INTACT else kept.count,
        "pck": pck.estimate,
        "low": pck.low,
        "high": pck.high,
        **_ends("drop", drop),
    }


def _ends(name: str, interval: Interval) -> dict[str, float]:
    return {name: interval.estimate, f"{name}_low": interval.low, f"{name}_high": interval.high}
