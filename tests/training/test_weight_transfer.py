"""Tests of posescope.training.weight_transfer."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from posescope.artifacts.model_folder import fingerprint_of_model, save_model
from posescope.artifacts.pose_model import PoseModel
from posescope.artifacts.stored_model import StoredModel, read_stored_model
from posescope.core.errors import OptionsError
from posescope.core.plugins import ComponentSpec
from posescope.core.skeleton import Skeleton
from posescope.geometry.crop_recipe import CropRecipe
from posescope.training.initialisation import build_untrained
from posescope.training.weight_transfer import InitialiseOptions, identify_start, start_from

OPTIONS = {"channels": 8, "stem_channels": 4, "depth": 2, "bottleneck_residuals": 1, "stacks": 2}
THREE = ("nose", "left_hand", "right_hand")
FOUR = ("right_hand", "hip", "nose", "tail")  # two joints in common, in the other order
TAKEN = [(0, 2), (2, 0)]  # joint of FOUR, joint of THREE


def build(joints: tuple[str, ...], seed: int, size: int = 64, mean: float = 0.5, **changed: Any) -> PoseModel:
    codec = ComponentSpec(name="gaussian", options={"stride": 4, "sigma_heatmap_px": 1.0})
    crop = CropRecipe(rule=ComponentSpec(name="centred_square"))
    spec = ComponentSpec(name="hourglass", options={**OPTIONS, **changed})
    skeleton = Skeleton(joints=joints, limbs=(), oks_sigmas=(0.05,) * len(joints))
    model = build_untrained(spec, codec, skeleton, (size, size), (mean,) * 3, crop, seed)
    with torch.no_grad():  # biases and batch norms would be equal in all networks
        for value in model.network.state_dict().values():
            if value.is_floating_point():
                value.uniform_(0.1, 1, generator=torch.Generator().manual_seed(seed))
    return model


@pytest.fixture
def store(tmp_path: Path):
    def write(model: PoseModel, **provenance: Any) -> StoredModel:
        save_model(tmp_path / "start", replace(model, provenance=provenance))
        return read_stored_model(tmp_path / "start")

    return write


def weights(model: PoseModel) -> dict[str, Tensor]:
    return model.network.state_dict()


def test_the_same_skeleton_takes_everything(store) -> None:
    source, target = build(THREE, 1, mean=0.25), build(THREE, 2)
    before = {name: value.clone() for name, value in weights(target).items()}
    started = start_from(target, store(source, epochs=17), InitialiseOptions())
    assert all(torch.equal(value, weights(source)[name]) for name, value in weights(started).items())
    assert all(torch.equal(value, before[name]) for name, value in weights(target).items()), "the given model is unchanged"
    assert started.mean_rgb == (0.25, 0.25, 0.25)
    record = started.provenance["start"]
    assert (record["model"], record["epochs"]) == (fingerprint_of_model(source), 17)
    assert [(row["module"], row["status"]) for row in record["modules"]] == [("network", "taken")]
    assert record["joints_new"] == []


def test_joints_of_the_same_name_keep_their_rows(store) -> None:
    source, target = build(THREE, 1), build(FOUR, 2)
    taken = weights(start_from(target, store(source), InitialiseOptions()))
    fresh, trained = weights(target), weights(source)
    for stack in (0, 1):
        for name in (f"heads.{stack}.project.weight", f"heads.{stack}.project.bias"):
            for here, there in TAKEN:
                assert torch.equal(taken[name][here], trained[name][there])
            for here in (1, 3):
                assert torch.equal(taken[name][here], fresh[name][here])
    merge = "merge_heatmaps.0.weight"  # its columns are joints
    assert torch.equal(taken[merge][:, [0, 2]], trained[merge][:, [2, 0]])
    assert torch.equal(taken[merge][:, [1, 3]], fresh[merge][:, [1, 3]])
    of_joints = {name for name in taken if "project" in name} | {merge}
    assert len(of_joints) == 5
    assert all(torch.equal(value, trained[name]) for name, value in taken.items() if name not in of_joints)


def test_the_record_and_the_log_list_modules_and_joints(store, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "posescope.training.weight_transfer"):
        started = start_from(build(FOUR, 2, size=128), store(build(THREE, 1)), InitialiseOptions())
    record = started.provenance["start"]
    assert (record["joints_taken"], record["joints_new"]) == (["right_hand", "nose"], ["hip", "tail"])
    status = {row["module"]: row["status"] for row in record["modules"]}
    assert (status["stem"], status["hourglasses"], status["merge_features"]) == ("taken", "taken", "taken")
    assert status["heads.0.project"] == "taken by joint"
    assert record["numbers"]["taken by joint"] == 2 * (4 * 8 + 4) + 8 * 4
    assert sum(record["numbers"].values()) == sum(value.numel() for value in weights(started).values())
    lines = [line.getMessage() for line in caplog.records]
    assert "  crop size: (128, 128) here, (64, 64) in the start model" in lines
    assert sum("stem" in line for line in lines) == 1


def test_joints_of_the_thesis_head_are_taken_on_both_axes(store) -> None:
    source, target = build(THREE, 1, head="thesis"), build(FOUR, 2, head="thesis")
    started = weights(start_from(target, store(source), InitialiseOptions()))
    fresh, trained = weights(target), weights(source)
    name = "heads.1.project.weight"
    for here, there in TAKEN:
        for inner, source_inner in TAKEN:
            assert torch.equal(started[name][here, inner], trained[name][there, source_inner])
        assert torch.equal(started[name][here, 1], fresh[name][here, 1])
    assert torch.equal(started["heads.0.norm.running_var"][[0, 2]], trained["heads.0.norm.running_var"][[2, 0]])


def test_equally_many_joints_in_another_order_are_matched_by_name(store) -> None:
    source, target = build(THREE, 1), build(THREE[::-1], 2)
    started = weights(start_from(target, store(source), InitialiseOptions()))
    assert torch.equal(started["heads.0.project.weight"], weights(source)["heads.0.project.weight"].flip(0))


def test_a_new_head_starts_anew(store) -> None:
    source, target = build(THREE, 1), build(THREE, 2)
    started = start_from(target, store(source), InitialiseOptions(head="new"))
    for name, value in weights(started).items():
        expected = target if name.startswith(("heads.", "merge_heatmaps.")) else source
        assert torch.equal(value, weights(expected)[name]), name
    assert started.provenance["start"]["joints_new"] == list(THREE)


def test_other_stacks_are_refused_unless_allowed(store) -> None:
    one, two = build(THREE, 1, stacks=1), build(THREE, 2)
    for target, source in ((two, one), (one, two)):
        with pytest.raises(OptionsError):
            start_from(target, store(source), InitialiseOptions())
    more = start_from(two, store(one), InitialiseOptions(allow_mismatch=True))
    assert torch.equal(weights(more)["stem.conv.weight"], weights(one)["stem.conv.weight"])
    assert torch.equal(weights(more)["heads.1.conv.weight"], weights(two)["heads.1.conv.weight"])
    status = {row["module"]: row["status"] for row in more.provenance["start"]["modules"]}
    assert (status["hourglasses.0"], status["hourglasses.1"]) == ("taken", "new")
    fewer = start_from(one, store(two), InitialiseOptions(allow_mismatch=True))
    assert torch.equal(weights(fewer)["heads.0.conv.weight"], weights(two)["heads.0.conv.weight"])
    assert {row["module"]: row["status"] for row in fewer.provenance["start"]["modules"]}["heads.1"] == "skipped"


def test_other_widths_are_refused_unless_allowed(store) -> None:
    narrow, wide = build(THREE, 1), build(THREE, 2, stem_channels=6)
    with pytest.raises(OptionsError) as error:
        start_from(wide, store(narrow), InitialiseOptions())
    assert "stem.conv" in str(error.value)
    started = start_from(wide, store(narrow), InitialiseOptions(allow_mismatch=True))
    assert torch.equal(weights(started)["stem.conv.weight"], weights(wide)["stem.conv.weight"])
    assert torch.equal(weights(started)["heads.0.conv.weight"], weights(narrow)["heads.0.conv.weight"])


def test_a_model_of_which_nothing_fits_is_refused(store) -> None:
    stored = store(build(THREE, 1))
    renamed = replace(stored, weights={f"other.{name}": value for name, value in stored.weights.items()})
    with pytest.raises(OptionsError):
        start_from(build(THREE, 2), renamed, InitialiseOptions(allow_mismatch=True))


def test_no_common_joint_starts_the_rows_anew(store) -> None:
    target = build(("a", "b", "c"), 2)
    started = start_from(target, store(build(THREE, 1)), InitialiseOptions())
    assert torch.equal(weights(started)["heads.0.project.weight"], weights(target)["heads.0.project.weight"])
    assert started.provenance["start"]["joints_taken"] == []


def test_the_identity_holds_the_fingerprint_and_not_the_place(store) -> None:
    assert identify_start(InitialiseOptions(), None) == {}
    assert identify_start(InitialiseOptions(freeze=("stem",)), None) == {"initialise": {"freeze": ["stem"]}}
    stored = store(build(THREE, 1))
    places = [identify_start(InitialiseOptions.model_validate({"from": place}), stored) for place in ("here", "there")]
    assert places[0] == places[1]
    assert places[0]["initialise"]["from"] == stored.fingerprint


def test_the_options_are_read_and_written_with_the_name_from() -> None:
    options = InitialiseOptions.model_validate({"from": "data"})
    assert options.from_model == "data"
    assert options.model_dump(mode="json")["from"] == "data"
    assert InitialiseOptions.model_validate(options.model_dump(mode="json")) == options
