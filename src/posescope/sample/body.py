"""Bodies: bone lengths and thicknesses, and how they vary from person to person.

All lengths are parts of the height of an average adult (1.0 = sole to crown); the means follow the segment lengths of
Drillis and Contini as printed in D. Winter, "Biomechanics and Motor Control of Human Movement", figure 4.1.
"""

from dataclasses import dataclass

import numpy as np

__all__ = ["BodyShape", "draw_body_shape"]


@dataclass(frozen=True)
class BodyShape:
    """Lengths and half-thicknesses of one body, in units of an average adult's height."""

    thigh: float
    shank: float
    upper_arm: float
    forearm: float
    hand: float
    foot: float
    ankle_height: float
    spine_low: float
    spine_high: float
    neck: float
    shoulder_half: float
    hip_half: float
    head: tuple[float, float, float]
    stoutness: float
    limb_stoutness: float
    is_feminine: bool
    is_child: bool

    @property
    def height(self) -> float:
        """Sole to crown when standing upright."""
        trunk = self.spine_low + self.spine_high + self.neck + self.head[1]
        return self.ankle_height + self.shank + self.thigh + trunk


def draw_body_shape(seed: int) -> BodyShape:
    """Draw a plausible body: man, woman or child, slim to stout, long- or short-limbed."""
    rng = np.random.default_rng(seed)
    is_child = bool(rng.random() < 0.10)
    is_feminine = bool(rng.random() < 0.5)
    legs = rng.normal(1.0, 0.035) * (0.90 if is_child else 1.0)
    arms = rng.normal(1.0, 0.035) * (0.92 if is_child else 1.0)
    stoutness = float(np.clip(rng.gamma(9.0, 1 / 9.0), 0.82, 1.5))
    shoulders = rng.normal(0.098 if is_feminine else 0.110, 0.005) * (0.92 if is_child else 1.0)
    head = rng.normal(1.04, 0.03) * (1.28 if is_child else 1.0)
    return BodyShape(
        thigh=0.243 * legs,
        shank=0.240 * legs,
        upper_arm=0.174 * arms,
        forearm=0.148 * arms,
        hand=0.092 * arms,
        foot=0.135 * legs,
        ankle_height=0.042,
        spine_low=0.075,
        spine_high=rng.normal(0.212, 0.006),
        neck=0.115 * (head + 1) / 2,
        shoulder_half=shoulders * stoutness**0.35,
        hip_half=rng.normal(0.056 if is_feminine else 0.051, 0.003) * stoutness**0.5,
        head=(0.049 * head, 0.067 * head, 0.058 * head),
        stoutness=stoutness,
        limb_stoutness=stoutness**0.7 * (0.92 if is_feminine else 1.0),
        is_feminine=is_feminine,
        is_child=is_child,
    )
