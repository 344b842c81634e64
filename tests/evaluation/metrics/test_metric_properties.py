"""What must hold for every metric, whatever it measures."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posescope.core.plugins import ComponentSpec, build
from posescope.core.records import ScoredPersons
from posescope.core.skeleton import COCO_PERSON
from posescope.evaluation.metric_evaluation import evaluate_persons

SPECS = (
    ComponentSpec(name="pck_thesis"),
    ComponentSpec(name="pck"),
    ComponentSpec(name="pck", options={"normalise": "torso"}),
    ComponentSpec(name="oks"),
)
IDS = ("pck_thesis", "pck", "pck_torso", "oks")
FAR_PX = 10_000.0


def random_people(seed, count=9):
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


def score(spec, fields):
    rest = {"crop_size": (256, 256), "oks_sigmas": COCO_PERSON.oks_sigmas, "joint_names": COCO_PERSON.joints}
    return build("metrics", spec)(ScoredPersons(**fields, **rest))


def values_of(found):
    return np.array(list(found.metric_values.values()))


@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_a_perfect_prediction_is_one(spec) -> None:
    fields = random_people(0)
    found = score(spec, fields | {"predicted": np.nan_to_num(fields["truth"])})
    np.testing.assert_array_equal(values_of(found), 1)
    for per_person in found.per_person.values():
        np.testing.assert_array_equal(per_person[~np.isnan(per_person)], 1)


@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_unlabelled_joints_are_ignored(spec) -> None:
    fields = random_people(1)
    elsewhere = np.where((fields["visibility"] == 0)[..., None], FAR_PX, fields["predicted"])
    np.testing.assert_array_equal(values_of(score(spec, fields | {"predicted": elsewhere})), values_of(score(spec, fields)))


@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_nobody_labelled_has_no_figure(spec) -> None:
    fields = random_people(2)
    nothing = {"truth": np.full_like(fields["truth"], np.nan), "visibility": np.zeros_like(fields["visibility"])}
    for changed in (fields | nothing, {name: value[:0] for name, value in fields.items()}):
        assert np.isnan(values_of(score(spec, changed))).all()


@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_one_joint_far_off_costs_its_share(spec) -> None:
    """All is perfect but the nose of one person: a K-th of that person is lost, all of the nose of one in N."""
    fields = random_people(3)
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
def test_the_headline_is_the_mean_that_its_interval_is_of(spec) -> None:
    found = score(spec, random_people(4))
    for name, value in found.metric_values.items():
        per_person = found.per_person[name]
        weights = np.where(np.isnan(per_person), 0, found.weights.get(name, np.ones(9)))
        assert value == pytest.approx((np.nan_to_num(per_person) * weights).sum() / weights.sum())


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_order_of_persons_does_not_matter(seed) -> None:
    fields = random_people(seed)
    order = np.random.default_rng(seed).permutation(9)
    rest = {"crop_size": (256, 256), "oks_sigmas": COCO_PERSON.oks_sigmas, "joint_names": COCO_PERSON.joints}
    one, other = (
        evaluate_persons(ScoredPersons(**part, **rest), SPECS, COCO_PERSON, seed=0, resamples=30).metric_values.by_name
        for part in (fields, {name: value[order] for name, value in fields.items()})
    )
    for name, figure in one.items():
        same = other[name]
        assert (figure.value, figure.low, figure.high) == pytest.approx((same.value, same.low, same.high))
