"""The analysis `clusters`: groups of persons in feature space, their description, and the errors of the model on each.

Persons are clustered by their coordinates along the components with most of the variance, or by the raw features. Any clustering
algorithm returns clusters; they count as real only if their silhouette exceeds that of null reference data and if halves of the
images agree on them. Otherwise they are a cut through a continuum, and every claim says so.
"""

from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from posescope.core.plugins import Component, ComponentSpec, build, component_validator
from posescope.evaluation.bootstrap import resample_images
from posescope.explainability.base import AnalysisInputs, AnalysisResult
from posescope.explainability.clustering.base import Clusterer, Clustering
from posescope.explainability.clusters.cluster_contrasts import ClusterComparison, measure_errors
from posescope.explainability.clusters.cluster_descriptions import Traits, describe_clusters
from posescope.explainability.clusters.cluster_findings import DescribedClusters
from posescope.explainability.clusters.cluster_image_grids import draw_gallery, draw_mean_skeletons, rank_members
from posescope.explainability.clusters.cluster_members import ClusterMembers, measure_members
from posescope.explainability.clusters.cluster_scatter import plot_plane
from posescope.explainability.clusters.cluster_validation import ClusterValidation, ClusterValidationOptions, validate_clusters
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.row_blocks import sample_rows
from posescope.explainability.findings import Finding

__all__ = ["Clusters", "ClustersOptions"]

ClustererSpec = Annotated[ComponentSpec, component_validator("clusterers")]


class ClustersOptions(ClusterValidationOptions):
    """Options of `clusters`: what is clustered, the controls, and the size of the images."""

    clusterer: ClustererSpec = Field(ComponentSpec(name="kmeans"), description="Component of posescope.clusterers")
    space: Literal["components", "raw"] = Field(
        "components",
        description="Clustered data: coordinates along components, or the raw features (about 16 bytes of memory per value)",
    )
    variance_fraction: float = Field(
        0.95, gt=0, le=1, description="With space components: fraction of the variance that the components together explain"
    )
    persons: int | None = Field(None, ge=3, description="Maximum number of persons; null: all")
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

    Tables: clusters, silhouettes, cluster_attributes, cluster_members. Images: clusters (persons of each cluster) and
    clusters_skeletons. Plot: clusters_plane, a scatter plot.
    """

    def __call__(self, inputs: AnalysisInputs) -> AnalysisResult:
        """Cluster the persons, validate the clusters and describe them.

        Raises:
            ExplainabilityError: if the clusterer does not find at least two clusters.
        """
        inputs = _sampled(inputs, self.options.persons)
        points, space = self._points(inputs)
        clusterer: Clusterer = build("clusterers", self.options.clusterer)
        clustering = _checked(clusterer(points, seed=inputs.seed), len(points))
        draws = resample_images(inputs.judged.groups, inputs.seed, self.options.resamples)
        measured = measure_members(points, clustering, self.options.silhouette_persons, inputs.seed)
        silhouette = measured.interval(inputs.judged.groups, draws)
        validation = validate_clusters(points, inputs.judged.groups, clusterer, clustering, silhouette, self.options, inputs.seed)
        comparison = ClusterComparison(
            clustering.labels, len(clustering), inputs.judged.groups, draws, self.options.shuffles, inputs.seed
        )  # fmt: skip
        errors = measure_errors({"pck": inputs.judged.per_person_pck, "oks": inputs.judged.per_person_oks}, comparison)
        traits = describe_clusters(inputs.judged.attributes, comparison, self.options.smallest_contrast)
        clusters = DescribedClusters(inputs.judged.features.person_ids, clustering, measured, traits, errors)
        failures = clusters.error_findings("clusters", real=validation.is_real)
        names = clusters.names()
        return AnalysisResult(
            facts={**validation.facts(), **clusters.facts(), "persons": len(points), "coordinates": points.shape[1]},
            tables={
                "clusters": clusters.table(),
                "silhouettes": validation.table(),
                "cluster_attributes": traits.table,
                "cluster_members": clusters.members_table(),
            },
            images={
                "clusters": self._gallery(inputs, clustering, measured),
                "clusters_skeletons": draw_mean_skeletons(inputs, clustering.labels, names),
            },
            note=_note(space, measured, validation, failures, traits),
            findings=(*validation.findings("clusters_plane"), *failures, *clusters.trait_findings("clusters")),
            plots={"clusters_plane": plot_plane(inputs, clustering.labels, names)},
        )

    def _points(self, inputs: AnalysisInputs) -> tuple[NDArray[np.float32], str]:
        """(N, P) coordinates of the persons, and their description."""
        values = inputs.judged.features.values
        if self.options.space == "raw":
            # No copy of features stored as float32: they stay memory-mapped.
            return np.asarray(values, dtype=np.float32), f"{values.shape[1]} features"
        axes = min(inputs.components.components_for(self.options.variance_fraction), len(inputs.components))
        return inputs.components.project(values, axes).astype(np.float32), f"{axes} component{'s' if axes > 1 else ''}"

    def _gallery(self, inputs: AnalysisInputs, clustering: Clustering, measured: ClusterMembers) -> NDArray[np.uint8]:
        shown = rank_members(
            clustering.labels, measured.distance_to_centre, measured.medoids, self.options.gallery, self.options.farthest
        )
        return draw_gallery(inputs, shown, (self.options.gallery, self.options.farthest))


def _checked(clustering: Clustering, count: int) -> Clustering:
    if len(clustering.labels) != count:
        raise ExplainabilityError(
            f"clusters: expected a label from the clusterer for each of the {count} points, found {len(clustering.labels)}."
        )
    return clustering


def _sampled(inputs: AnalysisInputs, persons: int | None) -> AnalysisInputs:
    """Return the inputs of a random sample of at most so many persons."""
    if persons is None or persons >= len(inputs.judged.crops):
        return inputs
    rows = sample_rows(len(inputs.judged.crops), persons, inputs.seed)
    return replace(inputs, judged=inputs.judged.subset(rows))


def _note(space: str, measured: ClusterMembers, validation: ClusterValidation, failures: list[Finding], traits: Traits) -> str:
    sampled = "" if measured.is_exact else f" (silhouettes of {len(measured.rows)} of them, each against all persons)"
    agreement = validation.clustering.restart_agreements.get(len(validation.clustering))
    texts = [f"{len(measured.distance_to_centre)} persons{sampled}, described by {space}. {validation.describe()}"]
    if agreement is not None:
        texts.append(f"Restarts of the clustering agree with the selected result (adjusted Rand index {agreement:.2f}).")
    held = [finding for finding in failures if finding.is_supported]
    if held:
        texts.append(held[0].statement)
    elif failures:
        texts.append("On no cluster is the PCK lower than on all other persons beyond the control of clusters of the same sizes.")
    if not any(traits.by_cluster):
        texts.append("No measured attribute describes a cluster.")
    return " ".join(texts)
