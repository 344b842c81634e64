"""Component naming on the toy network: one attribute moves the red dot, another one brightens the blue dot."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from posescope.core.plugins import ComponentSpec, build
from posescope.explainability.base import AnalysisInputs, AnalysisResult
from posescope.explainability.components.component_naming import ComponentNaming, ComponentNamingOptions

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
    return ComponentNaming(ComponentNamingOptions(**{"shuffles": 20, "resamples": 200, "image_attributes": False, **options}))(
        inputs
    )


def test_components_are_named_by_the_planted_attributes(inputs) -> None:
    found = analyse(inputs)
    first, second, *_ = found.findings
    sign = np.sign(inputs.components.axes[0][1])  # feature 1: red in the right upper quarter, where `standing` is low
    words = ("standing", "sitting or lying") if sign > 0 else ("sitting or lying", "standing")
    assert f"from '{words[0]}' to '{words[1]}'" in first.statement
    # The attribute is unknown for ten of 160 persons, who are predicted by the mean.
    assert found.tables["component_names"]["all_r2"][0] == pytest.approx(150 / 160, abs=0.02)
    assert first.is_supported
    assert first.picture == "attribute_correlations"
    assert first.control.high < 0.2
    assert "facing" in second.statement
    assert second.value == pytest.approx(0.5, abs=0.12)  # as much noise as blue
    assert second.low < second.value < second.high


def test_claim_of_the_study_is_tested(inputs) -> None:
    (claim,) = [finding for finding in analyse(inputs).findings if "thesis" in finding.statement]
    assert claim.is_supported
    swapped = inputs.judged.attributes.rename(columns={"standing": "facing", "facing": "standing"})
    (claim,) = [finding for finding in analyse(_with(inputs, swapped)).findings if "thesis" in finding.statement]
    assert "Component 2" in claim.statement
    assert not claim.is_supported


def test_readable_and_unreadable_attributes(inputs) -> None:
    found = analyse(inputs)
    readable = [finding for finding in found.findings if "linear probe" in finding.statement and finding.is_supported]
    assert ["standing" in readable[0].statement, "facing" in readable[1].statement, len(readable)] == [True, True, 2]
    (unreadable,) = [finding for finding in found.findings if finding.picture == "attribute_probes" and not finding.is_supported]
    assert ": size;" in unreadable.statement
    assert found.facts["attributes_readable"] == 2
    assert found.facts["first_component_attribute"] == "standing"
    assert "truncated" in found.note


def test_shuffled_persons_give_no_names(inputs) -> None:
    rows = np.random.default_rng(0).permutation(PERSONS)
    found = analyse(_with(inputs, inputs.judged.attributes.iloc[rows].reset_index(drop=True)))
    assert not any(finding.is_supported for finding in found.findings)
    assert found.facts["pairs_better_than_chance"] == 0


def test_tables_images_and_plot(inputs) -> None:
    found = analyse(inputs, components=2, shown=2, extremes=3)
    assert set(found.tables) == {"component_variance", "component_names", "attribute_correlations", "attribute_probes"}
    (row,) = found.tables["component_variance"].to_dict("records")
    components = inputs.components
    names = found.tables["component_names"]
    assert names["attribute"].tolist() == ["standing", "facing"]
    assert names["explained_variance_ratio"].tolist() == pytest.approx(components.explained_variance_ratio)
    assert (names["all_r2"] > 0.4).all()
    assert (row["layer"], row["persons"], row["features"]) == ("bottleneck", PERSONS, 12)
    assert row["pc1_variance"] == pytest.approx(components.variances[0])
    assert row["components_for_95"] == components.components_for(0.95)
    assert row["participation_ratio"] == pytest.approx(components.participation_ratio)
    assert set(found.images) == {"attribute_correlations", "attribute_probes", "component_extremes"}
    assert all(finding.picture in found.images for finding in found.findings)
    assert found.images["component_extremes"].shape[1] == 6 * 104 + 7 * 4
    figure = found.plots["component_scores"]
    assert [trace.visible for trace in figure.data] == [True, False]
    assert len(figure.data[0].x) == 150  # persons with known `standing`
    assert figure.layout.updatemenus[0].buttons[1].label.startswith("component 2: facing, R² 0.")


def test_component_can_be_an_image_attribute(inputs) -> None:
    # Only blue changes the brightness of these images; it is component 2 except for its chance correlation with red.
    found = analyse(inputs)
    second = found.tables["component_names"].iloc[1]
    assert second["attribute"] == "brightness"
    assert second["r2"] > 0.9
    assert "detail 0.9" in found.findings[1].statement
    assert len(found.tables["attribute_probes"]) == 6


def test_no_findings_without_pose_attributes(inputs) -> None:
    found = analyse(_with(inputs, pd.DataFrame(index=range(PERSONS))))
    assert found.findings == ()
    assert not len(found.tables["attribute_probes"])
    assert not len(found.tables["component_names"])
    assert set(found.images) == {"component_extremes"}
    assert not found.plots


def test_number_of_probed_persons_is_limited(inputs) -> None:
    found = analyse(inputs, persons=100)
    assert found.tables["attribute_probes"].set_index("attribute")["persons"]["facing"] == 100
    assert len(found.plots["component_scores"].data[0].x) == 150


def test_few_persons_give_no_findings(inputs_of, shifting_crops) -> None:
    few = shifting_crops.subset(np.arange(15))
    found = analyse(inputs_of(few, attributes=pd.DataFrame({"standing": np.arange(15.0)})))
    assert found.findings == ()
    assert "15 persons" in found.note


def test_analysis_is_a_plugin() -> None:
    assert isinstance(build("analyses", ComponentSpec(name="component_names")), ComponentNaming)


def _with(inputs: AnalysisInputs, attributes: pd.DataFrame) -> AnalysisInputs:
    return replace(inputs, attributes=attributes)
