import numpy as np
import pytest

from posescope.explainability.errors import ExplainError
from posescope.explainability.traversal.latent_traversal import Walks, WalksOptions

OPTIONS = {"components": 1, "steps": (-1.5, -0.5, 0.5, 1.5)}


@pytest.mark.parametrize("skips", ["mean", "zero", "person"])
def test_the_planted_component_moves_red_from_side_to_side(inputs_of, shifting_crops, skips) -> None:
    inputs = inputs_of(shifting_crops)
    found = Walks(WalksOptions(**OPTIONS, skips=skips))(inputs)
    table = found.tables["walks"]
    assert table["step"].tolist() == [-1.5, -0.5, 0.5, 1.5]
    # The axis points to more red on the left or on the right; the persons follow: their order is that of the amount.
    order = table["nearest_person_id"].to_numpy()
    assert (np.diff(order) > 0).all() or (np.diff(order) < 0).all()
    # 1.5 deviations of 41 even steps over 0..1 (sd 0.2958) lie 0.4437 = 17.7 persons off the middle one, number 120.
    assert sorted(order)[0] == 102
    assert sorted(order)[-1] == 138
    # The joint jumps by 20 px (five cells) or, where the skips hold no cell, to the first cell of the other quarter: 16 px.
    # Measured from the decoded mean, one side stays, the other moves; over two joints that is half.
    assert table["moved_px"].max() == pytest.approx(8.0 if skips == "zero" else 10.0, abs=0.1)
    if skips != "zero":
        assert table["agreement_px"].to_numpy() == pytest.approx(0, abs=1e-3)
        assert found.note.endswith("lie 0.0 px a joint apart (other steps' persons: 6.7 px).")
    assert found.facts["components_for_95"] == 1


def test_sheet_has_two_rows(inputs_of, shifting_crops) -> None:
    picture = Walks(WalksOptions(**OPTIONS))(inputs_of(shifting_crops)).pictures["walk_pc1"]
    assert picture.dtype == np.uint8
    assert picture.shape[1] == 4 * 160 + 5 * 4  # four tiles, five gaps
    assert picture.shape[0] > 2 * 160


def test_a_named_person_holds_the_skips(inputs_of, shifting_crops) -> None:
    inputs = inputs_of(shifting_crops)
    left = Walks(WalksOptions(**OPTIONS, skips="person", person_id=100))(inputs).tables["walks"]
    assert np.isfinite(left["agreement_px"]).all()
    with pytest.raises(ExplainError, match="person 7 "):
        Walks(WalksOptions(**OPTIONS, skips="person", person_id=7))(inputs)


def test_more_components_than_there_are(inputs_of, three_kinds) -> None:
    inputs = inputs_of(three_kinds[0])
    found = Walks(WalksOptions(components=50))(inputs)
    assert found.tables["walks"]["component"].max() == len(inputs.components)
    assert all(not isinstance(value, float) or np.isfinite(value) for value in found.facts.values())


def test_one_step_alone_has_no_chance_to_compare(inputs_of, shifting_crops) -> None:
    found = Walks(WalksOptions(components=1, steps=(0.0,)))(inputs_of(shifting_crops))
    assert found.facts["agreement_by_chance_px"] is None
    assert found.note.endswith("px a joint apart.")
