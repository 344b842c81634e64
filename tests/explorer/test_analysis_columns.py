"""Tests of the columns and names that analyses give."""

from types import SimpleNamespace

import numpy as np
import pandas as pd

from posescope.explainability.base import AnalysisResult
from posescope.explorer.analysis_columns import AnalysisColumns

IDS = np.array([7, 5, 9, 6])
PERSONS = pd.DataFrame({"person_id": IDS, "source_split": ["val", "val", "val", "train"], "image_id": [1, 1, 2, 1]})


def analyses() -> dict[str, AnalysisResult]:
    names = pd.DataFrame(
        {"component": [1, 2], "strength": ["related", "none"], "low": ["small", None], "high": ["large", None]}
    )  # fmt: skip
    clusters = pd.DataFrame({"cluster": [1, 2], "description": ["bent hips, arms down, standing", np.nan]})
    members = pd.DataFrame({"person_id": [5, 6, 7], "cluster": [2, 1, 2]})
    slices = pd.DataFrame(
        {
            "slice": [1, 2], "words": ["in dark images", "who sit"], "rule": ["brightness below 21 %", "standing below 1"],
            "pck_inside": [0.5, np.nan], "pck_outside": [0.75, 0.9], "share_of_error": [0.25, np.nan], "claimed": [True, False],
        }
    )  # fmt: skip
    inside = pd.DataFrame({"person_id": [5, 7, 9, 5, 9, 1], "slice": [1, 1, 1, 2, 2, 1], "inside": [1, 1, 0, 1, 0, 1]})
    return {
        "component_names": AnalysisResult(facts={}, tables={"component_names": names}),
        "clusters": AnalysisResult(facts={}, tables={"clusters": clusters, "cluster_members": members}),
        "failure_slices": AnalysisResult(facts={}, tables={"failure_slices": slices, "slice_members": inside}),
    }


def test_clusters_and_slices_follow_the_order_of_the_persons() -> None:
    found = AnalysisColumns.of_results(analyses()).columns(IDS)
    assert pd.Series(found["cluster"]).to_list() == [2, 2, pd.NA, 1]
    assert list(found["cluster_name"]) == ["group 2", "group 2", "", "group 1 (bent hips, arms down)"]
    assert list(found["slices"]) == [["slice-1"], ["slice-1", "slice-2"], [], []]


def test_descriptions() -> None:
    columns = AnalysisColumns.of_results(analyses())
    assert [(one.number, one.name, one.persons) for one in columns.describe_clusters(IDS)] == [
        (1, "group 1 (bent hips, arms down)", 1), (2, "group 2", 2),
    ]  # fmt: skip
    persons = PERSONS.assign(slices=columns.columns(IDS)["slices"])
    dark, sitting = columns.describe_slices(persons)
    assert (dark.id, dark.name, dark.persons, dark.photographs) == ("slice-1", "persons in dark images", 2, 1)
    assert (dark.score, dark.others, dark.share_of_error, dark.claimed) == (0.5, 0.75, 0.25, True)
    assert (sitting.persons, sitting.score, sitting.share_of_error, sitting.claimed) == (1, None, None, False)


def test_names_of_components() -> None:
    components = SimpleNamespace(explained_variance_ratio=np.array([0.5, 0.25, 0.125]))
    found = AnalysisColumns.of_results(analyses()).describe_components(components, 3)  # type: ignore[arg-type]
    assert [one.title for one in found] == ["component 1: small ↔ large", "component 2 (no name)", "component 3"]
    assert [(one.low, one.explained) for one in found] == [("small", 0.5), ("", 0.25), ("", 0.125)]


def test_without_analyses() -> None:
    for results in ({}, {"clusters": AnalysisResult(facts={}, note="The analysis 'clusters' is not selected.")}):
        columns = AnalysisColumns.of_results(results)
        found = columns.columns(IDS)
        assert pd.Series(found["cluster"]).isna().all()
        assert list(found["cluster_name"]) == [""] * 4
        assert list(found["slices"]) == [[]] * 4
        assert columns.describe_clusters(IDS) == columns.describe_slices(PERSONS.assign(slices=found["slices"])) == ()


def test_attribute_that_is_not_built_in_is_described_by_its_name() -> None:
    found = AnalysisColumns().describe_attributes(["arms_raised", "tail_length"])
    assert (found["arms_raised"].title, found["arms_raised"].unit) == ("arms raised", "torsos")
    assert (found["tail_length"].low, found["tail_length"].unit) == ("low tail_length", "")
