import numpy as np
import pytest

from posescope.evaluation.bootstrap import Interval, resample_images
from posescope.explainability.failure_slices.known_properties import SEVERAL, adjusted_gaps, find_explanation

NAN = float("nan")


def gaps_of(properties, inside, pck):
    groups = np.arange(len(pck))
    return adjusted_gaps(properties, inside, pck, groups, resample_images(groups, 0, 200))


def test_a_confounder_explains_the_gap_and_an_independent_property_does_not():
    rng = np.random.default_rng(0)
    occluded = rng.random(3000)
    occluded[:300] = NAN
    inside = np.nan_to_num(occluded, nan=0.2) + 0.2 * rng.normal(size=3000) > 0.9
    pck = 0.9 - 0.5 * np.nan_to_num(occluded, nan=0.2) + 0.05 * rng.normal(size=3000)
    gap = pck[~inside].mean() - pck[inside].mean()
    found = gaps_of({"occluded": occluded, "size": rng.random(3000)}, inside, pck)
    assert gap > 0.15
    assert found["occluded"].estimate == pytest.approx(0.0, abs=0.02)
    assert found["size"].estimate == pytest.approx(gap, abs=0.02)
    assert find_explanation(Interval(gap, gap - 0.02, gap + 0.02), found) == "occluded"


def test_the_adjusted_gap_is_that_of_a_regression():
    rng = np.random.default_rng(1)
    truncated = (rng.random(400) < 0.4).astype(float)
    inside = rng.random(400) < 0.2 + 0.4 * truncated
    pck = 0.9 - 0.1 * truncated - 0.2 * inside + 0.1 * rng.normal(size=400)
    design = np.stack([~inside, np.ones(400), truncated], axis=1)
    expected = np.linalg.lstsq(design, pck, rcond=None)[0][0]
    found = gaps_of({"truncated": truncated}, inside, pck)["truncated"]
    assert found.estimate == pytest.approx(expected, abs=1e-4)
    assert found.low < expected < found.high


def test_a_property_equal_to_the_slice_leaves_nothing_to_compare():
    inside = np.arange(100) < 20
    found = gaps_of({"truncated": inside.astype(float)}, inside, np.where(inside, 0.5, 0.9))
    assert np.isnan(found["truncated"].estimate)
    assert find_explanation(Interval(0.4, 0.3, 0.5), found) == "truncated"


def test_all_properties_together_explain_where_no_single_one_does():
    vanished = {"occluded": Interval(0.0, -0.1, 0.1), SEVERAL: Interval(-0.1, -0.2, 0.1)}
    assert find_explanation(Interval(0.3, 0.2, 0.4), vanished) == "occluded"
    assert find_explanation(Interval(0.3, 0.2, 0.4), {**vanished, "occluded": Interval(0.3, 0.2, 0.4)}) == SEVERAL


def test_half_a_gap_that_is_clearly_there_is_not_explained():
    gap = Interval(0.3, 0.2, 0.4)
    assert find_explanation(gap, {"size": Interval(0.14, 0.05, 0.2)}) == ""
    assert find_explanation(gap, {"size": Interval(0.14, -0.01, 0.3)}) == "size"
    assert find_explanation(gap, {"size": Interval(0.05, 0.02, 0.1)}) == "size"
