from dataclasses import replace

import numpy as np
import pytest

from posescope.explain.base import AnalysisInputs
from posescope.explain.errors import ExplainError
from posescope.explain.skip_ablation import SkipAblation, SkipAblationOptions


@pytest.fixture
def inputs(inputs_of, scattered_crops) -> AnalysisInputs:
    return inputs_of(scattered_crops)


def test_a_used_skip_shows_a_drop_and_an_idle_one_none(inputs) -> None:
    found = SkipAblation(SkipAblationOptions())(inputs)
    levels = found.tables["skip_ablation_levels"].set_index(["level", "mode"])
    assert levels.loc[("intact", "none"), "pck"] == 1.0
    assert levels.loc[("idle", "zero"), "drop"] == 0.0
    assert levels.loc[("idle", "mean"), "drop"] == 0.0
    # Without `fine` all 16 cells of a quarter are equal and the first wins: right once in 16 times, or so.
    assert levels.loc[("fine", "zero"), "drop"] > 0.8
    assert levels.loc[("fine", "zero"), "drop_low"] > 0.7
    assert levels.loc[("all", "zero"), "pck"] == levels.loc[("fine", "zero"), "pck"]
    assert found.facts["most_used_skip"] == "fine"
    assert "fine tells the network most" in found.note


def test_table_by_joint(inputs) -> None:
    table = SkipAblation(SkipAblationOptions())(inputs).tables["skip_ablation"]
    assert list(table.columns) == ["level", "mode", "joint", "pck", "drop"]
    assert len(table) == (1 + 2 * 3) * 3  # intact, and two modes of two skips and all; two joints and all
    own = table[(table["level"] == "fine") & (table["mode"] == "zero")].set_index("joint")
    # By hand: joint 0 is right where its cell is the first of its quarter (column and row 0 or 4).
    joints = inputs.crops.targets.joints
    first = (((joints + 0.5) / 4 - 0.5).round() % 4 == 0).all(axis=-1)
    assert own.loc["left_dot", "pck"] == pytest.approx(first[:, 0].mean())
    assert own.loc["right_dot", "pck"] == pytest.approx(first[:, 1].mean())
    assert own.loc["all", "pck"] == pytest.approx(first.mean())


def test_persons_are_limited(inputs) -> None:
    found = SkipAblation(SkipAblationOptions(persons=10))(inputs)
    assert found.facts["persons"] == 10


def test_picture(inputs) -> None:
    picture = SkipAblation(SkipAblationOptions())(inputs).pictures["skip_ablation"]
    assert picture.dtype == np.uint8
    assert picture.ndim == 3
    assert picture.shape[2] == 3
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20  # something is drawn


def test_nobody_labelled_is_a_named_error(inputs_of, shifting_crops) -> None:
    with pytest.raises(ExplainError, match="labelled joints"):
        SkipAblation(SkipAblationOptions())(inputs_of(shifting_crops))


def test_a_network_without_skips_has_nothing_to_switch_off(inputs, monkeypatch) -> None:
    monkeypatch.setattr(inputs.model.network, "skip_taps", ())
    found = SkipAblation(SkipAblationOptions())(replace(inputs))
    assert found.facts == {"skips": 0}
    assert "no skip connections" in found.note


def test_a_joint_that_nobody_has_labelled_is_left_out_of_the_findings(inputs) -> None:
    targets = inputs.crops.targets
    visibility = targets.visibility.copy()
    visibility[:, 0] = 0
    crops = replace(inputs.crops, targets=replace(targets, visibility=visibility))
    found = SkipAblation(SkipAblationOptions())(replace(inputs, crops=crops))
    assert found.facts["worst_joint"] == "right_dot"
    own = found.tables["skip_ablation"]
    assert own[own["joint"] == "left_dot"]["pck"].isna().all()
