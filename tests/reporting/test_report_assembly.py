"""Tests of posescope.reporting.report_assembly: sections, summary, headlines and analyses of a report."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from tests.findings import make_finding

from posescope.explainability.base import AnalysisResult
from posescope.explainability.components.pca import Components
from posescope.explainability.findings import Control
from posescope.models.complexity import count_parameters
from posescope.reporting.html_page import render_report
from posescope.reporting.plots.evaluation_plots import plot_joint_scores
from posescope.reporting.plots.training_plots import plot_history
from posescope.reporting.report_assembly import ReportInputs, assemble_report

IMAGE = np.full((8, 12, 3), 90, np.uint8)


def joint_scores():
    rows = [
        (joint, visibility, 5, 2.0, 0.1, pck if visibility == "all" else np.nan)
        for joint, pck in (("nose", 0.9), ("left_hand", 0.25), ("right_hand", 0.5))
        for visibility in ("occluded", "visible", "all")
    ]
    return pd.DataFrame(rows, columns=["joint", "visibility", "labelled", "mean_error_px", "normalised_mean_error", "pck_thesis"])


def skip_table():
    rows = [
        (f"stack1.skip{level}", joint, mode, drop * (2 if mode == "zero" else 1))
        for level, drops in ((1, (0.1, 0.2)), (2, (0.3, 0.4)))
        for joint, drop in zip(("nose", "left_hand"), drops, strict=True)
        for mode in ("zero", "mean")
    ]
    return pd.DataFrame(rows, columns=["level", "joint", "mode", "drop"])


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
            "skip_ablation": AnalysisResult(facts={}, tables={"skip_ablation": skip_table()}, note="Skips matter."),
        },
        examples=IMAGE,
        failures=failure_inputs,
    )


def find_section(content, title):
    return next(one for one in content.sections if one.title == title)


def test_order_of_sections(inputs):
    assert [one.title for one in assemble_report(inputs).sections] == [
        "Metrics",
        "Errors",
        "Explainability: variance",
        "Explainability: latent traversal",
        "Explainability: skip ablation",
        "The data",
        "Data quality",
        "Training",
    ]


def test_missing_results_are_listed_after_the_analyses(inputs):
    empty = AnalysisResult(facts={}, note="The analysis 'attribution' is not selected.")
    content = assemble_report(replace(inputs, components=None, analyses={"attribution": empty, **inputs.analyses}))
    titles = [one.title for one in content.sections]
    assert titles[2:5] == [f"Explainability: {name}" for name in ("latent traversal", "skip ablation", "missing results")]
    text = find_section(content, "Explainability: missing results").text
    assert text.split("\n") == [
        "- No components of this model; run the pipeline explainability.",
        "- attribution: The analysis 'attribution' is not selected.",
    ]


def test_summary_describes_model_data_and_training(inputs, tiny_model):
    facts = {fact.name: fact.value for fact in assemble_report(inputs).summary}
    assert facts["Persons"] == "3 train, 3 validation, 1 test"
    assert facts["Input"] == "crops of 32 x 32 px by the rule padded_square"
    assert facts["Heatmaps"] == "codec gaussian, 8 x 8 px"
    assert facts["Joints"] == "3: nose, left_hand, right_hand"
    # 3.0 + 4.4 = 7.4 s
    assert facts["Training"] == "2 epochs, 7 s"
    assert facts["Model"].startswith(f"hourglass, {count_parameters(tiny_model.network) / 1e6:.2f} million parameters")


def test_headlines_have_intervals_and_notes(inputs):
    pck, ap, mse = assemble_report(inputs).headlines
    assert (pck.name, pck.value, pck.low, pck.high) == ("pck_thesis", 0.5, 0.4, 0.6)
    assert "5 % of the crop side" in pck.note
    assert math.isnan(ap.value)
    assert (mse.value, mse.decimals) == (2e-5, 6)


def test_metric_without_description_has_no_note(inputs):
    metrics = {"val": {"my_metric": {"value": 1.0, "low": None, "high": None}}}
    (headline,) = assemble_report(replace(inputs, metrics=metrics)).headlines
    assert (headline.name, headline.note) == ("my_metric", "")


def test_headline_states_its_protocol_and_boxes(inputs):
    metric = {"value": 0.5, "low": 0.4, "high": 0.6, "box_source": "ground_truth"}
    metrics = {
        "schema_version": 1,
        "val": {"oks_ap": {**metric, "protocol": "coco"}, "pck_thesis": {**metric, "protocol": "crops"}},
    }
    pck, ap = assemble_report(replace(inputs, metrics=metrics)).headlines
    for note, population in ((ap.note, "all labelled persons"), (pck.note, "persons with a crop")):
        assert population in note
        assert note.endswith("crops made from the annotation.")
    assert "not detected" in ap.note


def test_joints_of_lowest_and_highest_pck_are_named(inputs):
    text = find_section(assemble_report(inputs), "Metrics").text
    assert "lowest pck_thesis: left_hand (0.25), right_hand (0.50), nose (0.90)" in text
    assert "highest: nose (0.90), right_hand (0.50), left_hand (0.25)" in text


def test_components_are_described(inputs):
    text = find_section(assemble_report(inputs), "Explainability: variance").text
    for words in ("'stack1.bottleneck'", "90.0%", "2 components explain 95 %", "1.2"):
        assert words in text


def test_analysis_section_has_note_images_tables_and_plots(inputs):
    content = assemble_report(inputs)
    traversal = find_section(content, "Explainability: latent traversal")
    assert traversal.text == "Persons sit down."
    assert [image.caption for image in traversal.images] == ["traversal of pc1."]
    skips = find_section(content, "Explainability: skip ablation")
    assert [table.title for table in skips.tables] == ["skip ablation"]
    heatmap = skips.plots[0].figure.data[0]
    # The plot shows mean ablation, not zero ablation: one row per level, one column per joint in skeleton order.
    assert (list(heatmap.y), list(heatmap.x)) == (["stack1.skip1", "stack1.skip2"], ["nose", "left hand"])
    np.testing.assert_array_equal(heatmap.z, [[0.1, 0.2], [0.3, 0.4]])


def test_findings_are_listed_first_with_their_controls(inputs):
    chance = Control("shuffled persons", 0.01, 0.0, 0.02)
    findings = (
        make_finding("Component 1 is sitting to standing.", control=chance, persons="persons of val"),
        make_finding(
            "Cluster 2 fails.",
            low=None,
            high=None,
            control=Control("all persons", 0.7),
            verdict="inconclusive",
            importance=0.1,
        ),
    )
    analyses = {"latent_traversal": replace(inputs.analyses["latent_traversal"], findings=findings)}
    content = assemble_report(replace(inputs, analyses=analyses))
    findings_section = find_section(content, "Explainability: findings")
    assert content.sections[2] is findings_section
    assert findings_section.text.startswith("1 of 2 tested effects")
    assert findings_section.text.endswith("The findings are of persons of val.")
    assert findings_section.tables[0].frame.to_numpy().tolist() == [
        ["Cluster 2 fails.", "0.400", "all persons: 0.700", "cannot be said"],
        [
            "Component 1 is sitting to standing.",
            "0.400 (0.300 to 0.500)",
            "shuffled persons: 0.010 (0.000 to 0.020)",
            "yes",
        ],
    ]


def test_plots_of_an_analysis_get_the_plot_style(inputs):
    figure = go.Figure(go.Scatter(x=[1], y=[2]), layout={"height": 500})
    analyses = {"latent_traversal": AnalysisResult(facts={}, plots={"traversal_slider": figure})}
    (shown,) = find_section(assemble_report(replace(inputs, analyses=analyses)), "Explainability: latent traversal").plots
    assert (shown.caption, shown.figure.layout.height) == (
        "Decoded skeletons along the traversals; the slider selects the step.",
        500,
    )
    assert shown.figure.layout.paper_bgcolor is None  # from the template
    assert figure.layout.template.layout.paper_bgcolor != shown.figure.layout.template.layout.paper_bgcolor


@pytest.mark.parametrize("silhouettes", [[0.1, 0.3], [np.nan, np.nan]])
def test_clusters_have_a_plot_only_with_silhouettes(inputs, silhouettes):
    table = pd.DataFrame({"clusters": [2, 3], "silhouette": silhouettes})
    analyses = {"clusters": AnalysisResult(facts={}, tables={"silhouettes": table})}
    clusters = find_section(assemble_report(replace(inputs, analyses=analyses)), "Explainability: clusters")
    assert len(clusters.plots) == (0 if np.isnan(silhouettes[0]) else 1)


def test_recipe_lists_components_and_scalar_provenance(inputs):
    recipe = find_section(assemble_report(inputs), "Training").tables[0].frame.set_index("option")
    assert recipe.loc["model", "value"].startswith("hourglass (")
    assert "channels 8" in recipe.loc["model", "value"]
    assert recipe.loc["seed", "value"] == "11"
    assert "history" not in recipe.index


def test_report_without_analyses(inputs):
    assert len(assemble_report(replace(inputs, analyses={})).sections) == 6


def test_report_can_be_rendered(inputs):
    page = render_report(assemble_report(inputs))
    for words in ("A tiny run", "Persons sit down.", "left_hand (0.25)", "3 train, 3 validation, 1 test"):
        assert words in page


def test_default_sigmas_are_stated(inputs):
    def facts(skeleton):
        content = assemble_report(replace(inputs, model=replace(inputs.model, skeleton=skeleton)))
        return {fact.name: fact.value for fact in content.summary}

    guessed = facts(replace(inputs.model.skeleton, guessed_sigmas=("left_hand", "right_hand")))
    assert guessed["OKS sigmas"].startswith("default (0.079) for left_hand, right_hand:")
    assert "OKS sigmas" not in facts(replace(inputs.model.skeleton, guessed_sigmas=()))
