"""Motion of a person's box: a Kalman filter with constant velocity.

The state is centre, width and height of the box and their velocities, as in N. Aharon et al., "BoT-SORT", arXiv:2206.14651, 2022.
Time is in seconds, so that frames may come at any rate. The noise is that of DeepSORT (N. Wojke et al., ICIP 2017) at 30 frames
per second: a measured edge is wrong by a twentieth of the height, and the velocity wanders by a height per second within a
second. The four coordinates do not influence each other, so the filter is four filters of two numbers each.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["Box", "BoxMotion"]

Box = tuple[float, float, float, float]

_MEASUREMENT_SD = 1 / 20  # of the height
_VELOCITY_WALK = 1.0  # heights / s, within a second
_START_VELOCITY_SD = 1.9  # heights / s: ten times the wander of DeepSORT's first step
_MIN_SIDE_PX = 1.0


class BoxMotion:
    """Estimate of a moving box.

    Args:
        box: x, y, w, h px of the first measurement.
        time_s: its time.
    """

    def __init__(self, box: Box, time_s: float) -> None:
        self._time_s = time_s
        height = max(box[3], _MIN_SIDE_PX)
        self._state = np.stack([_centred(box), np.zeros(4)], axis=1)
        first = np.diag([(2 * _MEASUREMENT_SD * height) ** 2, (_START_VELOCITY_SD * height) ** 2])
        self._covariance = np.broadcast_to(first, (4, 2, 2)).copy()

    def predict(self, time_s: float) -> Box:
        """Return the box expected at a time, x, y, w, h px; the estimate is unchanged."""
        x, y, width, height = self._state[:, 0] + self._state[:, 1] * (time_s - self._time_s)
        width, height = max(float(width), _MIN_SIDE_PX), max(float(height), _MIN_SIDE_PX)
        return float(x) - width / 2, float(y) - height / 2, width, height

    def update(self, box: Box, time_s: float) -> None:
        """Take a measured box into account.

        Args:
            box: x, y, w, h px.
            time_s: its time, not before the last one.
        """
        step_s, height = time_s - self._time_s, max(float(self._state[3, 0]), _MIN_SIDE_PX)
        forward = np.array([[1.0, step_s], [0.0, 1.0]])
        walk = (_VELOCITY_WALK * height) ** 2 * np.array([[step_s**3 / 3, step_s**2 / 2], [step_s**2 / 2, step_s]])
        state = self._state @ forward.T
        covariance = forward @ self._covariance @ forward.T + walk
        gain = covariance[:, :, 0] / (covariance[:, :1, 0] + (_MEASUREMENT_SD * height) ** 2)
        self._state = state + gain * (_centred(box) - state[:, 0])[:, None]
        self._covariance = covariance - gain[:, :, None] * covariance[:, :1, :]
        self._time_s = time_s


def _centred(box: Box) -> NDArray[np.float64]:
    x, y, width, height = box
    return np.array([x + width / 2, y + height / 2, width, height])
