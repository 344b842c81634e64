from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tests.explainability.conftest import QUICK_CLUSTERS, analysis_inputs
from tests.findings import make_finding

from posescope.artifacts.model_folder import fingerprint_of_model
from posescope.core.plugins import ComponentSpec, build
from posescope.explainability.base import AnalysisResult
from posescope.explainability.clusters.cluster_analysis import Clusters, ClustersOptions
from posescope.explainability.components.pca import principal_components
from posescope.explainability.explained_persons import choose_persons
from posescope.explainability.study import StudyTables, describe_result, run_analysis, select_features


@pytest.mark.parametrize("count", [3, 4, 7, 12])
def test_clusters_of_few_persons(inputs_of, noise_crops, count: int) -> None:
    inputs = inputs_of(noise_crops.subset(np.arange(count)), per_person_pck=np.linspace(0, 1, count))
    table = Clusters(ClustersOptions(**QUICK_CLUSTERS))(inputs).tables["clusters"]
    assert table["persons"].sum() == count
    assert table["mean_pck"].notna().all()


@pytest.mark.parametrize(("images", "answered"), [(1, False), (19, False), (20, True)])
def test_no_question_is_answered_on_fewer_than_twenty_images(inputs_of, noise_crops, images: int, answered: bool) -> None:
    inputs = inputs_of(noise_crops.subset(np.arange(40)), groups=np.arange(40) % images)
    result = describe_result(AnalysisResult(facts={}, note="Note.", findings=(make_finding(),)), inputs, "persons of val")
    (finding,) = result.findings
    assert (finding.is_supported, finding.statement == "Group 2 fails.") == (answered, answered)
    assert ("No question is answered" in result.note) != answered
    assert (finding.persons, finding.person_count, finding.photograph_count) == ("persons of val", 40, images)


@pytest.mark.parametrize(("largest", "warned"), [(4, False), (5, True)])
def test_one_image_with_many_persons_is_warned_of(inputs_of, noise_crops, caplog, largest: int, warned: bool) -> None:
    groups = np.arange(40)
    groups[:largest] = 0
    inputs = inputs_of(noise_crops.subset(np.arange(40)), groups=groups)
    result = describe_result(AnalysisResult(facts={}, findings=(make_finding(),)), inputs, "")
    assert ("One image has" in result.note) == warned
    assert ("One image has" in caplog.text) == warned


@pytest.mark.parametrize("name", ["component_names", "truncation", "skip_ablation", "clusters", "latent_traversal"])
def test_analyses_with_fewer_components_than_variances(inputs_of, scattered_crops, name: str) -> None:
    count = len(scattered_crops)
    numbers = np.arange(count)
    inputs = inputs_of(
        scattered_crops,
        per_person_pck=(numbers % 2).astype(np.float64),
        attributes=pd.DataFrame({"standing": numbers / count, "facing": numbers % 3}),
    )
    few = principal_components(inputs.judged.features, 3)
    assert len(few) == 3 < len(few.variances)
    inputs = replace(inputs, components=few)
    options = QUICK_CLUSTERS if name == "clusters" else {}
    result = describe_result(build("analyses", ComponentSpec(name=name, options=options))(inputs), inputs, "")
    assert result.findings
    assert result.model == fingerprint_of_model(inputs.model)


class Store:
    """A crop store in memory."""

    def __init__(self, crops) -> None:
        self.crops = crops

    def select(self, targets, person_ids):
        place = {person: row for row, person in enumerate(self.crops.targets.person_ids.tolist())}
        return self.crops.subset(np.array([place[person] for person in person_ids.tolist()]))


def tables_of(crops, features) -> StudyTables:
    """Tables of persons whose first 30 are fitted; each in its own image."""
    ids = features.person_ids
    splits = np.where(np.arange(len(ids)) < 30, "train", "val")
    persons = pd.DataFrame({"person_id": ids, "split": splits, "source_split": splits, "image_id": ids})
    chosen = choose_persons(
        persons, crops.targets, fit_split="train", judge_split="val", max_persons=100, min_labelled_joints=1, seed=0
    )  # fmt: skip
    long = pd.DataFrame({"person_id": np.repeat(ids, 2), "joint": np.tile([0, 1], len(ids))})
    return StudyTables(
        persons=chosen,
        predictions=long.assign(crop_x=1.0, crop_y=2.0, score=0.5),
        scores=pd.DataFrame({"person_id": ids, "pck_thesis": 1.0, "oks": 1.0}),
        error_types=long.assign(type="good"),
        attributes=pd.DataFrame({"person_id": ids, "standing": np.arange(len(ids)) / len(ids)}),
    )


def test_analysis_of_the_persons_of_the_tables(inputs_of, scattered_crops, monkeypatch) -> None:
    known = inputs_of(scattered_crops)
    features, tables = known.judged.features, tables_of(scattered_crops, known.judged.features)
    seen = []

    def remember(inputs):
        seen.append(inputs)
        return AnalysisResult(facts={"one": 1})

    monkeypatch.setattr("posescope.explainability.study.build", lambda group, spec: remember)
    fitted = select_features(features, tables.persons, "fitted")
    arguments = {
        "name": "any", "model": known.model, "crops": Store(scattered_crops), "targets": scattered_crops.targets,
        "skeleton": known.model.skeleton, "components": principal_components(fitted), "tables": tables, "seed": 3,
        "batch_size": 8, "photographs": "none",
    }  # fmt: skip
    for own, model in ((features, fingerprint_of_model(known.model)), (replace(features, model=""), "")):
        assert run_analysis(ComponentSpec(name="any"), features=own, **arguments).model == model
    inputs = seen[0]
    assert (len(inputs.fitted), len(inputs.judged)) == (30, 30)
    assert (inputs.fitted.split, inputs.judged.split, inputs.photographs) == ("train", "val", "none")
    np.testing.assert_array_equal(inputs.judged.person_ids, features.person_ids[30:])
    np.testing.assert_array_equal(inputs.judged.features.values, features.values[30:])
    assert np.shares_memory(inputs.judged.features.values, features.values)
    assert inputs.judged.attributes["standing"].tolist() == (np.arange(30, 60) / 60).tolist()
    assert inputs.judged.predictions.joints[0].tolist() == [[1, 2], [1, 2]]
    assert run_analysis(None, features=features, **arguments).is_empty


def test_inputs_of_a_subset(inputs_of, scattered_crops) -> None:
    inputs = inputs_of(scattered_crops, per_person_pck=np.arange(60.0))
    rows = np.array([5, 2])
    chosen = inputs.judged.subset(rows)
    assert (len(chosen), chosen.per_person_pck.tolist()) == (2, [5.0, 2.0])
    np.testing.assert_array_equal(chosen.person_ids, inputs.judged.person_ids[rows])
    assert analysis_inputs(inputs.model, chosen.crops, chosen.features).judged.person_ids.tolist() == chosen.person_ids.tolist()
