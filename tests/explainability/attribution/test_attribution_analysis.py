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
    "persons": 24, "control_persons": 24, "control_steps": 4, "steps": 8, "window": 0.125, "stride": 1.0, "patches": 8,
    "fractions": (0.1, 0.4), "resamples": 100, "shown": 1,
}  # fmt: skip


def crops_of_persons(count: int = 24) -> tuple[np.ndarray, np.ndarray]:
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
    persons = [replace(own, features=replace(own.features, model="")) for own in (inputs.fitted, inputs.judged)]
    return analysis(replace(inputs, model=linear, fitted=persons[0], judged=persons[1], batch_size=64))


def fractions_of(found, joint: str) -> dict[tuple[str, str], float]:
    rows = found.tables["attribution_regions"]
    rows = rows[rows["joint"] == joint]
    return dict(zip(zip(rows["method"], rows["region"], strict=True), rows["fraction"], strict=True))


def verdicts(found) -> dict[str, str]:
    return {finding.id: finding.verdict for finding in found.findings}


def test_network_that_uses_the_joint_has_all_attribution_there(inputs_of, model) -> None:
    found = analyse(inputs_of, model, "here", joint_radius=0.3)
    fractions = fractions_of(found, "all")
    assert fractions["integrated_gradients", "joint"] == pytest.approx(1.0)
    assert fractions["occlusion", "joint"] > 0.95
    answers = verdicts(found)
    assert answers["attribution-joint"] == "supported"
    assert not any(name.startswith("shortcut") for name in answers)
    assert answers["attribution-other-side"] != "supported"
    curves = found.tables["attribution_faithfulness"].set_index(["ranking", "curve"])
    assert curves.loc[("integrated_gradients", "deletion"), "area"] < 0.1
    assert curves.loc[("integrated_gradients", "insertion"), "area"] > 0.9
    assert curves.loc[("random", "deletion"), "area"] == pytest.approx(0.5, abs=0.2)
    assert answers["integrated-gradients-marks-pixels-that-matter"] == "supported"
    assert set(found.captions) == {*found.images, *found.plots, *found.tables}


def test_shortcut_is_found(inputs_of, model) -> None:
    found = analyse(inputs_of, model, "corner")
    fractions = fractions_of(found, "left_dot")
    assert fractions["integrated_gradients", "background"] > 0.95
    assert fractions["occlusion", "background"] > 0.95
    assert [name for name in verdicts(found) if name.startswith("shortcut")] == ["shortcut-left-dot"]
    assert verdicts(found)["shortcut-left-dot"] == "supported"


def test_attribution_on_the_other_side_is_found(inputs_of, model) -> None:
    fractions = fractions_of(analyse(inputs_of, model, "mirror", joint_radius=0.3), "left_dot")
    # Red and the brightest blue contribute equally.
    assert fractions["integrated_gradients", "other side"] == pytest.approx(0.5, abs=0.05)
    assert fractions["integrated_gradients", "joint"] == pytest.approx(0.5, abs=0.05)


def test_findings_of_random_weights_fail(inputs_of, model) -> None:
    torch.manual_seed(5)
    found = analyse(inputs_of, model, None)
    about_weights = [finding for finding in found.findings if "random weights" in finding.control.what]
    assert len(about_weights) >= 2  # the joint, and the rank correlation
    assert not any(finding.is_supported for finding in about_weights)
    assert not any(finding.is_supported for finding in found.findings if finding.id in {"attribution-joint", "attribution-limb"})


def test_few_photographs_leave_all_questions_open(inputs_of, model) -> None:
    found = analyse(inputs_of, model, "here", joint_radius=0.3, control_persons=10)
    assert set(verdicts(found).values()) == {"inconclusive"}


def test_persons_without_labels_are_refused(inputs_of, shifting_crops) -> None:
    with pytest.raises(ExplainabilityError, match="labelled"):
        Attribution(AttributionOptions(**OPTIONS))(inputs_of(shifting_crops))
