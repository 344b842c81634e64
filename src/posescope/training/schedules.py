"""Learning-rate schedules as pure functions of the step and of the validation PCK so far.

There is no scheduler state to save: a resumed run computes the same rates from its history.

    constant            ────────────          one_cycle   ╱╲___
    reduce_on_plateau   ───────┐____                     ╱     ╲____
"""

import math
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from posescope.core.plugins import Options

__all__ = ["Constant", "OneCycle", "ReduceOnPlateau", "Schedule", "learning_rate_at"]


class Constant(Options):
    """Constant learning rate."""

    name: Literal["constant"] = "constant"


class ReduceOnPlateauOptions(Options):
    """Options of `reduce_on_plateau`; the defaults are those of the thesis."""

    factor: float = Field(default=5.0, gt=1, description="Divisor of the rate")
    patience: int = Field(default=5, ge=1, description="Epochs without a higher validation PCK before a reduction")
    max_reductions: int = Field(default=1, ge=1, description="Largest number of reductions")


class ReduceOnPlateau(Options):
    """Learning rate that is reduced when the validation PCK has stopped rising."""

    name: Literal["reduce_on_plateau"]
    options: ReduceOnPlateauOptions = ReduceOnPlateauOptions()


class OneCycleOptions(Options):
    """Options of `one_cycle`: half a cosine up, then half a cosine down (Smith and Topin, "Super-convergence", 2018)."""

    warmup_fraction: float = Field(default=0.1, ge=0, lt=1, description="Fraction of all steps in which the rate rises")
    start_fraction: float = Field(default=0.04, ge=0, le=1, description="First rate as a fraction of `learning_rate`, the peak")
    final_fraction: float = Field(default=0.001, ge=0, le=1, description="Last rate as a fraction of the peak")


class OneCycle(Options):
    """Learning rate that rises to its peak and falls to almost zero over the whole run."""

    name: Literal["one_cycle"]
    options: OneCycleOptions = OneCycleOptions()


Schedule = Annotated[Constant | ReduceOnPlateau | OneCycle, Field(discriminator="name")]


def learning_rate_at(
    schedule: Constant | ReduceOnPlateau | OneCycle, base_rate: float, step: int, step_count: int, val_pcks: Sequence[float]
) -> float:
    """Return the learning rate of one step.

    Args:
        schedule: the schedule with its options.
        base_rate: `learning_rate` of the training options.
        step: index of the step in the whole run, from 0.
        step_count: number of steps in the whole run.
        val_pcks: validation PCK of each complete epoch.
    """
    match schedule:
        case ReduceOnPlateau(options=options):
            return base_rate / options.factor ** _count_reductions(options, val_pcks)
        case OneCycle(options=options):
            return base_rate * _cycle_fraction(options, step, step_count)
        case Constant():
            return base_rate


def _count_reductions(options: ReduceOnPlateauOptions, val_pcks: Sequence[float]) -> int:
    """Return the number of reductions so far; each reduction resets the count of epochs without improvement."""
    best, bad_epochs, reductions = -math.inf, 0, 0
    for pck in val_pcks:
        best, bad_epochs = (pck, 0) if pck > best else (best, bad_epochs + 1)
        if bad_epochs == options.patience and reductions < options.max_reductions:
            reductions, bad_epochs = reductions + 1, 0
    return reductions


def _cycle_fraction(options: OneCycleOptions, step: int, step_count: int) -> float:
    peak = options.warmup_fraction * (step_count - 1)
    if step < peak:
        return _half_cosine(options.start_fraction, 1.0, step / peak)
    return _half_cosine(1.0, options.final_fraction, (step - peak) / max(step_count - 1 - peak, 1.0))


def _half_cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2
