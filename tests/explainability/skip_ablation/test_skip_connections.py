from dataclasses import replace

import numpy as np
import pytest
import torch

from posescope.explainability.base import AnalysisInputs, AnalysisResult
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.activation_patching import constant_patch, zero_patch
from posescope.explainability.findings import Finding
from posescope.explainability.paired_pck import PairedPck
from posescope.explainability.skip_ablation import skip_connections
from posescope.explainability.skip_ablation.skip_connections import (
    ALL,
    INTACT,
    OWN,
    SkipAblation,
    SkipAblationOptions,
    sample_derangement,
)
from posescope.explainability.skip_ablation.skip_findings import Ablation, findings_of
from posescope.models.hourglass import Hourglass, HourglassOptions


@pytest.fixture
def inputs(inputs_of, scattered_crops) -> AnalysisInputs:
    return inputs_of(scattered_crops)


def run(inputs: AnalysisInputs, **options) -> AnalysisResult:
    return SkipAblation(SkipAblationOptions(**{"resamples": 200, **options}))(inputs)


def test_used_skip_has_a_drop_and_idle_skip_has_none(inputs) -> None:
    found = run(inputs)
    levels = found.tables["skip_ablation_levels"].set_index(["level", "mode"])
    assert levels.loc[("intact", "none"), "pck"] == 1.0
    for mode in ("zero", "mean", "shuffled"):
        assert tuple(levels.loc[("idle", mode), ["drop", "drop_low", "drop_high"]]) == (0.0, 0.0, 0.0)
    # Without `fine` all 16 heatmap px of a quarter are equal and the first one wins: correct in about one of 16 cases.
    assert levels.loc[("fine", "zero"), "drop"] > 0.8
    assert levels.loc[("fine", "zero"), "drop_low"] > 0.7
    # Another person's dot is in the same heatmap px in one of 64 cases.
    assert levels.loc[("fine", "shuffled"), "drop_low"] > 0.8
    assert levels.loc[("all", "zero"), "pck"] == levels.loc[("fine", "zero"), "pck"]
    assert (found.facts["most_used_skip"], found.facts["idle_skips"]) == ("fine", "idle")


def test_findings_of_a_used_and_an_idle_skip(inputs) -> None:
    detail, most, idle = run(inputs).findings  # the toy skeleton has no face
    assert (detail.is_supported, most.is_supported, idle.is_supported) == (True, True, True)
    assert detail.value > 0.8
    assert "fine" in most.statement
    assert "redundant" in idle.statement
    assert idle.control.value == most.value
    for finding in (detail, most):
        assert (finding.control.value, finding.control.low, finding.control.high) == (0.0, 0.0, 0.0)


def test_no_finding_passes_for_shuffled_joints(inputs) -> None:
    targets = inputs.judged.crops.targets
    shuffled = np.random.default_rng(3).permutation(targets.joints)
    crops = replace(inputs.judged.crops, targets=replace(targets, joints=shuffled))
    found = run(replace(inputs, crops=crops))
    assert [finding.is_supported for finding in found.findings] == [False, False, False]


FIVE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
TWELVE = tuple(f"{side}_{part}" for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in ("left", "right"))


def face_finding(lost: np.ndarray, joints=FIVE + TWELVE, labelled: np.ndarray | None = None) -> list[Finding]:
    """Return the finding about the face if shuffled skip activations cost these joints (n, K) of a network without errors."""
    intact = np.ones(lost.shape, dtype=bool)
    hits = {INTACT: intact, OWN: intact, ("skip", "shuffled"): ~lost, (ALL, "shuffled"): ~lost}
    scores = PairedPck(intact if labelled is None else labelled, np.arange(len(lost)), seed=0, resamples=200)
    found = findings_of(Ablation(("skip",), joints, hits, scores, 0.01), seed=0)
    return [finding for finding in found if "face" in finding.statement]


def test_face_that_loses_more_than_the_body_passes() -> None:
    lost = np.zeros((30, 17), dtype=bool)
    lost[:, :5] = True
    lost[::3, 5:] = True
    (face,) = face_finding(lost)
    assert face.is_supported
    assert face.value == pytest.approx(1 - 1 / 3)
    assert face.control.high < face.value
    assert face.control.value == pytest.approx(0.0, abs=0.02)


def test_face_that_loses_as_much_as_the_body_fails() -> None:
    (face,) = face_finding(np.random.default_rng(0).random((60, 17)) < 0.4)
    assert not face.is_supported


def test_face_that_loses_as_much_as_random_joints_fails() -> None:
    """Two of twelve joints lose nothing: the face loses more on average, but so do many random sets of five."""
    lost = np.ones((30, 17), dtype=bool)
    lost[:, -2:] = False
    (face,) = face_finding(lost)
    assert face.low > 0
    assert not face.is_supported


def test_two_equally_important_skips_give_no_most_important_one() -> None:
    intact, even = np.ones((60, 17), dtype=bool), np.add.outer(np.arange(60), np.arange(17)) % 2 == 0
    hits = {("one", "shuffled"): even, ("two", "shuffled"): ~even}
    hits |= {INTACT: intact, OWN: intact, (ALL, "shuffled"): ~intact}
    scores = PairedPck(intact, np.arange(60), seed=0, resamples=200)
    (most,) = [
        finding
        for finding in findings_of(Ablation(("one", "two"), FIVE + TWELVE, hits, scores, 0.01), seed=0)
        if finding.statement.startswith("Of the")
    ]
    assert most.low > 0.4
    assert not most.is_supported


def test_no_finding_without_a_face_or_its_labels() -> None:
    lost = np.ones((30, 17), dtype=bool)
    assert face_finding(lost[:, 5:], joints=TWELVE) == []
    assert face_finding(lost, labelled=np.arange(17) >= np.full((30, 1), 5)) == []
    labelled = np.ones((30, 17), dtype=bool)
    labelled[:, :3] = False
    assert len(face_finding(lost, labelled=labelled)) == 1


def test_table_by_joint(inputs) -> None:
    table = run(inputs).tables["skip_ablation"]
    assert list(table.columns) == ["level", "mode", "joint", "pck", "drop", "drop_low", "drop_high"]
    assert len(table) == (2 + 3 * 3) * 3  # intact, own; three modes of two skips and all; two joints and all
    own = table[(table["level"] == "fine") & (table["mode"] == "zero")].set_index("joint")
    # A joint is correct if it is in the first heatmap px of its quarter (column and row 0 or 4).
    joints = inputs.judged.crops.targets.joints
    first = (((joints + 0.5) / 4 - 0.5).round() % 4 == 0).all(axis=-1)
    assert own.loc["left_dot", "pck"] == pytest.approx(first[:, 0].mean())
    assert own.loc["right_dot", "pck"] == pytest.approx(first[:, 1].mean())
    assert own.loc["all", "pck"] == pytest.approx(first.mean())
    assert (own["drop_low"] <= own["drop"]).all()
    assert (own["drop"] <= own["drop_high"]).all()


def test_intervals_are_over_images(inputs) -> None:
    """Thirty images of two persons each give another interval than one person per image."""
    grouped = run(replace(inputs, groups=np.repeat(np.arange(30), 2))).tables["skip_ablation_levels"]
    ungrouped = run(inputs).tables["skip_ablation_levels"]
    assert tuple(grouped[["drop_low", "drop_high"]].loc[2]) != tuple(ungrouped[["drop_low", "drop_high"]].loc[2])


def test_persons_of_one_image_are_not_shuffled(inputs) -> None:
    found = run(replace(inputs, groups=np.zeros(60, np.int64)))
    assert set(found.tables["skip_ablation_levels"]["mode"]) == {"none", "own", "zero", "mean"}
    assert (found.facts["findings_mode"], found.facts["pck_all_shuffled"]) == ("mean", None)
    assert "share one image" in found.note


def test_number_of_persons_is_limited(inputs) -> None:
    assert run(inputs, persons=10).facts["persons"] == 10


def test_image_has_content(inputs) -> None:
    image = run(inputs).images["skip_ablation"]
    assert (image.dtype, image.ndim, image.shape[2]) == (np.uint8, 3, 3)
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 20


def test_persons_without_labelled_joints_are_refused(inputs_of, shifting_crops) -> None:
    with pytest.raises(ExplainabilityError, match="labelled"):
        run(inputs_of(shifting_crops))


def test_network_without_skips_gives_a_note(inputs, monkeypatch) -> None:
    monkeypatch.setattr(inputs.model.network, "skip_layers", ())
    found = run(replace(inputs))
    assert found.facts == {"skips": 0}
    assert "no skip connections" in found.note


def test_joint_without_labels_is_not_the_worst_joint(inputs) -> None:
    targets = inputs.judged.crops.targets
    visibility = targets.visibility.copy()
    visibility[:, 0] = 0
    crops = replace(inputs.judged.crops, targets=replace(targets, visibility=visibility))
    found = run(replace(inputs, crops=crops))
    assert found.facts["worst_joint"] == "right_dot"
    own = found.tables["skip_ablation"]
    assert own[own["joint"] == "left_dot"]["pck"].isna().all()


@pytest.mark.parametrize("stacks", [1, 2])
def test_resumed_pass_equals_a_whole_pass(model, stacks) -> None:
    torch.manual_seed(0)
    own = replace(
        model, network=Hourglass(HourglassOptions(channels=4, depth=2, bottleneck_residuals=1, stacks=stacks), (32, 32), 2)
    )
    images = torch.randint(0, 255, (3, 32, 32, 3), dtype=torch.uint8)
    decode = skip_connections._decoder(own, images)
    other = torch.rand(1, 4, 8, 8)
    for interventions in ({}, {"stack1.skip1": zero_patch}, {"stack1.skip1": constant_patch(other), "stack1.skip2": zero_patch}):
        torch.testing.assert_close(decode(interventions), own.heatmaps(images, interventions), rtol=1e-4, atol=1e-5)


def test_derangement_assigns_persons_of_other_images() -> None:
    groups = np.array([5, 5, 5, 1, 2, 2, 9, 9, 9, 7])
    partners = sample_derangement(groups, seed=0)
    assert sorted(partners) == list(range(10))
    assert (groups[partners] != groups).all()
    np.testing.assert_array_equal(partners, sample_derangement(groups, seed=0))
    assert (partners != sample_derangement(groups, seed=1)).any()


@pytest.mark.parametrize("groups", [[], [1], [1, 1], [1, 1, 2]])
def test_derangement_is_none_if_most_persons_share_an_image(groups) -> None:
    assert sample_derangement(np.array(groups, dtype=np.int64), seed=0) is None


def test_derangement_of_two_images_exchanges_them() -> None:
    partners = sample_derangement(np.array([1, 1, 2, 2]), seed=0)
    assert set(partners[:2]) == {2, 3}
