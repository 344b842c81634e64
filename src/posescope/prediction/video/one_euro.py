"""The One-Euro filter: G. Casiez, N. Roussel and D. Vogel, "1 € Filter", CHI 2012, for the joints of a person.

A low-pass filter of the first order whose cutoff frequency grows with the speed: joints at rest do not jitter, joints in motion
do not lag. Two things differ from the paper. The speed of a joint is one number for x and y, so the result does not depend on the
direction. It is measured in sides of the person's box per second instead of px, so the same options serve images of any size.
"""

import math

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from posescope.core.plugins import Options

__all__ = ["OneEuroFilter", "SmoothingOptions"]


class SmoothingOptions(Options):
    """Options of the smoothing of joints over time."""

    min_cutoff_hz: float = Field(1.5, gt=0, description="cutoff frequency at rest, Hz; lower: less jitter, more lag")
    speed_coefficient: float = Field(
        10.0, ge=0, description="increase of the cutoff frequency, Hz, for a speed of one side of the person's box per second"
    )
    speed_cutoff_hz: float = Field(1.0, gt=0, description="cutoff frequency of the speed itself, Hz")
    max_gap_s: float = Field(0.5, gt=0, description="seconds without a joint after which its filter starts anew")


class OneEuroFilter:
    """Filter of the joints of one track.

    Args:
        options: see `SmoothingOptions`.
    """

    def __init__(self, options: SmoothingOptions) -> None:
        self._options = options
        self._time_s = self._joints = self._velocity = np.empty(0)

    def __call__(self, joints: NDArray[np.float64], side_px: float, time_s: float) -> NDArray[np.float64]:
        """Return the smoothed joints of the next frame.

        A joint that is missing stays missing; its filter keeps its state, and continues with the time that has passed.

        Args:
            joints: (K, 2) px; NaN where missing.
            side_px: longer side of the person's box, > 0.
            time_s: time of the frame; a frame that is not later than the one before starts anew.
        """
        if not len(self._joints):
            self._joints, self._velocity = np.full_like(joints, np.nan), np.zeros_like(joints)
            self._time_s = np.full(len(joints), -math.inf)
        options, seen = self._options, np.asarray(np.isfinite(joints).all(axis=1))
        step_s = time_s - self._time_s
        fresh = seen & ((step_s > options.max_gap_s) | (step_s <= 0))
        going = np.asarray(seen & ~fresh)
        self._joints[fresh], self._velocity[fresh] = joints[fresh], 0
        step = step_s[going][:, None]
        # From the last smoothed value: hatxprev of the paper's algorithm 1.
        velocity = (joints[going] - self._joints[going]) / step / side_px
        self._velocity[going] += _weight(step, options.speed_cutoff_hz) * (velocity - self._velocity[going])
        speed = np.linalg.norm(self._velocity[going], axis=1, keepdims=True)
        cutoff_hz = options.min_cutoff_hz + options.speed_coefficient * speed
        self._joints[going] += _weight(step, cutoff_hz) * (joints[going] - self._joints[going])
        self._time_s[seen] = time_s
        return np.where(seen[:, None], self._joints, np.nan)


def _weight(step_s: NDArray[np.float64], cutoff_hz: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Return the weight of a new value in a low-pass filter of the first order: 1 / (1 + tau / step), tau = 1 / (2 pi cutoff)."""
    return np.asarray(1 / (1 + 1 / (2 * np.pi * cutoff_hz * step_s)))
