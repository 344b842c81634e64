"""Tests of posescope.evaluation.error_analysis.joint_uncertainty."""

import math
from dataclasses import replace

import numpy as np
import pytest

from posescope.evaluation.bootstrap import resample_images
from posescope.evaluation.conformal import UncertaintyOptions, calibrate_joints
from posescope.evaluation.error_analysis.joint_uncertainty import (
    JudgedRadii,
    coverage_table,
    risk_coverage_table,
    trust_table,
)

NAN = math.nan
IMAGES = np.array([1, 1, 2])
# Two joints of three persons; the second joint of the last person is not labelled.
ERRORS = np.array([[1.0, 9.0], [4.0, 2.0], [6.0, NAN]])
RADII = np.array([[2.0, 8.0], [5.0, 8.0], [5.0, 8.0]])
JUDGED = JudgedRadii(
    joints=("nose", "hand"),
    image_ids=IMAGES,
    errors=ERRORS,
    hits=np.array([[1, 0], [1, 1], [0, NAN]]),
    scores=np.array([[0.9, 0.2], [0.8, 0.3], [0.7, 0.1]]),
    radii={0.5: RADII / 2, 0.9: RADII},
    level=0.9,
    max_radius_px=6.0,
    crop_side_px=100,
)
DRAWS = resample_images(IMAGES, seed=0, resamples=200)


def test_coverage_by_hand() -> None:
    table = coverage_table(JUDGED, {"hand": "few"}, DRAWS).set_index(["joint", "level"])
    assert table["labelled"].to_dict() == {
        ("all", 0.5): 5, ("all", 0.9): 5, ("nose", 0.5): 3, ("nose", 0.9): 3, ("hand", 0.5): 2, ("hand", 0.9): 2,
    }  # fmt: skip
    assert table["coverage"].tolist() == pytest.approx([2 / 5, 3 / 5, 1 / 3, 2 / 3, 1 / 2, 1 / 2])
    assert table.loc[("nose", 0.9), ["radius_px", "radius_fraction", "do_not_trust"]].tolist() == [5.0, 0.05, 0.0]
    assert table.loc[("hand", 0.9), ["radius_px", "do_not_trust", "reason"]].tolist() == [8.0, 1.0, "few"]
    assert table["main"].tolist() == [False, True] * 3
    assert table.loc[("hand", 0.9), ["photographs", "persons"]].tolist() == [1, 2]
    # Image 1 has two joints of the nose, both inside; image 2 has one, outside.
    assert table.loc[("nose", 0.9), ["coverage_low", "coverage_high"]].tolist() == [0.0, 1.0]


def test_risk_coverage_by_hand() -> None:
    table = risk_coverage_table(JUDGED, DRAWS).set_index("kept")
    # Order by radius, then by score: nose of persons 1, 2, 3, hand of persons 2, 1.
    assert table.loc[[1.0, 0.8, 0.6, 0.4, 0.2], "labelled"].tolist() == [5, 4, 3, 2, 1]
    assert table.loc[[1.0, 0.8, 0.6, 0.4, 0.2], "pck"].tolist() == pytest.approx([3 / 5, 3 / 4, 2 / 3, 1, 1])
    assert table.loc[[1.0, 0.8, 0.6, 0.4, 0.2], "pck_best"].tolist() == pytest.approx([3 / 5, 3 / 4, 1, 1, 1])
    assert table.loc[[1.0, 0.8, 0.6], "pck_by_score"].tolist() == pytest.approx([3 / 5, 3 / 4, 2 / 3])
    assert table.loc[[1.0, 0.6], "largest_radius_px"].tolist() == [8.0, 5.0]


def test_trust_by_hand() -> None:
    radii = RADII.copy()
    radii[2, 0] = NAN
    table = trust_table(replace(JUDGED, radii={0.9: radii}), DRAWS).set_index("trust")
    assert table["labelled"].to_dict() == {"trusted": 2, "do not trust": 2, "no radius": 1}
    assert table["pck"].tolist() == [1.0, 0.5, 0.0]
    assert table["fraction"].tolist() == pytest.approx([0.4, 0.4, 0.2])


def test_joints_without_radius_are_counted_and_nothing_else() -> None:
    nothing = replace(JUDGED, radii={0.9: np.full((3, 2), NAN)})
    table = coverage_table(nothing, {"nose": "few", "hand": "few"}, DRAWS)
    assert table["labelled"].tolist() == [0, 0, 0]
    assert table["coverage"].isna().all()
    assert table["reason"].tolist() == ["", "few", "few"]
    assert risk_coverage_table(nothing, DRAWS).empty
    assert trust_table(nothing, DRAWS)["labelled"].tolist() == [0, 0, 5]


def test_calibrated_radii_cover_new_photographs() -> None:
    """The reduced form of the planted benchmark: 90 % of the joints of the other photographs are inside."""
    inside = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        photographs = np.repeat(np.arange(150), 2)
        difficulty = rng.normal(size=150)[photographs, None] + rng.normal(size=(300, 4))
        errors = np.where(rng.random((300, 4)) < 0.3, NAN, np.exp(difficulty))
        first = photographs < 75
        table = calibrate_joints(errors[first], -difficulty[first], photographs[first], UncertaintyOptions())
        radii = table.radii(-difficulty[~first], 0.9)
        judged = replace(
            JUDGED, joints=tuple("abcd"), image_ids=photographs[~first], errors=errors[~first],
            hits=(errors[~first] < 2).astype(float), scores=-difficulty[~first], radii={0.9: radii},
        )  # fmt: skip
        draws = resample_images(judged.image_ids, seed, 50)
        inside.append(coverage_table(judged, {}, draws)["coverage"].to_numpy())
    means = np.mean(inside, axis=0)
    assert 0.88 <= means[0] <= 0.93
    assert (means[1:] >= 0.85).all()
