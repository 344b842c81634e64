"""Tests of posescope.improvement.autoencoder_training: planted causes are found, and nobody held out is learned from."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from posescope.improvement.autoencoder_training import autoencoder_options, hold_out, train_autoencoder
from posescope.improvement.errors import ImprovementError
from posescope.improvement.insertion import reconstruction_table
from posescope.improvement.options import AutoencoderTraining
from posescope.plugins import ComponentSpec

CPU = torch.device("cpu")
ADAM = ComponentSpec(name="adamw", options={"weight_decay": 0.0})
QUICK = AutoencoderTraining(
    channels=(8, 8), code_activation="none", epochs=40, batch_size=32, optimiser=ADAM, learning_rate=5e-3, halve_every_epochs=15
)


def train(features, groups, code_size, options=QUICK):
    split = hold_out(groups, options.held_out_share, options.seed)
    return train_autoencoder(features, split, autoencoder_options(options, code_size, features.shape[0]), options, CPU), split


@pytest.fixture(scope="module")
def enough(planted, groups):
    """An autoencoder whose code has as many numbers as there are causes, and who was held out."""
    return train(planted, groups, 3)


def kept(trained, features, split, groups, what="autoencoder"):
    return reconstruction_table(trained.autoencoder, features, split, groups, 0).set_index("what").loc[what]


def test_a_photograph_is_held_out_whole(groups) -> None:
    split = hold_out(groups, 0.1, 0)
    assert set(groups[split.learned]).isdisjoint(groups[split.held_out])
    assert sorted([*split.learned, *split.held_out]) == list(range(300))
    assert len(split.held_out) == 30
    assert not np.array_equal(split.held_out, hold_out(groups, 0.1, 1).held_out)


def test_one_photograph_is_too_few() -> None:
    with pytest.raises(ImprovementError, match="two photographs or more"):
        hold_out(np.zeros(5, dtype=np.int64), 0.5, 0)


def test_planted_causes_pass_a_code_of_their_number_and_not_a_smaller_one(enough, planted, groups) -> None:
    (trained, split), (too_few, _) = enough, train(planted, groups, 1)
    good, poor = kept(trained, planted, split, groups), kept(too_few, planted, split, groups)
    assert good["variance_kept"] > 0.9
    assert poor["variance_kept"] < 0.75
    assert kept(trained, planted, split, groups, "pca")["variance_kept"] == pytest.approx(1, abs=1e-6)
    assert kept(trained, planted, split, groups, "mean")["variance_kept"] == 0
    assert (good["numbers"], good["persons"]) == (3, 30)


def test_what_is_kept_is_that_of_the_best_epoch(enough, planted, groups) -> None:
    trained, split = enough
    assert kept(trained, planted, split, groups)["mse"] == pytest.approx(trained.best.held_out_loss, rel=1e-5)
    assert trained.best.held_out_loss == min(record.held_out_loss for record in trained.history)
    assert [record.learning_rate for record in trained.history[::15]] == [5e-3, 2.5e-3, 1.25e-3]


def test_nobody_held_out_is_learned_from(planted, groups) -> None:
    """Other features of theirs change nothing in the weights after one epoch."""
    options = QUICK.model_copy(update={"epochs": 1})
    first, split = train(planted, groups, 3, options)
    changed = planted.values.copy()
    changed[split.held_out] = 7.0
    second, _ = train(replace(planted, values=changed), groups, 3, options)
    for one, other in zip(first.autoencoder.parameters(), second.autoencoder.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=0, rtol=0)


def test_the_same_seed_gives_the_same_weights(planted, groups) -> None:
    options = QUICK.model_copy(update={"epochs": 2})
    once, again, other = (train(planted, groups, 3, options.model_copy(update={"seed": seed}))[0] for seed in (4, 4, 5))
    assert [record.train_loss for record in once.history] == [record.train_loss for record in again.history]
    assert once.history[0].train_loss != other.history[0].train_loss


def test_an_error_that_is_not_finite_is_named(planted, groups) -> None:
    options = QUICK.model_copy(update={"optimiser": ComponentSpec(name="sgd"), "learning_rate": 1e6, "epochs": 3})
    with pytest.raises(ImprovementError, match=r"improve\.autoencoder\.learning_rate"):
        train(planted, groups, 3, options)


def test_the_widths_are_the_studys_in_proportion() -> None:
    assert autoencoder_options(AutoencoderTraining(), 50, 256).channels == (192, 128, 64)
    assert autoencoder_options(AutoencoderTraining(), 50, 64).channels == (48, 32, 16)
    assert autoencoder_options(AutoencoderTraining(), 50, 4).channels == (3, 2, 1)
    assert autoencoder_options(AutoencoderTraining(channels=(5,)), 50, 64).channels == (5,)
