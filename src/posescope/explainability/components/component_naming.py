"""Analysis `component_names`: name the principal components by the pose attributes that they predict.

    names       words for the two ends of each component, the same in every analysis (`component_titles`)
    shares      the part of a component that each attribute explains, over all persons (`attribute_shares`)
    probes      the part of an attribute that is linearly decodable from all first components, and the part of a component that
                all attributes explain (`attribute_probes`)

Everything is chosen and fitted on the fitted persons and measured on the judged persons; the control is the best result of judged
persons that are permuted between photographs. The components are computed without the attributes. Attributes are measured on
annotated joints, which have errors and no depth, so every share is a lower bound.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from posescope.core.plugins import Component, Options
from posescope.evaluation.bootstrap import Interval
from posescope.explainability.base import AnalysisInputs, AnalysisResult, Facts
from posescope.explainability.components.attribute_probes import ProbedAttributes, explain_components, probe_attributes
from posescope.explainability.components.attribute_shares import ProbedPersons, p_of_maximum
from posescope.explainability.components.component_findings import STUDY_ATTRIBUTE, ComponentFindings, share_of_known
from posescope.explainability.components.component_notes import caption_results, describe_results
from posescope.explainability.components.component_plots import (
    draw_ends,
    draw_extremes,
    plot_correlations,
    plot_probes,
    plot_scores,
)
from posescope.explainability.components.component_titles import (
    NAMED_COMPONENTS,
    NamedComponents,
    end_rows,
    probed_persons,
    relate_components,
)
from posescope.explainability.components.variance_by_stack import tabulate_variance
from posescope.explainability.findings import Finding

__all__ = ["NAME_COLUMNS", "PAIR_COLUMNS", "ComponentNaming", "ComponentNamingOptions"]

NAME_COLUMNS = [
    "component", "explained_variance_ratio", "strength", "low", "high", "low_attribute", "high_attribute", "persons", "r2",
    "r2_low", "r2_high", "control_high", "p_value", "unknown_low", "unknown_high",
]  # fmt: skip
PAIR_COLUMNS = [
    "component", "attribute", "is_unknown", "persons", "unknown_low", "unknown_high", "correlation", "fitted_r2", "r2", "r2_low",
    "r2_high", "control_high", "p_value",
]  # fmt: skip
_PAIRS, _PROBES, _SCATTER = "attribute_correlations", "attribute_probes", "component_scores"
_CONTROL_QUANTILE = 0.99


class ComponentNamingOptions(Options):
    """Options of the analysis `component_names`."""

    probe_components: int = Field(
        100, ge=1, le=4096, description="Number of first components that together predict each attribute"
    )
    claims: int = Field(3, ge=0, le=NAMED_COMPONENTS, description="Number of first components with a finding and an image each")
    shown: int = Field(5, ge=1, le=NAMED_COMPONENTS, description="Number of first components whose extreme persons are shown")
    extremes: int = Field(5, ge=1, le=20, description="Persons shown at each end of a component, one per image")
    stack_persons: int = Field(10_000, ge=2, description="Maximum number of persons for the variance of the other stacks")


@dataclass(frozen=True)
class _Study:
    """Everything that is measured: names, probes, and the persons (all first components, a sample of many)."""

    fitted: ProbedPersons
    judged: ProbedPersons
    named: NamedComponents
    probed: ProbedAttributes
    explained: pd.DataFrame
    standing: Interval | None


class ComponentNaming(Component[ComponentNamingOptions]):
    """Analysis `component_names`.

    Tables: component_variance, component_names, attribute_correlations, attribute_probes.
    Images: component_<i>_ends, component_extremes, attribute_correlations, attribute_probes. Plot: component_scores.
    """

    def __call__(self, inputs: AnalysisInputs) -> AnalysisResult:
        """Name the components."""
        study = self._study(inputs)
        names = study.named.names
        variance = tabulate_variance(inputs, self.options.stack_persons)
        pairs = _tabulate_pairs(study)
        facts = {**_variance_facts(inputs), **_naming_facts(study, pairs)}
        images = self._images(inputs, study, pairs)
        described = [name for name in names if name.low_attribute]
        scores = inputs.components.project(inputs.judged.features.values, NAMED_COMPONENTS)
        plots = {_SCATTER: plot_scores(inputs, scores, described)} if described else {}
        tables = {
            "component_variance": variance,
            "component_names": _tabulate_names(study),
            _PAIRS: pairs,
            _PROBES: study.probed.probes,
        }
        return AnalysisResult(
            facts=facts,
            tables=tables,
            images=images,
            note=describe_results(facts, variance, len(pairs), study.probed.left_out),
            findings=self._findings(study, set(images)),
            plots=plots,
            captions=caption_results({*images, *plots, *tables}, names),
            photographs=inputs.photographs,
        )

    def _study(self, inputs: AnalysisInputs) -> _Study:
        used = min(max(self.options.probe_components, NAMED_COMPONENTS), len(inputs.components))
        fitted, judged = (
            probed_persons(persons, inputs.components, used, inputs.seed) for persons in (inputs.fitted, inputs.judged)
        )
        named = relate_components(inputs)
        few, few_judged = (
            ProbedPersons(persons.scores[:, :NAMED_COMPONENTS], persons.attributes, persons.groups)
            for persons in (fitted, judged)
        )
        columns = [one for one in named.shares.columns if one.attribute == STUDY_ATTRIBUTE and not one.of_unknown]
        return _Study(
            fitted=fitted,
            judged=judged,
            named=named,
            probed=probe_attributes(fitted, judged, inputs.seed),
            explained=explain_components(few, few_judged, inputs.seed),
            standing=share_of_known(fitted, judged, columns[0], 0, inputs.seed) if columns else None,
        )

    def _images(self, inputs: AnalysisInputs, study: _Study, pairs: pd.DataFrame) -> dict[str, NDArray[np.uint8]]:
        names, options = study.named.names, self.options
        scores = inputs.components.project(inputs.judged.features.values, max(options.shown, options.claims))
        images: dict[str, NDArray[np.uint8]] = {}
        for name in names[: options.claims]:
            images |= draw_ends(inputs, scores, name, options.extremes)
        images |= draw_extremes(inputs, scores[:, : options.shown], names, options.extremes)
        if pairs["r2"].notna().any():
            images[_PAIRS] = plot_correlations(pairs, names)
        if len(study.probed.probes):
            images[_PROBES] = plot_probes(study.probed.probes)
        return images

    def _findings(self, study: _Study, images: set[str]) -> tuple[Finding, ...]:
        shown = {0: _PROBES, **{i: f"component_{i}_ends" for i in range(1, self.options.claims + 1)}}
        pictures = {number: name for number, name in shown.items() if name in images}
        explained = dict(zip(study.explained["component"], study.explained["all_r2"], strict=True))
        return ComponentFindings(study.named, study.probed, study.standing, explained, pictures).list_findings(
            self.options.claims
        )


def _tabulate_names(study: _Study) -> pd.DataFrame:
    """One row per component: its name, its share and the shares of all attributes together."""
    records = [
        {
            **{name: getattr(one, name) for name in ("strength", "low", "high", "low_attribute", "high_attribute", "p_value")},
            "component": one.number,
            "explained_variance_ratio": one.variance,
            "persons": len(study.judged),
            **one.share.columns("r2"),
            "control_high": _control(study.named),
            "unknown_low": one.unknown_low,
            "unknown_high": one.unknown_high,
        }
        for one in study.named.names
    ]
    return pd.DataFrame(records, columns=NAME_COLUMNS).merge(study.explained, on="component", how="left")


def _tabulate_pairs(study: _Study) -> pd.DataFrame:
    """One row per component and column of an attribute."""
    shares, records = study.named.shares, []
    unknown = {column.attribute: study.judged.attributes[column.attribute].isna().to_numpy() for column in shares.columns}
    for component, of_columns in enumerate(shares.judged):
        low, high = end_rows(study.judged.scores[:, component])
        for place, (column, share) in enumerate(zip(shares.columns, of_columns, strict=True)):
            missing = unknown[column.attribute]
            records.append(
                {
                    "component": component + 1,
                    "attribute": column.attribute,
                    "is_unknown": column.of_unknown,
                    "persons": int((~missing).sum()),
                    "unknown_low": float(missing[low].mean()),
                    "unknown_high": float(missing[high].mean()),
                    "correlation": float(shares.correlations[component, place]),
                    "fitted_r2": float(shares.chosen[component, place]),
                    **share.columns("r2"),
                    "control_high": _control(study.named),
                    "p_value": p_of_maximum(share.estimate, study.named.maxima),
                }
            )
    return pd.DataFrame(records, columns=PAIR_COLUMNS)


def _control(named: NamedComponents) -> float:
    return float(np.quantile(named.maxima, _CONTROL_QUANTILE)) if len(named.maxima) else float("nan")


def _variance_facts(inputs: AnalysisInputs) -> Facts:
    components = inputs.components
    return {
        "persons": len(inputs.fitted),
        "layer": components.layer,
        "pooling": inputs.fitted.features.pooling,
        "reducer": components.approximation or "exact",
        "first_component_explained_variance_ratio": float(components.explained_variance_ratio[0]),
        **components.spectrum,
    }


def _naming_facts(study: _Study, pairs: pd.DataFrame) -> Facts:
    probes = study.probed.probes.sort_values("r2", ascending=False, kind="stable")
    first, standing = study.named.names[0], study.standing
    return {
        "judged_persons": len(study.judged),
        "attributes": len(probes),
        "named_components": sum(name.is_named for name in study.named.names),
        "pairs_better_than_chance": int((pairs["r2"] > pairs["control_high"]).sum()),
        "first_component_name": first.ends if first.is_named else None,
        "first_component_r2": _number(first.share.estimate),
        "first_component_standing_r2": None if standing is None else _number(standing.estimate),
        "attributes_readable": int((probes["r2"] > probes["control_high"]).sum()),
        "most_readable_attribute": str(probes["attribute"].iloc[0]) if len(probes) else None,
        "most_readable_r2": float(probes["r2"].iloc[0]) if len(probes) else None,
    }


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
