r"""What networks that were trained apart have in common, seen on the same persons.

Components and clusters have no names that two networks share: component 1 of one may be component 2 of another, or spread over
several. So what is compared does not ask for names:

    features     linear CKA (Kornblith et al., 2019, "Similarity of Neural Network Representations Revisited", section 3): 1 if
                 one is the other turned and scaled as a whole, about 0 if they have nothing to do with one another
    component    what the other's features tell of it, on photographs that the probe has not seen (R2): is this direction there at
                 all? And which single component of the other is most like it (correlation; each is given away once)
    clusters     adjusted Rand index of the divisions (Hubert and Arabie, 1985): 1 the same, 0 as by chance

Each beside its control: the same with the persons of one network shuffled, whole photographs at a time. Networks that have
learned nothing are alike too, as far as their features follow the picture: one of random weights is worth holding beside them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score

from posescope.explainability.attributes.linear_probes import STRENGTHS, assign_folds, permute_groups, probe

__all__ = ["RepresentationSimilarity", "ComponentSimilarity", "Representation", "compare_representations", "linear_cka"]

Floats = NDArray[np.float64]
FOLDS = 5


@dataclass(frozen=True)
class Representation:
    """What one network says of N persons, the same and in the same order for all networks that are compared.

    Attributes:
        scores: (N, P) float64 coordinates along its principal components, in descending order of variance.
        clusters: (N,) number of each person's cluster; None where there are none.
    """

    scores: Floats
    clusters: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class ComponentSimilarity:
    """One component of a network in another one.

    Attributes:
        component: its number, from 1.
        predicted_r2: R2, held out, of its coordinates told from all of the other's.
        match: number of the other's component that is given to it, from 1.
        correlation: of the two, 0..1: the sign of a component means nothing.
    """

    component: int
    predicted_r2: float
    match: int
    correlation: float


@dataclass(frozen=True)
class RepresentationSimilarity:
    """Of a first network with a second one.

    Attributes:
        persons, images: how many are compared.
        cka: 0..1.
        cka_control: the highest of the shuffles.
        components: of the first network, in the second one.
        predicted_r2_control: the highest R2 of any component and shuffle.
        correlation_control: the highest correlation of any matched pair and shuffle.
        adjusted_rand_index: adjusted Rand index of their clusters; None where one has none.
        adjusted_rand_index_control: the highest of the shuffles.
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
    """Hold a network against another one.

    Args:
        first, second: of the same N persons.
        images: (N,) the photograph of each.
        components: of the first network that are looked for in the second one, at most; as many of the second are matched.
        shuffles: of the controls.
        seed: of folds and shuffles.
    """
    orders = permute_groups(images, shuffles, seed)
    count = min(components, first.scores.shape[1], second.scores.shape[1])
    wanted, offered = first.scores[:, :count], second.scores[:, :count]
    predicted_r2, predicted_r2_control = _tell(second.scores, wanted, images, orders, seed)
    match, correlation = _match(wanted, offered)
    adjusted_rand_index, adjusted_rand_index_control = _compare_clusters(first.clusters, second.clusters, orders)
    return RepresentationSimilarity(
        persons=len(images),
        images=len(np.unique(images)),
        cka=linear_cka(first.scores, second.scores),
        cka_control=max(linear_cka(first.scores, second.scores[order]) for order in orders),
        components=tuple(
            ComponentSimilarity(place + 1, float(predicted_r2[place]), int(match[place]) + 1, float(correlation[place]))
            for place in range(count)
        ),
        predicted_r2_control=predicted_r2_control,
        correlation_control=float(max(_match(wanted, offered[order])[1].max() for order in orders)),
        adjusted_rand_index=adjusted_rand_index,
        adjusted_rand_index_control=adjusted_rand_index_control,
    )


def linear_cka(x: Floats, y: Floats) -> float:
    """Linear centred kernel alignment of (N, P) and (N, Q), 0..1: |y^T x|^2 / (|x^T x| |y^T y|), Frobenius, columns centred."""
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    return float(np.square(y.T @ x).sum() / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)))


def _tell(
    features: Floats, wanted: Floats, images: NDArray[np.int64], orders: NDArray[np.int64], seed: int
) -> tuple[Floats, float]:
    """R2 of each wanted column, and the highest of any column shuffled."""
    folds = assign_folds(images, FOLDS, seed)
    columns = features / features.std(axis=0)
    predicted_r2 = probe(columns, wanted, folds, STRENGTHS).r2
    shuffled = np.concatenate([wanted[order] for order in orders], axis=1)
    return predicted_r2, float(np.nanmax(probe(columns, shuffled, folds, STRENGTHS).r2))


def _match(wanted: Floats, offered: Floats) -> tuple[NDArray[np.int64], Floats]:
    """For each wanted column another offered one, so that the correlations are highest in all; and these, without their sign."""
    count = wanted.shape[1]
    alike = np.abs(np.corrcoef(wanted, offered, rowvar=False)[:count, count:])
    rows, columns = linear_sum_assignment(alike, maximize=True)
    return np.asarray(columns, dtype=np.int64), np.asarray(alike[rows, columns])


def _compare_clusters(
    first: NDArray[np.int64] | None, second: NDArray[np.int64] | None, orders: NDArray[np.int64]
) -> tuple[float | None, float | None]:
    if first is None or second is None:
        return None, None
    control = max(float(adjusted_rand_score(first, second[order])) for order in orders)
    return float(adjusted_rand_score(first, second)), control
