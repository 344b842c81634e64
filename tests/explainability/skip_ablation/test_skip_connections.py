from dataclasses import replace

import numpy as np
import pytest
import torch

from posescope.explainability.base import AnalysisInputs, AnalysisResult
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.activations import constant_patch, zeros
from posescope.explainability.findings import Finding
from posescope.explainability.paired_pck import PairedPck
from posescope.explainability.skip_ablation import skip_connections as skip_ablation
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


def test_a_used_skip_shows_a_drop_and_an_idle_one_none(inputs) -> None:
    found = run(inputs)
    levels = found.tables["skip_ablation_levels"].set_index(["level", "mode"])
    assert levels.loc[("intact", "none"), "pck"] == 1.0
    for mode in ("zero", "mean", "shuffled"):
        assert tuple(levels.loc[("idle", mode), ["drop", "drop_low", "drop_high"]]) == (0.0, 0.0, 0.0)
    # Without `fine` all 16 cells of a quarter are equal and the first wins: right once in 16 times, or so.
    assert levels.loc[("fine", "zero"), "drop"] > 0.8
    assert levels.loc[("fine", "zero"), "drop_low"] > 0.7
    # Somebody else's cell is in the right quarter and the same cell of it once in 64 times.
    assert levels.loc[("fine", "shuffled"), "drop_low"] > 0.8
    assert levels.loc[("all", "zero"), "pck"] == levels.loc[("fine", "zero"), "pck"]
    assert (found.facts["most_used_skip"], found.facts["idle_skips"]) == ("fine", "idle")
    assert "fine tells the network most" in found.note
    assert "Nothing hangs on idle." in found.note


def test_claims_of_a_used_and_an_idle_skip(inputs) -> None:
    detail, most, idle = run(inputs).findings  # the toy has no face
    assert (detail.passed, most.passed, idle.passed) == (True, True, True)
    assert detail.value > 0.8
    assert "Of the 2 skip connections fine matters most" in most.claim
    assert "idle costs 0.000 [0.000, 0.000]" in idle.claim
    assert idle.control.value == most.value
    # Own values taken out and put back, and the idle one.
    for finding in (detail, most):
        assert (finding.control.value, finding.control.low, finding.control.high) == (0.0, 0.0, 0.0)


def test_where_joints_have_nothing_to_do_with_people_nothing_passes(inputs) -> None:
    targets = inputs.crops.targets
    shuffled = np.random.default_rng(3).permutation(targets.joints)
    crops = replace(inputs.crops, targets=replace(targets, joints=shuffled))
    found = run(replace(inputs, crops=crops))
    assert [finding.passed for finding in found.findings] == [False, False, False]


FIVE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
TWELVE = tuple(f"{side}_{part}" for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in ("left", "right"))


def face_finding(lost: np.ndarray, joints=FIVE + TWELVE, labelled: np.ndarray | None = None) -> list[Finding]:
    """What is claimed of the face when the skips of somebody else cost these joints (n, K); everything was right before."""
    intact = np.ones(lost.shape, dtype=bool)
    hits = {INTACT: intact, OWN: intact, ("skip", "shuffled"): ~lost, (ALL, "shuffled"): ~lost}
    scores = PairedPck(intact if labelled is None else labelled, np.arange(len(lost)), seed=0, resamples=200)
    found = findings_of(Ablation(("skip",), joints, hits, scores, 0.01), seed=0)
    return [finding for finding in found if "small joints" in finding.claim]


def test_a_face_that_loses_more_than_the_body_is_found() -> None:
    lost = np.zeros((30, 17), dtype=bool)
    lost[:, :5] = True
    lost[::3, 5:] = True
    (face,) = face_finding(lost)
    assert face.passed
    assert face.value == pytest.approx(1 - 1 / 3)
    assert face.control.high < face.value
    assert face.control.value == pytest.approx(0.0, abs=0.02)


def test_joints_that_lose_alike_are_no_small_joints_that_lose_more() -> None:
    (face,) = face_finding(np.random.default_rng(0).random((60, 17)) < 0.4)
    assert not face.passed


def test_a_body_part_that_happens_to_lose_less_is_not_enough() -> None:
    """Two of twelve joints lose nothing: for certain the face loses more, but so would many a set of five."""
    lost = np.ones((30, 17), dtype=bool)
    lost[:, -2:] = False
    (face,) = face_finding(lost)
    assert face.low > 0
    assert not face.passed


def test_of_two_skips_that_matter_alike_none_matters_most() -> None:
    intact, even = np.ones((60, 17), dtype=bool), np.add.outer(np.arange(60), np.arange(17)) % 2 == 0
    hits = {("one", "shuffled"): even, ("two", "shuffled"): ~even}
    hits |= {INTACT: intact, OWN: intact, (ALL, "shuffled"): ~intact}
    scores = PairedPck(intact, np.arange(60), seed=0, resamples=200)
    (most,) = [
        finding
        for finding in findings_of(Ablation(("one", "two"), FIVE + TWELVE, hits, scores, 0.01), seed=0)
        if "matters most" in finding.claim
    ]
    assert most.low > 0.4
    assert not most.passed


def test_no_claim_without_a_face_or_its_labels() -> None:
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
    # By hand: joint 0 is right where its cell is the first of its quarter (column and row 0 or 4).
    joints = inputs.crops.targets.joints
    first = (((joints + 0.5) / 4 - 0.5).round() % 4 == 0).all(axis=-1)
    assert own.loc["left_dot", "pck"] == pytest.approx(first[:, 0].mean())
    assert own.loc["right_dot", "pck"] == pytest.approx(first[:, 1].mean())
    assert own.loc["all", "pck"] == pytest.approx(first.mean())
    assert (own["drop_low"] <= own["drop"]).all()
    assert (own["drop"] <= own["drop_high"]).all()


def test_intervals_are_over_images(inputs) -> None:
    """Thirty photographs of two persons each: fewer things to draw than persons, and another interval."""
    grouped = run(replace(inputs, image_groups=np.repeat(np.arange(30), 2))).tables["skip_ablation_levels"]
    alone = run(inputs).tables["skip_ablation_levels"]
    assert tuple(grouped[["drop_low", "drop_high"]].loc[2]) != tuple(alone[["drop_low", "drop_high"]].loc[2])


def test_without_another_photograph_nothing_is_shuffled(inputs) -> None:
    found = run(replace(inputs, image_groups=np.zeros(60, np.int64)))
    assert set(found.tables["skip_ablation_levels"]["mode"]) == {"none", "own", "zero", "mean"}
    assert (found.facts["claims_of_mode"], found.facts["pck_all_shuffled"]) == ("mean", None)
    assert "share one photograph" in found.note
    assert "held at the mean" in found.findings[0].claim


def test_persons_are_limited(inputs) -> None:
    assert run(inputs, persons=10).facts["persons"] == 10


def test_picture(inputs) -> None:
    picture = run(inputs).images["skip_ablation"]
    assert picture.dtype == np.uint8
    assert picture.ndim == 3
    assert picture.shape[2] == 3
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20  # something is drawn


def test_nobody_labelled_is_a_named_error(inputs_of, shifting_crops) -> None:
    with pytest.raises(ExplainabilityError, match="labelled joints"):
        run(inputs_of(shifting_crops))


def test_a_network_without_skips_has_nothing_to_switch_off(inputs, monkeypatch) -> None:
    monkeypatch.setattr(inputs.model.network, "skip_layers", ())
    found = run(replace(inputs))
    assert found.facts == {"skips": 0}
    assert "no skip connections" in found.note


def test_a_joint_that_nobody_has_labelled_is_left_out_of_the_findings(inputs) -> None:
    targets = inputs.crops.targets
    visibility = targets.visibility.copy()
    visibility[:, 0] = 0
    crops = replace(inputs.crops, targets=replace(targets, visibility=visibility))
    found = run(replace(inputs, crops=crops))
    assert found.facts["worst_joint"] == "right_dot"
    own = found.tables["skip_ablation"]
    assert own[own["joint"] == "left_dot"]["pck"].isna().all()


@pytest.mark.parametrize("stacks", [1, 2])
def test_a_pass_that_is_taken_up_again_gives_what_a_whole_one_gives(model, stacks) -> None:
    torch.manual_seed(0)
    own = replace(
        model, network=Hourglass(HourglassOptions(channels=4, depth=2, bottleneck_residuals=1, stacks=stacks), (32, 32), 2)
    )
    images = torch.randint(0, 255, (3, 32, 32, 3), dtype=torch.uint8)
    decode = skip_ablation._decoder(own, images)
    other = torch.rand(1, 4, 8, 8)
    for interventions in ({}, {"stack1.skip1": zeros}, {"stack1.skip1": constant_patch(other), "stack1.skip2": zeros}):
        torch.testing.assert_close(decode(interventions), own.heatmaps(images, interventions), rtol=1e-4, atol=1e-5)


def test_everybody_gets_something_of_somebody_in_another_photograph() -> None:
    groups = np.array([5, 5, 5, 1, 2, 2, 9, 9, 9, 7])
    partners = sample_derangement(groups, seed=0)
    assert sorted(partners) == list(range(10))
    assert (groups[partners] != groups).all()
    np.testing.assert_array_equal(partners, sample_derangement(groups, seed=0))
    assert (partners != sample_derangement(groups, seed=1)).any()


@pytest.mark.parametrize("groups", [[], [1], [1, 1], [1, 1, 2]])
def test_there_may_be_no_such_exchange(groups) -> None:
    assert sample_derangement(np.array(groups, dtype=np.int64), seed=0) is None


def test_two_halves_are_exchanged() -> None:
    partners = sample_derangement(np.array([1, 1, 2, 2]), seed=0)
    assert set(partners[:2]) == {2, 3}
