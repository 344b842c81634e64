"""Tests of posescope.geometry.crop_recipe."""

import pytest
from pydantic import ValidationError

from posescope.core.errors import OptionsError
from posescope.core.plugins import ComponentNotAllowedError, ComponentSpec, StoredComponent
from posescope.geometry.crop_recipe import CropRecipe, follows_aspect, read_crop_recipe
from posescope.geometry.square_boxes import PaddedSquare
from posescope.geometry.top_down_boxes import TopDown

PADDED = ComponentSpec(name="padded_square", options={"margin": 0.3})


def test_margin_is_that_of_the_rule() -> None:
    assert CropRecipe(rule=PADDED).margin == 0.3
    assert CropRecipe(rule=ComponentSpec(name="centred_square")).margin == 0.1


def test_margin_of_an_unknown_rule_is_an_error() -> None:
    with pytest.raises(OptionsError, match="No component 'round'"):
        _ = CropRecipe(rule=ComponentSpec(name="round")).margin


def test_round_trip() -> None:
    recipe = CropRecipe(rule=PADDED, padding_rgb=(1, 2, 3))
    assert read_crop_recipe({"crop": recipe.model_dump(mode="json")}).trusted(()) == recipe


def test_older_description_with_the_rule_name_only() -> None:
    found = read_crop_recipe({"crop_rule": "padded_square"})
    assert (found.rule, found.padding_rgb) == (StoredComponent(name="padded_square"), (124, 116, 104))


def test_rule_of_a_file_is_loaded_if_installed_or_allowed() -> None:
    dotted = "posescope.geometry.square_boxes:PaddedSquare"
    assert read_crop_recipe({"crop_rule": "centred_square"}).margin == 0.1
    stored = read_crop_recipe({"crop": {"rule": {"name": dotted, "options": {"margin": 0.25}}}})
    with pytest.raises(ComponentNotAllowedError, match=dotted):
        _ = stored.margin
    with pytest.raises(ComponentNotAllowedError, match=dotted):
        stored.trusted(["posescope.geometry.square_boxes:CentredSquare"])
    assert stored.trusted([dotted]).margin == 0.25


def test_padding_colour_out_of_range_is_refused() -> None:
    with pytest.raises(ValidationError, match="less than or equal to 255"):
        CropRecipe(rule=PADDED, padding_rgb=(0, 0, 256))


def test_detected_boxes_are_cropped_by_the_rule_if_it_follows_the_aspect_ratio() -> None:
    found = CropRecipe(rule=ComponentSpec(name="top_down", options={"padding": 1.5})).rule_of_detected_boxes()
    assert isinstance(found, TopDown)
    assert found.options.padding == 1.5
    for name in ("padded_square", "centred_square"):
        square = CropRecipe(rule=ComponentSpec(name=name, options={"margin": 0.3})).rule_of_detected_boxes()
        assert isinstance(square, PaddedSquare)
        assert square.options.margin == 0.3


def test_only_top_down_follows_the_aspect_ratio() -> None:
    assert {name: follows_aspect(name) for name in ("centred_square", "padded_square", "top_down")} == {
        "centred_square": False, "padded_square": False, "top_down": True,
    }  # fmt: skip
    with pytest.raises(OptionsError, match="No component 'round'"):
        follows_aspect("round")
