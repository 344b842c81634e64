import numpy as np
import pytest

from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.feature_store import FeatureSet
from posescope.explainability.traversal.latent_traversal import LatentTraversal, LatentTraversalOptions

OPTIONS = {"components": 1, "steps": (-1.5, -0.5, 0.5, 1.5)}


@pytest.mark.parametrize("skips", ["mean", "zero", "person"])
def test_planted_component_moves_red_from_side_to_side(inputs_of, shifting_crops, skips) -> None:
    inputs = inputs_of(shifting_crops)
    found = LatentTraversal(LatentTraversalOptions(**OPTIONS, skips=skips))(inputs)
    table = found.tables["traversal_steps"]
    assert table["step"].tolist() == [-1.5, -0.5, 0.5, 1.5]
    # The axis points to more red on the left or on the right; the order of the persons is that of the amount.
    order = table["nearest_person_id"].to_numpy()
    assert (np.diff(order) > 0).all() or (np.diff(order) < 0).all()
    # 1.5 sd of 41 even steps over 0..1 (sd 0.2958) are 0.4437 or 17.7 persons from the middle one, number 120.
    assert sorted(order)[0] == 102
    assert sorted(order)[-1] == 138
    # The joint jumps by 20 px (five heatmap px) or, without skip activations, to the first px of the other quarter: 16 px.
    # From the decoded mean only one side moves, and the mean is over two joints.
    assert table["displacement_px"].max() == pytest.approx(8.0 if skips == "zero" else 10.0, abs=0.1)
    if skips != "zero":
        assert table["nearest_person_distance_px"].to_numpy() == pytest.approx(0, abs=1e-3)
        assert found.facts["chance_nearest_person_distance_px"] == pytest.approx(6.7, abs=0.05)
    assert found.facts["components_for_95"] == 1


def test_skip_activations_of_a_chosen_person(inputs_of, shifting_crops) -> None:
    inputs = inputs_of(shifting_crops)
    left = LatentTraversal(LatentTraversalOptions(**OPTIONS, skips="person", person_id=100))(inputs).tables["traversal_steps"]
    assert np.isfinite(left["nearest_person_distance_px"]).all()
    with pytest.raises(ExplainabilityError, match="person_id"):
        LatentTraversal(LatentTraversalOptions(**OPTIONS, skips="person", person_id=7))(inputs)


def test_more_components_than_the_features_have(inputs_of, three_kinds) -> None:
    inputs = inputs_of(three_kinds[0])
    found = LatentTraversal(LatentTraversalOptions(components=50))(inputs)
    assert found.tables["traversal_steps"]["component"].max() == len(inputs.components)
    assert all(not isinstance(value, float) or np.isfinite(value) for value in found.facts.values())


def test_single_step_has_no_chance_distance(inputs_of, shifting_crops) -> None:
    found = LatentTraversal(LatentTraversalOptions(components=1, steps=(0.0,)))(inputs_of(shifting_crops))
    assert found.facts["chance_nearest_person_distance_px"] is None


def test_findings_and_tables_agree(inputs_of, shifting_crops) -> None:
    steps = (-3, -1.5, -1, -0.5, 0.5, 1, 1.5, 3)
    found = LatentTraversal(LatentTraversalOptions(components=1, steps=steps, random_directions=8))(inputs_of(shifting_crops))
    (displacement,) = found.findings  # two dots have no pose attributes
    # 4 of the 7 persons of other steps are on the other side, 20 px away in one joint of two.
    assert found.facts["chance_nearest_person_distance_px"] == pytest.approx(10 * 4 / 7)
    assert found.facts["mean_nearest_person_distance_px"] == pytest.approx(0, abs=1e-3)
    # One sd are 11.8 of 41 even steps: for 23 persons near the middle red changes sides, by 20 px in one joint of two.
    assert displacement.effect == pytest.approx(10 * 23 / 41)
    # With one component every direction with the covariance of the data is this component.
    assert displacement.verdict == "inconclusive"
    assert displacement.p_value == 1.0
    assert found.tables["traversal_steps"]["fraction_beyond"].iloc[0] == 0.0
    row = found.tables["traversal_components"].iloc[0]
    assert (row["displacement_px"], row["displacement_px_low"]) == (displacement.effect, displacement.low)
    control = (row["random_displacement_px"], row["random_displacement_px_high"])
    assert control == (displacement.control.value, displacement.control.high)
    assert (row["directions"], row["directions_farther"]) == (8, 8)
    moved = found.tables["traversal_displacements"]
    assert moved[moved["direction"] == 0]["displacement_px"].mean() == pytest.approx(displacement.effect)
    by_direction = moved[moved["direction"] > 0].groupby("direction")["displacement_px"].mean()
    assert by_direction.mean() == pytest.approx(displacement.control.value)
    assert set(moved["person_id"]) == set(range(100, 141))
    # Persons are evenly spaced: a point between them is nearer than they are to each other; at 3 sd it is far away.
    assert found.tables["traversal_steps"]["distance_quantile"].iloc[[0, 3, 7]].tolist() == pytest.approx([1.0, 0.0, 1.0])


def test_every_image_plot_and_table_has_a_caption(inputs_of, shifting_crops) -> None:
    found = LatentTraversal(LatentTraversalOptions(components=1, random_directions=2))(inputs_of(shifting_crops))
    assert set(found.captions) == {*found.images, *found.plots, *found.tables}
    assert {"traversal_strip_1", "traversal_pc1"} == set(found.images)
    assert found.findings[0].picture == "traversal_strip_1"
    assert (found.findings[0].person_count, found.findings[0].photograph_count) == (41, 41)


def test_no_component_of_noise_beats_random_changes(inputs_of, noise_crops) -> None:
    found = LatentTraversal(LatentTraversalOptions(components=3, random_directions=40))(inputs_of(noise_crops))
    displacements = [finding for finding in found.findings if finding.id.endswith("moves-joints")]
    assert len(displacements) == 3
    assert not any(finding.is_supported for finding in displacements)


def test_persons_of_one_image_give_no_displacement_finding(inputs_of, shifting_crops) -> None:
    inputs = inputs_of(shifting_crops, groups=np.zeros(len(shifting_crops), dtype=np.int64))
    found = LatentTraversal(LatentTraversalOptions(components=1, random_directions=2))(inputs)
    assert found.findings == ()
    assert np.isnan(found.tables["traversal_components"]["displacement_px"]).all()


def test_pooled_features_are_not_decoded(inputs_of, shifting_crops) -> None:
    inputs = inputs_of(shifting_crops)
    pooled = FeatureSet(inputs.judged.features.person_ids, inputs.judged.features.values[:, ::4], "bottleneck", (3, 1, 1))
    object.__setattr__(inputs.judged, "features", pooled)
    found = LatentTraversal(LatentTraversalOptions())(inputs)
    assert (found.tables, found.findings) == ({}, ())
    assert "pooled" in found.note
