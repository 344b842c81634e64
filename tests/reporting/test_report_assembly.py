"""Tests of posescope.reporting.report_assembly: sections, headlines, findings and analyses of a report."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from tests.findings import make_finding

from posescope.explainability.base import AnalysisResult
from posescope.explainability.components.pca import Components
from posescope.explainability.findings_file import list_findings, read_findings
from posescope.models.complexity import count_parameters
from posescope.reporting.html_page import render_report
from posescope.reporting.plots.evaluation_plots import plot_joint_scores
from posescope.reporting.plots.training_plots import plot_history
from posescope.reporting.report_assembly import assemble_report
from posescope.reporting.report_inputs import ReportInputs
from posescope.reporting.subject_words import SubjectWords
from posescope.reporting.summary.summary_assembly import assemble_summary

IMAGE = np.full((6, 12, 3), 90, np.uint8)


def joint_scores():
    rows = [
        (joint, visibility, 5, 2.0, 0.1, pck if visibility == "all" else np.nan)
        for joint, pck in (("nose", 0.9), ("left_hand", 0.25), ("right_hand", 0.5))
        for visibility in ("occluded", "visible", "all")
    ]
    return pd.DataFrame(rows, columns=["joint", "visibility", "labelled", "mean_error_px", "normalised_mean_error", "pck_thesis"])


@pytest.fixture
def inputs(tiny_model, data_inputs, failure_inputs):
    history = pd.DataFrame(
        {
            "epoch": [1, 2],
            "train_loss": [0.2, 0.1],
            "val_loss": [0.3, 0.2],
            "val_pck_thesis": [0.1, 0.5],
            "learning_rate": [1e-3, 1e-3],
            "seconds": [3.0, 4.4],
        }
    )
    return ReportInputs(
        title="A tiny run",
        model=tiny_model,
        metrics={
            "val": {
                "pck_thesis": {"value": 0.5, "low": 0.4, "high": 0.6},
                "oks_ap": {"value": None, "low": None, "high": None},
                "mse": {"value": 2e-5, "low": None, "high": None},
            }
        },
        data=data_inputs,
        history=history,
        history_plot=plot_history(history),
        joint_scores=joint_scores(),
        joint_scores_plot=plot_joint_scores(joint_scores()),
        # The first component explains 9 / (9 + 1) = 90 %; 95 % needs both; the participation ratio is (9 + 1)^2 / (81 + 1) = 1.2.
        components=Components(np.zeros(4), np.eye(2, 4), np.array([9.0, 1.0]), layer="stack1.bottleneck", shape=(4, 1, 1)),
        analyses={
            "latent_traversal": AnalysisResult(facts={}, images={"traversal_of_pc1": IMAGE}, note="Persons sit down."),
            "skip_ablation": AnalysisResult(
                facts={}, tables={"skip_ablation": pd.DataFrame({"drop": [0.1]})}, note="Skips matter."
            ),
        },
        examples=IMAGE,
        failures=failure_inputs,
    )


def report_of(inputs):
    return assemble_report(inputs, assemble_summary(inputs))


def find_section(content, title):
    return next(one for one in content.sections if one.title == title)


def with_result(inputs, name="latent_traversal", **fields):
    """Return inputs whose only analysis has this result, with its corrected findings."""
    result = AnalysisResult(facts={}, **fields)
    return replace(inputs, analyses={name: result}, findings=read_findings(list_findings(**{name: result})))


def test_order_of_sections(inputs):
    assert [(one.title, one.place) for one in report_of(inputs).sections] == [
        ("Metrics", "metrics"),
        ("Errors", "errors"),
        ("Uncertainty", "uncertainty"),
        ("Components", "variance"),
        ("Latent traversal", "analysis-latent-traversal"),
        ("Skip ablation", "analysis-skip-ablation"),
        ("Data", "data"),
        ("Data quality", "data-quality"),
        ("Training", "training"),
    ]


def test_missing_results_are_listed_after_the_analyses(inputs):
    empty = AnalysisResult(facts={}, note="The analysis 'attribution' is not selected.")
    content = report_of(replace(inputs, components=None, analyses={"attribution": empty, **inputs.analyses}))
    titles = [one.title for one in content.sections]
    assert titles[3:6] == ["Latent traversal", "Skip ablation", "Analyses that were not run"]
    assert find_section(content, "Analyses that were not run").text.split("\n") == [
        "- No components of this model; run the pipeline explainability.",
        "- Attribution: The analysis 'attribution' is not selected.",
    ]


def test_section_on_training_describes_model_data_and_training(inputs, tiny_model):
    facts = {fact.name: fact.value for fact in find_section(report_of(inputs), "Training").facts}
    assert facts["Persons"] == "3 train, 3 validation, 1 test"
    assert facts["Input"] == "crops of 32 x 32 px by the rule padded square"
    assert facts["Heatmaps"] == "codec gaussian, 8 x 8 px"
    assert facts["Joints"] == "3: nose, left hand, right hand"
    # 3.0 + 4.4 = 7.4 s
    assert facts["Training"] == "2 epochs, 7 s"
    assert facts["Model"].startswith(f"hourglass, {count_parameters(tiny_model.network) / 1e6:.2f} million parameters")


def test_main_metrics_are_headlines_and_all_are_in_a_table(inputs):
    section = find_section(report_of(inputs), "Metrics")
    pck, ap = section.headlines
    assert (pck.name, pck.value, pck.low, pck.high) == ("PCK", 0.5, 0.4, 0.6)
    assert "5 % of the crop side" in pck.note
    assert np.isnan(ap.value)
    table = section.tables[0].frame
    assert table["metric"].tolist() == ["PCK", "OKS AP", "Heatmap error"]
    assert table["value"].tolist()[2] == 2e-5


def test_metric_without_description_is_named_by_its_key(inputs):
    metrics = {"val": {"my_metric": {"value": 1.0, "low": None, "high": None}}}
    section = find_section(report_of(replace(inputs, metrics=metrics)), "Metrics")
    assert section.headlines == ()
    assert section.tables[0].frame[["metric", "definition"]].to_numpy().tolist() == [["my metric", ""]]


def test_headline_states_its_protocol_and_boxes(inputs):
    metric = {"value": 0.5, "low": 0.4, "high": 0.6, "box_source": "ground_truth"}
    metrics = {
        "schema_version": 1,
        "val": {"oks_ap": {**metric, "protocol": "coco"}, "pck_thesis": {**metric, "protocol": "crops"}},
    }
    pck, ap = find_section(report_of(replace(inputs, metrics=metrics)), "Metrics").headlines
    for note, population in ((ap.note, "all labelled persons"), (pck.note, "persons with a crop")):
        assert population in note
        assert note.endswith("crops made from the annotation.")
    assert "not detected" in ap.note


def test_metric_of_one_data_set_of_several_follows_that_of_all(inputs):
    metric = {"value": 0.5, "low": 0.4, "high": 0.6, "persons": 3, "protocol": "coco"}
    ours = {f"{name}/b_set": {**metric, "source": "b_set"} for name in ("oks_ap", "oks_ar")}
    metrics = {"val": {**ours, "oks_ar": metric, "my/own": metric, "oks_ap": metric}}
    section = find_section(report_of(replace(inputs, metrics=metrics)), "Metrics")
    table = section.tables[0].frame
    expected = ["OKS AP", "OKS AP, data set b_set", "OKS AR", "OKS AR, data set b_set", "my/own"]
    assert table["metric"].tolist() == expected
    assert table["definition"].iloc[1].startswith("COCO average precision; joints that the data set annotates; evaluated")
    assert [headline.name for headline in section.headlines] == ["OKS AP"]


def test_joints_of_lowest_and_highest_pck_are_named(inputs):
    text = find_section(report_of(inputs), "Metrics").text
    assert "lowest PCK: left hand (0.25), right hand (0.50), nose (0.90)" in text
    assert "highest: nose (0.90), right hand (0.50), left hand (0.25)" in text


def test_table_of_joints_states_the_evaluated_persons(inputs):
    metrics = {"val": {"pck_thesis": {"value": 0.5, "low": 0.4, "high": 0.6, "persons": 362}}}
    table = find_section(report_of(replace(inputs, metrics=metrics)), "Metrics").tables[-1]
    assert "Of 362 persons" in table.caption


def test_components_are_described(inputs):
    text = find_section(report_of(inputs), "Components").text
    for words in ("the 4 numbers", "90.0%", "2 explain 95 %", "1.2"):
        assert words in text


def test_analysis_without_findings_shows_its_note_and_first_image(inputs):
    content = report_of(inputs)
    traversal = find_section(content, "Latent traversal")
    assert (traversal.text, traversal.numbers) == ("Persons sit down.", "")
    assert [(image.caption, image.folded) for image in traversal.images] == [("Traversal of pc1.", False)]
    assert [table.title for table in find_section(content, "Skip ablation").tables] == ["skip ablation"]


def test_captions_come_from_the_analysis(inputs):
    captions = {"map": "Points of left_hand.", "sizes": "Persons per group."}
    tables = {"sizes": pd.DataFrame({"a": [1]})}
    shown = with_result(inputs, images={"map": IMAGE}, tables=tables, captions=captions)
    section = find_section(report_of(shown), "Latent traversal")
    assert section.images[0].caption == "Points of left hand."
    assert section.tables[0].caption == "Persons per group."


def test_findings_are_listed_first_and_shown_in_the_section_of_their_analysis(inputs):
    findings = (
        make_finding(
            "Component_1 is standing.", id="one", question="Is it?", p_value=1e-6, picture="map", persons="persons of val"
        ),
        make_finding("Group 2 fails.", question="Does group 2 fail?", p_value=0.04, importance=0.1),
    )
    content = report_of(with_result(inputs, findings=findings, images={"other": IMAGE, "map": IMAGE}, note="Many numbers."))
    overview, section = content.sections[0], find_section(content, "Latent traversal")
    assert overview.title == "Findings"
    assert overview.text.startswith("The analyses asked 2 questions: 1 are answered with yes, 0 with no, 1 cannot")
    # p = 0.04 is not significant after the correction for two tests.
    assert [(card.question, card.verdict) for card in overview.index] == [
        ("Does group 2 fail?", "inconclusive"),
        ("Is it?", "supported"),
    ]
    assert section.findings == overview.index
    unclear, known = section.findings
    assert unclear.statement == "It is not clear."
    assert known.statement == "Component 1 is standing."
    assert known.picture == "figure-latent-traversal-map"
    numbers = {fact.name: fact.value for fact in known.numbers}
    assert numbers["Effect"] == "0.400 (0.300 to 0.500) PCK"
    assert numbers["Control"] == "chance: 0.100"
    assert numbers["Persons"] == "persons of val"
    # The figure of the first finding that has one is open.
    assert {image.anchor: image.folded for image in section.images} == {
        "figure-latent-traversal-other": True,
        "figure-latent-traversal-map": False,
    }
    assert (section.text, section.numbers) == ("", "Many numbers.")


def test_pictures_of_the_summary_are_not_repeated(inputs):
    finding = make_finding(picture="traversal_strip_1")
    shown = with_result(inputs, images={"traversal_strip_1": IMAGE, "other": IMAGE}, findings=(finding,))
    section = find_section(report_of(shown), "Latent traversal")
    assert [image.anchor for image in section.images] == ["figure-latent-traversal-other"]
    assert section.findings[0].picture == "figure-latent-traversal-traversal-strip-1"
    assert "summary" in section.text
    assert 'id="figure-latent-traversal-traversal-strip-1"' in render_report(report_of(shown))


def test_plots_of_an_analysis_get_the_plot_style_and_words(inputs):
    figure = go.Figure(go.Scatter(x=["left_hand"], y=[2], name="a_b"), layout={"height": 500})
    (shown,) = find_section(report_of(with_result(inputs, plots={"slider": figure})), "Latent traversal").plots
    assert (shown.caption, shown.figure.layout.height) == ("Slider.", 500)
    assert (shown.figure.data[0].x[0], shown.figure.data[0].name, shown.figure.data[0].mode) == ("left hand", "a b", None)
    assert figure.data[0].x[0] == "left_hand"
    assert shown.figure.layout.paper_bgcolor is None  # from the template
    assert figure.layout.template.layout.paper_bgcolor != shown.figure.layout.template.layout.paper_bgcolor


def test_recipe_lists_components_and_scalar_provenance(inputs):
    recipe = find_section(report_of(inputs), "Training").tables[0].frame.set_index("option")
    assert recipe.loc["model", "value"].startswith("hourglass (")
    assert "channels 8" in recipe.loc["model", "value"]
    assert recipe.loc["seed", "value"] == "11"
    assert "history" not in recipe.index


def test_report_without_analyses(inputs):
    assert len(report_of(replace(inputs, analyses={})).sections) == 7


def test_report_can_be_rendered(inputs):
    page = render_report(report_of(inputs))
    for words in ("A tiny run", "Persons sit down.", "left hand (0.25)", "3 train, 3 validation, 1 test", "Glossary"):
        assert words in page


def test_mice_are_no_persons(inputs):
    finding = make_finding("A person with a tail fails.", picture="map")
    mice = replace(with_result(inputs, images={"map": IMAGE}, findings=(finding,)), subject=SubjectWords("mouse", "mice"))
    content = report_of(mice)
    assert find_section(content, "Latent traversal").findings[0].statement == "A mouse with a tail fails."
    assert "joints of a mouse" in content.subtitle
    for section in content.sections:
        shown = [*section.images, *section.plots, *section.tables]
        texts = [section.text, section.numbers, *(one.caption for one in shown), *(fact.value for fact in section.facts)]
        assert re.search(r"\bpersons?\b", " ".join(texts), re.IGNORECASE) is None, section.title
    assert any("mice" in section.text for section in content.sections)


def test_default_sigmas_are_stated(inputs):
    def facts(skeleton):
        content = report_of(replace(inputs, model=replace(inputs.model, skeleton=skeleton)))
        return {fact.name: fact.value for fact in find_section(content, "Training").facts}

    guessed = facts(replace(inputs.model.skeleton, guessed_sigmas=("left_hand", "right_hand")))
    assert guessed["OKS sigmas"].startswith("default (0.079) for left hand, right hand:")
    assert "OKS sigmas" not in facts(replace(inputs.model.skeleton, guessed_sigmas=()))
