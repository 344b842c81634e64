"""Tests of posescope.tuning.search_space: values are merged into the parameters and checked before training."""

import pytest

from posescope.tuning.options import SearchDimension
from posescope.tuning.search_space import SearchSpaceError, check_space, recipe_with


def test_only_the_given_parameter_changes(recipe) -> None:
    changed = recipe_with(recipe, {"modelling.model.options.channels": 16, "modelling.training.learning_rate": 0.5})
    assert changed.model.options == {**recipe.model.options, "channels": 16}
    assert changed.training == recipe.training.model_copy(update={"learning_rate": 0.5})
    assert changed.codec == recipe.codec


def test_another_component_drops_the_options_of_the_replaced_one(recipe) -> None:
    assert recipe_with(recipe, {"data_engineering.codec": {"name": "thesis"}}).codec.options == {}
    assert recipe_with(recipe, {"data_engineering.codec.name": "thesis"}).codec.options == {}
    assert recipe_with(recipe, {"data_engineering.codec.name": "gaussian"}).codec == recipe.codec


def test_lists_are_replaced(recipe) -> None:
    flipped = recipe_with(recipe, {"modelling.training.augmentations": [{"name": "flip"}]})
    assert [spec.name for spec in flipped.training.augmentations] == ["flip"]
    assert recipe_with(flipped, {"modelling.training.augmentations": []}).training.augmentations == ()


def test_every_invalid_value_is_named(recipe) -> None:
    space = {
        "modelling.training.learning_rat": SearchDimension(low=0.1, high=0.2),
        "modelling.training.batch_size": SearchDimension(choices=[0, 8]),
        "modelling.training.augmentations": SearchDimension(choices=[[], [{"name": "flop"}]]),
        "modelling.model.options.channels": SearchDimension(choices=[8, "many"]),
        "data_engineering.codec": SearchDimension(
            choices=[{"name": "gaussian"}, {"name": "thesis", "options": {"sigma_heatmap_px": 1}}]
        ),
        "modelling.training.grad_clip": SearchDimension(low=-1.0, high=1.0),
    }
    with pytest.raises(SearchSpaceError) as caught:
        check_space(recipe, space)
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("7 ")
    for line, expected in zip(
        lines[1:],
        [
            "learning_rat: unknown name", "learning_rat: unknown name", "training.batch_size: Input should be greater",
            "No component 'flop'", "found 'many'", "sigma_heatmap_px: unknown name", "training.grad_clip: Input should be",
        ],
        strict=True,
    ):  # fmt: skip
        assert expected in line
    assert "modelling.training.batch_size, value 0: " in lines[3]
