import numpy as np
import pytest

from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.traversal.latent_traversal import LatentTraversal, LatentTraversalOptions

OPTIONS = {"components": 1, "steps": (-1.5, -0.5, 0.5, 1.5)}


@pytest.mark.parametrize("skips", ["mean", "zero", "person"])
def test_the_planted_component_moves_red_from_side_to_side(inputs_of, shifting_crops, skips) -> None:
    inputs = inputs_of(shifting_crops)
    found = LatentTraversal(LatentTraversalOptions(**OPTIONS, skips=skips))(inputs)
    table = found.tables["latent_traversal"]
    assert table["step"].tolist() == [-1.5, -0.5, 0.5, 1.5]
    # The axis points to more red on the left or on the right; the persons follow: their order is that of the amount.
    order = table["nearest_person_id"].to_numpy()
    assert (np.diff(order) > 0).all() or (np.diff(order) < 0).all()
    # 1.5 deviations of 41 even steps over 0..1 (sd 0.2958) lie 0.4437 = 17.7 persons off the middle one, number 120.
    assert sorted(order)[0] == 102
    assert sorted(order)[-1] == 138
    # The joint jumps by 20 px (five cells) or, where the skips hold no cell, to the first cell of the other quarter: 16 px.
    # Measured from the decoded mean, one side stays, the other moves; over two joints that is half.
    assert table["displacement_px"].max() == pytest.approx(8.0 if skips == "zero" else 10.0, abs=0.1)
    if skips != "zero":
        assert table["nearest_person_distance_px"].to_numpy() == pytest.approx(0, abs=1e-3)
        assert found.note.endswith("lie 0.0 px a joint apart (other steps' persons: 6.7 px).")
    assert found.facts["components_for_95"] == 1


def test_sheet_has_two_rows(inputs_of, shifting_crops) -> None:
    picture = LatentTraversal(LatentTraversalOptions(**OPTIONS))(inputs_of(shifting_crops)).images["traversal_pc1"]
    assert picture.dtype == np.uint8
    assert picture.shape[1] == 4 * 160 + 5 * 4  # four tiles, five gaps
    assert picture.shape[0] > 2 * 160


def test_a_named_person_holds_the_skips(inputs_of, shifting_crops) -> None:
    inputs = inputs_of(shifting_crops)
    left = LatentTraversal(LatentTraversalOptions(**OPTIONS, skips="person", person_id=100))(inputs).tables["latent_traversal"]
    assert np.isfinite(left["nearest_person_distance_px"]).all()
    with pytest.raises(ExplainabilityError, match="person 7 "):
        LatentTraversal(LatentTraversalOptions(**OPTIONS, skips="person", person_id=7))(inputs)


def test_more_components_than_there_are(inputs_of, three_kinds) -> None:
    inputs = inputs_of(three_kinds[0])
    found = LatentTraversal(LatentTraversalOptions(components=50))(inputs)
    assert found.tables["latent_traversal"]["component"].max() == len(inputs.components)
    assert all(not isinstance(value, float) or np.isfinite(value) for value in found.facts.values())


def test_one_step_alone_has_no_chance_to_compare(inputs_of, shifting_crops) -> None:
    found = LatentTraversal(LatentTraversalOptions(components=1, steps=(0.0,)))(inputs_of(shifting_crops))
    assert found.facts["chance_nearest_person_distance_px"] is None
    assert found.note.endswith("px a joint apart.")
