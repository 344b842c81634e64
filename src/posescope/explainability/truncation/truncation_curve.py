"""PCK against the number of components in the features, for one treatment of the skip connections."""

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
    """Correct joints of the same persons for subsets of components.

    Attributes:
        skips: activations of the skip connections: each person's `own`, the `mean` over persons, or `none` without skips.
        hits: by subset; the intact network, no components and all components are among them.
        scores: computes PCK of these persons.
        axes: P, number of components.
        tolerance: drop of PCK that does not count.
    """

    skips: SkipMode
    hits: Mapping[ComponentSubset, Hits]
    scores: PairedPck
    axes: int
    tolerance: float

    @property
    def persons(self) -> int:
        """Number of scored persons."""
        return len(self.hits[INTACT])

    def pck(self, subset: ComponentSubset) -> Interval:
        """Return the PCK with a subset of the components."""
        return self.scores.pck(self.hits[subset])

    def drop(self, subset: ComponentSubset, reference: ComponentSubset = INTACT) -> Interval:
        """Return the paired drop of PCK.

        Args:
            subset: the components after the drop.
            reference: the components before it.
        """
        return self.scores.drop(self.hits[reference], self.hits[subset])

    def counts(self, kind: SubsetKind) -> list[int]:
        """List the measured sizes of the subsets of one kind in ascending order, with none and all of the components."""
        ends = {0, self.axes}
        return sorted(ends | {subset.count for subset in self.hits if subset.kind == kind and subset != INTACT})

    @property
    def asked_count(self) -> int | None:
        """Number of first components to ask about: the sufficient one, or the nearest one that leaves some out.

        None: there is a single component, or no other number was measured.
        """
        inner = [count for count in self.counts("first") if 0 < count < self.axes]
        if not inner:
            return None
        return min(max(inner[-1] if self.sufficient is None else self.sufficient, inner[0]), inner[-1])

    def loses_nothing(self, subset: ComponentSubset) -> bool:
        """Whether the whole interval of the drop of PCK is within the tolerance."""
        return self.drop(subset).high <= self.tolerance

    @cached_property
    def sufficient(self) -> int | None:
        """Smallest number of first components from which on nothing is lost; None if even all components lose PCK."""
        enough = None
        for count in reversed(self.counts("first")):
            if not self.loses_nothing(ComponentSubset("first", count)):
                break
            enough = count
        return enough

    @property
    def insufficient(self) -> int | None:
        """Next smaller measured number of first components."""
        smaller = [count for count in self.counts("first") if self.sufficient is None or count < self.sufficient]
        return smaller[-1] if smaller else None


def tabulate_curves(curves: Iterable[TruncationCurve]) -> pd.DataFrame:
    """Tabulate PCK and its drop from the intact network, with 95 % intervals, one row per subset.

    Returns:
        Columns skips, subset, k (missing for the intact network), pck, low, high, drop, drop_low, drop_high.
    """
    rows = [_row(curve, subset) for curve in curves for subset in curve.hits]
    return pd.DataFrame(rows).astype({"k": "Int64"})


def tabulate_joints(curves: Iterable[TruncationCurve], joints: Sequence[str]) -> pd.DataFrame:
    """Tabulate the PCK of each joint and its drop, for every measured number of first components.

    Args:
        curves: measured curves.
        joints: names of the joints.

    Returns:
        Columns skips, k, joint, pck, drop, drop_low, drop_high.
    """
    rows: list[dict[str, Any]] = []
    for curve in curves:
        for count in curve.counts("first"):
            hits = curve.hits[ComponentSubset("first", count)]
            drops = curve.scores.joint_drops(curve.hits[INTACT], hits)
            for joint, pck, drop in zip(joints, curve.scores.joint_pck(hits), drops, strict=True):
                rows.append({"skips": curve.skips, "k": count, "joint": joint, "pck": pck, **drop.columns("drop")})
    return pd.DataFrame(rows)


def _row(curve: TruncationCurve, subset: ComponentSubset) -> dict[str, Any]:
    pck, drop = curve.pck(subset), curve.drop(subset)
    return {
        "skips": curve.skips,
        "subset": subset.kind,
        "k": None if subset == INTACT else subset.count,
        "pck": pck.estimate,
        "low": pck.low,
        "high": pck.high,
        **drop.columns("drop"),
    }
