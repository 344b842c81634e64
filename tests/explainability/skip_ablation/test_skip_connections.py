from dataclasses import replace

import numpy as np
import pytest
import torch

from posescope.core.plugins import ComponentSpec
from posescope.explainability.base import AnalysisInputs, AnalysisResult
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.activation_patching import constant_patches, zero_patch
from posescope.explainability.features.activations import read_activations
from posescope.explainability.findings import Finding
from posescope.explainability.paired_pck import PairedPck
from posescope.explainability.skip_ablation import skip_connections
from posescope.explainability.skip_ablation.ablation import ALL, BOTTLENECK, INTACT, OWN, Ablation
from posescope.explainability.skip_ablation.skip_connections import (
    SkipAblation,
    SkipAblationOptions,
    sample_derangement,
)
from posescope.explainability.skip_ablation.skip_findings import findings_of
from posescope.models.layers import bottleneck_layers
from posescope.models.plain_modules import build_network


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
    compared, needed = run(inputs).findings  # the toy skeleton has no face
    # The bottleneck gives the quarter and the skip the cell, so another person's bottleneck moves the joint as well.
    assert compared.id == "skips-carry-more-than-bottleneck"
    assert compared.effect > 0.8
    assert compared.control.value > 0.5
    assert (needed.verdict, needed.effect) == ("refuted", 0.0)
    assert needed.statement.startswith("Idle is not needed")
    assert needed.control.value > 0.8


def test_with_everything_of_another_person_only_that_person_is_left(inputs) -> None:
    levels = run(inputs).tables["skip_ablation_levels"].set_index(["level", "mode"])
    # Another person's dot is in the same cell in one of 64 cases.
    assert levels.loc[("everything", "shuffled"), "pck"] < 0.1
    assert levels.loc[("bottleneck", "shuffled"), "drop"] > 0.5


def test_no_finding_is_supported_for_shuffled_joints(inputs) -> None:
    targets = inputs.judged.crops.targets
    shuffled = np.random.default_rng(3).permutation(targets.joints)
    crops = replace(inputs.judged.crops, targets=replace(targets, joints=shuffled))
    found = run(replace(inputs, judged=replace(inputs.judged, crops=crops)))
    assert not any(finding.is_supported for finding in found.findings)


def test_tables_are_enough_to_compute_the_drops_again(inputs) -> None:
    found = run(inputs)
    hits, partners = found.tables["skip_ablation_hits"], found.tables["skip_ablation_partners"]
    again = (hits["correct"] / hits["labelled"]).groupby([hits["level"], hits["mode"]]).mean()
    for row in found.tables["skip_ablation_levels"].itertuples():
        assert again[row.level, row.mode] == pytest.approx(row.pck)
    assert sorted(partners["partner_person_id"]) == sorted(partners["person_id"])
    assert (partners["partner_person_id"] != partners["person_id"]).all()
    assert set(found.captions) == {*found.images, *found.plots, *found.tables}


def bottleneck_finding(skips: np.ndarray, bottleneck: np.ndarray) -> Finding:
    """Return the comparison if another person's skips or bottleneck cost these joints (n, K) of a network without errors."""
    intact = np.ones(skips.shape, dtype=bool)
    hits = {INTACT: intact, OWN: intact, ("skip", "shuffled"): ~skips, (ALL, "shuffled"): ~skips}
    hits[BOTTLENECK, "shuffled"] = ~bottleneck
    scores = PairedPck(intact, np.arange(len(skips)), seed=0, resamples=200)
    return findings_of(Ablation(("skip",), TWELVE, hits, scores, 0.01), seed=0)[0]


def test_skips_are_compared_with_the_bottleneck() -> None:
    rng = np.random.default_rng(0)
    much, little, as_much = (rng.random((200, 12)) < rate for rate in (0.5, 0.2, 0.5))
    assert bottleneck_finding(much, little).verdict == "supported"
    assert bottleneck_finding(little, much).verdict == "refuted"
    assert bottleneck_finding(much, as_much).verdict == "inconclusive"
    assert bottleneck_finding(much, much).verdict == "refuted"  # the difference lies within the tolerance


FIVE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
TWELVE = tuple(f"{side}_{part}" for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in ("left", "right"))


def ablation_of(intact: np.ndarray, after: np.ndarray, joints=FIVE + TWELVE, labelled: np.ndarray | None = None) -> Ablation:
    """Hits (n, K) before and after another person's skips."""
    hits = {INTACT: intact, OWN: intact, ("skip", "shuffled"): after, (ALL, "shuffled"): after}
    known = np.ones(intact.shape, dtype=bool) if labelled is None else labelled
    return Ablation(("skip",), joints, hits, PairedPck(known, np.arange(len(intact)), seed=0, resamples=200), 0.01)


def face_finding(lost: np.ndarray, joints=FIVE + TWELVE, labelled: np.ndarray | None = None, intact=None) -> list[Finding]:
    """Return the finding about the face if another person's skips cost these joints (n, K); intact: all are correct before."""
    before = np.ones(lost.shape, dtype=bool) if intact is None else intact
    found = findings_of(ablation_of(before, before & ~lost, joints, labelled), seed=0)
    return [finding for finding in found if finding.id == "face-depends-on-skips"]


def test_face_that_loses_a_larger_part_is_found() -> None:
    lost = np.zeros((30, 17), dtype=bool)
    lost[:, :5] = True
    lost[::3, 5:] = True
    (face,) = face_finding(lost)
    assert face.is_supported
    assert face.effect == 1.0
    assert face.control.high < 1.0
    assert face.control.value == pytest.approx((5 + 12 / 3) / 17, abs=0.02)


def test_face_that_loses_as_much_as_the_body_is_not_found() -> None:
    (face,) = face_finding(np.random.default_rng(0).random((60, 17)) < 0.4)
    assert not face.is_supported


def test_face_that_loses_more_only_because_more_of_it_is_correct_is_not_found() -> None:
    """The face is correct for 97 %, the body for 60 %, and both lose half of it: the absolute drops differ, no claim follows."""
    supported = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        rates = np.where(np.arange(17) < 5, 0.97, 0.6)
        intact, lost = rng.random((200, 17)) < rates, rng.random((200, 17)) < 0.5
        (face,) = face_finding(lost, intact=intact)
        drops = ablation_of(intact, intact & ~lost).scores.joint_drops(intact, intact & ~lost)
        assert min(drop.estimate for drop in drops[:5]) > max(drop.estimate for drop in drops[5:])
        supported += face.is_supported
    assert supported <= 1


def test_face_that_loses_as_much_as_random_joints_is_not_found() -> None:
    """Two of twelve joints lose nothing: the face loses more on average, but so do many random sets of five."""
    lost = np.ones((30, 17), dtype=bool)
    lost[:, -2:] = False
    (face,) = face_finding(lost)
    assert face.verdict == "inconclusive"
    assert face.p_value > 0.05


def needed_finding(*hits: np.ndarray) -> Finding:
    """Return the finding about skip connections, each of which leaves these hits (n, K) of a network without errors."""
    names, intact = tuple(f"stack1.skip{number + 1}" for number in range(len(hits))), np.ones(hits[0].shape, dtype=bool)
    known = {(name, "shuffled"): own for name, own in zip(names, hits, strict=True)}
    known |= {INTACT: intact, OWN: intact, (ALL, "shuffled"): ~intact}
    scores = PairedPck(intact, np.arange(len(intact)), seed=0, resamples=200)
    return findings_of(Ablation(names, FIVE + TWELVE, known, scores, 0.01), seed=0)[-1]


def test_every_skip_is_needed_only_if_the_least_important_one_is() -> None:
    even = np.add.outer(np.arange(60), np.arange(17)) % 2 == 0
    rare = np.ones((60, 17), dtype=bool)
    rare[0] = False
    assert needed_finding(even, ~even).verdict == "supported"
    assert needed_finding(even, np.ones((60, 17), dtype=bool)).verdict == "refuted"
    unclear = needed_finding(even, rare)
    assert unclear.effect == pytest.approx(1 / 60)
    assert unclear.verdict == "inconclusive"
    assert "skip connection 2" in unclear.statement


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
    # Intact and own; three modes of two skips, all and the bottleneck; everything; two joints and all of them.
    assert len(table) == (2 + 3 * 4 + 1) * 3
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
    grouped = run(replace(inputs, judged=replace(inputs.judged, groups=np.repeat(np.arange(30), 2)))).tables[
        "skip_ablation_levels"
    ]
    ungrouped = run(inputs).tables["skip_ablation_levels"]
    assert tuple(grouped[["drop_low", "drop_high"]].loc[2]) != tuple(ungrouped[["drop_low", "drop_high"]].loc[2])


def test_persons_of_one_image_are_not_shuffled(inputs) -> None:
    found = run(replace(inputs, judged=replace(inputs.judged, groups=np.zeros(60, np.int64))))
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
    found = run(replace(inputs, judged=replace(inputs.judged, crops=crops)))
    assert found.facts["worst_joint"] == "right_dot"
    own = found.tables["skip_ablation"]
    assert own[own["joint"] == "left_dot"]["pck"].isna().all()


NETWORKS = [
    pytest.param("hourglass", {"channels": 4, "depth": 2, "bottleneck_residuals": 1}, id="one stack"),
    pytest.param("hourglass", {"channels": 4, "depth": 2, "bottleneck_residuals": 1, "stacks": 2}, id="two stacks"),
    pytest.param(
        "encoder_decoder", {"encoder": {"name": "efficientnet_lite", "options": {"pretrained": False}}, "channels": 8}, id="fpn"
    ),
]


@pytest.mark.parametrize(("name", "options"), NETWORKS)
def test_passes_of_an_ablation_equal_whole_passes(model, name, options) -> None:
    torch.manual_seed(0)
    network = build_network(ComponentSpec(name=name, options=options), (32, 32), 2)
    own, layers = replace(model, network=network), (*network.skip_layers, *bottleneck_layers(network))
    if name == "encoder_decoder":
        torch.nn.init.normal_(network.head.weight)
    images, others = torch.randint(0, 256, (2, 3, 32, 32, 3), dtype=torch.uint8)
    decode = skip_connections._choose_decoder(own, layers, images[:1])(images)
    shuffled = constant_patches(read_activations(own, others, layers))
    modes = {"zero": dict.fromkeys(layers, zero_patch), "shuffled": shuffled}
    ablations = skip_connections._ablations(network.skip_layers, bottleneck_layers(network), modes, {})
    assert len(ablations) == 2 + 2 * (len(network.skip_layers) + 2) + 1
    for interventions in ablations.values():
        torch.testing.assert_close(decode(interventions), own.heatmaps(images, interventions), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("name", "module"), [("two stacks", "stem"), ("fpn", "encoder")])
def test_modules_before_all_layers_run_once_per_batch(model, name, module) -> None:
    spec = next(ComponentSpec(name=case.values[0], options=case.values[1]) for case in NETWORKS if case.id == name)
    network = build_network(spec, (32, 32), 2)
    images = torch.randint(0, 256, (3, 32, 32, 3), dtype=torch.uint8)
    decode_of = skip_connections._choose_decoder(
        replace(model, network=network), (*network.skip_layers, *bottleneck_layers(network)), images[:1]
    )
    passes = []
    inner = next(one for one in network.get_submodule(module).modules() if not list(one.children()))  # not replaced itself
    inner.register_forward_hook(lambda *_: passes.append(1))
    decode = decode_of(images)
    for layer in network.skip_layers:
        decode({layer: zero_patch})
    assert len(passes) == 1


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
