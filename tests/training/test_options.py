"""Tests of posescope.training.options."""

import pytest
from pydantic import ValidationError

from posescope.core.errors import OptionsError
from posescope.training.options import TrainingOptions
from posescope.training.schedules import OneCycle, ReduceOnPlateau


def test_defaults_are_the_study_recipe() -> None:
    options = TrainingOptions()
    assert (options.epochs, options.batch_size, options.learning_rate) == (50, 16, 2.5e-4)
    assert (options.optimiser.name, options.loss.name, options.augmentations) == ("rmsprop", "mse", ())
    assert isinstance(options.schedule, ReduceOnPlateau)
    assert (options.schedule.options.factor, options.schedule.options.patience, options.schedule.options.max_reductions) == (
        5,
        5,
        1,
    )


def test_options_round_trip_through_json() -> None:
    options = TrainingOptions.model_validate(
        {
            "optimiser": {"name": "adamw", "options": {"weight_decay": 0.1}},
            "schedule": {"name": "one_cycle", "options": {"warmup_fraction": 0.2}},
            "augmentations": [{"name": "flip"}, {"name": "rotate_scale", "options": {"rotation_deg": 40}}],
        }
    )
    assert isinstance(options.schedule, OneCycle)
    assert TrainingOptions.model_validate(options.model_dump(mode="json")) == options


def test_false_is_read_as_off() -> None:
    assert TrainingOptions.model_validate({"amp": False}).amp == "off"  # YAML reads `amp: off` as false
    with pytest.raises(ValidationError, match="'off', 'bf16' or 'auto'"):
        TrainingOptions.model_validate({"amp": True})


def test_identity_excludes_options_that_change_no_weights() -> None:
    options = TrainingOptions(keep_checkpoints=7, resume="f00d", image_grid_every_epochs=0)
    assert options.identity() == TrainingOptions().identity()
    assert set(TrainingOptions.model_fields) - set(options.identity()) == {
        "keep_checkpoints",
        "resume",
        "image_grid_every_epochs",
        # These have their defaults, with which they are left out.
        "patience",
        "nodes",
        "rendezvous",
        "rendezvous_timeout_s",
        "lost_after_s",
        "shuffle_window_shards",
    }
    assert TrainingOptions(patience=3).identity()["patience"] == 3
    assert TrainingOptions(shuffle_window_shards=4).identity()["shuffle_window_shards"] == 4


def test_batch_size_is_a_number_or_auto() -> None:
    assert TrainingOptions(batch_size=4).persons_per_step == 4
    left_open = TrainingOptions.model_validate({"batch_size": "auto"})
    assert left_open.identity()["batch_size"] == "auto"
    with pytest.raises(OptionsError, match="auto"):
        _ = left_open.persons_per_step


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"epochs": 0}, "epochs"),
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": "largest"}, "batch_size"),
        ({"epoch": 3}, "epoch"),
        ({"keep_checkpoints": 0}, "keep_checkpoints"),
        ({"keep_checkpoints": 101}, "keep_checkpoints"),
        ({"image_grid_every_epochs": -1}, "image_grid_every_epochs"),
        ({"resume": "../elsewhere"}, "resume"),
        ({"final_weights": "average"}, "final_weights"),
        ({"device": "gpu"}, "device"),
        ({"schedule": {"name": "cosine"}}, "schedule"),
        ({"schedule": {"name": "one_cycle", "options": {"warmup_fraction": 1.0}}}, "warmup_fraction"),
        ({"optimiser": {"name": "lion"}}, "rmsprop"),
        ({"optimiser": {"name": "rmsprop", "options": {"alpha": 2}}}, "alpha"),
        ({"augmentations": [{"name": "flip", "options": {"p": 1}}]}, "unknown name"),
    ],
)
def test_invalid_option_is_named(wrong: dict[str, object], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        TrainingOptions.model_validate(wrong)


def test_identity_counts_the_processes_of_all_nodes() -> None:
    apart = TrainingOptions(nodes=2, processes=3, rendezvous="node0:29500", rendezvous_timeout_s=5, lost_after_s=7)
    assert apart.process_count == 6
    assert apart.identity() == apart.without_places().identity() == TrainingOptions(processes=6).identity()
    assert apart.without_places() == TrainingOptions(processes=6)
    alone = apart.on_one_node()
    assert (alone.nodes, alone.processes, alone.rendezvous, alone.lost_after_s) == (1, 3, None, 7)
    assert apart.identity() != TrainingOptions(processes=3).identity()


def test_several_nodes_need_a_rendezvous() -> None:
    with pytest.raises(ValidationError, match="rendezvous"):
        TrainingOptions(nodes=2)
    for address in ("node0", "http://node0:1", "node0:port", "a b:1", "::1:29500"):
        with pytest.raises(ValidationError, match="rendezvous"):
            TrainingOptions(nodes=2, rendezvous=address)
    assert TrainingOptions(nodes=2, rendezvous="[::1]:29500").nodes == 2
