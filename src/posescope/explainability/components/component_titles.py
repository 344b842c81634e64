"""The one name of each component: words for its two ends, chosen on the fitted persons and judged on others.

    1. The attribute column that explains the largest share of a component names it (`attribute_shares`). Unknown values explain
       nothing, and "unknown" is a column of its own.
    2. If the persons at one end (5 %) differ clearly more from all persons in another related column, in standard deviations,
       that column names that end: "arms raised" at one end, "bent knees" at the other.
    3. Where the value is unknown for most persons of an end, and for far more of them than of all persons, the end is named so.
    4. The name counts if its columns explain at least 0.1 of the component on the judged persons, more than the best pair of any
       component and column explains when persons are permuted between photographs.

Sliders, sheets, clusters and the summary all take their names from `name_components`.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from posescope.evaluation.bootstrap import Interval, resample_images
from posescope.explainability.attributes.attribute_columns import AttributeColumn, stack_columns
from posescope.explainability.base import AnalysisInputs, StudyPersons
from posescope.explainability.components.attribute_shares import (
    RESAMPLES,
    SHUFFLES,
    AttributeShares,
    ProbedPersons,
    best_squared_correlations,
    measure_shares,
    p_of_maximum,
    prediction_share,
    standardise,
)
from posescope.explainability.components.pca import Components
from posescope.explainability.features.row_blocks import sample_rows

__all__ = [
    "ENCODED_SHARE",
    "MAX_NAME_P",
    "RELATED_SHARE",
    "ComponentName",
    "NAMED_COMPONENTS",
    "NamedComponents",
    "Strength",
    "end_rows",
    "name_components",
    "name_scores",
    "probed_persons",
    "relate_components",
]

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
Strength = Literal["encodes", "related", "none"]

NAMED_COMPONENTS = 10  # the p-values are of the best pair of all these
ENCODED_SHARE = 0.5  # from this share on a component encodes its attribute
RELATED_SHARE = 0.1  # from this share on it is related to its attributes; below, it has no name
MAX_NAME_P = 0.01
_MOST_PERSONS = 20_000  # of each kind
_END_FRACTION = 0.05
_LEAST_AT_END = 20  # persons of an end, unless that were more than half of all
_CLEARLY_FARTHER = 1.25  # another column names an end if its difference is larger by this factor
_CLEARLY_MORE = 0.02  # an unknown column is preferred to values if it explains this much more
_MOSTLY = 0.5
_CLEARLY_UNKNOWN_SD = 0.5  # an end is named by unknown values if they are more frequent there by this many standard deviations


@dataclass(frozen=True)
class ComponentName:
    """Name of one component.

    Attributes:
        number: 1 is the first.
        variance: fraction of the variance of the features, 0..1.
        strength: `encodes` or `related`; `none`: the component has no name.
        low, high: words for the low and the high end; empty without a name.
        low_attribute, high_attribute: attributes that the words are of, often the same; without a name those that explain most.
            Empty if there is no attribute.
        share: fraction of the differences between the judged persons along the component that these attributes explain (R2), with
            its interval over photographs. NaN if there is no attribute or there are too few judged persons.
        p_value: of the best pair of any component and attribute, persons permuted between photographs.
        unknown_low, unknown_high: fraction of the judged persons at each end (the lowest and the highest 5 %) whose value of
            `low_attribute` or `high_attribute` is unknown; NaN if there is no attribute.
    """

    number: int
    variance: float
    strength: Strength
    low: str
    high: str
    low_attribute: str
    high_attribute: str
    share: Interval
    p_value: float
    unknown_low: float
    unknown_high: float

    @property
    def is_named(self) -> bool:
        """Whether the component has a name."""
        return self.strength != "none"

    @property
    def ends(self) -> str:
        """Both ends in words, or that there is no name."""
        return f"{self.low} ↔ {self.high}" if self.is_named else "no name"

    @property
    def title(self) -> str:
        """Number and name."""
        return f"component {self.number}: {self.ends}" if self.is_named else f"component {self.number} (no name)"


@dataclass(frozen=True)
class NamedComponents:
    """Names of components and what they are chosen from.

    Attributes:
        names: one per component.
        shares: shares of each attribute.
        maxima: (S,) best squared correlation of any pair in each permutation of the judged persons; empty without attributes.
    """

    names: tuple[ComponentName, ...]
    shares: AttributeShares
    maxima: Floats


def name_components(inputs: AnalysisInputs) -> tuple[ComponentName, ...]:
    """Name the first `NAMED_COMPONENTS` components; equal inputs give equal names.

    Args:
        inputs: the components, and the fitted and the judged persons.

    Returns:
        One name per component, in their order.
    """
    return relate_components(inputs).names


def relate_components(inputs: AnalysisInputs) -> NamedComponents:
    """Name the components like `name_components`, and return what the names are chosen from too."""
    components, seed = inputs.components, inputs.seed
    fitted, judged = (probed_persons(persons, components, NAMED_COMPONENTS, seed) for persons in (inputs.fitted, inputs.judged))
    return name_scores(fitted, judged, components.explained_variance_ratio, seed)


def probed_persons(persons: StudyPersons, components: Components, count: int, seed: int) -> ProbedPersons:
    """Project persons on the first components; at most 20,000 persons, a random sample of more.

    Args:
        persons: the persons.
        components: components of their layer.
        count: number of components.
        seed: random seed of the sample.
    """
    rows = sample_rows(len(persons), _MOST_PERSONS, seed)
    scores = components.project(persons.features.values[rows], count)
    return ProbedPersons(scores, persons.attributes.iloc[rows].reset_index(drop=True), persons.groups[rows])


def name_scores(fitted: ProbedPersons, judged: ProbedPersons, variances: Floats, seed: int) -> NamedComponents:
    """Name components by the attributes of persons.

    Args:
        fitted: persons that choose the names.
        judged: persons of other photographs, who judge the names.
        variances: fractions of the variance along the components, at least C of them.
        seed: random seed.
    """
    shares, count = measure_shares(fitted, judged, seed), fitted.scores.shape[1]
    if not shares.columns:
        return NamedComponents(tuple(_nameless(i, float(variances[i])) for i in range(count)), shares, np.empty(0))
    chooser = _Chooser(fitted, shares)
    ends = [chooser.choose(component) for component in range(count)]
    weights = np.stack([chooser.weigh(i, sorted({end.place for end in own})) for i, own in enumerate(ends)], axis=1)
    x, y = stack_columns(shares.columns, judged.attributes), standardise(judged.scores, fitted.scores)
    predicted, draws = x @ weights, resample_images(judged.groups, seed, RESAMPLES)
    found = prediction_share(predicted, y, judged.groups, draws)
    maxima = best_squared_correlations(y, np.concatenate([x, predicted], axis=1), judged.groups, SHUFFLES, seed)
    names = []
    for i, (low, high) in enumerate(ends):
        columns = [(shares.columns[end.place], end.is_high) for end in (low, high)]
        unknown = _unknown_at_ends(judged, i, (columns[0][0].attribute, columns[1][0].attribute))
        names.append(_name(i, float(variances[i]), columns, found[i], p_of_maximum(found[i].estimate, maxima), unknown))
    return NamedComponents(tuple(names), shares, maxima)


def end_rows(scores: Floats) -> tuple[Rows, Rows]:
    """Return the rows of the persons with the lowest and with the highest 5 % of (n,) scores, at least 20 of up to n / 2."""
    order = np.argsort(scores, kind="stable")
    count = max(round(_END_FRACTION * len(scores)), min(_LEAST_AT_END, len(scores) // 2))
    return order[:count], order[len(order) - count :]


@dataclass(frozen=True)
class _End:
    """What names one end: a column, and whether its values are high there."""

    place: int
    is_high: bool


class _Chooser:
    """Chooses the columns that name a component, on the fitted persons."""

    def __init__(self, fitted: ProbedPersons, shares: AttributeShares) -> None:
        self.fitted, self.shares, self.columns = fitted, shares, shares.columns
        self.x = stack_columns(self.columns, fitted.attributes)
        self.y = standardise(fitted.scores, fitted.scores)

    def choose(self, component: int) -> tuple[_End, _End]:
        """Choose the low and the high end of a component (0 is the first)."""
        main = self._main_column(component)
        rising = bool(self.shares.correlations[component, main] > 0)
        own = _End(main, not rising), _End(main, rising)
        rows = end_rows(self.fitted.scores[:, component])
        low, high = (self._farthest(component, end, persons) for end, persons in zip(own, rows, strict=True))
        own = own if low == high else (low, high)
        low, high = (self._unknown_instead(end, persons) for end, persons in zip(own, rows, strict=True))
        return own if low == high else (low, high)

    def weigh(self, component: int, places: list[int]) -> Floats:
        """Return the (M,) weights of the columns in the regression of a component on some of them; 0 for the others."""
        weights = np.zeros(len(self.columns))
        weights[places] = np.linalg.lstsq(self.x[:, places], self.y[:, component], rcond=None)[0]
        return weights

    def _main_column(self, component: int) -> int:
        """Return the column that explains most, values before unknown ones that explain about as much."""
        chosen = np.nan_to_num(self.shares.chosen[component], nan=-np.inf)
        handicap = np.array([_CLEARLY_MORE if column.of_unknown else 0.0 for column in self.columns])
        return int((chosen - handicap).argmax())

    def _farthest(self, component: int, own: _End, rows: Rows) -> _End:
        """Return the related column in which the persons of an end differ most from all, unless the own one does about so."""
        differences = self.x[rows].mean(axis=0)
        related = np.where(self.shares.chosen[component] >= RELATED_SHARE, np.abs(differences), 0.0)
        best = int(related.argmax())
        is_clear = related[best] > _CLEARLY_FARTHER * abs(differences[own.place])
        return _End(best, bool(differences[best] > 0)) if is_clear else own

    def _unknown_instead(self, end: _End, rows: Rows) -> _End:
        """Return the unknown column of the attribute if most persons of an end, and far more than of all, have no value."""
        attribute = self.columns[end.place].attribute
        places = [at for at, other in enumerate(self.columns) if other.of_unknown and other.attribute == attribute]
        mostly = self.fitted.attributes[attribute].iloc[rows].isna().mean() > _MOSTLY
        is_clear = bool(places) and self.x[rows, places[0]].mean() > _CLEARLY_UNKNOWN_SD
        return _End(places[0], True) if mostly and is_clear else end


def _strength(share: Interval, p_value: float) -> Strength:
    if not share.is_known or p_value > MAX_NAME_P or share.low <= 0 or share.estimate < RELATED_SHARE:
        return "none"
    return "encodes" if share.estimate >= ENCODED_SHARE else "related"


def _name(
    component: int,
    variance: float,
    columns: list[tuple[AttributeColumn, bool]],
    share: Interval,
    p_value: float,
    unknown: tuple[float, float],
) -> ComponentName:
    strength = _strength(share, p_value)
    low, high = (column.words(is_high=is_high) if strength != "none" else "" for column, is_high in columns)
    low_attribute, high_attribute = (column.attribute for column, _ in columns)
    return ComponentName(component + 1, variance, strength, low, high, low_attribute, high_attribute, share, p_value, *unknown)


def _nameless(component: int, variance: float) -> ComponentName:
    nan = float("nan")
    return ComponentName(component + 1, variance, "none", "", "", "", "", Interval(nan, nan, nan), 1.0, nan, nan)


def _unknown_at_ends(judged: ProbedPersons, component: int, attributes: tuple[str, str]) -> tuple[float, float]:
    low, high = (
        float(judged.attributes[name].iloc[own].isna().mean()) if len(own) else float("nan")
        for name, own in zip(attributes, end_rows(judged.scores[:, component]), strict=True)
    )
    return low, high
