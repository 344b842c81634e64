"""The analysis `clusters`: groups of persons in feature space, the evidence for them, and the errors of the model on each.

Clusters are fitted to the fitted persons, by their coordinates along the components with most of the variance or by the raw
features. Any clustering algorithm returns clusters, so every number of them is compared with null data, between halves of the
images, and by the valleys between the groups (`cluster_evidence`). Judged persons belong to the nearest centre; sizes, PCK and
descriptions are theirs. Groups without evidence are shown as a convenient division of a continuum.
"""

from dataclasses import replace
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from posescope.core.plugins import Component, ComponentSpec, build, component_validator
from posescope.evaluation.bootstrap import ImageResamples, resample_images
from posescope.explainability.base import AnalysisInputs, AnalysisResult, StudyPersons
from posescope.explainability.clustering.base import Clusterer
from posescope.explainability.clusters.average_skeletons import draw_average_skeletons
from posescope.explainability.clusters.cluster_contrasts import ClusterComparison, measure_errors
from posescope.explainability.clusters.cluster_descriptions import describe_clusters
from posescope.explainability.clusters.cluster_evidence import ClusterEvidence, EvidenceOptions, examine_clusters
from posescope.explainability.clusters.cluster_findings import WeighedGroups
from posescope.explainability.clusters.cluster_image_grids import draw_members, rank_members
from posescope.explainability.clusters.cluster_members import ClusterMembers, assign_persons, measure_members
from posescope.explainability.clusters.cluster_scatter import plot_plane
from posescope.explainability.clusters.cluster_tables import (
    JudgedGroups,
    tabulate_centres,
    tabulate_counts,
    tabulate_groups,
    tabulate_members,
)
from posescope.explainability.features.row_blocks import sample_rows

__all__ = ["Clusters", "ClustersOptions"]

ClustererSpec = Annotated[ComponentSpec, component_validator("clusterers")]
_PLANE = "clusters_plane"
_MUCH = 0.9  # of the largest gap in PCK: then the shown group is named


class ClustersOptions(EvidenceOptions):
    """Options of `clusters`: what is clustered, the controls, and the size of the images."""

    clusterer: ClustererSpec = Field(ComponentSpec(name="kmeans"), description="Component of posescope.clusterers")
    space: Literal["components", "raw"] = Field(
        "components",
        description="Clustered data: coordinates along components, or the raw features (about 16 bytes of memory per value)",
    )
    variance_fraction: float = Field(
        0.90, gt=0, le=1, description="With space components: fraction of the variance that the components together explain"
    )
    persons: int | None = Field(None, ge=3, description="Maximum number of fitted persons; null: all")
    silhouette_persons: int = Field(
        10_000,
        ge=10,
        description="Maximum number of persons with a silhouette, each against all persons; exact for fewer persons",
    )
    smallest_contrast: float = Field(
        0.5, ge=0, description="An attribute describes a cluster if its whole interval is beyond this many standard deviations"
    )
    shuffles: int = Field(200, ge=20, description="Permutations of the labels, the control of errors and attributes")
    resamples: int = Field(1000, ge=100, description="Bootstrap samples of images for each interval")
    gallery: int = Field(6, gt=0, le=50, description="Persons shown per cluster: the medoid and the nearest to the centre")
    farthest: int = Field(2, ge=0, le=50, description="Persons shown per cluster that are farthest from the centre")


class Clusters(Component[ClustersOptions]):
    """Analysis `clusters`.

    Tables: clusters (the shown groups), numbers_of_clusters, cluster_attributes, cluster_members, cluster_centres. Images:
    cluster_<n>_persons (persons of group n) and clusters_skeletons. Plot: clusters_plane, a scatter plot.
    """

    def __call__(self, inputs: AnalysisInputs) -> AnalysisResult:
        """Cluster the fitted persons, weigh the evidence, and judge the groups on the judged persons.

        Raises:
            ExplainabilityError: if the clusterer does not find at least two clusters.
        """
        inputs = _sampled(inputs, self.options.persons)
        fitted, judged = self._points(inputs, inputs.fitted), self._points(inputs, inputs.judged)
        clusterer: Clusterer = build("clusterers", self.options.clusterer)
        evidence = examine_clusters(
            fitted, inputs.fitted.groups, clusterer, self.options, inputs.seed, self.options.silhouette_persons
        )
        labels = {k: assign_persons(judged, own.clustering.centres) for k, own in evidence.counts.items()}
        draws = resample_images(inputs.judged.groups, inputs.seed, self.options.resamples)
        judgements = {k: self._judge(inputs, own, k, draws) for k, own in labels.items()}
        centres = evidence.counts[evidence.shown].clustering
        most = self.options.silhouette_persons
        members = [
            measure_members(points, own, centres.centres, most, inputs.seed)
            for points, own in ((fitted, centres.labels), (judged, labels[evidence.shown]))
        ]
        weighed = WeighedGroups(
            evidence, judgements[evidence.shown], members[1], members[1].interval(inputs.judged.groups, draws)
        )  # fmt: skip
        tables = {
            "numbers_of_clusters": tabulate_counts(evidence, judgements),
            "clusters": tabulate_groups(weighed.shown, members[1], weighed.judged, inputs.judged.person_ids),
            "cluster_attributes": weighed.judged.traits.table,
            "cluster_members": _members_table(inputs, evidence, members, labels),
            "cluster_centres": tabulate_centres(evidence),
        }
        images = self._images(inputs, weighed, members)
        pictures = [name if name in images else None for name in map(_picture, range(len(weighed.shown)))]
        return AnalysisResult(
            facts={**weighed.facts(), "persons": len(judged), "fitted_persons": len(fitted), "coordinates": fitted.shape[1]},
            tables=tables,
            images=images,
            note=_note(weighed, tables["numbers_of_clusters"].to_dict("records"), len(fitted), self.options.space),
            findings=weighed.findings(_PLANE, pictures),
            plots={_PLANE: plot_plane(inputs, weighed.members.labels, weighed.names())},
            captions={**_CAPTIONS, **{name: _IMAGE_CAPTIONS[name.startswith("cluster_")] for name in images}},
            photographs=inputs.photographs,
        )

    def _points(self, inputs: AnalysisInputs, persons: StudyPersons) -> NDArray[np.float32]:
        """(N, P) coordinates of persons."""
        values = persons.features.values
        if self.options.space == "raw":
            # No copy of features stored as float32: they stay memory-mapped.
            return np.asarray(values, dtype=np.float32)
        axes = min(inputs.components.components_for(self.options.variance_fraction), len(inputs.components))
        return inputs.components.project(values, axes).astype(np.float32)

    def _judge(self, inputs: AnalysisInputs, labels: NDArray[np.int64], k: int, draws: ImageResamples) -> JudgedGroups:
        persons = inputs.judged
        comparison = ClusterComparison(labels, k, persons.groups, draws, self.options.shuffles, inputs.seed)
        errors = measure_errors({"pck": persons.per_person_pck, "oks": persons.per_person_oks}, comparison)
        return JudgedGroups(labels, errors, describe_clusters(persons.attributes, comparison, self.options.smallest_contrast))

    def _images(
        self, inputs: AnalysisInputs, weighed: WeighedGroups, members: list[ClusterMembers]
    ) -> dict[str, NDArray[np.uint8]]:
        images = {}
        for group, title in enumerate(weighed.row_titles()):
            shown = rank_members(weighed.members, group, self.options.gallery, self.options.farthest)
            columns = self.options.gallery + self.options.farthest
            if shown:
                images[_picture(group)] = draw_members(
                    inputs.judged, shown, columns, title, inputs.model.skeleton, inputs.photographs
                )
        skeletons = draw_average_skeletons(inputs.fitted, members[0].labels, weighed.names(), inputs.model.skeleton)
        return images if skeletons is None else {**images, "clusters_skeletons": skeletons}


_CAPTIONS = {
    _PLANE: "Every judged person, placed by the first two components and coloured by group. Separate groups would be clouds with "
    "empty space between them.",
    "numbers_of_clusters": "A row per number of groups k. A division is supported if its silhouette exceeds that of data without "
    "groups, halves of the images agree on it, and few persons lie between its groups (valley_ratio below 0.5). The last columns "
    "name the group with the lowest PCK.",
    "clusters": "The shown groups, the largest first: judged persons, their PCK, and whether few fitted persons lie around the "
    "group.",
    "cluster_attributes": "Mean of each measured property inside a group and among the other judged persons; difference in "
    "standard deviations.",
    "cluster_members": "Group of each fitted and judged person, for the shown and for every other number of groups.",
    "cluster_centres": "Centre of each group in component coordinates, for every number of groups.",
}
_IMAGE_CAPTIONS = {
    True: "Judged persons of one group with predicted skeletons: the typical person, those nearest to the centre of the group, "
    "and the farthest ones.",
    False: "Average annotated skeleton of the fitted persons of each group (columns), seen from the front, in profile (all "
    "facing right) and from behind. Empty cells have fewer than five persons.",
}


def _picture(group: int) -> str:
    return f"cluster_{group + 1}_persons"


def _sampled(inputs: AnalysisInputs, persons: int | None) -> AnalysisInputs:
    """Return the inputs with a random sample of at most so many fitted persons."""
    if persons is None or persons >= len(inputs.fitted):
        return inputs
    return replace(inputs, fitted=inputs.fitted.subset(sample_rows(len(inputs.fitted), persons, inputs.seed)))


def _members_table(
    inputs: AnalysisInputs, evidence: ClusterEvidence, members: list[ClusterMembers], judged: dict[int, NDArray[np.int64]]
) -> pd.DataFrame:
    fitted = {k: own.clustering.labels for k, own in evidence.counts.items()}
    splits = [("fitted", inputs.fitted.person_ids, members[0]), ("judged", inputs.judged.person_ids, members[1])]
    return tabulate_members(splits, [fitted, judged])


def _note(weighed: WeighedGroups, counts: list[dict[Any, Any]], fitted: int, space: str) -> str:
    shown = weighed.shown
    sought = f"Groups were sought among {fitted} persons by their {space}, from {counts[0]['clusters']} to "
    texts = [f"{sought}{counts[-1]['clusters']} groups, and judged on {len(weighed.members.labels)} other persons."]
    if shown.separate.all():
        texts.append(f"{len(shown)} groups are shown, which are all separate.")
    elif shown.separate.any():
        count = int(shown.separate.sum())
        verb = "is" if count == 1 else "are"
        texts.append(f"{len(shown)} groups are shown, of which {count} {verb} separate; the others divide a continuum.")
    else:
        texts.append(f"The {len(shown)} groups that are shown are a convenient division of a continuum.")
    return " ".join([*texts, *_worst_words(counts), weighed.screening()])


def _worst_words(counts: list[dict[Any, Any]]) -> list[str]:
    """Describe the group with the lowest PCK: one of the shown groups, unless another number has one with a much larger gap."""
    known = [row for row in counts if row["worst_group"] is not None and row["gap_low"] > 0]
    if not known:
        return []
    largest = max(row["gap"] for row in known)
    worst = max(known, key=lambda row: (row["shown"] and row["gap"] >= _MUCH * largest, row["gap"]))
    where = "Of the shown groups" if worst["shown"] else f"Over all numbers of groups ({worst['clusters']} groups)"
    words = f" ({worst['worst_description']})" if worst["worst_description"] else ""
    return [
        f"{where}, the PCK is lowest in group {worst['worst_group']:.0f}{words}: {worst['worst_pck']:.2f} of "
        f"{worst['worst_persons']:.0f} persons, {worst['rest_pck']:.2f} of the others."
    ]
