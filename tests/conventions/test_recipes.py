"""The recipes of the environments, merged over the base."""

from pathlib import Path

import pytest

from posescope.core.plugins import build, check_options
from posescope.core.skeleton import COCO_PERSON
from posescope.data.crops.options import CropOptions
from posescope.kedro_support.config_loader import ComponentConfigLoader
from posescope.models.complexity import count_parameters
from posescope.pipelines.modelling.options import ModellingOptions
from posescope.settings import CONFIG_LOADER_ARGS

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def parameters():
    def load(env):
        return ComponentConfigLoader(conf_source=str(REPOSITORY / "conf"), env=env, **CONFIG_LOADER_ARGS)["parameters"]

    return load


@pytest.mark.parametrize("env", ["thesis", "thesis_final"])
def test_thesis_environments_build_the_studys_network(parameters, env):
    merged = parameters(env)
    options = ModellingOptions.model_validate(merged["modelling"])
    size = merged["data_engineering"]["crop"]["size_px"]
    network = build("models", options.model, crop_size=(size, size), joint_count=len(COCO_PERSON))
    assert count_parameters(network) == 14_526_053
    assert network.map_size == (64, 64)


def test_thesis_environment_follows_the_document(parameters):
    merged = parameters("thesis")
    training = ModellingOptions.model_validate(merged["modelling"]).training
    codec, crop = merged["data_engineering"]["codec"], CropOptions.model_validate(merged["data_engineering"]["crop"])
    assert codec == {"name": "thesis_256", "options": {"stride": 4, "sigma_visible": 0.5, "sigma_occluded": 1.0}}
    assert (crop.rule, crop.size_px) == ("centred_square", 256)
    square = check_options("crop_rules", crop.rule_spec)
    assert (square.box, square.margin, square.min_side_px) == ("annotated", 0.1, 1)
    assert training.optimiser.name == "rmsprop"
    optimiser = check_options("optimisers", training.optimiser)
    assert (optimiser.form, optimiser.delta, optimiser.momentum, optimiser.weight_decay) == ("textbook", 1e-6, 0, 0)


def test_values_missing_in_the_thesis_are_those_of_the_later_recipe(parameters):
    """The recipes differ in the box of the square, the codec and the form of the optimiser only."""
    document, later = parameters("thesis"), parameters("thesis_final")
    assert document != later
    optimiser = document["modelling"]["training"]["optimiser"]["options"]
    del document["data_engineering"]["crop"]["rule_options"], optimiser["form"], optimiser["delta"]
    document["data_engineering"]["codec"]["name"] = "thesis"
    document["inference"]["overlays"]["draw_threshold"] = 0.1
    assert document == later


def test_thesis_final_environment_has_the_later_recipe(parameters):
    merged = parameters("thesis_final")
    training = ModellingOptions.model_validate(merged["modelling"]).training
    assert merged["data_engineering"]["codec"]["name"] == "thesis"
    assert merged["data_engineering"]["crop"]["rule"] == "centred_square"
    assert check_options("crop_rules", CropOptions.model_validate(merged["data_engineering"]["crop"]).rule_spec).box == (
        "annotated_and_keypoints"
    )
    assert (training.learning_rate, training.batch_size, training.epochs) == (2.5e-4, 16, 50)
    assert (training.optimiser.name, training.optimiser.options) == ("rmsprop", {"alpha": 0.99})
    assert (training.loss.name, training.loss.options) == ("mse", {"foreground_weight": 0})
    assert training.augmentations == ()
    assert training.schedule.name == "reduce_on_plateau"
    assert (training.schedule.options.factor, training.schedule.options.patience, training.schedule.options.max_reductions) == (
        5,
        5,
        1,
    )


def test_coco_environment_pads_and_augments(parameters):
    merged = parameters("coco")
    training = ModellingOptions.model_validate(merged["modelling"]).training
    assert merged["data_engineering"]["crop"]["rule"] == "padded_square"
    assert merged["data_engineering"]["sample"] is None
    assert [spec.name for spec in training.augmentations] == ["flip", "half_body", "rotate_scale", "translate", "colour_jitter"]
    assert merged["evaluation"]["prediction"]["flip_test"] is True
