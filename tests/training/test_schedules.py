"""Tests of posescope.training.schedules."""

import pytest
from pydantic import ValidationError

from posescope.training.schedules import (
    Constant,
    OneCycle,
    OneCycleOptions,
    ReduceOnPlateau,
    ReduceOnPlateauOptions,
    learning_rate_at,
)

RISE_THEN_FLAT = [0.1, 0.2, 0.3, 0.3, 0.29, 0.3, 0.2, 0.3]


def test_constant_rate() -> None:
    assert learning_rate_at(Constant(), 0.1, step=7, step_count=9, val_pcks=[0.5, 0.1]) == 0.1


def test_default_divides_by_five_once_after_five_epochs_without_improvement() -> None:
    study = ReduceOnPlateau(name="reduce_on_plateau")
    rates = [learning_rate_at(study, 1.0, 0, 1, RISE_THEN_FLAT[:epochs]) for epochs in range(9)]
    assert rates == [1.0] * 8 + [0.2]  # the best is the third; the fourth to eighth are no better
    assert learning_rate_at(study, 1.0, 0, 1, RISE_THEN_FLAT + [0.1] * 20) == 0.2


def test_patience_restarts_after_a_reduction() -> None:
    options = ReduceOnPlateauOptions(factor=2, patience=2, max_reductions=3)
    plateau = ReduceOnPlateau(name="reduce_on_plateau", options=options)
    rates = [learning_rate_at(plateau, 8.0, 0, 1, [0.5] * epochs) for epochs in range(1, 10)]
    assert rates == [8, 8, 4, 4, 2, 2, 1, 1, 1]


def test_nan_pck_is_no_improvement() -> None:
    plateau = ReduceOnPlateau(name="reduce_on_plateau", options=ReduceOnPlateauOptions(factor=2, patience=1))
    assert learning_rate_at(plateau, 8.0, 0, 1, [0.5, float("nan")]) == 4


def test_one_cycle_start_peak_and_end_by_hand() -> None:
    cycle = OneCycle(name="one_cycle", options=OneCycleOptions(warmup_fraction=0.2, start_fraction=0.1, final_fraction=0.01))
    rates = [learning_rate_at(cycle, 2.0, step, 101, []) for step in range(101)]
    assert rates[0] == pytest.approx(0.2)
    assert rates[10] == pytest.approx(1.1)  # half way up
    assert rates[20] == pytest.approx(2.0)
    assert rates[60] == pytest.approx((2.0 + 0.02) / 2)  # half way down
    assert rates[100] == pytest.approx(0.02)


@pytest.mark.parametrize("step_count", [1, 2, 3])
def test_one_cycle_of_few_steps_is_finite(step_count: int) -> None:
    cycle = OneCycle(name="one_cycle")
    assert all(0 < learning_rate_at(cycle, 1.0, step, step_count, []) <= 1 for step in range(step_count))


def test_factor_below_one_is_refused() -> None:
    with pytest.raises(ValidationError, match="factor"):
        ReduceOnPlateauOptions(factor=0.2)
