"""Standing figures with six joints, a network that predicts them well, and heatmaps with one peak."""

from collections.abc import Callable

import numpy as np
import pytest

from posescope.explainability.label_errors.annotated_poses import AnnotatedPoses, flip_pairs, nearest_persons
from posescope.explainability.label_errors.suspicions import HeatmapReader

FLIP = (0, 2, 1, 4, 3, 5)  # nose, left and right shoulder, left and right hip, tail
PLAIN = np.array([[0.5, 0.1], [0.65, 0.3], [0.35, 0.3], [0.6, 0.7], [0.4, 0.7], [0.5, 0.9]])


def figures(count: int = 200, seed: int = 0) -> AnnotatedPoses:
    """Return figures that lean, half of them seen from behind; two per photograph."""
    rng = np.random.default_rng(seed)
    facing, lean = rng.choice([-1.0, 1.0], count), rng.normal(0, 0.1, count)
    truth = np.tile(PLAIN, (count, 1, 1))
    truth[..., 0] = 0.5 + (truth[..., 0] - 0.5) * facing[:, None] + lean[:, None] * (truth[..., 1] - 0.5)
    codes = np.stack([facing, lean], axis=1) + rng.normal(0, 0.05, (count, 2))
    groups = np.arange(count) // 2
    return AnnotatedPoses(
        annotated=truth + rng.normal(0, 0.005, truth.shape),
        predicted=truth + rng.normal(0, 0.01, truth.shape),
        scores=rng.uniform(0.7, 1.0, truth.shape[:2]),
        codes=codes,
        neighbours=nearest_persons(codes, groups, 10),
        groups=groups,
        pairs=flip_pairs(FLIP),
    )


@pytest.fixture
def poses() -> AnnotatedPoses:
    return figures()


@pytest.fixture
def reader_of() -> Callable[[AnnotatedPoses], HeatmapReader]:
    """Heatmaps with one peak at each predicted joint."""

    def make(poses: AnnotatedPoses) -> HeatmapReader:
        def read(places: np.ndarray, rows: np.ndarray) -> np.ndarray:
            return poses.scores[rows] * np.exp(-((places - poses.predicted[rows]) ** 2).sum(axis=-1) / (2 * 0.03**2))

        return read

    return make
