"""Learning-rate schedules, as pure functions of the step and of the validation PCK so far.

There is no scheduler object and so no scheduler state: a resumed run computes the same rates from the same history.

    constant            ────────────          one_cycle   ╱╲___
    reduce_on_plateau   ───────┐____                     ╱     ╲____
"""

import math
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from posescope.core.plugins import Options

__all__ = ["Constant", "OneCycle", "ReduceOnPlateau", "Schedule", "count_reductions", "learning_rate_at"]


class Constant(Options):
    """The learning rate stays."""

    name: Literal["constant"] = "constant"


class ReduceOnPlateauOptions(Options):
    """When and by how much the rate falls; the defaults are the study's."""

    factor: float = Field(default=5.0, gt=1, description="The rate is divided by this")
    patience: int = Field(default=5, ge=1, description="Epochs without a better validation PCK before it is")
    max_reductions: int = Field(default=1, ge=1, description="How often, at most")


class ReduceOnPlateau(Options):
    """The learning rate falls when the validation PCK has stopped rising."""

    name: Literal["reduce_on_plateau"]
    options: ReduceOnPlateauOptions = ReduceOnPlateauOptions()


class OneCycleOptions(Options):
    """Up by half a cosine, then down by half a cosine, step by step (Smith and Topin, "Super-convergence", 2018)."""

    warmup_fraction: float = Field(default=0.1, ge=0, lt=1, description="Share of all steps in which the rate rises")
    start_fraction: float = Field(default=0.04, ge=0, le=1, description="First rate, as a share of `learning_rate`, its peak")
    final_fraction: float = Field(default=0.001, ge=0, le=1, description="Last rate, as a share of the peak")


class OneCycle(Options):
    """The learning rate rises to its peak and falls to nearly nothing over the whole run."""

    name: Literal["one_cycle"]
    options: OneCycleOptions = OneCycleOptions()


Schedule = Annotated[Constant | ReduceOnPlateau | OneCycle, Field(discriminator="name")]


def learning_rate_at(
    schedule: Constant | ReduceOnPlateau | OneCycle, base_rate: float, step: int, step_count: int, val_pcks: Sequence[float]
) -> float:
    """The learning rate of one step.

    Args:
        schedule: which.
        base_rate: `learning_rate` of the options.
        step: 0-based, over the whole run.
        step_count: of the whole run.
        val_pcks: of the epochs that are complete.
    """
    match schedule:
        case ReduceOnPlateau(options=options):
            return base_rate / options.factor ** count_reductions(options, val_pcks)
        case OneCycle(options=options):
            return base_rate * _cycle_share(options, step, step_count)
        case Constant():
            return base_rate


def count_reductions(options: ReduceOnPlateauOptions, val_pcks: Sequence[float]) -> int:
    """How often the rate has fallen after these epochs; after a fall the count of bad epochs begins anew."""
    best, bad_epochs, reductions = -math.inf, 0, 0
    for pck in val_pcks:
        best, bad_epochs = (pck, 0) if pck > best else (best, bad_epochs + 1)
        if bad_epochs == options.patience and reductions < options.max_reductions:
            reductions, bad_epochs = reductions + 1, 0
    return reductions


def _cycle_share(options: OneCycleOptions, step: int, step_count: int) -> float:
    peak = options.warmup_fraction * (step_count - 1)
    if step < peak:
        return _half_cosine(options.start_fraction, 1.0, step / peak)
    return _half_cosine(1.0, options.final_fraction, (step - peak) / max(step_count - 1 - peak, 1.0))


def _half_cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2
