"""Properties of all metrics."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posescope.core.plugins import ComponentSpec, build
from posescope.core.skeleton import COCO_PERSON
from posescope.evaluation.metric_evaluation import evaluate_persons
from posescope.evaluation.scored_persons import ScoredPersons

SPECS = (
    ComponentSpec(name="pck_thesis"),
    ComponentSpec(name="pck"),
    ComponentSpec(name="pck", options={"normalise": "torso"}),
    ComponentSpec(name="oks"),
)
IDS = ("pck_thesis", "pck", "pck_torso", "oks")
FAR_PX = 10_000.0


def random_persons(seed, count=9):
    """Persons of 256 px crops that are their images; every joint but those of the torso may be unlabelled."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(20, 230, (count, 17, 2))
    visibility = rng.integers(0, 3, (count, 17)).astype(np.uint8)
    for name in ("left_shoulder", "right_hip"):
        visibility[:, COCO_PERSON.index(name)] = 2
    truth[visibility == 0] = np.nan
    return {
        "person_ids": np.arange(count),
        "image_ids": rng.integers(0, 4, count),
        "predicted": np.nan_to_num(truth) + rng.normal(0, 25, truth.shape),
        "scores": rng.random((count, 17)),
        "truth": truth,
        "visibility": visibility,
        "boxes": np.tile([0.0, 0.0, 200.0, 100.0], (count, 1)),
        "areas": rng.uniform(2_000, 20_000, count),
        "crop_from_image": np.tile(np.eye(2, 3), (count, 1, 1)),
    }


def scored_of(fields):
    crops = {"predicted_crop": fields["predicted"], "truth_crop": fields["truth"], "crop_size": (256, 256)}
    return ScoredPersons(**fields, **crops, skeleton=COCO_PERSON)


def score(spec, fields):
    return build("metrics", spec)(scored_of(fields))


def values_of(found):
    return np.array(list(found.metric_values.values()))


@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_perfect_prediction_is_one(spec) -> None:
    fields = random_persons(0)
    found = score(spec, fields | {"predicted": np.nan_to_num(fields["truth"])})
    np.testing.assert_array_equal(values_of(found), 1)
    for per_person in found.per_person.values():
        np.testing.assert_array_equal(per_person[~np.isnan(per_person)], 1)


@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_unlabelled_joints_are_ignored(spec) -> None:
    fields = random_persons(1)
    elsewhere = np.where((fields["visibility"] == 0)[..., None], FAR_PX, fields["predicted"])
    np.testing.assert_array_equal(values_of(score(spec, fields | {"predicted": elsewhere})), values_of(score(spec, fields)))


@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_without_labels_the_value_is_nan(spec) -> None:
    fields = random_persons(2)
    nothing = {"truth": np.full_like(fields["truth"], np.nan), "visibility": np.zeros_like(fields["visibility"])}
    for changed in (fields | nothing, {name: value[:0] for name, value in fields.items()}):
        assert np.isnan(values_of(score(spec, changed))).all()


@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_one_wrong_joint_costs_its_fraction(spec) -> None:
    """Only the nose of one person is wrong, which reduces the person by 1 / K and the nose by 1 / N."""
    fields = random_persons(3)
    visibility = np.full_like(fields["visibility"], 2)
    truth = np.random.default_rng(3).uniform(20, 230, fields["truth"].shape)
    predicted = truth.copy()
    predicted[4, 0] += FAR_PX
    found = score(spec, fields | {"visibility": visibility, "truth": truth, "predicted": predicted})
    np.testing.assert_allclose(values_of(found), 1 - 1 / (9 * 17))
    for per_person in found.per_person.values():
        np.testing.assert_allclose(per_person, np.where(np.arange(9) == 4, 16 / 17, 1))
    for per_joint in found.per_joint.values():
        np.testing.assert_allclose(per_joint, np.where(np.arange(17) == 0, 8 / 9, 1))


@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_headline_is_the_mean_that_its_interval_is_of(spec) -> None:
    found = score(spec, random_persons(4))
    for name, value in found.metric_values.items():
        per_person = found.per_person[name]
        weights = np.where(np.isnan(per_person), 0, found.weights.get(name, np.ones(9)))
        assert value == pytest.approx((np.nan_to_num(per_person) * weights).sum() / weights.sum())


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_order_of_persons_does_not_matter(seed) -> None:
    fields = random_persons(seed)
    order = np.random.default_rng(seed).permutation(9)
    one, other = (
        evaluate_persons(scored_of(part), SPECS, seed=0, resamples=30).metric_values.by_name
        for part in (fields, {name: value[order] for name, value in fields.items()})
    )
    for name, value in one.items():
        same = other[name]
        assert (value.value, value.low, value.high) == pytest.approx((same.value, same.low, same.high))
