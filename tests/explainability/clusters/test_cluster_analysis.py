"""The analysis `clusters` finds what is planted in the features, says so where there is nothing, and claims by numbers."""

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError
from tests.explainability.conftest import SIDE, crop_set

from posescope.core.errors import OptionsError
from posescope.core.plugins import ComponentSpec
from posescope.explainability.base import AnalysisInputs
from posescope.explainability.clustering.base import Clustering
from posescope.explainability.clusters import cluster_analysis as clusters
from posescope.explainability.clusters.cluster_analysis import Clusters, ClustersOptions
from posescope.explainability.clusters.cluster_members import measure_members
from posescope.explainability.components.pca import principal_components
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.feature_store import FeatureSet

QUICK = {"null_draws": 2, "stability_splits": 3, "resamples": 200, "shuffles": 100}
KINDS = np.random.default_rng(7).permutation(np.repeat([0, 1, 2], [110, 80, 50]))


@pytest.fixture
def inputs(inputs_of, three_kinds) -> AnalysisInputs:
    """PCK: 0.9 for everybody, but 0.5 for kind 1, and one person unknown."""
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
        return AnalysisInputs(model, crops, features, principal_components(features), **fields)

    return make


def planted(rng: np.random.Generator) -> np.ndarray:
    centres = 4 * np.eye(12)[:3]
    return centres[KINDS] + 0.5 * rng.normal(size=(len(KINDS), 12))


def failing(rng: np.random.Generator) -> dict:
    """Kind 2 fails, sits and is cut; the rest of what is measured is noise."""
    count = len(KINDS)
    pck = rng.uniform(0.7, 1.0, count) - 0.4 * (KINDS == 2)
    attributes = {name: rng.normal(size=count) for name in ("size", "arms_raised", "facing")}
    attributes |= {"standing": rng.normal(size=count) - 3 * (KINDS == 2), "truncated": (KINDS == 2) * 1.0}
    groups = rng.permutation(count) // 2
    return {"per_person_pck": pck, "per_person_oks": pck - 0.1, "attributes": pd.DataFrame(attributes), "image_groups": groups}


def by_what(found, words: str):
    return [finding for finding in found.findings if words in finding.claim]


@pytest.mark.parametrize("space", ["components", "raw"])
def test_planted_kinds_are_found_to_be_real_and_the_failing_one_with_its_words(featured, space: str) -> None:
    rng = np.random.default_rng(0)
    found = Clusters(ClustersOptions(space=space, **QUICK))(featured(planted(rng), **failing(rng)))
    np.testing.assert_array_equal(found.tables["cluster_members"]["cluster"] - 1, KINDS)
    assert found.facts["clusters"] == 3
    assert found.facts["verdict"] == "real clusters"
    assert (found.facts["coordinates"] == 12) == (space == "raw")

    (structure,) = by_what(found, "real clusters (")
    assert structure.passed
    assert structure.low > structure.control.high
    (stable,) = by_what(found, "Two halves of the photographs find the same 3 clusters")
    assert stable.value == 1

    (failure,) = by_what(found, "PCK")
    assert failure.claim.startswith("Cluster 3 (50 persons; cut at the border, sitting or lying): PCK 0.4")
    assert failure.passed
    assert failure.value == pytest.approx(0.4, abs=0.05)
    assert failure.control.high < 0.2
    assert failure.pck_at_stake == pytest.approx(50 / 240 * failure.value)
    (told,) = by_what(found, "What sets cluster 3 (50 persons) apart: cut at the border (+")
    assert "sitting or lying (-" in told.claim
    assert told.low > told.control.high
    assert failure.claim in found.note


def test_noise_has_no_real_clusters_no_words_and_no_failures(featured) -> None:
    rng = np.random.default_rng(0)
    found = Clusters(ClustersOptions(**QUICK))(featured(rng.normal(size=(240, 12)), **failing(rng)))
    assert found.facts["verdict"] == "a cut through a continuum"
    (structure,) = by_what(found, "no real clusters")
    assert not structure.passed
    assert structure.claim in found.note
    # Error and attributes have nothing to do with where the persons stand.
    assert not any(finding.passed for finding in by_what(found, "PCK"))
    assert "On no cluster does the model do worse" in found.note
    assert set(found.tables["clusters"]["description"]) == {""}
    (told,) = by_what(found, "No measured attribute sets a cluster apart")
    assert not told.passed


def test_shuffled_persons_have_clusters_without_words_or_errors(featured) -> None:
    rng = np.random.default_rng(1)
    values = planted(rng)
    fields = failing(rng)
    order = rng.permutation(len(values))
    found = Clusters(ClustersOptions(**QUICK))(featured(values[order], **fields))
    assert found.facts["verdict"] == "real clusters"
    assert not any(finding.passed for finding in by_what(found, "PCK"))
    assert all(finding.pck_at_stake == 0 for finding in found.findings)
    assert set(found.tables["clusters"]["description"]) == {""}


def test_a_cut_through_a_continuum_is_called_so_where_it_fails(featured) -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(size=(240, 12)) * np.array([8.0, *[1.0] * 11])
    pck = np.clip(0.7 + values[:, 0] / 40, 0, 1)
    found = Clusters(ClustersOptions(**QUICK))(featured(values, per_person_pck=pck))
    assert found.facts["clusters"] == 2
    (failure,) = by_what(found, "PCK")
    assert failure.passed
    assert "not as a kind of them" in failure.claim
    (stable,) = by_what(found, "Two halves")
    assert not stable.passed
    assert "No pose attributes were measured" in found.note


def test_errors_by_hand_and_unknown_persons(inputs, three_kinds) -> None:
    found = Clusters(ClustersOptions(**QUICK))(inputs)
    table = found.tables["clusters"]
    assert table["persons"].tolist() == [18, 12, 9]
    assert table["mean_pck"].tolist() == pytest.approx([0.9, 0.5, 0.9])
    # The others of cluster 2: 17 + 9 known persons at 0.9.
    assert table["difference_from_rest"][1] == pytest.approx(-0.4)
    assert (table["pck_low"] <= table["mean_pck"] + 1e-12).all()
    assert (table["pck_high"] >= table["mean_pck"] - 1e-12).all()
    members = found.tables["cluster_members"]
    assert members["person_id"].tolist() == inputs.features.person_ids.tolist()
    np.testing.assert_array_equal(members["cluster"] - 1, three_kinds[1])  # kinds are numbered by size, too
    assert found.facts["worst_cluster"] == 2
    (failure,) = by_what(found, "PCK")
    assert failure.pck_at_stake == pytest.approx(12 / 38 * 0.4)


def test_silhouettes_of_every_number_of_clusters_beside_those_of_chance(inputs) -> None:
    silhouettes = Clusters(ClustersOptions(**QUICK))(inputs).tables["silhouettes"]
    assert silhouettes["clusters"].tolist() == list(range(2, 11))
    assert silhouettes.loc[silhouettes["silhouette"].idxmax(), "clusters"] == 3
    assert (silhouettes["null_low"] <= silhouettes["null_high"]).all()
    assert (silhouettes["inertia"].diff().dropna() < 0).all()
    assert silhouettes.loc[silhouettes["clusters"] == 3, "restart_agreement"].item() > 0.5


def test_pictures_show_medoid_nearest_farthest_and_the_map(inputs) -> None:
    found = Clusters(ClustersOptions(gallery=8, farthest=3, **QUICK))(inputs)  # more places than the smallest cluster has
    assert set(found.images) == {"clusters", "clusters_map", "clusters_skeletons"}
    assert found.images["clusters"].shape[1] == 11 * 128 + 12 * 4
    assert found.images["clusters"].shape[0] > 3 * 128
    figure = found.plots["clusters_plane"]
    assert [len(trace.x) for trace in figure.data] == [18, 12, 9]
    assert figure.data[1].text[0].startswith("person ")
    assert "<br>PCK 0.50" in figure.data[1].text[0]


def test_the_medoid_is_the_one_nearest_to_all_others(featured) -> None:
    values = planted(np.random.default_rng(0))
    found = Clusters(ClustersOptions(space="raw", **QUICK))(featured(values))
    for cluster, person in enumerate(found.tables["clusters"]["medoid_person_id"]):
        own = values[cluster == KINDS].astype(np.float32)
        distances = np.linalg.norm(own[:, None] - own[None], axis=2).sum(axis=1)
        assert person == 100 + np.flatnonzero(cluster == KINDS)[distances.argmin()]


def test_nobody_scored_nobody_described(inputs_of, noise_crops) -> None:
    found = Clusters(ClustersOptions(**QUICK))(inputs_of(noise_crops))
    assert found.facts["silhouette"] < 0.25
    assert "no real clusters" in found.note
    assert found.facts["worst_cluster"] is None
    assert "mean_pck" not in found.tables["clusters"]
    assert "cluster_attributes" not in found.tables
    assert not by_what(found, "PCK")


def test_persons_are_limited_and_everything_is_seeded(featured) -> None:
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
def test_a_handful_of_persons_is_no_evidence(featured, count: int, kind: str) -> None:
    rng = np.random.default_rng(count)
    values = rng.normal(size=(count, 12)) if kind == "noise" else np.repeat(np.eye(12)[:2], [count - 1, 1], axis=0)
    pck = np.r_[np.nan, rng.random(count - 1)]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Number of distinct clusters")
        found = Clusters(ClustersOptions(**QUICK))(featured(values, per_person_pck=pck))
    assert found.facts["verdict"] != "real clusters"
    assert not found.findings[0].passed


class Halving:
    """A clusterer of another package that says no more than it must."""

    class Options(ClustersOptions):
        pass

    def __init__(self, options: object) -> None:
        pass

    def __call__(self, points: np.ndarray, seed: int = 0) -> Clustering:
        labels = (points[:, 0] < 0).astype(np.int64)
        labels = labels if labels.mean() <= 0.5 else 1 - labels
        return Clustering(labels, np.array([points[labels == label].mean(axis=0) for label in (0, 1)]), {})


def test_a_clusterer_that_gives_only_the_basics(featured, monkeypatch) -> None:
    monkeypatch.setattr("posescope.explainability.clusters.cluster_analysis.build", lambda group, spec: Halving(None))
    rng = np.random.default_rng(0)
    found = Clusters(ClustersOptions(**QUICK))(featured(planted(rng), **failing(rng)))
    silhouettes = found.tables["silhouettes"]
    assert silhouettes["clusters"].tolist() == [2]
    assert silhouettes["silhouette"].item() == pytest.approx(found.facts["silhouette"])
    assert silhouettes["inertia"].isna().all()
    assert found.facts["restart_agreement"] is None
    assert found.facts["null_silhouette"] > 0


def test_silhouettes_are_measured_on_the_device_that_is_found(featured, monkeypatch) -> None:
    inputs = featured(planted(np.random.default_rng(0)))
    options = ClustersOptions(clusterer=ComponentSpec(name="kmeans", options={"largest": 3, "restarts": 1, "device": "cpu"}))
    monkeypatch.setattr(clusters, "resolve_gpu", lambda name: {"auto": torch.device("cpu")}[name])
    monkeypatch.setattr(clusters, "measure_members", lambda *given: (_ for _ in ()).throw(LookupError(str(given[-1]))))
    with pytest.raises(LookupError, match="cpu"):
        Clusters(options)(inputs)


@pytest.mark.parametrize("most", [2000, 50])
def test_persons_measured_on_a_device_are_those_of_the_cpu(most: int) -> None:
    points = planted(np.random.default_rng(0))
    clustering = Clustering(KINDS, np.stack([points[kind == KINDS].mean(axis=0) for kind in range(3)]))
    expected, found = (measure_members(points, clustering, most, 0, device) for device in (None, torch.device("cpu")))
    np.testing.assert_allclose(found.silhouettes, expected.silhouettes, atol=1e-9)
    np.testing.assert_array_equal(found.medoids, expected.medoids)


def test_a_device_that_is_not_there_is_refused(featured) -> None:
    with pytest.raises(OptionsError, match="cuda:97"):
        Clusters(ClustersOptions(device="cuda:97"))(featured(planted(np.random.default_rng(0))))


def test_labels_of_another_number_of_persons_are_refused(featured, monkeypatch) -> None:
    class Wrong(Halving):
        def __call__(self, points: np.ndarray, seed: int = 0) -> Clustering:
            return super().__call__(points[1:], seed)

    monkeypatch.setattr("posescope.explainability.clusters.cluster_analysis.build", lambda group, spec: Wrong(None))
    with pytest.raises(ExplainabilityError, match="a label for each of the 240 points, found 239"):
        Clusters(ClustersOptions(**QUICK))(featured(planted(np.random.default_rng(0))))


def test_the_clusterer_s_options_are_checked_at_once() -> None:
    with pytest.raises(ValidationError, match="restarts"):
        ClustersOptions(clusterer=ComponentSpec(name="kmeans", options={"restarts": 0}))
    assert ClustersOptions(clusterer={"name": "kmeans", "options": {"largest": 3}}).clusterer.options == {"largest": 3}
