"""Tests of posescope.explainability.clusters.cluster_analysis: planted clusters are found, and noise has no findings."""

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from tests.explainability.conftest import SIDE, analysis_inputs, crop_set

from posescope.core.plugins import ComponentSpec
from posescope.explainability.base import AnalysisInputs
from posescope.explainability.clustering.base import Clustering
from posescope.explainability.clusters.cluster_analysis import Clusters, ClustersOptions
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.feature_store import FeatureSet

QUICK = {"null_draws": 2, "stability_splits": 3, "resamples": 200, "shuffles": 100}
KINDS = np.random.default_rng(7).permutation(np.repeat([0, 1, 2], [110, 80, 50]))


@pytest.fixture
def inputs(inputs_of, three_kinds) -> AnalysisInputs:
    """PCK is 0.5 for kind 1, 0.9 for the others, and unknown for one person."""
    crops, kinds = three_kinds
    pck = np.where(kinds == 1, 0.5, 0.9)
    pck[np.flatnonzero(kinds == 0)[0]] = np.nan
    return inputs_of(crops, per_person_pck=pck)


@pytest.fixture
def featured(model) -> Callable[..., AnalysisInputs]:
    """Inputs with any features (N, 12)."""

    def make(values: np.ndarray, **fields) -> AnalysisInputs:
        joints = np.random.default_rng(0).uniform(4, 28, (len(values), 2, 2))
        crops = crop_set(np.zeros((len(values), SIDE, SIDE, 3), np.uint8), joints)
        features = FeatureSet(crops.targets.person_ids, values.astype(np.float32), "bottleneck", (3, 2, 2))
        return analysis_inputs(model, crops, features, **fields)

    return make


def planted(rng: np.random.Generator) -> np.ndarray:
    centres = 4 * np.eye(12)[:3]
    return centres[KINDS] + 0.5 * rng.normal(size=(len(KINDS), 12))


def failing(rng: np.random.Generator) -> dict:
    """Kind 2 fails, sits and is truncated; the other attributes are noise."""
    count = len(KINDS)
    pck = rng.uniform(0.7, 1.0, count) - 0.4 * (KINDS == 2)
    attributes = {name: rng.normal(size=count) for name in ("size", "arms_raised", "facing")}
    attributes |= {"standing": rng.normal(size=count) - 3 * (KINDS == 2), "truncated": (KINDS == 2) * 1.0}
    groups = rng.permutation(count) // 2
    return {"per_person_pck": pck, "per_person_oks": pck - 0.1, "attributes": pd.DataFrame(attributes), "groups": groups}


def claims_with(found, text: str):
    return [finding for finding in found.findings if text in finding.statement]


@pytest.mark.parametrize("space", ["components", "raw"])
def test_planted_clusters_are_real_and_the_failing_one_is_described(featured, space: str) -> None:
    rng = np.random.default_rng(0)
    found = Clusters(ClustersOptions(space=space, **QUICK))(featured(planted(rng), **failing(rng)))
    np.testing.assert_array_equal(found.tables["cluster_members"]["cluster"] - 1, KINDS)
    assert found.facts["clusters"] == 3
    assert found.facts["verdict"] == "real clusters"
    assert (found.facts["coordinates"] == 12) == (space == "raw")

    (structure,) = claims_with(found, "Clustering finds")
    assert structure.is_supported
    assert structure.low > structure.control.high
    (stable,) = claims_with(found, "agree on 3 clusters")
    assert stable.value == 1

    (failure,) = claims_with(found, "PCK")
    assert failure.statement.startswith("Cluster 3 (50 persons; cut at the border, sitting or lying): PCK 0.4")
    assert failure.is_supported
    assert failure.value == pytest.approx(0.4, abs=0.05)
    assert failure.control.high < 0.2
    assert failure.importance == pytest.approx(50 / 240 * failure.value)
    (described,) = claims_with(found, ": cut at the border (+")
    assert "sitting or lying (-" in described.statement
    assert described.low > described.control.high
    assert failure.statement in found.note


def test_noise_has_no_real_clusters_no_description_and_no_failures(featured) -> None:
    rng = np.random.default_rng(0)
    found = Clusters(ClustersOptions(**QUICK))(featured(rng.normal(size=(240, 12)), **failing(rng)))
    assert found.facts["verdict"] == "a cut through a continuum"
    (structure,) = claims_with(found, "no evidence of")
    assert not structure.is_supported
    assert structure.statement in found.note
    # Errors and attributes are independent of the features.
    assert not any(finding.is_supported for finding in claims_with(found, "PCK"))
    assert "On no cluster is the PCK lower" in found.note
    assert set(found.tables["clusters"]["description"]) == {""}
    (described,) = claims_with(found, "No measured attribute describes a cluster")
    assert not described.is_supported


def test_clusters_of_shuffled_persons_have_no_description_and_no_failures(featured) -> None:
    rng = np.random.default_rng(1)
    values = planted(rng)
    fields = failing(rng)
    order = rng.permutation(len(values))
    found = Clusters(ClustersOptions(**QUICK))(featured(values[order], **fields))
    assert found.facts["verdict"] == "real clusters"
    assert not any(finding.is_supported for finding in claims_with(found, "PCK"))
    assert all(finding.importance == 0 for finding in found.findings)
    assert set(found.tables["clusters"]["description"]) == {""}


def test_failing_part_of_a_continuum_is_no_real_cluster(featured) -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(size=(240, 12)) * np.array([8.0, *[1.0] * 11])
    pck = np.clip(0.7 + values[:, 0] / 40, 0, 1)
    found = Clusters(ClustersOptions(**QUICK))(featured(values, per_person_pck=pck))
    assert found.facts["clusters"] == 2
    (failure,) = claims_with(found, "PCK")
    assert failure.is_supported
    assert "continuum" in failure.statement
    (stable,) = claims_with(found, "agree on")
    assert not stable.is_supported


def test_errors_by_hand_and_unknown_persons(inputs, three_kinds) -> None:
    found = Clusters(ClustersOptions(**QUICK))(inputs)
    table = found.tables["clusters"]
    assert table["persons"].tolist() == [18, 12, 9]
    assert table["mean_pck"].tolist() == pytest.approx([0.9, 0.5, 0.9])
    # Outside cluster 2: 17 + 9 persons with a known PCK of 0.9.
    assert table["difference_from_rest"][1] == pytest.approx(-0.4)
    assert (table["pck_low"] <= table["mean_pck"] + 1e-12).all()
    assert (table["pck_high"] >= table["mean_pck"] - 1e-12).all()
    members = found.tables["cluster_members"]
    assert members["person_id"].tolist() == inputs.judged.features.person_ids.tolist()
    np.testing.assert_array_equal(members["cluster"] - 1, three_kinds[1])  # kinds are numbered by size too
    assert found.facts["worst_cluster"] == 2
    (failure,) = claims_with(found, "PCK")
    assert failure.importance == pytest.approx(12 / 38 * 0.4)


def test_silhouettes_per_number_of_clusters_with_those_of_null_data(inputs) -> None:
    silhouettes = Clusters(ClustersOptions(**QUICK))(inputs).tables["silhouettes"]
    assert silhouettes["clusters"].tolist() == list(range(2, 11))
    assert silhouettes.loc[silhouettes["silhouette"].idxmax(), "clusters"] == 3
    assert (silhouettes["null_low"] <= silhouettes["null_high"]).all()
    assert (silhouettes["inertia"].diff().dropna() < 0).all()
    assert silhouettes.loc[silhouettes["clusters"] == 3, "restart_agreement"].item() > 0.5


def test_images_and_interactive_plot(inputs) -> None:
    found = Clusters(ClustersOptions(gallery=8, farthest=3, **QUICK))(inputs)  # more cells than the smallest cluster has persons
    assert set(found.images) == {"clusters", "clusters_skeletons"}
    assert found.images["clusters"].shape[1] == 11 * 128 + 12 * 4
    assert found.images["clusters"].shape[0] > 3 * 128
    figure = found.plots["clusters_plane"]
    assert [len(trace.x) for trace in figure.data] == [18, 12, 9]
    assert figure.data[1].text[0].startswith("person ")
    assert "<br>PCK 0.50" in figure.data[1].text[0]


def test_medoid_has_the_smallest_mean_distance(featured) -> None:
    values = planted(np.random.default_rng(0))
    found = Clusters(ClustersOptions(space="raw", **QUICK))(featured(values))
    for cluster, person in enumerate(found.tables["clusters"]["medoid_person_id"]):
        own = values[cluster == KINDS].astype(np.float32)
        distances = np.linalg.norm(own[:, None] - own[None], axis=2).sum(axis=1)
        assert person == 100 + np.flatnonzero(cluster == KINDS)[distances.argmin()]


def test_without_scores_and_attributes(inputs_of, noise_crops) -> None:
    found = Clusters(ClustersOptions(**QUICK))(inputs_of(noise_crops))
    assert found.facts["silhouette"] < 0.25
    assert "no evidence of" in found.note
    assert found.facts["worst_cluster"] is None
    assert found.tables["clusters"]["mean_pck"].isna().all()
    assert not len(found.tables["cluster_attributes"])
    assert not claims_with(found, "PCK")


def test_persons_are_limited_and_results_are_seeded(featured) -> None:
    rng = np.random.default_rng(0)
    given = featured(planted(rng), **failing(rng))
    analysis = Clusters(ClustersOptions(persons=100, silhouette_persons=60, **QUICK))
    first, second = analysis(given), analysis(given)
    assert len(first.tables["cluster_members"]) == 100
    assert first.tables["cluster_members"]["silhouette"].notna().sum() == 60
    assert "silhouettes of 60 of them" in first.note
    assert first.note == second.note
    assert first.facts == second.facts
    assert first.findings == second.findings


@pytest.mark.parametrize("count", [3, 4, 9])
@pytest.mark.parametrize("kind", ["noise", "twins"])
def test_handful_of_persons_has_no_real_clusters(featured, count: int, kind: str) -> None:
    rng = np.random.default_rng(count)
    values = rng.normal(size=(count, 12)) if kind == "noise" else np.repeat(np.eye(12)[:2], [count - 1, 1], axis=0)
    pck = np.r_[np.nan, rng.random(count - 1)]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Number of distinct clusters")
        found = Clusters(ClustersOptions(**QUICK))(featured(values, per_person_pck=pck))
    assert found.facts["verdict"] != "real clusters"
    assert not found.findings[0].is_supported


class Halving:
    """A clusterer of another package without optional results."""

    class Options(ClustersOptions):
        pass

    def __init__(self, options: object) -> None:
        pass

    def __call__(self, points: np.ndarray, seed: int = 0) -> Clustering:
        labels = (points[:, 0] < 0).astype(np.int64)
        labels = labels if labels.mean() <= 0.5 else 1 - labels
        return Clustering(labels, np.array([points[labels == label].mean(axis=0) for label in (0, 1)]), {})


def test_clusterer_without_optional_results(featured, monkeypatch) -> None:
    monkeypatch.setattr("posescope.explainability.clusters.cluster_analysis.build", lambda group, spec: Halving(None))
    rng = np.random.default_rng(0)
    found = Clusters(ClustersOptions(**QUICK))(featured(planted(rng), **failing(rng)))
    silhouettes = found.tables["silhouettes"]
    assert silhouettes["clusters"].tolist() == [2]
    assert silhouettes["silhouette"].item() == pytest.approx(found.facts["silhouette"])
    assert silhouettes["inertia"].isna().all()
    assert found.facts["restart_agreement"] is None
    assert found.facts["null_silhouette"] > 0


def test_clusterer_with_too_few_labels_is_refused(featured, monkeypatch) -> None:
    class Wrong(Halving):
        def __call__(self, points: np.ndarray, seed: int = 0) -> Clustering:
            return super().__call__(points[1:], seed)

    monkeypatch.setattr("posescope.explainability.clusters.cluster_analysis.build", lambda group, spec: Wrong(None))
    with pytest.raises(ExplainabilityError, match="239"):
        Clusters(ClustersOptions(**QUICK))(featured(planted(np.random.default_rng(0))))


def test_options_of_the_clusterer_are_checked() -> None:
    with pytest.raises(ValidationError, match="restarts"):
        ClustersOptions(clusterer=ComponentSpec(name="kmeans", options={"restarts": 0}))
    assert ClustersOptions(clusterer={"name": "kmeans", "options": {"largest": 3}}).clusterer.options == {"largest": 3}
