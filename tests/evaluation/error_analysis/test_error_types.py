import numpy as np
import pytest

from posescope.evaluation.bootstrap import resample_images
from posescope.evaluation.error_analysis.error_types import ERROR_TYPES, classify_errors, error_type_table, joint_error_types
from posescope.evaluation.metrics.oks import joint_similarities, person_oks
from posescope.evaluation.scored_persons import Cases, Neighbours

NAN = np.nan
# nose, left hand, right hand: area 2,500 px^2 and sigma 0.1 give k s = 2 * 0.1 * 50 = 10 px, so ks = exp(-d^2 / 200):
# 0.85 at 5.70 px, 0.5 at 11.77 px.
FLIP = (0, 2, 1)
TRUTH = [[50, 50], [20, 80], [80, 80]]


def cases_of(scored, others=(), areas=None) -> Cases:
    joints = np.asarray(others, dtype=np.float64).reshape(-1, 3, 2)
    count = len(joints)
    neighbours = Neighbours(np.zeros(count, np.int64), joints, np.asarray(areas or [2500.0] * count), np.zeros((count, 4)))
    return Cases(scored, neighbours, np.full((len(scored), 2), 200))


def types_of(make_scored, predicted, visibility=(2, 2, 2), others=(), truth=TRUTH, areas=None) -> list[str]:
    scored = make_scored([predicted], [truth], [visibility])
    return [ERROR_TYPES[number] if number >= 0 else "" for number in joint_error_types(cases_of(scored, others, areas))[0]]


@pytest.mark.parametrize(
    ("moved_px", "kind"), [(0, "good"), (5.6, "good"), (5.8, "jitter"), (11.7, "jitter"), (11.9, "miss"), (30, "miss")]
)
def test_distance_decides_between_good_jitter_and_miss(make_scored, moved_px, kind) -> None:
    assert types_of(make_scored, [[50, 50 - moved_px], [20, 80], [80, 80]]) == [kind, "good", "good"]


def test_at_the_mirrored_joint_it_is_an_inversion(make_scored) -> None:
    assert types_of(make_scored, [[50, 50], [80, 80], [20, 80]]) == ["good", "inversion", "inversion"]


def test_at_another_joint_than_the_flip_partner_it_is_a_miss(make_scored) -> None:
    assert types_of(make_scored, [[20, 80], [50, 50], [80, 80]]) == ["miss", "miss", "good"]


def test_at_the_joint_of_another_person_it_is_a_swap(make_scored) -> None:
    other = [[150, 50], [120, 80], [180, 80]]
    # The nose is on the other nose, the left and the right hand on the other left hand.
    assert types_of(make_scored, [[150, 50], [120, 80], [120, 80]], others=[other]) == ["swap", "swap", "swap"]
    assert types_of(make_scored, [[50, 50], [150, 50], [80, 80]], others=[other]) == ["good", "miss", "good"]


def test_similarity_to_another_person_uses_the_area_of_that_person(make_scored) -> None:
    other = [[150, 50], [120, 80], [180, 80]]
    predicted = [[150, 70], [20, 80], [80, 80]]  # 20 px off: exp(-400 / 200) = 0.14, at 16 times the area 0.88
    assert types_of(make_scored, predicted, others=[other])[0] == "miss"
    assert types_of(make_scored, predicted, others=[other], areas=[40_000.0])[0] == "swap"


def test_inversion_or_swap_by_the_nearer_place_with_ties_as_inversion(make_scored) -> None:
    predicted = [[50, 50], [80, 80], [80, 80]]
    at = [[NAN, NAN], [80, 80], [NAN, NAN]]
    assert types_of(make_scored, predicted, others=[at])[1] == "inversion"
    assert types_of(make_scored, [[50, 50], [80, 83], [80, 80]], others=[[[NAN, NAN], [80, 84], [NAN, NAN]]])[1] == "swap"
    assert types_of(make_scored, [[50, 50], [80, 81], [80, 80]], others=[[[NAN, NAN], [80, 84], [NAN, NAN]]])[1] == "inversion"


def test_good_joint_stays_good_if_both_hands_coincide(make_scored) -> None:
    truth = [[50, 50], [40, 80], [42, 80]]
    assert types_of(make_scored, truth, truth=truth, others=[truth]) == ["good", "good", "good"]


def test_unlabelled_joints_have_no_type_and_cause_no_swap(make_scored) -> None:
    truth = [[50, 50], [20, 80], [NAN, NAN]]
    assert types_of(make_scored, [[50, 50], [80, 80], [20, 80]], (2, 1, 0), truth=truth) == ["good", "miss", ""]
    unlabelled = np.full((3, 2), NAN)
    assert types_of(make_scored, [[150, 50], [20, 80], [80, 80]], others=[unlabelled])[0] == "miss"


def test_limits_belong_to_the_better_type() -> None:
    own = np.array([[0.85, 0.5, 0.49, 0.49, 0.49]])
    mirrored, others = np.array([[0.85, 0.5, 0.5, 0.49, 0.49]]), np.array([[0.85, 0.5, 0.5, 0.5, NAN]])
    found = classify_errors(own, mirrored, others, np.ones((1, 5), dtype=bool))
    assert [ERROR_TYPES[number] for number in found[0]] == ["good", "jitter", "inversion", "swap", "miss"]


def test_nearest_place_decides_even_if_the_own_place_is_near(make_scored) -> None:
    """Hands 8 px apart: a hand 6 px from its own place (ks 0.84) and 2 px from the other (0.98) is at the other."""
    truth = [[50, 50], [40, 80], [48, 80]]
    assert types_of(make_scored, [[50, 50], [46, 80], [48, 80]], truth=truth) == ["good", "inversion", "good"]
    assert types_of(make_scored, [[50, 50], [43, 80], [48, 80]], truth=truth) == ["good", "good", "good"]
    other = [[54, 50], [NAN, NAN], [NAN, NAN]]
    assert types_of(make_scored, [[53, 50], [40, 80], [48, 80]], truth=truth, others=[other])[0] == "swap"


def test_types_equal_those_of_the_published_rule(make_scored) -> None:
    """The rule of the published code: the arg-max over all places, the own place first."""
    rng = np.random.default_rng(5)
    truth, others = rng.uniform(0, 60, (200, 3, 2)), rng.uniform(0, 60, (200, 2, 3, 2))
    predicted = truth + rng.normal(0, 12, truth.shape)
    seen = set()
    for person in range(200):
        places = np.stack([truth[person], truth[person][list(FLIP)], *others[person], *others[person][:, list(FLIP)]])
        similarity = np.exp(-((places - predicted[person]) ** 2).sum(axis=-1) / 200)
        best = similarity.argmax(axis=0)
        expected = [
            "miss" if top < 0.5 else {0: "good" if top >= 0.85 else "jitter", 1: "inversion"}.get(int(place), "swap")
            for place, top in zip(best, similarity.max(axis=0), strict=True)
        ]
        assert types_of(make_scored, predicted[person], truth=truth[person], others=others[person]) == expected
        seen |= set(expected)
    assert seen == set(ERROR_TYPES) - {"not found"}


def test_types_do_not_depend_on_the_order_of_neighbours(make_scored) -> None:
    near, far = [[150, 50], [120, 80], [180, 80]], [[350, 50], [320, 80], [380, 80]]
    predicted = [[150, 50], [20, 80], [80, 80]]
    assert types_of(make_scored, predicted, others=[near, far]) == types_of(make_scored, predicted, others=[far, near])


def test_error_type_table_by_hand(make_scored) -> None:
    predicted = [TRUTH, [[50, 50], [80, 80], [20, 80]]]
    truth = np.array([TRUTH, TRUTH], dtype=float)
    truth[0, 2] = NAN
    scored = make_scored(predicted, truth, [[2, 2, 0], [2, 2, 2]])
    types = joint_error_types(cases_of(scored))
    table = error_type_table(scored, types, resample_images(scored.image_ids, 0, 200))
    row = table.set_index(["joint", "type"]).loc
    assert tuple(row["left_hand", "inversion"][["labelled", "count", "fraction"]]) == (2, 1, 0.5)
    assert tuple(row["right_hand", "inversion"][["labelled", "count", "fraction"]]) == (1, 1, 1.0)
    assert tuple(row["all", "inversion"][["labelled", "count", "fraction"]]) == (5, 2, 0.4)
    # 60 px off: ks = exp(-18). One of the second person's three joints, half of the persons.
    assert row["left_hand", "inversion"]["oks_gain"] == pytest.approx((1 - np.exp(-18)) / 3 / 2)
    assert row["left_hand", "inversion"]["low"] <= 0.5 <= row["left_hand", "inversion"]["high"]


def test_fractions_add_up_to_1_and_gains_to_1_minus_mean_oks(make_scored) -> None:
    rng = np.random.default_rng(3)
    truth = rng.uniform(0, 100, (40, 3, 2))
    visibility = rng.integers(0, 3, (40, 3))
    visibility[:, 0] = 2
    truth[visibility == 0] = NAN
    scored = make_scored(np.nan_to_num(truth) + rng.normal(0, 12, truth.shape), truth, visibility)
    types = joint_error_types(cases_of(scored))
    table = error_type_table(scored, types, resample_images(scored.image_ids, 0, 50))
    np.testing.assert_allclose(table.groupby("joint")["fraction"].sum(), 1)
    assert table[table["joint"] == "all"]["count"].sum() == (visibility > 0).sum()
    oks = person_oks(scored.predicted, truth, scored.visibility, scored.areas, scored.skeleton.oks_sigmas)
    for joints in (table["joint"] == "all", table["joint"] != "all"):
        assert table[joints]["oks_gain"].sum() == pytest.approx(1 - oks.mean())
    own = joint_similarities(scored.predicted, truth, scored.areas, scored.skeleton.oks_sigmas)
    assert (own[types == 0] >= 0.85).all()
    assert (own[types == 4] < 0.5).all()


def test_not_found_is_an_error_type_that_costs_all_oks(make_scored) -> None:
    """One person perfect, one not found with two labelled joints of three, one not found without a label."""
    nowhere = np.full((3, 2), NAN)
    scored = make_scored([TRUTH, nowhere, nowhere], [TRUTH] * 3, [[2, 2, 2], [2, 1, 0], [0, 0, 0]])
    types = joint_error_types(cases_of(scored))
    assert [[ERROR_TYPES[n] if n >= 0 else "" for n in row] for row in types] == [
        ["good"] * 3, ["not found", "not found", ""], ["", "", ""]
    ]  # fmt: skip
    table = error_type_table(scored, types, resample_images(scored.image_ids, 0, 20))
    rows = table.set_index(["joint", "type"]).loc
    assert rows["all", "not found"][["persons", "not_found", "labelled", "count", "fraction"]].tolist() == [2, 1, 5, 2, 0.4]
    assert rows["nose", "not found"][["persons", "not_found", "labelled", "count", "fraction"]].tolist() == [2, 1, 2, 1, 0.5]
    assert rows["right_hand", "not found"][["persons", "not_found", "count"]].tolist() == [1, 0, 0]
    assert table.groupby("joint")["fraction"].sum().tolist() == pytest.approx([1] * 4)


def test_without_persons_counts_are_0(make_scored) -> None:
    scored = make_scored(np.empty((0, 3, 2)), np.empty((0, 3, 2)), np.empty((0, 3)))
    types = joint_error_types(cases_of(scored))
    table = error_type_table(scored, types, resample_images(scored.image_ids, 0, 10))
    assert table["count"].sum() == 0
    assert table["fraction"].isna().all()
