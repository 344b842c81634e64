"""Findings about components: what each goes from and to, the thesis's claim, and what all components together predict."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from posescope.evaluation.bootstrap import Interval, resample_images
from posescope.explainability.answers import Answer, Question, answer_at_most
from posescope.explainability.attributes.attribute_columns import AttributeColumn
from posescope.explainability.attributes.person_attributes import attribute_named
from posescope.explainability.components.attribute_probes import ProbedAttributes
from posescope.explainability.components.attribute_shares import (
    RESAMPLES,
    Floats,
    ProbedPersons,
    prediction_share,
    standardise,
)
from posescope.explainability.components.component_titles import (
    ENCODED_SHARE,
    MAX_NAME_P,
    RELATED_SHARE,
    ComponentName,
    NamedComponents,
)
from posescope.explainability.findings import Control, Finding, Verdict, control_of, p_from_interval

__all__ = ["STUDY_ATTRIBUTE", "ComponentFindings", "share_of_known"]

STUDY_ATTRIBUTE = "standing"  # the first component, according to the thesis
_UNIT = "fraction of the differences between persons (R²)"
_CONTROL_QUANTILES = (0.01, 0.5, 0.99)


@dataclass(frozen=True)
class ComponentFindings:
    """Makes the findings from the names of components and the probes.

    Attributes:
        named: names of the components.
        probed: attributes predicted from all components.
        standing: share of component 1 that standing explains (`share_of_known`); none: it is not measured.
        explained: all_r2 by number of the component.
        pictures: image or plot of a component by its number, and that of the probes by 0; none where there is none.
    """

    named: NamedComponents
    probed: ProbedAttributes
    standing: Interval | None
    explained: Mapping[int, float]
    pictures: Mapping[int, str]

    def list_findings(self, most: int) -> tuple[Finding, ...]:
        """Return the findings; those of single components for the first `most` components."""
        return (
            *(self.of_component(name) for name in self.named.names[:most] if name.share.is_known),
            *self.of_the_thesis(),
            *self.of_best_attribute(),
            *self.of_worst_attribute(),
        )

    def of_component(self, name: ComponentName) -> Finding:
        """Test whether a component goes from the words of its low end to those of its high end."""
        question = _question_of_named(name) if name.is_named else _question_of_unnamed(name)
        picture = self.pictures.get(name.number)
        return question.to_finding(
            _is_related(name), name.share, _UNIT, self._pair_control(), picture=picture, detail=self._detail(name)
        )

    def of_the_thesis(self) -> list[Finding]:
        """Test whether the first component tells sitting from standing; empty if that attribute is not measured."""
        share = self.standing
        if share is None or not share.is_known:
            return []
        apart, explains = "sitting from standing persons apart", f"whether a person stands explains {share.estimate:z.0%}"
        question = Question(
            id="component-1-standing",
            text="Is component 1 sitting against standing, as the thesis says?",
            yes=f"Component 1 tells {apart}: {explains} of the differences between persons along it.",
            no=f"Component 1 does not mainly tell {apart}: {explains} of the differences between persons along it, which is "
            "less than half.",
            unclear=f"These persons do not show whether component 1 mainly tells {apart}.",
        )
        detail = (
            f"Yes requires that standing explains more than {ENCODED_SHARE:.0%}. Its share is of the persons whose hips and "
            "ankles are labelled; that of the attribute in the name of the component is of all persons and may be smaller."
        )
        answer = _is_above(share, ENCODED_SHARE)
        return [question.to_finding(answer, share, _UNIT, self._pair_control(), picture=self.pictures.get(1), detail=detail)]

    def of_best_attribute(self) -> list[Finding]:
        """Test whether the attribute that the fitted persons predict best can be read; empty without attributes."""
        row = self._probe(best=True)
        if row is None:
            return []
        share, words, used = _interval(row), _difference(row), f"the first {row['components']} components together"
        is_read = row["p_value"] <= MAX_NAME_P and share.low > 0 and share.estimate >= RELATED_SHARE
        question = Question(
            id="best-attribute",
            text=f"Do the features of the network hold {words}?",
            yes=f"The features hold {words}: {used} predict {share.estimate:z.0%} of it.",
            unclear=f"These persons do not show whether the features hold {words}.",
        )
        answer = Answer("supported" if is_read else "inconclusive", float(row["p_value"]))
        detail = "It is the attribute that linear formulas predict best on the persons that they are fitted to."
        control = self._probe_control(row)
        return [question.to_finding(answer, share, _UNIT, control, picture=self.pictures.get(0), detail=detail)]

    def of_worst_attribute(self) -> list[Finding]:
        """Test whether the attribute that the fitted persons predict worst is lost; empty with fewer than two attributes."""
        row = self._probe(best=False)
        if row is None or len(self.probed.probes) < 2:
            return []
        share, words, used = _interval(row), _difference(row), f"the first {row['components']} components together"
        question = Question(
            id="worst-attribute",
            text=f"Do the features of the network lose {words}?",
            yes=f"The features lose {words}: {used} predict only {max(share.estimate, 0.0):.0%} of it.",
            no=f"The features do not lose {words}: {used} predict {share.estimate:z.0%} of it.",
            unclear=f"These persons do not show whether the features lose {words}.",
        )
        detail = (
            "It is the attribute that linear formulas predict worst on the persons that they are fitted to. It counts as lost if "
            f"at most {RELATED_SHARE:.0%} can be predicted."
        )
        answer, control = answer_at_most(share, RELATED_SHARE), self._probe_control(row)
        return [question.to_finding(answer, share, _UNIT, control, picture=self.pictures.get(0), detail=detail)]

    def _probe(self, *, best: bool) -> pd.Series | None:
        known = self.probed.probes.dropna(subset=["fitted_r2", "r2", "r2_low"])
        ranked = known.sort_values("fitted_r2", ascending=not best, kind="stable")
        return ranked.iloc[0] if len(ranked) else None

    def _pair_control(self) -> Control:
        pairs = len(self.named.names) * len(self.named.shares.columns)
        low, middle, high = np.quantile(self.named.maxima, _CONTROL_QUANTILES)
        what = f"the best of {pairs} pairs of component and attribute, persons shuffled between photographs"
        return Control(what, float(middle), float(low), float(high))

    def _probe_control(self, row: pd.Series) -> Control:
        what = f"the best of {len(self.probed.probes)} attributes, persons shuffled between photographs"
        return control_of(what, self.probed.null.interval(int(row["persons"])))

    def _detail(self, name: ComponentName) -> str:
        unknown = {
            end: f"{share:.0%} of the persons at the {end} end ({attribute})"
            for end, attribute, share in (
                ("low", name.low_attribute, name.unknown_low),
                ("high", name.high_attribute, name.unknown_high),
            )
            if share > 0
        }
        subject = "The attribute is" if name.low_attribute == name.high_attribute else "The attributes are"
        known = f"{subject} known for all persons at both ends."
        first = f"The value is unknown for {' and for '.join(unknown.values())}." if unknown else known
        together = self.explained.get(name.number)
        if together is None or np.isnan(together):
            return first
        return f"{first} All attributes together explain {max(together, 0.0):.0%} of the differences along the component."


def share_of_known(fitted: ProbedPersons, judged: ProbedPersons, column: AttributeColumn, component: int, seed: int) -> Interval:
    """Return the share of a component that an attribute explains among the persons with a known value.

    Args:
        fitted: persons that the regression is fitted to.
        judged: persons of other photographs.
        column: the values of the attribute.
        component: 0 is the first.
        seed: random seed of the resamples.
    """
    x, y, _ = _known_pairs(fitted, fitted, column, component)
    x_judged, y_judged, groups = _known_pairs(judged, fitted, column, component)
    slope, intercept = np.polyfit(x, y, 1)
    draws = resample_images(groups, seed, RESAMPLES)
    predicted = (x_judged * slope + intercept - y.mean())[:, None]
    return prediction_share(predicted, (y_judged - y.mean())[:, None], groups, draws)[0]


def _known_pairs(
    persons: ProbedPersons, fitted: ProbedPersons, column: AttributeColumn, component: int
) -> tuple[Floats, Floats, "np.ndarray[tuple[int], np.dtype[np.int64]]"]:
    known = np.isfinite(persons.attributes[column.attribute].to_numpy(dtype=np.float64))
    scores = standardise(persons.scores[:, [component]], fitted.scores[:, [component]])[known, 0]
    return column.read(persons.attributes)[known], scores, persons.groups[known]


def _question_of_named(name: ComponentName) -> Question:
    these = "these two attributes explain" if name.low_attribute != name.high_attribute else "this attribute explains"
    ends = f'from "{name.low}" to "{name.high}"'
    return Question(
        id=f"component-{name.number}",
        text=f"Does component {name.number} go {ends}?",
        yes=f"Component {name.number} goes {ends}: {these} {name.share.estimate:z.0%} of the differences between persons along "
        "it.",
        unclear=f"These persons do not show whether component {name.number} goes {ends}.",
    )


def _question_of_unnamed(name: ComponentName) -> Question:
    return Question(
        id=f"component-{name.number}",
        text=f"Does one of the measured attributes describe component {name.number}?",
        no=f'No measured attribute describes component {name.number}: the best one, "{_range(name.low_attribute)}", explains '
        f"{name.share.estimate:z.0%} of the differences between persons along it.",
        unclear=f"These persons do not show whether a measured attribute describes component {name.number}.",
    )


def _is_related(name: ComponentName) -> Answer:
    """Answer whether the attributes of a name explain at least a tenth of the component."""
    if name.is_named:
        return Answer("supported", name.p_value)
    p_value = p_from_interval(name.share, RELATED_SHARE)
    return Answer("refuted" if name.share.high < RELATED_SHARE else "inconclusive", p_value)


def _is_above(share: Interval, limit: float) -> Answer:
    """Answer whether a share is above a limit."""
    verdict: Verdict = "supported" if share.low > limit else "refuted" if share.high < limit else "inconclusive"
    return Answer(verdict, p_from_interval(share, limit))


def _interval(row: pd.Series) -> Interval:
    return Interval(float(row["r2"]), float(row["r2_low"]), float(row["r2_high"]))


def _difference(row: pd.Series) -> str:
    known = attribute_named(str(row["attribute"]))
    return f'the difference between "{known.low}" and "{known.high}"'


def _range(attribute: str) -> str:
    """Describe an attribute by the words of its ends."""
    known = attribute_named(attribute)
    return f"{known.low} or {known.high}"
