"""Tests of posescope.reporting.result_filter: results of another model or other data are omitted and named."""

from dataclasses import replace

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from tests.findings import make_finding

from posescope.artifacts.model_folder import fingerprint_of_model
from posescope.core.origin import Origin, add_origin, drop_origin
from posescope.data.crops.crop_statistics import CropStatistics
from posescope.evaluation.metric_values import EvaluationSetting, MetricValue, MetricValues, metrics_content
from posescope.explainability.base import AnalysisResult
from posescope.explainability.components.pca import Components
from posescope.explainability.findings_file import list_findings
from posescope.reporting.html_page import render_report
from posescope.reporting.model_card import write_model_card
from posescope.reporting.plots.evaluation_plots import plot_joint_scores
from posescope.reporting.plots.plot_style import add_plot_origin
from posescope.reporting.plots.training_plots import plot_history
from posescope.reporting.report_assembly import assemble_report
from posescope.reporting.report_inputs import PageSetting, select_card_inputs, select_report_inputs
from posescope.reporting.result_filter import ResultFilter, add_image_origin, origin_of
from posescope.reporting.summary.summary_assembly import assemble_summary

DATA = "d" * 16
IMAGE = np.full((8, 12, 3), 90, np.uint8)


@pytest.fixture
def statistics(tiny_model) -> CropStatistics:
    return CropStatistics((0.5, 0.5, 0.5), (32, 32), tiny_model.crop, DATA)


@pytest.fixture
def own(tiny_model) -> Origin:
    return Origin(model=fingerprint_of_model(tiny_model), data=DATA, results="")


def metrics_of(origin: Origin | None) -> dict:
    results = "theirs.json" if origin is not None and origin.results else None
    values = MetricValues({"oks": MetricValue(0.777, 0.7, 0.8, 9)}).of(origin)
    return metrics_content(
        EvaluationSetting("crops", "val", "results" if results else "ground_truth", None if results else False, origin), values
    )


def results_of_each_kind(origin: Origin) -> dict:
    facts = {"mean": np.zeros(2), "axes": np.eye(1, 2), "variances": np.ones(1), "layer": "t", "shape": (2, 1, 1)}
    return {
        "table": add_origin(pd.DataFrame({"oks": [0.5]}), origin),
        "plot": add_plot_origin(go.Figure(), origin),
        "image": add_image_origin(IMAGE, origin),
        "metrics": metrics_of(origin),
        "components": Components(**facts, model=origin.model or "", data=origin.data or ""),
        "analysis": AnalysisResult({"k": 1}, model=origin.model or "", data=origin.data or ""),
    }


def test_every_kind_of_result_has_an_origin(own):
    for name, result in results_of_each_kind(own).items():
        found = origin_of(result)
        assert found is not None, name
        assert (found.model, found.data) == (own.model, own.data), name


@pytest.mark.parametrize("changed", [{"model": "other"}, {"data": "other"}])
def test_results_of_another_model_or_other_data_are_omitted_and_named(tiny_model, statistics, own, changed, caplog):
    results_filter = ResultFilter.of(tiny_model, statistics)
    assert results_filter.keep(results_of_each_kind(own), "evaluation").keys() == results_of_each_kind(own).keys()
    assert results_filter.left_out == []
    assert results_filter.keep(results_of_each_kind(replace(own, **changed)), "evaluation") == {}
    (message,) = results_filter.left_out
    for name in (*results_of_each_kind(own), "other", *(getattr(own, field) for field in changed), "pipeline evaluation"):
        assert name in message
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_metrics_of_another_system_are_omitted(tiny_model, statistics):
    results_filter = ResultFilter.of(tiny_model, statistics)
    external = Origin(model="", data=DATA, results="f" * 16)
    assert results_filter.keep({"metrics": metrics_of(external)}, "evaluation") == {}
    assert "f" * 16 in results_filter.left_out[0]


def test_results_without_origin_are_omitted_unless_empty(tiny_model, statistics):
    results_filter = ResultFilter.of(tiny_model, statistics)
    without_origin = {
        "metrics": metrics_of(None),
        "table": pd.DataFrame({"oks": [0.5]}),
        "components": results_of_each_kind(Origin())["components"],
    }
    assert results_filter.keep(without_origin, "evaluation") == {}
    empty = {"table": pd.DataFrame({"oks": []}), "latent_traversal": AnalysisResult({}, note="not selected")}
    assert results_filter.keep(empty, "evaluation") == empty


def test_model_trained_on_other_data_is_named(tiny_model, statistics):
    model = replace(tiny_model, provenance={"data_fingerprint": "elsewhere"})
    results_filter = ResultFilter.of(model, statistics)
    assert not results_filter.trained_on_this_data
    assert "elsewhere" in results_filter.left_out[0]


@pytest.fixture
def results(data_inputs, failure_inputs, own):
    """Return a function that makes the results of evaluation and data engineering with given origins."""

    def make(evaluated: Origin, data: str = DATA) -> dict:
        def mark(name, value, origin):
            if isinstance(value, pd.DataFrame):
                return add_origin(value, origin)
            return add_image_origin(value, origin) if isinstance(value, np.ndarray) else add_plot_origin(go.Figure(value), origin)

        return {
            "evaluation": {name: mark(name, value, evaluated) for name, value in vars(failure_inputs).items()},
            "data": {name: mark(name, value, Origin(data=data)) for name, value in vars(data_inputs).items()},
        }

    return make


def assemble(inputs):
    return assemble_report(inputs, assemble_summary(inputs))


def report_of(
    model,
    statistics,
    results,
    evaluated: Origin,
    history: Origin,
    examples: Origin | None = None,
    photographs="full",
    findings=(),
):
    epochs = pd.DataFrame(
        {
            "epoch": [1, 2],
            "train_loss": [0.2, 0.1],
            "val_loss": [0.3, 0.2],
            "val_pck_thesis": [0.1, 0.5],
            "learning_rate": [1e-3, 1e-3],
            "seconds": [3.0, 4.4],
        }
    )
    rows = [(joint, kind, 5, 2.0, 0.1, 0.5) for joint in ("nose", "left_hand") for kind in ("occluded", "visible", "all")]
    scores = pd.DataFrame(
        rows, columns=["joint", "visibility", "labelled", "mean_error_px", "normalised_mean_error", "pck_thesis"]
    )
    curves, joints, found = add_origin(epochs, history), add_origin(scores, evaluated), results(evaluated)
    joint_scores = {"joint_scores": joints, "joint_scores_plot": plot_joint_scores(joints)}
    return select_report_inputs(
        ResultFilter.of(model, statistics),
        PageSetting("A page", photographs),
        model,
        data=found["data"],
        training={"history": curves, "history_plot": plot_history(curves)},
        evaluation={**found["evaluation"], "metrics": metrics_of(evaluated), **joint_scores},
        explainability={"components": results_of_each_kind(evaluated)["components"], "findings": list(findings)},
        examples=(shown := add_image_origin(IMAGE, examples or Origin(ResultFilter.of(model, statistics).at_hand.model, DATA))),
        example=shown,
    )


def test_report_contains_all_results_of_its_model_and_data(tiny_model, statistics, own, results, data_inputs):
    inputs = report_of(tiny_model, statistics, results, own, own)
    assert inputs.left_out == ()
    shown = (inputs.metrics, inputs.data, inputs.history, inputs.joint_scores, inputs.components, inputs.failures)
    assert all(part is not None for part in shown)
    assert assemble(inputs).sections[0].tables[0].frame["value"].tolist() == [0.777]


def test_report_of_a_new_model_omits_results_of_the_previous_one(tiny_model, statistics, own, results, data_inputs):
    previous = replace(own, model="b" * 16)
    inputs = report_of(tiny_model, statistics, results, previous, own)
    assert (inputs.metrics, inputs.joint_scores, inputs.components, inputs.failures) == (None, None, None, None)
    assert inputs.data is not None
    assert inputs.history is not None
    content = assemble(inputs)
    assert content.sections[-1].title == "Left out"
    assert "b" * 16 in render_report(content)
    found = results(previous)
    evaluation = {**found["evaluation"], "metrics": metrics_of(previous)}
    card = write_model_card(
        select_card_inputs(ResultFilter.of(tiny_model, statistics), tiny_model, found["data"], evaluation, {"findings": []})
    )
    assert "0.777" not in card
    assert "| train | " in card
    assert "b" * 16 in card
    assert "Run the pipeline evaluation" in card


def test_training_history_of_another_model_is_omitted(tiny_model, statistics, own, results, data_inputs):
    inputs = report_of(tiny_model, statistics, results, own, Origin(model="other", data=DATA))
    assert inputs.history is None
    assert "history" in inputs.left_out[0]
    assert "Training" not in {fact.name for section in assemble(inputs).sections for fact in section.facts}
    trained_elsewhere = report_of(tiny_model, statistics, results, own, Origin(model=own.model, data="other"))
    assert trained_elsewhere.history is not None, "the history belongs to the model, on whatever data it is evaluated"


@pytest.mark.parametrize("other_origin", [Origin("b" * 16, DATA), Origin(data="e" * 16)])
def test_examples_of_another_model_or_other_data_are_omitted(tiny_model, statistics, own, results, other_origin):
    """This occurs if only the report is written again, with `--pipelines reporting`."""
    inputs = report_of(tiny_model, statistics, results, own, own, examples=other_origin)
    assert inputs.examples is None
    assert "person_examples" in inputs.left_out[-2]
    assert "summary_example" in inputs.left_out[-1]
    assert "Persons, crops, heatmaps, skeletons" not in render_report(assemble(inputs))
    assert "Persons, crops, heatmaps, skeletons" in render_report(assemble(report_of(tiny_model, statistics, results, own, own)))


def test_data_quality_of_other_data_is_omitted(tiny_model, statistics, own, results):
    def with_quality(evaluated, data=DATA):
        found = results(evaluated, data)
        quality = add_origin(drop_origin(found["data"]["quality"]), Origin(data="other"))
        return {**found, "data": {**found["data"], "quality": quality}}

    inputs = report_of(tiny_model, statistics, with_quality, own, own)
    assert inputs.data is None
    assert "quality" in inputs.left_out[0]


@pytest.mark.parametrize("mode", ["blurred", "none"])
def test_pictures_of_a_less_strict_mode_are_omitted_and_named(tiny_model, statistics, own, results, mode):
    inputs = report_of(tiny_model, statistics, results, own, own, photographs=mode)
    assert (inputs.examples, inputs.example, inputs.failures.worst_persons, inputs.data.crop_grid) == (None, None, None, None)
    assert inputs.failures.strata is not None
    for name in ("person_examples", "summary_example", "worst_persons", "crop_grid", "target_grid", "average_crop"):
        assert any(name in sentence and mode in sentence for sentence in inputs.left_out), name
    assert "<img" not in render_report(assemble(inputs))
    assert "<img" in render_report(assemble(report_of(tiny_model, statistics, results, own, own)))


def test_findings_of_another_model_are_omitted(tiny_model, statistics, own, results):
    found = list_findings(clusters=AnalysisResult({}, findings=(make_finding(),), model="b" * 16, data=DATA))

    def findings_of(records):
        evaluation, results_filter = {**results(own)["evaluation"], "metrics": None}, ResultFilter.of(tiny_model, statistics)
        card = select_card_inputs(results_filter, tiny_model, results(own)["data"], evaluation, {"findings": records})
        return [finding.id for finding in card.findings]

    assert findings_of(found) == []
    assert findings_of([{**record, "model": own.model} for record in found]) == ["clusters.group-2-fails"]


def test_findings_of_an_older_version_are_omitted_and_named(tiny_model, statistics, own, results):
    old = [{"claim": "Old.", "model": own.model, "data": DATA}]
    inputs = report_of(tiny_model, statistics, results, own, own, findings=old)
    assert inputs.findings == ()
    assert "findings.json" in inputs.left_out[-1]
