"""Component naming on the toy network: one attribute moves the red dot, another one brightens the blue dot."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from posescope.core.plugins import ComponentSpec, build
from posescope.explainability.base import AnalysisInputs, AnalysisResult
from posescope.explainability.components.component_naming import (
    NAME_COLUMNS,
    PAIR_COLUMNS,
    ComponentNaming,
    ComponentNamingOptions,
)
from posescope.explainability.components.component_titles import name_components
from posescope.explainability.findings import Finding

PERSONS = 160


@pytest.fixture
def inputs(inputs_of, wandering_crops) -> AnalysisInputs:
    """`standing` falls as red moves right, `facing` is blue plus the same amount of noise; 80 images of two persons each."""
    crops, red, blue = wandering_crops
    rng = np.random.default_rng(3)
    attributes = pd.DataFrame({"standing": -red, "facing": blue + 0.29 * rng.normal(size=PERSONS)})
    attributes = attributes.assign(size=rng.normal(size=PERSONS), truncated=0.0)
    attributes.loc[:9, "standing"] = np.nan
    return inputs_of(crops, attributes=attributes, groups=np.repeat(np.arange(PERSONS // 2), 2))


def analyse(inputs: AnalysisInputs, **options) -> AnalysisResult:
    return ComponentNaming(ComponentNamingOptions(**options))(inputs)


def finding(result: AnalysisResult, name: str) -> Finding:
    (found,) = [one for one in result.findings if one.id == name]
    return found


def test_components_are_named_by_the_planted_attributes(inputs) -> None:
    found = analyse(inputs)
    sign = np.sign(inputs.components.axes[0][1])  # feature 1: red in the right upper quarter, where `standing` is low
    low, high = ("standing", "sitting or lying") if sign > 0 else ("sitting or lying", "standing")
    first = finding(found, "component-1")
    assert first.question == f'Does component 1 go from "{low}" to "{high}"?'
    assert first.verdict == "supported"
    assert first.statement.endswith("this attribute explains 94% of the differences between persons along it.")
    assert first.picture == "component_1_ends"
    assert first.effect == pytest.approx(150 / 160, abs=0.02)  # unknown for ten of 160 persons
    assert 0 < first.control.value < first.control.high < 0.4
    second = finding(found, "component-2")
    assert "seen from" in second.question
    assert second.effect == pytest.approx(0.5, abs=0.12)  # as much noise as blue
    assert second.low < second.effect < second.high
    names = found.tables["component_names"]
    assert list(names)[: len(NAME_COLUMNS)] == NAME_COLUMNS
    assert names["low"].tolist() == [name.low for name in name_components(inputs)]
    assert names["all_r2"][0] == pytest.approx(150 / 160, abs=0.02)


def test_claim_of_the_thesis_is_tested(inputs) -> None:
    claim = finding(analyse(inputs), "component-1-standing")
    assert (claim.verdict, claim.effect) == ("supported", pytest.approx(1.0, abs=0.01))
    swapped = inputs.judged.attributes.rename(columns={"standing": "facing", "facing": "standing"})
    claim = finding(analyse(_with(inputs, swapped)), "component-1-standing")
    assert (claim.verdict, claim.p_value) == ("refuted", pytest.approx(0, abs=1e-3))
    assert "does not mainly tell" in claim.statement
    assert not [one for one in analyse(_with(inputs, swapped[["facing"]])).findings if one.id == "component-1-standing"]


def test_best_and_worst_attribute(inputs) -> None:
    found = analyse(inputs)
    assert finding(found, "best-attribute").verdict == "supported"
    assert 'between "sitting or lying" and "standing"' in finding(found, "best-attribute").question
    worst = finding(found, "worst-attribute")
    assert worst.verdict == "supported"
    assert worst.statement.startswith('The features lose the difference between "small in the image" and')
    assert found.facts["attributes_readable"] == 2
    assert "truncated" in found.note
    readable = analyse(_with(inputs, inputs.judged.attributes[["standing", "facing"]]))
    assert finding(readable, "worst-attribute").verdict == "refuted"


def test_shuffled_persons_give_no_names(inputs) -> None:
    rows = np.random.default_rng(0).permutation(PERSONS)
    shuffled = replace(
        inputs, judged=replace(inputs.judged, attributes=inputs.judged.attributes.iloc[rows].reset_index(drop=True))
    )
    found = analyse(shuffled)
    assert not any(one.verdict == "supported" for one in found.findings if one.id.startswith("component"))
    assert finding(found, "component-1").question == "Does one of the measured attributes describe component 1?"
    assert found.facts["pairs_better_than_chance"] == 0
    assert found.facts["first_component_name"] is None


def test_tables_images_and_captions(inputs) -> None:
    found = analyse(inputs, claims=2, shown=2, extremes=3)
    components = inputs.components
    (row,) = found.tables["component_variance"].to_dict("records")
    assert (row["layer"], row["persons"], row["features"]) == ("bottleneck", PERSONS, 12)
    assert row["pc1_variance"] == pytest.approx(components.variances[0])
    names = found.tables["component_names"]
    assert names["low_attribute"][:2].tolist() == ["standing", "facing"]
    assert names["explained_variance_ratio"].tolist() == pytest.approx(components.explained_variance_ratio[:10])
    pairs = found.tables["attribute_correlations"]
    assert list(pairs) == PAIR_COLUMNS
    first = pairs[(pairs["component"] == 1) & (pairs["attribute"] == "standing") & ~pairs["is_unknown"]].iloc[0]
    assert first["persons"] == 150
    assert first["r2"] == pytest.approx(names["r2"][0])
    assert set(found.images) == {
        "attribute_correlations", "attribute_probes", "component_extremes", "component_1_ends", "component_2_ends",
    }  # fmt: skip
    assert set(found.captions) == {*found.images, *found.plots, *found.tables}
    assert found.images["component_extremes"].shape[1] == 6 * 112 + 7 * 4
    assert found.images["component_1_ends"].shape[1] == 3 * 120 + 4 * 4
    figure = found.plots["component_scores"]
    assert figure.data[0].visible
    assert len(figure.data[0].x) == 150  # persons with known `standing`
    assert figure.layout.updatemenus[0].buttons[1].label == "component 2: facing"


def test_no_names_without_attributes(inputs) -> None:
    for attributes in (pd.DataFrame(index=range(PERSONS)), pd.DataFrame({"standing": np.full(PERSONS, np.nan)})):
        found = analyse(_with(inputs, attributes))
        assert found.findings == ()
        assert not len(found.tables["attribute_probes"])
        assert (found.tables["component_names"]["strength"] == "none").all()
        assert set(found.images) == {"component_extremes", "component_1_ends", "component_2_ends"}
        assert not found.plots


def test_few_persons_give_no_findings(inputs_of, shifting_crops) -> None:
    few = shifting_crops.subset(np.arange(15))
    found = analyse(inputs_of(few, attributes=pd.DataFrame({"standing": np.arange(15.0)})))
    assert found.findings == ()
    assert "15 persons" in found.note


def test_analysis_is_a_plugin() -> None:
    assert isinstance(build("analyses", ComponentSpec(name="component_names")), ComponentNaming)


def _with(inputs: AnalysisInputs, attributes: pd.DataFrame) -> AnalysisInputs:
    fitted, judged = (replace(persons, attributes=attributes) for persons in (inputs.fitted, inputs.judged))
    return replace(inputs, fitted=fitted, judged=judged)
