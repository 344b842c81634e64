"""Tests of posescope.explainability.clusters.cluster_analysis: planted clusters are found, and noise has no findings."""

import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from tests.explainability.conftest import QUICK_CLUSTERS as QUICK
from tests.explainability.conftest import SIDE, analysis_inputs, crop_set

from posescope.core.plugins import ComponentSpec
from posescope.explainability.base import AnalysisInputs, AnalysisResult
from posescope.explainability.clustering.base import Clustering
from posescope.explainability.clusters.cluster_analysis import Clusters, ClustersOptions
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.feature_store import FeatureSet

KINDS = np.random.default_rng(7).permutation(np.repeat([0, 1, 2], [110, 80, 50]))


@pytest.fixture
def inputs(inputs_of, three_kinds) -> AnalysisInputs:
    """PCK is 0.5 for kind 1, 0.9 for the others, and unknown for one person."""
    crops, kinds = three_kinds
    pck = np.where(kinds == 1, 0.5, 0.9)
    pck[np.flatnonzero(kinds == 0)[0]] = np.nan
    return inputs_of(crops, per_person_pck=pck)


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
def planted_groups(featured) -> tuple[AnalysisInputs, AnalysisResult]:
    """Inputs with three planted groups of which one fails, and their result, which tests only read."""
    rng = np.random.default_rng(0)
    given = featured(planted(rng), **failing(rng))
    return given, Clusters(ClustersOptions(gallery=8, farthest=3, **QUICK))(given)


def labels_of(found: AnalysisResult, role: str = "judged") -> np.ndarray:
    members = found.tables["cluster_members"]
    return members.loc[members["role"] == role, "cluster"].to_numpy() - 1


@pytest.mark.parametrize("space", ["components", "raw"])
def test_planted_groups_are_separate_and_the_failing_one_is_described(planted_groups, space: str) -> None:
    given, found = planted_groups
    if space == "raw":
        found = Clusters(ClustersOptions(space="raw", **QUICK))(given)
    np.testing.assert_array_equal(labels_of(found), KINDS)
    np.testing.assert_array_equal(labels_of(found, "fitted"), KINDS)
    assert found.facts["clusters"] == found.facts["separate_groups"] == 3
    assert found.facts["verdict"] == "separate groups"
    assert (found.facts["coordinates"] == 12) == (space == "raw")

    structure, failure, described = found.findings
    assert structure.is_supported
    assert structure.statement.startswith("Yes: the persons form 3 groups")
    assert structure.effect < 0.3 < structure.control.value
    assert all("screened with 3 draws of such data per kind" in text for text in (structure.detail, found.note))
    assert failure.is_supported
    assert failure.id == "group-3-pck"
    assert failure.effect == pytest.approx(0.4, abs=0.05)
    assert failure.control.high < 0.2
    assert failure.importance == pytest.approx(50 / 240 * failure.effect)
    assert "separate from the others" in failure.detail
    assert described.is_supported
    assert "'cut at the border' sets group 3 apart" in described.statement
    assert described.low > described.control.high
    assert "Of the shown groups, the PCK is lowest in group 3 (cut at the border, sitting or lying)" in found.note


def test_noise_has_no_groups_no_description_and_no_failures(featured) -> None:
    rng = np.random.default_rng(0)
    found = Clusters(ClustersOptions(**QUICK))(featured(rng.normal(size=(240, 12)), **failing(rng)))
    assert found.facts["verdict"] == "a continuum"
    assert not any(finding.is_supported for finding in found.findings)  # errors and attributes are independent of the features
    assert found.findings[0].id == "separate-groups"
    assert "convenient division of a continuum" in found.note
    assert set(found.tables["clusters"]["description"]) == {""}


def test_groups_of_shuffled_persons_have_no_description_and_no_failures(featured) -> None:
    rng = np.random.default_rng(1)
    values, fields = planted(rng), failing(rng)
    order = rng.permutation(len(values))
    found = Clusters(ClustersOptions(**QUICK))(featured(values[order], **fields))
    assert [finding.id for finding in found.findings if finding.is_supported] == ["separate-groups"]
    assert all(finding.importance == 0 for finding in found.findings)
    assert set(found.tables["clusters"]["description"]) == {""}


def test_failing_part_of_a_continuum_is_no_separate_group(featured) -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(size=(240, 12)) * np.array([8.0, *[1.0] * 11])
    pck = np.clip(0.7 + values[:, 0] / 40, 0, 1)
    found = Clusters(ClustersOptions(**QUICK))(featured(values, per_person_pck=pck))
    assert found.facts["verdict"] == "a continuum"
    structure, *failures = found.findings
    assert not structure.is_supported
    assert failures[0].is_supported
    assert "continuum" in failures[0].detail


def test_judged_persons_belong_to_the_nearest_centre_of_the_fitted_ones(model, featured) -> None:
    rng = np.random.default_rng(3)
    given = featured(planted(rng))
    rows = np.flatnonzero(KINDS != 2)  # no judged person is of the smallest kind
    found = Clusters(ClustersOptions(**QUICK))(replace(given, judged=given.judged.subset(rows)))
    np.testing.assert_array_equal(labels_of(found), KINDS[rows])
    assert found.tables["clusters"]["persons"].tolist() == [110, 80, 0]
    assert found.tables["clusters"]["fitted_persons"].tolist() == [110, 80, 50]
    assert found.tables["clusters"]["medoid_person_id"].tolist()[2] == -1
    assert "cluster_3_persons" not in found.images


def test_stored_centres_give_the_groups_again(planted_groups) -> None:
    given, found = planted_groups
    centres = found.tables["cluster_centres"]
    points = given.components.project(given.judged.features.values, centres.shape[1] - 2)
    members = found.tables["cluster_members"].query("role == 'judged'")
    for k, own in centres.groupby("clusters"):
        distances = np.linalg.norm(points[:, None] - own.filter(regex=r"^c\d").to_numpy()[None], axis=2)
        np.testing.assert_array_equal(distances.argmin(axis=1) + 1, members[f"cluster_of_{k}"])


def test_errors_by_hand_and_unknown_persons(inputs, three_kinds) -> None:
    found = Clusters(ClustersOptions(**QUICK))(inputs)
    own = found.tables["cluster_members"].query("role == 'judged'")["cluster_of_3"] - 1
    np.testing.assert_array_equal(own, three_kinds[1])  # kinds are numbered by size too
    row = found.tables["numbers_of_clusters"].set_index("clusters").loc[3]
    assert row["worst_group"] == 2
    assert row["worst_persons"] == 12
    assert (row["worst_pck"], row["rest_pck"]) == pytest.approx((0.5, 0.9))  # 17 + 9 others have a known PCK
    assert row["gap"] == pytest.approx(0.4)
    assert row["gap_low"] <= row["gap"] + 1e-9


def test_table_of_every_number_of_clusters(planted_groups) -> None:
    table = planted_groups[1].tables["numbers_of_clusters"]
    assert table["clusters"].tolist() == [2, 3, 4]
    assert table["shown"].tolist() == [False, True, False]
    assert table["supported"].tolist()[1:] == [True, False]
    assert (table["silhouette"] > table["null_silhouette"]).all()
    assert (table["inertia"].diff().dropna() < 0).all()
    assert table["worst_description"].tolist()[1] == "cut at the border, sitting or lying"
    assert table["smallest_group"].tolist()[1] == 50


def test_images_plot_and_captions(planted_groups) -> None:
    _, found = planted_groups
    rows = [f"cluster_{number}_persons" for number in (1, 2, 3)]
    assert set(found.images) == {*rows, "clusters_skeletons"}
    assert {found.images[name].shape[1] for name in rows} == {4 * 128 + 5 * 4}
    figure = found.plots["clusters_plane"]
    assert [len(trace.x) for trace in figure.data] == [110, 80, 50]
    assert figure.data[1].text[0].startswith("person ")
    assert set(found.captions) == {*found.images, *found.plots, *found.tables}


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
    assert found.facts["worst_cluster"] is None
    assert found.tables["clusters"]["mean_pck"].isna().all()
    assert not len(found.tables["cluster_attributes"])
    assert [finding.id for finding in found.findings] == ["separate-groups"]


def test_fitted_persons_are_limited_and_results_are_seeded(featured) -> None:
    rng = np.random.default_rng(0)
    given = featured(planted(rng), **failing(rng))
    analysis = Clusters(ClustersOptions(persons=100, silhouette_persons=60, **QUICK))
    first, second = analysis(given), analysis(given)
    roles = first.tables["cluster_members"]["role"].value_counts()
    assert roles.to_dict() == {"judged": 240, "fitted": 100}
    assert first.tables["cluster_members"]["silhouette"].notna().sum() == 120
    assert first.note == second.note
    assert first.facts == second.facts
    assert first.findings == second.findings


@pytest.mark.parametrize("count", [3, 4, 9])
@pytest.mark.parametrize("kind", ["noise", "twins"])
def test_handful_of_persons_has_no_separate_groups(featured, count: int, kind: str) -> None:
    rng = np.random.default_rng(count)
    values = rng.normal(size=(count, 12)) if kind == "noise" else np.repeat(np.eye(12)[:2], [count - 1, 1], axis=0)
    pck = np.r_[np.nan, rng.random(count - 1)]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Number of distinct clusters")
        found = Clusters(ClustersOptions(**QUICK))(featured(values, per_person_pck=pck))
    assert found.facts["verdict"] == "a continuum"
    assert not any(finding.is_supported and finding.id == "separate-groups" for finding in found.findings)


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
    table = found.tables["numbers_of_clusters"]
    assert table["clusters"].tolist() == [2]
    assert table["inertia"].isna().all()
    assert table["restart_agreement"].isna().all()
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
