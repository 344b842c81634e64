"""Fixtures of a data set of dots that a network learns in seconds, and of a recipe with trials of half a second."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from posescope.core.plugins import ComponentSpec
from posescope.data.crops.crop_statistics import CropStatistics
from posescope.geometry.crop_recipe import CropRecipe
from posescope.training.options import TrainingOptions
from posescope.tuning.options import Recipe, TuneOptions
from posescope.tuning.trial import TuningData

# The dots of the tests of training.
_SPEC = spec_from_file_location("training_dots", Path(__file__).parents[1] / "training" / "conftest.py")
dots: Any = module_from_spec(_SPEC)
_SPEC.loader.exec_module(dots)

SPACE: dict[str, Any] = {
    "modelling.training.learning_rate": {"low": 0.001, "high": 0.02, "log": True},
    "modelling.training.batch_size": {"choices": [4, 8]},
    "modelling.training.augmentations": {"choices": [[], [{"name": "flip"}]]},
}


def recipe_of_dots() -> Recipe:
    network = {"channels": 8, "stem_channels": 4, "depth": 1, "bottleneck_residuals": 1}
    return Recipe(
        codec=ComponentSpec(name="gaussian", options={"stride": 4, "sigma_heatmap_px": 1.0}),
        model=ComponentSpec(name="hourglass", options=network),
        training=TrainingOptions(epochs=50, batch_size=8, learning_rate=0.01, device="cpu", threads=1),
    )


def data_of_dots() -> TuningData:
    crop = CropRecipe(rule=ComponentSpec(name="centred_square"))
    statistics = CropStatistics((0.43, 0.43, 0.43), (dots.SIZE, dots.SIZE), crop, "dots")
    return TuningData(dots.make_dots(16, seed=1), dots.make_dots(6, seed=2), dots.DOTS, statistics)


def options_of_dots(**changes: Any) -> TuneOptions:
    return TuneOptions.model_validate({"space": SPACE, "trials": 3, "epochs": 2, "startup_trials": 1, **changes})


@pytest.fixture
def recipe() -> Recipe:
    return recipe_of_dots()


@pytest.fixture
def data() -> TuningData:
    return data_of_dots()


@pytest.fixture
def make_options():
    return options_of_dots


@pytest.fixture(autouse=True)
def few_threads(one_thread: None) -> None:
    """Run tests on one thread, which is fastest for small networks."""
