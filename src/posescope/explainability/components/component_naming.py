"""Analysis `component_names`: name the principal components by the pose attributes that they predict.

Linear probes are evaluated on held-out persons:

    one component -> one attribute         the name of the component
    all attributes -> one component        the part of the component that measured attributes explain
    first P components -> one attribute    the part of the attribute that is linearly decodable from the features
    the same with shuffled attributes      null distribution of the best pair

The components are computed from all persons, without the attributes. Attributes are measured on annotated joints, which have
errors and no depth, so R2 is a lower bound.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from posescope.core.plugins import Component, Options
from posescope.explainability.base import AnalysisInputs, AnalysisResult, Facts
from posescope.explainability.components.attribute_probes import (
    EXPLAINED_COLUMNS,
    ProbedAttributes,
    explain_components,
    probe_attributes,
)
from posescope.explainability.components.component_findings import STUDY_ATTRIBUTE, ClaimMaker, beats_chance, best_attributes
from posescope.explainability.components.component_plots import draw_extremes, plot_correlations, plot_probes, plot_scores
from posescope.explainability.components.variance_by_stack import tabulate_variance
from posescope.explainability.features.row_blocks import sample_rows

__all__ = ["ComponentNaming", "ComponentNamingOptions"]

_HEAT_MAP, _PROBES, _SCATTER = "attribute_correlations", "attribute_probes", "component_scores"


class ComponentNamingOptions(Options):
    """Options of the analysis `component_names`."""

    components: int = Field(10, ge=1, le=100, description="Number of first components that are paired with every attribute")
    probe_components: int = Field(
        100, ge=1, le=4096, description="Number of first components that together predict each attribute"
    )
    persons: int = Field(20_000, ge=20, description="Maximum number of persons for the probes")
    claims: int = Field(5, ge=0, le=100, description="Number of first components with a finding each")
    folds: int = Field(5, ge=3, le=10, description="Cross-validation folds, by whole images")
    shuffles: int = Field(99, ge=10, le=10_000, description="Shuffles of each attribute for the null distributions")
    resamples: int = Field(1000, ge=100, description="Bootstrap resamples of images for each interval")
    shown: int = Field(5, ge=1, le=20, description="Number of first components whose extreme persons are shown")
    extremes: int = Field(5, ge=1, le=20, description="Persons shown at each end of a component, one per image")
    stack_persons: int = Field(10_000, ge=2, description="Maximum number of persons for the variance of the other stacks")


class ComponentNaming(Component[ComponentNamingOptions]):
    """Analysis `component_names`.

    Tables: component_variance, component_names, attribute_correlations, attribute_probes.
    Images: attribute_correlations, attribute_probes, component_extremes. Plot: component_scores.
    """

    def __call__(self, inputs: AnalysisInputs) -> AnalysisResult:
        """Name the components."""
        options = self.options
        kept = min(max(options.probe_components, options.components, options.shown), len(inputs.components))
        scores = inputs.components.project(inputs.judged.features.values, kept)
        variance = tabulate_variance(inputs, options.stack_persons)
        attributes = inputs.judged.attributes
        rows = sample_rows(len(scores), options.persons, inputs.seed)
        probed = scores[rows], attributes.iloc[rows].reset_index(drop=True), inputs.judged.groups[rows]
        found, names = self._probe(inputs, *probed)
        facts = {**_variance_facts(inputs), **_naming_facts(found, names)}
        images = draw_extremes(inputs, scores[:, : options.shown], attributes, names, options.extremes)
        if len(names):
            images |= {_HEAT_MAP: plot_correlations(found.correlations), _PROBES: plot_probes(found.probes)}
        claims = ClaimMaker(found, names, inputs.components, options.shuffles, _HEAT_MAP, _PROBES)
        return AnalysisResult(
            facts=facts,
            tables={
                "component_variance": variance,
                "component_names": names,
                "attribute_correlations": found.correlations,
                "attribute_probes": found.probes,
            },
            images=images,
            note=_note(facts, variance, found),
            findings=claims.list_claims(options.claims),
            plots={_SCATTER: plot_scores(inputs, scores, attributes, names)} if len(names) else {},
        )

    def _probe(
        self, inputs: AnalysisInputs, scores: NDArray[np.float64], attributes: pd.DataFrame, groups: NDArray[np.int64]
    ) -> tuple[ProbedAttributes, pd.DataFrame]:
        """Probe the attributes; return the result and the names of the components.

        The names have the best attribute of each component, its explained variance and its R2 from all attributes.
        """
        options = self.options
        chosen = {"folds": options.folds, "shuffles": options.shuffles, "resamples": options.resamples, "seed": inputs.seed}
        used = max(options.probe_components, options.components)
        found = probe_attributes(scores[:, :used], attributes, groups, named=options.components, **chosen)
        names = best_attributes(found.correlations)
        ratio = pd.Series(inputs.components.explained_variance_ratio)
        names.insert(1, "explained_variance_ratio", names["component"].sub(1).map(ratio))
        if not len(names):
            return found, names.reindex(columns=[*names.columns, *EXPLAINED_COLUMNS[1:]])
        known = attributes[found.probes["attribute"].tolist()]
        explained = explain_components(scores[:, : options.components], known, groups, **chosen)
        return found, names.merge(explained, on="component")


def _variance_facts(inputs: AnalysisInputs) -> Facts:
    components = inputs.components
    return {
        "persons": len(inputs.judged.features),
        "layer": components.layer,
        "pooling": inputs.judged.features.pooling,
        "reducer": components.approximation or "exact",
        "first_component_explained_variance_ratio": float(components.explained_variance_ratio[0]),
        **components.spectrum,
    }


def _naming_facts(found: ProbedAttributes, names: pd.DataFrame) -> Facts:
    pairs, probes = found.correlations, found.probes.sort_values("r2", ascending=False, kind="stable")
    first = names[names["component"] == 1]
    study = pairs[(pairs["component"] == 1) & (pairs["attribute"] == STUDY_ATTRIBUTE)].dropna(subset=["r2"])
    return {
        "attributes": len(probes),
        "pairs_better_than_chance": int(pairs.apply(beats_chance, axis=1).sum()) if len(pairs) else 0,
        "first_component_attribute": str(first["attribute"].iloc[0]) if len(first) else None,
        "first_component_r2": float(first["r2"].iloc[0]) if len(first) else None,
        "first_component_standing_r2": float(study["r2"].iloc[0]) if len(study) else None,
        "attributes_readable": int(probes.apply(beats_chance, axis=1).sum()) if len(probes) else 0,
        "most_readable_attribute": str(probes["attribute"].iloc[0]) if len(probes) else None,
        "most_readable_r2": float(probes["r2"].iloc[0]) if len(probes) else None,
    }


def _note(facts: Facts, variance: pd.DataFrame, found: ProbedAttributes) -> str:
    sentences = [_describe_variance(facts, variance)]
    if facts["attributes"] == 0:
        sentences.append("No attribute is known for enough persons, so no component is named.")
    else:
        sentences.append(_describe_names(facts, found))
    if found.left_out:
        reasons = "; ".join(f"{name} ({why})" for name, why in found.left_out.items())
        sentences.append(f"Left out: {reasons}.")
    return " ".join(sentences)


def _describe_variance(facts: Facts, variance: pd.DataFrame) -> str:
    text = (
        f"Over {facts['persons']} persons the first component of {facts['layer']} explains "
        f"{facts['first_component_explained_variance_ratio']:.1%} of the variance; 90, 95 and 99 % need "
        f"{facts['components_for_90']}, {facts['components_for_95']} and "
        f"{facts['components_for_99']} components (participation ratio {facts['participation_ratio']:.1f})."
    )
    if facts["reducer"] != "exact":
        text += f" The components are approximate ({facts['reducer']})."
    if len(variance) > 1:
        ratios = ", ".join(f"{row.layer} {row.participation_ratio:.1f}" for row in variance.itertuples())
        text += f" Participation ratio by stack: {ratios}."
    return text


def _describe_names(facts: Facts, found: ProbedAttributes) -> str:
    text = (
        f"{facts['pairs_better_than_chance']} of {len(found.correlations)} pairs of component and attribute exceed the best "
        f"shuffled pair; {facts['attributes_readable']} of {facts['attributes']} attributes are linearly decodable"
    )
    if facts["first_component_r2"] is not None:
        text += (
            f"; the first component predicts {facts['first_component_attribute']} best (R² {facts['first_component_r2']:.2f} on "
            f"held-out persons), the components together predict {facts['most_readable_attribute']} best "
            f"(R² {facts['most_readable_r2']:.2f})"
        )
    return text + "."
