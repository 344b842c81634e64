"""Where a joint is expected without the network's prediction of it: from similar persons and from the rest of the body.

Each expectation is a ridge regression (Hoerl and Kennedy, 1970) that is fitted on persons of other photographs (five folds), so
that no expectation is fitted to the annotation that it judges, as in confident learning (Northcutt, Jiang and Chuang, 2021). The
predictors are the mean pose of the nearest persons in feature space, the coordinates in feature space and, for `body`, the
other annotated joints of the person.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posescope.explainability.label_errors.annotated_poses import AnnotatedPoses, Doubles, mean_poses

__all__ = ["ExpectedPoses", "expect_poses"]

_PENALTY = 10.0  # on standardised predictors
_FOLDS = 5
_SMALLEST_SPREAD = 1e-3  # fraction of the crop's side: finer differences are rounding


@dataclass(frozen=True)
class ExpectedPoses:
    """Expectations for N persons, in fractions of the crop's side.

    Attributes:
        joints: (N, K, 2) expected joints, from the neighbours and the rest of the body.
        offsets: (N, Q, 2) expected left minus right joint of each pair, from the neighbours and the other pairs of the body.
        offsets_of_neighbours: (N, Q, 2) the same from the neighbours alone.
    """

    joints: Doubles
    offsets: Doubles
    offsets_of_neighbours: Doubles


def expect_poses(poses: AnnotatedPoses, seed: int) -> ExpectedPoses:
    """Compute the expectations of all joints and pairs.

    Args:
        poses: N persons.
        seed: random seed of the folds of photographs.
    """
    folds = _draw_folds(poses.groups, seed)
    similar, body = mean_poses(poses), poses.completed
    joints = np.empty_like(body)
    for joint in range(body.shape[1]):
        rest = np.delete(body, joint, axis=1)
        joints[:, joint] = _cross_fit(
            _columns(similar, rest, poses.codes), body[:, joint], poses.labelled[:, joint], folds
        )  # fmt: skip
    offsets, similar_offsets = poses.offsets(body), poses.offsets(similar)
    expected, alone = np.empty_like(offsets), np.empty_like(offsets)
    for pair in range(offsets.shape[1]):
        target, usable = offsets[:, pair], poses.labelled_pairs[:, pair]
        rest = np.delete(offsets, pair, axis=1)
        expected[:, pair] = _cross_fit(_columns(similar_offsets, rest, poses.codes), target, usable, folds)
        alone[:, pair] = _cross_fit(_columns(similar_offsets, poses.codes), target, usable, folds)
    return ExpectedPoses(joints, expected, alone)


def _draw_folds(groups: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Return the fold of each person; persons of one photograph are in one fold."""
    photographs, place = np.unique(groups, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(photographs))
    return np.asarray((order % _FOLDS)[place], dtype=np.int64)


def _columns(*parts: Doubles) -> Doubles:
    return np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)


def _cross_fit(predictors: Doubles, targets: Doubles, usable: NDArray[np.bool_], folds: NDArray[np.int64]) -> Doubles:
    """Return (N, 2) out-of-fold predictions; the mean of the targets where a fold leaves nothing to fit."""
    expected = np.empty_like(targets)
    for fold in np.unique(folds):
        inside, outside = folds == fold, usable & (folds != fold)
        if not outside.any():
            expected[inside] = targets[usable].mean(axis=0) if usable.any() else 0.0
            continue
        centre, spread = predictors[outside].mean(axis=0), predictors[outside].std(axis=0)
        spread = np.maximum(spread, _SMALLEST_SPREAD)
        known, mean = (predictors[outside] - centre) / spread, targets[outside].mean(axis=0)
        gram = known.T @ known + _PENALTY * np.eye(known.shape[1])
        weights = np.linalg.solve(gram, known.T @ (targets[outside] - mean))
        expected[inside] = (predictors[inside] - centre) / spread @ weights + mean
    return expected
