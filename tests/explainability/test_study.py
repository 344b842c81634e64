import logging

import numpy as np
import pandas as pd
import pytest

from posescope.artifacts.model_folder import fingerprint_of_model
from posescope.core.plugins import ComponentSpec, Options
from posescope.core.records import PosePredictions, PoseTargets
from posescope.explainability.base import AnalysisInputs, AnalysisResult
from posescope.explainability.clusters.cluster_analysis import Clusters, ClustersOptions
from posescope.explainability.components.pca import principal_components
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.findings import Control, Finding
from posescope.explainability.study import choose_persons, image_groups_of, run_analysis, score_persons


def persons_with(labelled: list[int], joints: int = 4) -> tuple[pd.DataFrame, PoseTargets]:
    """One training person per number of labelled joints, ids from 1."""
    ids = np.arange(1, len(labelled) + 1)
    visibility = np.array([[2] * count + [0] * (joints - count) for count in labelled], dtype=np.uint8)
    places = np.where(visibility[..., None] > 0, 1.0, np.nan).repeat(2, axis=2).astype(np.float32)
    return pd.DataFrame({"person_id": ids, "split": "train"}), PoseTargets(ids, places, visibility)


@pytest.mark.parametrize(("needed", "expected"), [(1, [1, 2, 3, 4, 5]), (3, [1, 3, 4, 5]), ("all", [3, 4, 5]), (4, [3, 4, 5])])
def test_persons_with_enough_labelled_joints(needed, expected) -> None:
    persons, targets = persons_with([3, 2, 4, 4, 4])
    assert choose_persons(persons, targets, "train", 100, needed, seed=0).tolist() == expected


def test_all_joints_means_all_of_the_skeleton() -> None:
    persons, targets = persons_with([2, 2, 2, 1], joints=2)
    assert choose_persons(persons, targets, "train", 100, "all", seed=0).tolist() == [1, 2, 3]


@pytest.mark.parametrize("needed", [4, "all"])
def test_fewer_than_three_persons_are_refused(needed) -> None:
    persons, targets = persons_with([4, 4, 3])
    with pytest.raises(ExplainabilityError, match="persons"):
        choose_persons(persons, targets, "train", 100, needed, seed=0)


@pytest.mark.parametrize(("count", "warned"), [(49, True), (50, False)])
def test_few_persons_are_warned_of(count: int, warned: bool, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="posescope"):
        choose_persons(*persons_with([4] * count), "train", 100, "all", seed=0)
    assert ("unreliable" in caplog.text) == warned


@pytest.mark.parametrize("count", [3, 4, 7, 12])
def test_clusters_of_few_persons(inputs_of, noise_crops, count: int) -> None:
    inputs = inputs_of(noise_crops.subset(np.arange(count)), per_person_pck=np.linspace(0, 1, count))
    table = Clusters(ClustersOptions(resamples=100))(inputs).tables["clusters"]
    assert table["persons"].sum() == count
    assert table["mean_pck"].notna().all()


def test_scores_in_crop_px_by_hand() -> None:
    # The crop of 128 px shows 64 image px, hence two crop px per image px. On its 64 x 64 grid a heatmap px is 2 crop px.
    targets = PoseTargets(np.array([5, 6]), np.full((2, 2, 2), 64, np.float32), np.array([[2, 2], [0, 0]], np.uint8))
    predicted = np.array([[[64 + 6, 64], [64, 64 + 8]], [[0, 0], [0, 0]]], np.float32)
    predictions = PosePredictions(targets.person_ids, predicted, np.ones((2, 2), np.float32))
    persons = pd.DataFrame({"person_id": [6, 5], "source_split": "val", "image_id": 9, "area": 100.0})
    boxes = pd.DataFrame({"person_id": [5, 6], "a": 2.0, "b": 0.0, "c": 0.0, "d": 0.0, "e": 2.0, "f": 0.0})
    found = score_persons(predictions, targets, persons, boxes, (0.1, 0.1), (128, 128))
    assert found["person_id"].tolist() == [5, 6]
    assert found["image_group"].tolist() == [0, 0]
    np.testing.assert_array_equal(found["pck_thesis"], [0.5, np.nan])
    # Off by 3 and 4 image px: exp(-d^2 / (2 sigma)^2 / area / 2).
    expected = (np.exp(-9 / 0.04 / 100 / 2) + np.exp(-16 / 0.04 / 100 / 2)) / 2
    np.testing.assert_allclose(found["oks"], [expected, np.nan])


def test_image_ids_of_several_annotation_files_are_different_images() -> None:
    persons = pd.DataFrame({"person_id": [0, 1, 2, 3], "source_split": "train2017", "image_id": [0, 0, 1, 1]})
    assert image_groups_of(persons, np.array([3, 2, 0])).tolist() == [0, 0, 1]
    persons["source_split"] = ["train2017", "val2017"] * 2
    assert len(np.unique(image_groups_of(persons, np.arange(4)))) == 4


class PassingAnalysis:
    """Analysis with a supported finding."""

    class Options(Options):
        """No options."""

    def __init__(self, options: Options) -> None:
        self.options = options

    def __call__(self, inputs: AnalysisInputs) -> AnalysisResult:
        finding = Finding("It fails.", 0.5, 0.4, 0.6, Control("chance", 0.1), passed=True)
        return AnalysisResult(facts={}, note="Note.", findings=(finding,))


@pytest.mark.parametrize(("images", "held"), [(1, False), (9, False), (10, True)])
def test_no_claim_holds_for_fewer_than_ten_images(inputs_of, noise_crops, monkeypatch, images: int, held: bool) -> None:
    inputs = inputs_of(noise_crops.subset(np.arange(20)))
    ids = inputs.features.person_ids
    scores = pd.DataFrame({"person_id": ids, "image_group": np.arange(20) % images, "pck_thesis": 0.5, "oks": 0.5})
    monkeypatch.setattr("posescope.explainability.study.build", lambda group, spec: PassingAnalysis(PassingAnalysis.Options()))
    result = run_analysis(
        ComponentSpec(name="sure"),
        name="sure",
        model=inputs.model,
        crops=inputs.crops,
        features=inputs.features,
        components=inputs.components,
        scores=scores,
        attributes=pd.DataFrame({"person_id": ids, "standing": 1.0}),
        seed=0,
        batch_size=16,
    )
    assert [finding.passed for finding in result.findings] == [held]
    assert ("No claim counts as held" in result.note) != held


@pytest.mark.parametrize("name", ["component_names", "truncation", "skip_ablation", "clusters", "latent_traversal"])
def test_analyses_with_fewer_components_than_variances(inputs_of, scattered_crops, name: str) -> None:
    inputs = inputs_of(scattered_crops)
    few = principal_components(inputs.features, 3)
    assert len(few) == 3 < len(few.variances)
    ids = inputs.features.person_ids
    numbers = np.arange(len(ids))
    result = run_analysis(
        ComponentSpec(name=name),
        name=name,
        model=inputs.model,
        crops=inputs.crops,
        features=inputs.features,
        components=few,
        scores=pd.DataFrame({"person_id": ids, "image_group": numbers, "pck_thesis": numbers % 2, "oks": numbers % 2}),
        attributes=pd.DataFrame({"person_id": ids, "standing": numbers / len(ids), "facing": numbers % 3}),
        seed=0,
        batch_size=16,
    )
    assert result.findings
    assert result.model == fingerprint_of_model(inputs.model)
