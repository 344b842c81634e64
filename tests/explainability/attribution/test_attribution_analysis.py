"""Attribution analysis of linear networks that use the joint, the background or the other side, or have random weights."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.explainability.attribution.conftest import LinearNetwork
from tests.explainability.conftest import crop_set, dots_image

from posescope.explainability.attribution.attribution_analysis import Attribution, AttributionOptions
from posescope.explainability.errors import ExplainabilityError

OPTIONS = {
    "persons": 10, "control_persons": 5, "control_steps": 4, "steps": 8, "window": 0.125, "stride": 1.0, "patches": 8,
    "fractions": (0.1, 0.4), "resamples": 100, "shown": 1,
}  # fmt: skip


def crops_of_persons(count: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Red left, blue right, both in the upper half and labelled; a green spot in the lower left corner, and green noise."""
    rng = np.random.default_rng(0)
    cells = np.stack([rng.integers(0, 3, (count, 2)), rng.integers(0, 3, (count, 2)) + np.array([5, 0])], axis=1)
    noise = rng.integers(0, 8, (count, 6, 2))
    spots = [[(1, *position, 0.1) for position in own] for own in noise]
    images = [
        dots_image([*own, (0, *red, 1.0), (2, *blue, 1.0), (1, 0, 7, 1.0)]) for own, (red, blue) in zip(spots, cells, strict=True)
    ]
    return np.stack(images), (cells + 0.5) * 4 - 0.5


def analyse(inputs_of, model, weights: str | None, **options):
    images, joints = crops_of_persons()
    inputs = inputs_of(crop_set(images, joints=joints))
    linear = replace(model, network=LinearNetwork(weights))
    analysis = Attribution(AttributionOptions(**{**OPTIONS, "joints": ("left_dot", "right_dot"), **options}))
    return analysis(replace(inputs, model=linear, features=replace(inputs.judged.features, model=""), batch_size=64))


def fractions_of(found, joint: str) -> dict[tuple[str, str], float]:
    rows = found.tables["attribution_regions"]
    rows = rows[rows["joint"] == joint]
    return dict(zip(zip(rows["method"], rows["region"], strict=True), rows["fraction"], strict=True))


def findings_with(found, words: str) -> list:
    return [finding for finding in found.findings if words in finding.statement]


def test_network_that_uses_the_joint_has_all_attribution_there(inputs_of, model) -> None:
    found = analyse(inputs_of, model, "here", joint_radius=0.3)
    fractions = fractions_of(found, "all")
    assert fractions["integrated_gradients", "joint"] == pytest.approx(1.0)
    assert fractions["occlusion", "joint"] > 0.95
    assert [finding.is_supported for finding in findings_with(found, "the joint itself")] == [True, True]  # both methods
    assert not findings_with(found, "Shortcut")
    assert not any(finding.is_supported for finding in findings_with(found, "the joint of the other side"))
    curves = found.tables["attribution_faithfulness"].set_index(["ranking", "curve"])
    assert curves.loc[("integrated_gradients", "deletion"), "area"] < 0.1
    assert curves.loc[("integrated_gradients", "insertion"), "area"] > 0.9
    assert curves.loc[("random", "deletion"), "area"] == pytest.approx(0.5, abs=0.2)
    assert [finding.is_supported for finding in findings_with(found, "Integrated gradients ranks")] == [True, True]


def test_shortcut_is_found(inputs_of, model) -> None:
    found = analyse(inputs_of, model, "corner")
    fractions = fractions_of(found, "left_dot")
    assert fractions["integrated_gradients", "background"] > 0.95
    assert fractions["occlusion", "background"] > 0.95
    shortcuts = findings_with(found, "Shortcut")
    assert ["left dot" in finding.statement for finding in shortcuts] == [True, True]  # both methods
    assert all(finding.is_supported for finding in shortcuts)


def test_attribution_on_the_other_side_is_found(inputs_of, model) -> None:
    fractions = fractions_of(analyse(inputs_of, model, "mirror", joint_radius=0.3), "left_dot")
    # Red and the brightest blue contribute equally.
    assert fractions["integrated_gradients", "other side"] == pytest.approx(0.5, abs=0.05)
    assert fractions["integrated_gradients", "joint"] == pytest.approx(0.5, abs=0.05)


def test_findings_of_random_weights_fail(inputs_of, model) -> None:
    torch.manual_seed(5)
    found = analyse(inputs_of, model, None)
    about_weights = [finding for finding in found.findings if "random weights" in finding.control.what]
    assert len(about_weights) >= 3  # the joint by two methods, and the rank correlation
    assert not any(finding.is_supported for finding in about_weights)
    assert not any(finding.is_supported for finding in findings_with(found, "The attribution for a joint"))


def test_persons_without_labels_are_refused(inputs_of, shifting_crops) -> None:
    with pytest.raises(ExplainabilityError, match="labelled"):
        Attribution(AttributionOptions(**OPTIONS))(inputs_of(shifting_crops))
