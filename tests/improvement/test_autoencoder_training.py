"""Tests of posescope.improvement.autoencoder_training: planted causes are found, and nobody stands in two groups."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from posescope.core.plugins import ComponentSpec
from posescope.improvement.autoencoder_insertion import reconstruction_table
from posescope.improvement.autoencoder_training import autoencoder_options, split_features, train_autoencoder
from posescope.improvement.errors import ImprovementError
from posescope.improvement.options import AutoencoderTraining

CPU = torch.device("cpu")
ADAM = ComponentSpec(name="adamw", options={"weight_decay": 0.0})
QUICK = AutoencoderTraining(
    channels=(8, 8), code_activation="none", epochs=40, batch_size=32, optimiser=ADAM, learning_rate=5e-3, halve_every_epochs=15
)


def train(features, groups, code_size, options=QUICK):
    split = split_features(groups, options.validation_fraction, options.evaluation_fraction, options.seed)
    return train_autoencoder(features, split, autoencoder_options(options, code_size, features.shape[0]), options, CPU), split


@pytest.fixture(scope="module")
def enough(planted, groups):
    """An autoencoder whose code has as many numbers as there are causes, and who was held out."""
    return train(planted, groups, 3)


def kept(trained, features, split, groups, method="autoencoder"):
    return reconstruction_table(trained.autoencoder, features, split, groups, 0).set_index("method").loc[method]


def test_a_photograph_stands_in_one_group_whole(groups) -> None:
    split = split_features(groups, 0.1, 0.2, 0)
    parts = (split.train, split.validation, split.evaluation)
    assert [len(part) for part in parts] == [210, 30, 60]
    assert sorted(np.concatenate(parts)) == list(range(300))
    assert sorted(np.concatenate([np.unique(groups[part]) for part in parts])) == list(range(100))
    other = split_features(groups, 0.1, 0.2, 1)
    assert not np.array_equal(split.validation, other.validation)
    assert not np.array_equal(split.evaluation, other.evaluation)


@pytest.mark.parametrize(("validation", "evaluation"), [(0.01, 0.01), (0.9, 0.09), (0.09, 0.9), (0.5, 0.49)])
def test_three_photographs_are_one_a_group_whatever_the_shares(validation, evaluation) -> None:
    split = split_features(np.repeat([4, 7, 9], 2), validation, evaluation, 0)
    assert [len(part) for part in (split.train, split.validation, split.evaluation)] == [2, 2, 2]


def test_two_photographs_are_too_few() -> None:
    with pytest.raises(ImprovementError, match=r"three photographs or more .* found 2"):
        split_features(np.array([0, 0, 0, 1, 1]), 0.1, 0.1, 0)


def test_one_person_is_too_few_to_learn_from() -> None:
    with pytest.raises(ImprovementError, match=r"two persons or more .* found 1 \(3 photographs"):
        split_features(np.arange(3), 0.1, 0.1, 0)


def test_planted_causes_pass_a_code_of_their_number_and_not_a_smaller_one(enough, planted, groups) -> None:
    (trained, split), (too_few, _) = enough, train(planted, groups, 1)
    good, poor = kept(trained, planted, split, groups), kept(too_few, planted, split, groups)
    assert good["explained_variance"] > 0.9
    assert poor["explained_variance"] < 0.75
    assert kept(trained, planted, split, groups, "pca")["explained_variance"] == pytest.approx(1, abs=1e-6)
    assert kept(trained, planted, split, groups, "mean")["explained_variance"] == 0
    assert (good["dimensions"], good["persons"]) == (3, 30)


def test_what_is_kept_is_that_of_the_best_epoch(enough, planted, groups) -> None:
    trained, split = enough
    chose_it = replace(split, evaluation=split.validation)
    assert kept(trained, planted, chose_it, groups)["mse"] == pytest.approx(trained.best.val_loss, rel=1e-5)
    assert trained.best.val_loss == min(record.val_loss for record in trained.history)
    assert [record.learning_rate for record in trained.history[::15]] == [5e-3, 2.5e-3, 1.25e-3]


@pytest.mark.parametrize(("group", "epochs"), [("validation", 1), ("evaluation", 3)])
def test_nobody_of_the_other_groups_is_learned_from(planted, groups, group, epochs) -> None:
    """Other features of theirs change nothing in the weights; those that are measured do not choose among epochs either."""
    options = QUICK.model_copy(update={"epochs": epochs})
    first, split = train(planted, groups, 3, options)
    changed = planted.values.copy()
    changed[getattr(split, group)] = 7.0
    second, _ = train(replace(planted, values=changed), groups, 3, options)
    for one, other in zip(first.autoencoder.parameters(), second.autoencoder.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=0, rtol=0)
    chose_by = [[record.val_loss for record in trained.history] for trained in (first, second)]
    assert (chose_by[0] == chose_by[1]) == (group == "evaluation")


def test_components_and_mean_are_of_those_learned_from_and_all_are_measured_on_the_third_group(planted, groups) -> None:
    """Other features of those who chose the epoch change nothing in the table; of the measured, all rows."""
    trained, split = train(planted, groups, 3, QUICK.model_copy(update={"epochs": 1}))
    before = reconstruction_table(trained.autoencoder, planted, split, groups, 0)
    for group, same in (("validation", True), ("evaluation", False)):
        changed = planted.values.copy()
        changed[getattr(split, group)] += 7.0
        after = reconstruction_table(trained.autoencoder, replace(planted, values=changed), split, groups, 0)
        assert (after["mse"] == before["mse"]).tolist() == [same] * 3
    expected = ((planted.values[split.train].mean(axis=0) - planted.values[split.evaluation]) ** 2).mean()
    assert before.set_index("method").loc["mean", "mse"] == pytest.approx(expected, rel=1e-5)


def test_one_photograph_to_measure_on_gives_no_interval(planted, groups) -> None:
    trained, split = train(planted, groups, 3, QUICK.model_copy(update={"epochs": 1}))
    found = kept(trained, planted, replace(split, evaluation=split.evaluation[:3]), groups)
    assert np.isfinite(found["difference_to_pca"])
    assert np.isnan([found["low"], found["high"]]).all()


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
