"""Fixtures of components and of a decoder with a known response to every direction."""

from collections.abc import Callable

import numpy as np
import pytest

from posescope.core.skeleton import COCO_PERSON
from posescope.explainability.components.pca import Components

WIDTH = 100
_UPRIGHT = {
    "nose": (50, 10), "left_shoulder": (55, 20), "right_shoulder": (45, 20), "left_hip": (53, 50), "right_hip": (47, 50),
    "left_knee": (53, 70), "right_knee": (47, 70), "left_ankle": (53, 80), "right_ankle": (47, 80),
}  # fmt: skip


@pytest.fixture(scope="session")
def ankle_components() -> Components:
    """Two components in 100 dimensions with standard deviations 2 and 1."""
    return Components(np.zeros(WIDTH), np.eye(2, WIDTH), np.array([4.0, 1.0]), layer="t", shape=(WIDTH,))


@pytest.fixture(scope="session")
def decode_ankles() -> Callable[[np.ndarray], np.ndarray]:
    """(M, 100) points -> (M, 17, 2) joints: coordinate 0 lowers both ankles by 2 px per unit; nothing else has an effect."""

    def decode(points: np.ndarray) -> np.ndarray:
        joints = np.full((len(points), len(COCO_PERSON), 2), 50.0, np.float32)
        for name, position in _UPRIGHT.items():
            joints[:, COCO_PERSON.index(name)] = position
        for side in ("left", "right"):
            joints[:, COCO_PERSON.index(f"{side}_ankle"), 1] += 2 * points[:, 0]
        return joints

    return decode
