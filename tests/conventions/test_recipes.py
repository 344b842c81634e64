"""The recipes of the environments, as they come out merged over the base."""

from pathlib import Path

import pytest

from posescope.config_loader import ComponentConfigLoader
from posescope.models.counting import count_parameters
from posescope.pipelines.modelling.options import ModellingOptions
from posescope.plugins import build
from posescope.settings import CONFIG_LOADER_ARGS
from posescope.skeleton import COCO_PERSON

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def parameters():
    def load(env):
        return ComponentConfigLoader(conf_source=str(REPOSITORY / "conf"), env=env, **CONFIG_LOADER_ARGS)["parameters"]

    return load


def test_the_thesis_environment_builds_the_studys_network(parameters):
    merged = parameters("thesis")
    options = ModellingOptions.model_validate(merged["modelling"])
    size = merged["data_engineering"]["crop"]["size_px"]
    network = build("models", options.model, crop_size=(size, size), joint_count=len(COCO_PERSON))
    assert count_parameters(network) == 14_526_053
    assert network.map_size == (64, 64)


def test_the_thesis_environment_has_the_studys_recipe(parameters):
    merged = parameters("thesis")
    training = ModellingOptions.model_validate(merged["modelling"]).training
    assert merged["data_engineering"]["codec"]["name"] == "thesis"
    assert merged["data_engineering"]["crop"]["rule"] == "centred_square"
    assert (training.learning_rate, training.batch_size, training.epochs) == (2.5e-4, 16, 50)
    assert (training.optimiser.name, training.optimiser.options) == ("rmsprop", {"alpha": 0.99})
    assert (training.loss.name, training.loss.options) == ("mse", {"emphasis": 0})
    assert training.augmentations == ()
    assert training.schedule.name == "reduce_on_plateau"
    assert (training.schedule.options.factor, training.schedule.options.patience, training.schedule.options.max_reductions) == (
        5,
        5,
        1,
    )


def test_the_coco_environment_pads_and_augments(parameters):
    merged = parameters("coco")
    training = ModellingOptions.model_validate(merged["modelling"]).training
    assert merged["data_engineering"]["crop"]["rule"] == "padded_square"
    assert merged["data_engineering"]["sample"] is None
    assert [spec.name for spec in training.augmentations] == ["flip", "half_body", "rotate_scale", "translate", "colour"]
    assert merged["evaluation"]["prediction"]["flip_test"] is True
