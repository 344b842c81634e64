"""Note and captions of the analysis `component_names`."""

from collections.abc import Iterable, Mapping

import pandas as pd

from posescope.explainability.base import Facts
from posescope.explainability.components.component_titles import ComponentName

__all__ = ["caption_results", "describe_results"]

_CAPTIONS = {
    "component_extremes": "Each block shows one component: on the left the judged persons with the lowest scores, on the right "
    "those with the highest, from most extreme at the edges towards the middle. 'sd' is the score in standard deviations. "
    "Compare what the persons on one side have in common with the name of the component.",
    "attribute_correlations": "Share of the differences between judged persons along each component (row) that each attribute "
    "(column) explains. Red: high values at the high end; blue: at the low end. A row with one dark cell is a component with one "
    "meaning; several pale cells mean a mixture. Attributes that explain less than 5 % of every component are left out.",
    "attribute_probes": "How well each attribute is predicted from all components together by linear formulas that were fitted "
    "to other persons: 1 is perfect, 0 is no better than the mean. The grey part is what chance reaches. A short bar is an "
    "attribute that the features hold little of, or not in a linear form.",
    "component_scores": "One point per judged person: score on a component against one of the attributes that name it. A narrow "
    "band means that the attribute explains the component well. The menu selects the component.",
    "component_variance": "Fraction of the variance that the first component explains, and number of components for 90, 95 and "
    "99 % of it, by layer.",
    "component_names": "Name of each component: words of its low and high end, the share r2 of the differences between judged "
    "persons that the named attributes explain, with its 95 % interval, and the fraction of persons at each end whose value is "
    "unknown. all_r2: share that all attributes explain together; control_high: what chance reaches in 99 % of permutations.",
}
_PAIRS_TABLE = " In the table, is_unknown marks the rows of whether a value is unknown, and r2 is the share."


def caption_results(shown: Iterable[str], names: Iterable[ComponentName]) -> dict[str, str]:
    """Return a caption for each image, plot and table.

    Args:
        shown: names of all images, plots and tables.
        names: names of the components.
    """
    own = {f"component_{name.number}_ends": _caption_ends(name) for name in names}
    captions = {**_CAPTIONS, **own, "attribute_correlations": _CAPTIONS["attribute_correlations"] + _PAIRS_TABLE}
    return {name: captions[name] for name in shown if name in captions}


def _caption_ends(name: ComponentName) -> str:
    text = f"Judged persons with the lowest scores on component {name.number} (above) and with the highest (below)."
    if not name.is_named:
        return f"{text} No measured attribute describes this component."
    unknown = [
        f"{share:.0%} of those at the {end} end"
        for end, share in (("low", name.unknown_low), ("high", name.unknown_high))
        if share
    ]
    missing = f" The value is unknown for {' and '.join(unknown)} (the lowest and the highest 5 %)." if unknown else ""
    opposites = "" if name.low_attribute == name.high_attribute else " The two ends need not be opposites."
    return (
        f'{text} Above, look for "{name.low}", below for "{name.high}": this explains {name.share.estimate:z.0%} of the '
        f"differences between persons along the component, so not every person fits.{opposites}{missing}"
    )


def describe_results(facts: Facts, variance: pd.DataFrame, pairs: int, left_out: Mapping[str, str]) -> str:
    """Return the note of the analysis.

    Args:
        facts: its facts.
        variance: table `component_variance`.
        pairs: number of pairs of component and attribute.
        left_out: reason by name of each attribute without a probe.
    """
    sentences = [_describe_variance(facts, variance)]
    if facts["attributes"] == 0:
        sentences.append("No attribute is known for enough persons, so no component is named.")
    else:
        sentences.append(_describe_names(facts, pairs))
    if left_out:
        sentences.append(f"Left out: {_join_by_reason(left_out)}.")
    return " ".join(sentences)


def _join_by_reason(left_out: Mapping[str, str]) -> str:
    names = {why: ", ".join(name for name, own in left_out.items() if own == why) for why in left_out.values()}
    return "; ".join(f"{of_reason} ({why})" for why, of_reason in names.items())


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
        text += f" Participation ratio by layer: {ratios}."
    return text


def _describe_names(facts: Facts, pairs: int) -> str:
    text = (
        f"On {facts['judged_persons']} other persons {facts['pairs_better_than_chance']} of {pairs} pairs of component and "
        f"attribute exceed what the best pair reaches by chance, {facts['named_components']} components have a name, and "
        f"{facts['attributes_readable']} of {facts['attributes']} attributes are linearly decodable"
    )
    if facts["most_readable_r2"] is not None:
        text += f", {facts['most_readable_attribute']} best (R² {facts['most_readable_r2']:.2f})"
    return text + "."
