"""Tests of posescope.improvement.autoencoder_training: planted causes, and disjoint groups of the split."""

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
    """An autoencoder whose code has as many numbers as there are causes, and its split."""
    return train(planted, groups, 3)


def kept(trained, features, split, groups, method="autoencoder"):
    return reconstruction_table(trained.autoencoder, features, split, groups, 0).set_index("method").loc[method]


def test_persons_of_an_image_are_in_one_group(groups) -> None:
    split = split_features(groups, 0.1, 0.2, 0)
    parts = (split.train, split.validation, split.evaluation)
    assert [len(part) for part in parts] == [210, 30, 60]
    assert sorted(np.concatenate(parts)) == list(range(300))
    assert sorted(np.concatenate([np.unique(groups[part]) for part in parts])) == list(range(100))
    other = split_features(groups, 0.1, 0.2, 1)
    assert not np.array_equal(split.validation, other.validation)
    assert not np.array_equal(split.evaluation, other.evaluation)


@pytest.mark.parametrize(("validation", "evaluation"), [(0.01, 0.01), (0.9, 0.09), (0.09, 0.9), (0.5, 0.49)])
def test_three_images_are_one_per_group_for_all_fractions(validation, evaluation) -> None:
    split = split_features(np.repeat([4, 7, 9], 2), validation, evaluation, 0)
    assert [len(part) for part in (split.train, split.validation, split.evaluation)] == [2, 2, 2]


def test_two_images_are_refused() -> None:
    with pytest.raises(ImprovementError, match="images"):
        split_features(np.array([0, 0, 0, 1, 1]), 0.1, 0.1, 0)


def test_one_training_person_is_refused() -> None:
    with pytest.raises(ImprovementError, match="training"):
        split_features(np.arange(3), 0.1, 0.1, 0)


def test_code_of_the_number_of_planted_causes_is_sufficient_and_a_smaller_one_is_not(enough, planted, groups) -> None:
    (trained, split), (too_few, _) = enough, train(planted, groups, 1)
    good, poor = kept(trained, planted, split, groups), kept(too_few, planted, split, groups)
    assert good["explained_variance"] > 0.9
    assert poor["explained_variance"] < 0.75
    assert kept(trained, planted, split, groups, "pca")["explained_variance"] == pytest.approx(1, abs=1e-6)
    assert kept(trained, planted, split, groups, "mean")["explained_variance"] == 0
    assert (good["dimensions"], good["persons"]) == (3, 30)


def test_weights_are_those_of_the_best_epoch(enough, planted, groups) -> None:
    trained, split = enough
    chose_it = replace(split, evaluation=split.validation)
    assert kept(trained, planted, chose_it, groups)["mse"] == pytest.approx(trained.best.val_loss, rel=1e-5)
    assert trained.best.val_loss == min(record.val_loss for record in trained.history)
    assert [record.learning_rate for record in trained.history[::15]] == [5e-3, 2.5e-3, 1.25e-3]


@pytest.mark.parametrize(("group", "epochs"), [("validation", 1), ("evaluation", 3)])
def test_only_training_persons_change_the_weights(planted, groups, group, epochs) -> None:
    """Other features of validation or evaluation persons leave the weights unchanged; those for evaluation also the selection."""
    options = QUICK.model_copy(update={"epochs": epochs})
    first, split = train(planted, groups, 3, options)
    changed = planted.values.copy()
    changed[getattr(split, group)] = 7.0
    second, _ = train(replace(planted, values=changed), groups, 3, options)
    for one, other in zip(first.autoencoder.parameters(), second.autoencoder.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=0, rtol=0)
    chose_by = [[record.val_loss for record in trained.history] for trained in (first, second)]
    assert (chose_by[0] == chose_by[1]) == (group == "evaluation")


def test_pca_and_mean_are_of_the_training_persons_and_measured_on_the_evaluation_persons(planted, groups) -> None:
    """Other features of validation persons leave the table unchanged; those of evaluation persons change all rows."""
    trained, split = train(planted, groups, 3, QUICK.model_copy(update={"epochs": 1}))
    before = reconstruction_table(trained.autoencoder, planted, split, groups, 0)
    for group, same in (("validation", True), ("evaluation", False)):
        changed = planted.values.copy()
        changed[getattr(split, group)] += 7.0
        after = reconstruction_table(trained.autoencoder, replace(planted, values=changed), split, groups, 0)
        assert (after["mse"] == before["mse"]).tolist() == [same] * 3
    expected = ((planted.values[split.train].mean(axis=0) - planted.values[split.evaluation]) ** 2).mean()
    assert before.set_index("method").loc["mean", "mse"] == pytest.approx(expected, rel=1e-5)


def test_one_evaluation_image_has_no_interval(planted, groups) -> None:
    trained, split = train(planted, groups, 3, QUICK.model_copy(update={"epochs": 1}))
    found = kept(trained, planted, replace(split, evaluation=split.evaluation[:3]), groups)
    assert np.isfinite(found["difference_to_pca"])
    assert np.isnan([found["low"], found["high"]]).all()


def test_same_seed_gives_the_same_weights(planted, groups) -> None:
    options = QUICK.model_copy(update={"epochs": 2})
    once, again, other = (train(planted, groups, 3, options.model_copy(update={"seed": seed}))[0] for seed in (4, 4, 5))
    assert [record.train_loss for record in once.history] == [record.train_loss for record in again.history]
    assert once.history[0].train_loss != other.history[0].train_loss


def test_non_finite_loss_is_refused(planted, groups) -> None:
    options = QUICK.model_copy(update={"optimiser": ComponentSpec(name="sgd"), "learning_rate": 1e6, "epochs": 3})
    with pytest.raises(ImprovementError, match="learning_rate"):
        train(planted, groups, 3, options)


def test_widths_are_proportional_to_those_of_the_study() -> None:
    assert autoencoder_options(AutoencoderTraining(), 50, 256).channels == (192, 128, 64)
    assert autoencoder_options(AutoencoderTraining(), 50, 64).channels == (48, 32, 16)
    assert autoencoder_options(AutoencoderTraining(), 50, 4).channels == (3, 2, 1)
    assert autoencoder_options(AutoencoderTraining(channels=(5,)), 50, 64).channels == (5,)
