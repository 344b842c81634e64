"""Tests of posescope.improvement.options."""

import pytest
from pydantic import ValidationError

from posescope.improvement.options import AutoencoderTraining, FineTuning, ImproveOptions
from posescope.kedro_support.config_loader import ComponentConfigLoader
from posescope.settings import CONFIG_LOADER_ARGS
from posescope.training.options import TrainingOptions


def test_fine_tuning_changes_epochs_and_learning_rate_only() -> None:
    training = TrainingOptions(epochs=17, learning_rate=0.016, seed=3, resume="f00d")
    tuned = FineTuning(epochs=5, learning_rate_factor=0.25).apply_to(training)
    assert (tuned.epochs, tuned.learning_rate, tuned.resume) == (5, pytest.approx(0.004), None)
    rest = {"epochs", "learning_rate", "resume"}
    assert FineTuning().apply_to(TrainingOptions(patience=3)).patience is None, "both networks train for all epochs"
    assert tuned.model_dump(exclude=rest) == training.model_dump(exclude=rest)


def test_fine_tuning_takes_what_the_first_training_resolved() -> None:
    resolved = TrainingOptions(batch_size=32, amp="bf16", learning_rate=9.0).model_dump(mode="json")
    tuned = FineTuning().apply_to(TrainingOptions(batch_size="auto", amp="auto", learning_rate=0.1), resolved)
    assert (tuned.batch_size, tuned.amp, tuned.learning_rate) == (32, "bf16", 0.1)
    assert FineTuning().apply_to(TrainingOptions(batch_size=8), resolved).batch_size == 8
    assert FineTuning().apply_to(TrainingOptions(batch_size="auto")).batch_size == "auto"


@pytest.mark.parametrize("env", ["thesis", "thesis_final"])
def test_thesis_environments_have_the_autoencoder_of_the_study(request: pytest.FixtureRequest, env: str) -> None:
    conf = str(request.config.rootpath / "conf")
    merged = ComponentConfigLoader(conf_source=conf, env=env, **CONFIG_LOADER_ARGS)["parameters"]["improve"]
    options = ImproveOptions.model_validate(merged)
    autoencoder = options.autoencoder
    assert (autoencoder.code_size, autoencoder.channels, autoencoder.noise) == (50, (192, 128, 64), 0.1)
    assert (autoencoder.optimiser.name, autoencoder.optimiser.options) == ("sgd", {"momentum": 0.9})
    assert (autoencoder.learning_rate, autoencoder.halve_every_epochs) == (5e-4, 25)
    assert options.fine_tuning == FineTuning(epochs=50, learning_rate_factor=1.0)


@pytest.mark.parametrize(("validation", "evaluation"), [(0.5, 0.5), (0.1, 0.95)])
def test_fractions_without_training_images_are_refused(validation, evaluation) -> None:
    with pytest.raises(ValidationError, match="below"):
        AutoencoderTraining(validation_fraction=validation, evaluation_fraction=evaluation)
    assert AutoencoderTraining(validation_fraction=0.5, evaluation_fraction=0.4).evaluation_fraction == 0.4


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1])
def test_fractions_outside_0_to_1_are_refused(fraction) -> None:
    for name in ("validation_fraction", "evaluation_fraction"):
        with pytest.raises(ValidationError, match=name):
            AutoencoderTraining(**{name: fraction})
