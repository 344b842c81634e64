"""What the analyses found of each person: names of components, clusters and failure slices."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.explainability.attributes.person_attributes import attribute_named
from posescope.explainability.base import AnalysisResult
from posescope.explainability.components.pca import Components
from posescope.explorer.table_metadata import AttributeAbout, ClusterAbout, ComponentAbout, SliceAbout

__all__ = ["AnalysisColumns"]


@dataclass(frozen=True, eq=False)
class AnalysisColumns:
    """Tables of the analyses; all empty for analyses that were not run.

    Attributes:
        names: table `component_names`.
        clusters, members: tables `clusters` and `cluster_members`.
        slices, insiders: tables `failure_slices` and `slice_members`.
    """

    names: pd.DataFrame = field(default_factory=pd.DataFrame)
    clusters: pd.DataFrame = field(default_factory=pd.DataFrame)
    members: pd.DataFrame = field(default_factory=pd.DataFrame)
    slices: pd.DataFrame = field(default_factory=pd.DataFrame)
    insiders: pd.DataFrame = field(default_factory=pd.DataFrame)

    @classmethod
    def of_results(cls, analyses: Mapping[str, AnalysisResult]) -> "AnalysisColumns":
        """Return the tables of analyses by name; analyses that are missing or empty have none."""

        def table(analysis: str, name: str) -> pd.DataFrame:
            return analyses[analysis].tables.get(name, pd.DataFrame()) if analysis in analyses else pd.DataFrame()

        return cls(
            names=table("component_names", "component_names"),
            clusters=table("clusters", "clusters"),
            members=table("clusters", "cluster_members"),
            slices=table("failure_slices", "failure_slices"),
            insiders=table("failure_slices", "slice_members"),
        )

    def columns(self, ids: NDArray[np.int64]) -> dict[str, Any]:
        """Return `cluster`, `cluster_name` and `slices` of (N,) persons; no cluster is <NA> with an empty name."""
        numbers = self._cluster_numbers(ids)
        names = {one.number: one.name for one in self._clusters()}
        return {
            "cluster": numbers.array,
            "cluster_name": numbers.map(names).astype(object).fillna("").to_numpy(),
            "slices": _as_objects(self._slices_of(ids)),
        }

    def describe_components(self, components: Components, count: int) -> tuple[ComponentAbout, ...]:
        """Return the first `count` components with their names."""
        rows = {int(row["component"]): row for row in self.names.to_dict("records")}
        ratios = components.explained_variance_ratio
        return tuple(_component(number, float(ratios[number - 1]), rows.get(number)) for number in range(1, count + 1))

    def describe_clusters(self, ids: NDArray[np.int64]) -> tuple[ClusterAbout, ...]:
        """Return the shown clusters, with the number of the (N,) persons in each."""
        counts = self._cluster_numbers(ids).value_counts()
        return tuple(one.model_copy(update={"persons": int(counts.get(one.number, 0))}) for one in self._clusters())

    def describe_slices(self, persons: pd.DataFrame) -> tuple[SliceAbout, ...]:
        """Return the failure slices.

        Args:
            persons: a row per person with `slices`, `source_split` and `image_id`.
        """
        return tuple(_slice(row, persons) for row in self.slices.to_dict("records"))

    def describe_attributes(self, names: Iterable[str]) -> dict[str, AttributeAbout]:
        """Return attributes by name."""
        found = {name: attribute_named(name) for name in names}
        return {
            name: AttributeAbout(title=name.replace("_", " "), unit=one.unit, low=one.low, high=one.high)
            for name, one in found.items()
        }

    def _clusters(self) -> list[ClusterAbout]:
        return [
            ClusterAbout(number=int(row["cluster"]), name=_cluster_name(int(row["cluster"]), row["description"]), persons=0)
            for row in self.clusters.to_dict("records")
        ]

    def _cluster_numbers(self, ids: NDArray[np.int64]) -> "pd.Series[Any]":
        if self.members.empty:
            return pd.Series(pd.NA, index=ids, dtype="Int32")
        return self.members.set_index("person_id")["cluster"].astype("Int32").reindex(ids)

    def _slices_of(self, ids: NDArray[np.int64]) -> list[list[str]]:
        found: dict[int, list[str]] = {person: [] for person in ids.tolist()}
        if not self.insiders.empty:
            inside = self.insiders[(self.insiders["inside"] == 1) & self.insiders["person_id"].isin(ids)]
            for person, number in zip(inside["person_id"].tolist(), inside["slice"].tolist(), strict=True):
                found[person].append(_slice_id(number))
        return list(found.values())


def _as_objects(lists: list[list[str]]) -> NDArray[np.object_]:
    array = np.empty(len(lists), dtype=object)
    array[:] = lists
    return array


def _slice_id(number: Any) -> str:
    return f"slice-{int(number)}"


def _cluster_name(number: int, description: Any) -> str:
    """Return the name of `clusters.cluster_findings`, with the first two attributes."""
    words = ", ".join(description.split(", ")[:2]) if isinstance(description, str) else ""
    return f"group {number}" + (f" ({words})" if words else "")


def _component(number: int, explained: float, row: Mapping[Any, Any] | None) -> ComponentAbout:
    if row is None:
        return ComponentAbout(number=number, title=f"component {number}", explained=explained)
    if row["strength"] == "none":
        return ComponentAbout(number=number, title=f"component {number} (no name)", explained=explained)
    low, high = str(row["low"]), str(row["high"])
    return ComponentAbout(
        number=number, title=f"component {number}: {low} ↔ {high}", low=low, high=high, explained=explained
    )  # fmt: skip


def _slice(row: Mapping[Any, Any], persons: pd.DataFrame) -> SliceAbout:
    slice_id = _slice_id(row["slice"])
    inside = persons[[slice_id in own for own in persons["slices"]]]
    return SliceAbout(
        id=slice_id,
        name=f"persons {row['words']}",
        rule=str(row["rule"]),
        persons=len(inside),
        photographs=len(inside[["source_split", "image_id"]].drop_duplicates()),
        score=_known(row["pck_inside"]),
        others=_known(row["pck_outside"]),
        share_of_error=_known(row["share_of_error"]),
        claimed=bool(row["claimed"]),
    )


def _known(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)
