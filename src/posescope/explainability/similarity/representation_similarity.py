"""Similarity of the representations that several networks have of the same persons.

Components and clusters of two networks do not correspond by number, so the measures do not depend on their order:

    features      linear centred kernel alignment (CKA; Kornblith et al., 2019, "Similarity of Neural Network Representations
                  Revisited", section 3): 1 if one equals the other up to a rotation and a factor, near 0 if they are unrelated
    components    R2 of a linear probe that predicts the component from the other network's features on held-out images, and the
                  most similar component of the other network (correlation, one-to-one assignment)
    clusters      adjusted Rand index (Hubert and Arabie, 1985): 1 for the same partition, 0 by chance

The control of each measure is the same with the persons of one network shuffled by whole images: the value by chance. It is no
control of what training adds, since networks with random weights exceed it too, as far as their features follow the image.
Compare with one of them as well.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score

from posescope.explainability.attributes.linear_probes import STRENGTHS, assign_folds, permute_groups, probe

__all__ = ["ComponentSimilarity", "Representation", "RepresentationSimilarity", "compare_representations", "linear_cka"]

Floats = NDArray[np.float64]
FOLDS = 5


@dataclass(frozen=True)
class Representation:
    """Features and clusters of N persons in one network; the same persons in the same order for all compared networks.

    Attributes:
        scores: (N, P) float64 coordinates along its principal components, in descending order of variance.
        clusters: (N,) cluster number of each person; None if there are no clusters.
    """

    scores: Floats
    clusters: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class ComponentSimilarity:
    """How well a component of one network is represented in another network.

    Attributes:
        component: number of the component, from 1.
        predicted_r2: held-out R2 of its coordinates, predicted from all components of the other network.
        match: number of the assigned component of the other network, from 1.
        correlation: absolute correlation of the two, 0..1.
    """

    component: int
    predicted_r2: float
    match: int
    correlation: float


@dataclass(frozen=True)
class RepresentationSimilarity:
    """Similarity of a first and a second network; each control is the maximum over the shuffles.

    Attributes:
        persons, images: numbers of compared persons and of their images.
        cka, cka_control: linear CKA, 0..1.
        components: similarity of the first network's components, in the second one.
        predicted_r2_control: highest R2 of any component and shuffle.
        correlation_control: highest correlation of any matched pair and shuffle.
        adjusted_rand_index, adjusted_rand_index_control: agreement of the clusters; None if one network has none.
    """

    persons: int
    images: int
    cka: float
    cka_control: float
    components: tuple[ComponentSimilarity, ...]
    predicted_r2_control: float
    correlation_control: float
    adjusted_rand_index: float | None
    adjusted_rand_index_control: float | None


def compare_representations(
    first: Representation,
    second: Representation,
    images: NDArray[np.int64],
    components: int = 10,
    shuffles: int = 99,
    seed: int = 0,
) -> RepresentationSimilarity:
    """Compare the representations of two networks.

    Args:
        first, second: representations of the same N persons.
        images: (N,) image of each person.
        components: maximum number of components of the first network that are predicted and matched.
        shuffles: number of shuffles for the controls.
        seed: random seed of folds and shuffles.

    Returns:
        The measures and their controls.
    """
    orders = permute_groups(images, shuffles, seed)
    count = min(components, first.scores.shape[1], second.scores.shape[1])
    own, other = first.scores[:, :count], second.scores[:, :count]
    r2, r2_control = _predict(second.scores, own, images, orders, seed)
    match, correlation = _match(own, other)
    rand, rand_control = _compare_clusters(first.clusters, second.clusters, orders)
    return RepresentationSimilarity(
        persons=len(images),
        images=len(np.unique(images)),
        cka=linear_cka(first.scores, second.scores),
        cka_control=max(linear_cka(first.scores, second.scores[order]) for order in orders),
        components=tuple(
            ComponentSimilarity(index + 1, float(r2[index]), int(match[index]) + 1, float(correlation[index]))
            for index in range(count)
        ),
        predicted_r2_control=r2_control,
        correlation_control=float(max(_match(own, other[order])[1].max() for order in orders)),
        adjusted_rand_index=rand,
        adjusted_rand_index_control=rand_control,
    )


def linear_cka(x: Floats, y: Floats) -> float:
    """Compute linear centred kernel alignment, |y^T x|^2 / (|x^T x| |y^T y|) with Frobenius norms and centred columns.

    Args:
        x: (N, P) features.
        y: (N, Q) features of the same persons.

    Returns:
        A number in 0..1.

    Examples:
        >>> x = np.array([[0.0, 1.0], [2.0, 0.0], [4.0, 5.0]])
        >>> rotation = np.array([[0.6, 0.8], [-0.8, 0.6]])
        >>> round(linear_cka(x, 3 * x @ rotation), 6)
        1.0
    """
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    return float(np.square(y.T @ x).sum() / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)))


def _predict(
    features: Floats, targets: Floats, images: NDArray[np.int64], orders: NDArray[np.int64], seed: int
) -> tuple[Floats, float]:
    """Return the R2 of each target column, and the highest R2 of any shuffled column."""
    folds = assign_folds(images, FOLDS, seed)
    columns = features / features.std(axis=0)
    r2 = probe(columns, targets, folds, STRENGTHS).r2
    shuffled = np.concatenate([targets[order] for order in orders], axis=1)
    return r2, float(np.nanmax(probe(columns, shuffled, folds, STRENGTHS).r2))


def _match(own: Floats, other: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Assign to each own column another column with the highest total absolute correlation; return columns and correlations."""
    count = own.shape[1]
    correlations = np.abs(np.corrcoef(own, other, rowvar=False)[:count, count:])
    rows, columns = linear_sum_assignment(correlations, maximize=True)
    return np.asarray(columns, dtype=np.int64), np.asarray(correlations[rows, columns])


def _compare_clusters(
    first: NDArray[np.int64] | None, second: NDArray[np.int64] | None, orders: NDArray[np.int64]
) -> tuple[float | None, float | None]:
    if first is None or second is None:
        return None, None
    control = max(float(adjusted_rand_score(first, second[order])) for order in orders)
    return float(adjusted_rand_score(first, second)), control
