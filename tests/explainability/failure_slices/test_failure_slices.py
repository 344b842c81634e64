import json

import numpy as np
import pandas as pd
import pytest
from tests.explainability.conftest import crop_set, dots_image

from posescope.core.records import PosePredictions
from posescope.explainability.failure_slices.failure_slices import FailureSlices, FailureSlicesOptions
from posescope.explainability.failure_slices.slice_images import SHOWN

PERSONS, FAILING = 120, 30


@pytest.fixture
def inputs(inputs_of):
    """120 persons in 60 photographs; PCK 0.5 for 30 small persons, 1 for the others, and one person of unknown PCK."""
    rng = np.random.default_rng(0)
    cells = rng.integers(0, 8, (PERSONS, 2, 2))
    crops = crop_set(
        np.stack([dots_image([(0, *red, 1.0), (2, *blue, 1.0)]) for red, blue in cells]), joints=(cells + 0.5) * 4 - 0.5
    )
    fails = np.zeros(PERSONS, dtype=bool)
    fails[rng.permutation(PERSONS)[:FAILING]] = True
    pck = np.where(fails, 0.5, 1.0)
    pck[PERSONS - 1] = np.nan
    attributes = pd.DataFrame(
        {"size": np.where(fails, 5.0, 7.0) + 0.1 * rng.random(PERSONS), "truncated": rng.random(PERSONS) < 0.5}
    )
    ids = crops.targets.person_ids
    joints = crops.targets.joints.copy()
    return inputs_of(
        crops,
        per_person_pck=pck,
        groups=np.repeat(np.arange(60), 2),
        attributes=attributes.astype(np.float64),
        predictions=PosePredictions(ids, joints, np.ones(joints.shape[:2], np.float32)),
        error_types=np.where(fails[:, None], 4, 0).repeat(2, axis=1).astype(np.int8),
    )


@pytest.fixture
def analysis() -> FailureSlices:
    return FailureSlices(FailureSlicesOptions(components=2, permutations=20, resamples=100))


def test_the_failing_group_has_tables_pictures_and_finding(inputs, analysis):
    found = analysis(inputs)
    row = found.tables["failure_slices"].iloc[0]
    assert row["words"] == "who are small in the image"
    assert json.loads(row["conditions"])[0]["feature"] == "size"
    assert (row["pck_inside"], row["pck_outside"]) == (0.5, 1.0)
    assert row["share_of_error"] == 1.0
    members = found.tables["slice_members"]
    assert len(members) == PERSONS - 1  # not the person of unknown PCK
    assert members.loc[members["inside"] == 1, "pck"].eq(0.5).all()
    types = found.tables["slice_error_types"].set_index(["side", "type"])["fraction"]
    assert (types["inside", "miss"], types["outside", "good"]) == (1.0, 1.0)
    (finding,) = found.findings
    assert finding.verdict == "supported"
    assert (finding.effect, finding.picture) == (0.5, "slice_1")
    assert finding.importance == pytest.approx(0.5 * row["persons"] / (PERSONS - 1))
    assert finding.question == "Does the network fail more often on persons who are small in the image?"
    assert found.images["slice_1"].shape[1] == SHOWN * 128 + 5 * 4
    assert set(found.captions) == {*found.tables, *found.images, *found.plots}


def test_nothing_is_claimed_if_the_pck_is_the_same(inputs_of, inputs, analysis):
    pck = np.full(PERSONS, 0.8)
    found = analysis(inputs_of(inputs.judged.crops, per_person_pck=pck, attributes=inputs.judged.attributes))
    assert not found.findings
    assert not found.images
    assert len(found.tables["failure_slices"]) == 0
    assert "No rule" in found.note


def test_few_photographs_are_not_searched(inputs_of, inputs, analysis):
    judged = inputs.judged
    found = analysis(inputs_of(judged.crops, per_person_pck=judged.per_person_pck, groups=np.repeat(np.arange(12), 10)))
    assert found.is_empty
    assert "12 photographs" in found.note
