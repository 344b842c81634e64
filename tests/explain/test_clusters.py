import numpy as np
import pytest
from pydantic import ValidationError

from posescope.explain.base import AnalysisInputs
from posescope.explain.clusters import Clusters, ClustersOptions
from posescope.plugins import ComponentSpec


@pytest.fixture
def inputs(inputs_of, three_kinds) -> AnalysisInputs:
    """PCK: 0.9 for everybody, but 0.5 for kind 1, and one person unknown."""
    crops, kinds = three_kinds
    pck = np.where(kinds == 1, 0.5, 0.9)
    pck[np.flatnonzero(kinds == 0)[0]] = np.nan
    return inputs_of(crops, per_person_pck=pck)


def test_planted_kinds_are_found_with_their_error(inputs, three_kinds) -> None:
    found = Clusters(ClustersOptions())(inputs)
    table = found.tables["clusters"]
    assert table["persons"].tolist() == [18, 12, 9]
    assert table["mean_pck"].tolist() == pytest.approx([0.9, 0.5, 0.9])
    # The others of cluster 2: 17 + 9 known persons at 0.9.
    assert table["against_rest"][1] == pytest.approx(-0.4)
    assert (table["pck_low"] <= table["mean_pck"] + 1e-12).all()
    assert (table["pck_high"] >= table["mean_pck"] - 1e-12).all()
    members = found.tables["cluster_members"]
    assert members["person_id"].tolist() == inputs.features.person_ids.tolist()
    np.testing.assert_array_equal(members["cluster"] - 1, three_kinds[1])  # kinds are numbered by size, too
    assert found.facts["clusters"] == 3
    assert found.facts["worst_cluster"] == 2
    assert "distinct kinds" in found.note
    assert "excludes zero" in found.note


def test_silhouettes_of_every_number_of_clusters(inputs) -> None:
    silhouettes = Clusters(ClustersOptions())(inputs).tables["silhouettes"]
    assert silhouettes["clusters"].tolist() == list(range(2, 11))
    assert silhouettes.loc[silhouettes["silhouette"].idxmax(), "clusters"] == 3


def test_gallery_has_a_row_a_cluster(inputs) -> None:
    picture = Clusters(ClustersOptions(gallery=10))(inputs).pictures["clusters"]  # more places than the smallest cluster has
    assert picture.shape[1] == 10 * 160 + 11 * 4
    assert picture.shape[0] > 3 * 160


def test_without_clusters_the_note_says_so(inputs_of, noise_crops) -> None:
    found = Clusters(ClustersOptions())(inputs_of(noise_crops))
    assert found.facts["silhouette"] < 0.25
    assert "no real clusters" in found.note
    assert found.facts["worst_cluster"] is None
    assert "mean_pck" not in found.tables["clusters"]


def test_persons_are_limited_and_everything_is_seeded(inputs) -> None:
    analysis = Clusters(ClustersOptions(persons=20))
    first, second = analysis(inputs), analysis(inputs)
    assert len(first.tables["cluster_members"]) == 20
    assert first.note == second.note
    assert first.facts == second.facts


def test_the_clusterer_s_options_are_checked_at_once() -> None:
    with pytest.raises(ValidationError, match="restarts"):
        ClustersOptions(clusterer=ComponentSpec(name="kmeans", options={"restarts": 0}))
    assert ClustersOptions(clusterer={"name": "kmeans", "options": {"largest": 3}}).clusterer.options == {"largest": 3}
