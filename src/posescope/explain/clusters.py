"""Do persons fall into kinds inside the network, and does the model fail on some of them?

Persons are clustered by their coordinates along the components that hold most of the variance. A silhouette (Rousseeuw, 1987)
near 0 means that the clusters touch: the division is then a way to cut a continuum, not a discovery, and the note says so.
"""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from posescope.drawing.sheets import contact_sheet
from posescope.drawing.skeletons import draw_skeleton
from posescope.explain.base import AnalysisInputs, AnalysisResult, sample_rows
from posescope.explain.kmeans import Clustering, KMeansClusterer
from posescope.explain.taps import predict_persons
from posescope.metrics.confidence import bootstrap_difference, bootstrap_mean
from posescope.plugins import ComponentSpec, Options, build, component_of

__all__ = ["LOW_SILHOUETTE", "Clusters", "ClustersOptions", "KMeansClusterer"]

LOW_SILHOUETTE = 0.25  # Kaufman and Rousseeuw (1990), Finding Groups in Data: below it, no substantial structure

if TYPE_CHECKING:
    ClustererSpec = ComponentSpec
else:
    ClustererSpec = component_of("clusterers")


class ClustersOptions(Options):
    """What is clustered, and what is shown of it."""

    clusterer: ClustererSpec = Field(ComponentSpec(name="kmeans"), description="Component of posescope.clusterers")
    variance_share: float = Field(
        0.95, gt=0, le=1, description="Cluster along the components that hold this share of the variance"
    )
    persons: int = Field(10_000, ge=3, description="Persons clustered, at most")
    resamples: int = Field(1000, ge=100, description="Bootstrap resamples behind each interval")
    gallery: int = Field(6, gt=0, le=50, description="Persons shown of each cluster: the one nearest its centre, and the next")


class Clusters:
    """Analysis `clusters`. Tables: clusters, silhouettes, cluster_members. Picture: clusters."""

    Options = ClustersOptions

    def __init__(self, options: ClustersOptions) -> None:
        self.options = options

    def __call__(self, inputs: AnalysisInputs) -> AnalysisResult:
        """Cluster the persons."""
        rows = sample_rows(len(inputs.features), self.options.persons, inputs.seed)
        axes = min(inputs.components.components_for(self.options.variance_share), len(inputs.components))
        points = inputs.components.project(inputs.features.values[rows], axes)
        clustering: Clustering = build("clusterers", self.options.clusterer)(points, seed=inputs.seed)
        table = self._cluster_table(inputs, rows, clustering)
        silhouettes = pd.DataFrame(sorted(clustering.silhouettes.items()), columns=["clusters", "silhouette"])
        members = pd.DataFrame({"person_id": inputs.features.person_ids[rows], "cluster": clustering.labels + 1})
        facts = _facts(table, clustering, axes, len(rows))
        return AnalysisResult(
            facts=facts,
            tables={"clusters": table, "silhouettes": silhouettes, "cluster_members": members},
            pictures={"clusters": self._gallery(inputs, rows, points, clustering)},
            note=_note(facts, table),
        )

    def _cluster_table(self, inputs: AnalysisInputs, rows: NDArray[np.int64], clustering: Clustering) -> pd.DataFrame:
        """A row a cluster: size, mean PCK and its difference from everybody else's, each with a 95 % interval."""
        pck = None if inputs.per_person_pck is None else inputs.per_person_pck[rows]
        records = []
        for cluster in range(len(clustering)):
            inside = clustering.labels == cluster
            record: dict[str, float | int] = {"cluster": cluster + 1, "persons": int(inside.sum()), "share": float(inside.mean())}
            if pck is not None:
                own = bootstrap_mean(pck[inside], inputs.seed, self.options.resamples)
                gap = bootstrap_difference(pck[inside], pck[~inside], inputs.seed, self.options.resamples)
                record |= {"mean_pck": own.estimate, "pck_low": own.low, "pck_high": own.high}
                record |= {"against_rest": gap.estimate, "against_rest_low": gap.low, "against_rest_high": gap.high}
            records.append(record)
        return pd.DataFrame(records)

    def _gallery(
        self, inputs: AnalysisInputs, rows: NDArray[np.int64], points: NDArray[np.float64], clustering: Clustering
    ) -> NDArray[np.uint8]:
        """A row of pictures a cluster: the person nearest to its centre first, then the next, with predicted skeletons."""
        captions, shown = [], []
        for cluster, centre in enumerate(clustering.centres):
            inside = np.flatnonzero(clustering.labels == cluster)
            nearest = inside[np.argsort(((points[inside] - centre) ** 2).sum(axis=1), kind="stable")][: self.options.gallery]
            # Small clusters leave places empty at the end of their row.
            shown.append(np.concatenate([rows[nearest], np.full(self.options.gallery - len(nearest), -1)]))
            captions += [f"cluster {cluster + 1}: person {person}" for person in inputs.features.person_ids[rows[nearest]]]
            captions += [""] * (self.options.gallery - len(nearest))
        places = np.concatenate(shown).astype(np.int64)
        pictures = _pictures(inputs, places)
        title = "Persons nearest to the centre of each cluster, one cluster a row"
        return contact_sheet(pictures, columns=self.options.gallery, captions=captions, title=title)


def _pictures(inputs: AnalysisInputs, places: NDArray[np.int64]) -> list[NDArray[np.uint8]]:
    """Crops with predicted skeletons for rows of the inputs; a white picture for -1."""
    rows = places[places >= 0]
    joints = predict_persons(inputs.model, inputs.crops, rows, inputs.batch_size).joints
    images = inputs.crops.read_images(rows)
    drawn = iter([draw_skeleton(image, own, inputs.model.skeleton) for image, own in zip(images, joints, strict=True)])
    blank = np.full((*inputs.crops.crop_size, 3), 255, dtype=np.uint8)
    return [next(drawn) if place >= 0 else blank for place in places]


def _facts(table: pd.DataFrame, clustering: Clustering, axes: int, persons: int) -> dict[str, float | int | str | None]:
    facts: dict[str, float | int | str | None] = {
        "clusters": len(clustering),
        "silhouette": clustering.silhouette,
        "components_used": axes,
        "persons": persons,
        "worst_cluster": None,
        "worst_cluster_pck": None,
    }
    if "mean_pck" in table and table["mean_pck"].notna().any():
        worst = table.iloc[int(np.nanargmin(table["mean_pck"].to_numpy(dtype=np.float64)))]
        facts |= {"worst_cluster": int(worst["cluster"]), "worst_cluster_pck": float(worst["mean_pck"])}
    return facts


def _note(facts: dict[str, float | int | str | None], table: pd.DataFrame) -> str:
    silhouette = float(facts["silhouette"] or 0.0)
    text = (
        f"{facts['persons']} persons, described by {facts['components_used']} components, divide best into "
        f"{facts['clusters']} clusters, with a mean silhouette of {silhouette:.2f}. "
    )
    text += (
        f"That is low (below {LOW_SILHOUETTE}): there are no real clusters, only a cut through a continuum, and differences "
        "between them should be read as differences between its ends."
        if silhouette < LOW_SILHOUETTE
        else "The persons do fall into distinct kinds."
    )
    if facts["worst_cluster"] is None:
        return text
    worst = table[table["cluster"] == facts["worst_cluster"]].iloc[0]
    text += (
        f" The model does worst on cluster {facts['worst_cluster']} ({worst['persons']:.0f} persons): mean PCK "
        f"{worst['mean_pck']:.3f} [{worst['pck_low']:.3f}, {worst['pck_high']:.3f}], a difference from the rest of "
        f"{worst['against_rest']:+.3f} [{worst['against_rest_low']:+.3f}, {worst['against_rest_high']:+.3f}]"
    )
    sure = worst["against_rest_high"] < 0
    return text + (", an interval that excludes zero." if sure else ", an interval that includes zero: it may be chance.")
