"""Assemble the sections of the report from the results of a run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from posescope.artifacts.pose_model import PoseModel
from posescope.core.skeleton import DEFAULT_OKS_SIGMA
from posescope.explainability.base import AnalysisResult
from posescope.explainability.components.pca import Components
from posescope.models.complexity import count_macs, count_parameters
from posescope.reporting.number_format import format_option
from posescope.reporting.report_content import Fact, Headline, ReportContent, ReportImage, ReportPlot, ReportTable, Section
from posescope.reporting.sections.data_section import DataInputs, assemble_data_section, assemble_quality_section
from posescope.reporting.sections.error_analysis_section import FailureInputs, assemble_failure_section
from posescope.reporting.sections.explainability_section import assemble_explain_sections
from posescope.reporting.setting_captions import add_setting_to_caption, drop_setting_columns

__all__ = ["ReportInputs", "assemble_report"]

_NOTES = {
    "pck_thesis": "PCK of the thesis: fraction of joints with an error below 5 % of the crop side, averaged over persons",
    "pck@0.2": "PCK: fraction of joints with an error of at most 20 % of the longer side of the box",
    "oks_ap": "COCO average precision",
    "oks_ap50": "COCO average precision at OKS 0.50",
    "oks_ap75": "COCO average precision at OKS 0.75",
    "oks_ar": "COCO average recall",
    "mse": "Mean squared error of the heatmaps",
}
_NOTES_OF_PROTOCOL = {
    "coco": "evaluated on all labelled persons (persons rejected during preprocessing count as not detected)",
    "crops": "evaluated on persons with a crop",
}
_NOTES_OF_BOXES = {"ground_truth": "using crops made from the annotation", "results": "using external results"}
_DECIMALS = {"mse": 6}


@dataclass(frozen=True, eq=False)
class ReportInputs:
    """Inputs of the report.

    Attributes:
        title: title of the page.
        model: the trained model.
        metrics: content of metrics.json. None, here and below: no result of this model on this data.
        data: results of data engineering.
        history, history_plot: training history and its plot.
        joint_scores, joint_scores_plot: scores per joint and their plot.
        components: components of the features.
        analyses: results of analyses by name.
        examples: image grid of some persons, (H, W, 3) uint8 RGB.
        failures: results of the error analysis.
        trained_on_this_data: whether the model was trained on the data that is shown.
        left_out: one sentence for each result that was left out because it is of another model or other data.
    """

    title: str
    model: PoseModel
    metrics: Mapping[str, Any] | None
    data: DataInputs | None
    history: pd.DataFrame | None
    history_plot: go.Figure | None
    joint_scores: pd.DataFrame | None
    joint_scores_plot: go.Figure | None
    components: Components | None
    analyses: Mapping[str, AnalysisResult]
    examples: NDArray[np.uint8] | None
    failures: FailureInputs | None
    trained_on_this_data: bool = True
    left_out: tuple[str, ...] = ()


def assemble_report(inputs: ReportInputs) -> ReportContent:
    """Return the report: metrics, errors, explainability, data, training."""
    data = inputs.data
    sections = (
        *_left_out_section(inputs.left_out),
        _metrics_section(inputs),
        *(() if inputs.failures is None else (assemble_failure_section(inputs.failures),)),
        *assemble_explain_sections(inputs.components, inputs.analyses),
        *(() if data is None else (assemble_data_section(data), assemble_quality_section(data.quality))),
        _training_section(inputs),
    )
    return ReportContent(
        title=inputs.title,
        subtitle="Single-person 2D pose estimation: metrics, errors, explainability, data and training of one model.",
        summary=_summary(inputs),
        headlines=() if inputs.metrics is None else _headlines(inputs.metrics["val"]),
        sections=sections,
        footer="Metrics and errors are of the validation set; the chapters on explainability state their persons. In images, "
        "open circles are occluded joints, orange is the left side of the body, and blue is its right side.",
    )


def _summary(inputs: ReportInputs) -> tuple[Fact, ...]:
    model, data, history = inputs.model, inputs.data, inputs.history
    parameters, macs = count_parameters(model.network), count_macs(model.network, model.crop_size)
    facts = [
        Fact("Model", f"{model.model_spec.name}, {parameters / 1e6:.2f} million parameters, {macs / 1e9:.2f} GMAC per person"),
        Fact("Input", f"crops of {model.crop_size[0]} x {model.crop_size[1]} px by the rule {model.crop.rule.name}"),
        Fact("Heatmaps", f"codec {model.codec_spec.name}, {model.codec.map_size[0]} x {model.codec.map_size[1]} px"),
    ]
    if data is not None:
        counts = data.distribution.set_index("split")["persons"]
        other = "" if inputs.trained_on_this_data else " (of this data; the model was trained on other data)"
        facts.append(Fact("Persons", f"{counts['train']:,} train, {counts['val']:,} validation, {counts['test']:,} test{other}"))
    facts.append(Fact("Joints", f"{len(model.skeleton)}: {', '.join(model.skeleton.joints)}"))
    if model.skeleton.guessed_sigmas:
        guessed = f"default ({DEFAULT_OKS_SIGMA:g}) for {', '.join(model.skeleton.guessed_sigmas)}"
        facts.append(Fact("OKS sigmas", f"{guessed}: not comparable with other data sets"))
    if history is not None:
        facts.append(Fact("Training", f"{len(history)} epochs, {history['seconds'].sum():.0f} s"))
    return tuple(facts)


def _left_out_section(left_out: tuple[str, ...]) -> tuple[Section, ...]:
    if not left_out:
        return ()
    text = "These results are of another model or of other data and are not shown.\n\n" + "\n".join(
        f"- {sentence}" for sentence in left_out
    )
    return (Section(title="Left out", text=text),)


def _headlines(figures: Mapping[str, Mapping[str, Any]]) -> tuple[Headline, ...]:
    order = {name: place for place, name in enumerate(_NOTES)}
    return tuple(
        Headline(
            name=name,
            value=float("nan") if figure["value"] is None else float(figure["value"]),
            low=figure["low"],
            high=figure["high"],
            note=_note_of(name, figure),
            decimals=_DECIMALS.get(name, 3),
        )
        for name, figure in sorted(figures.items(), key=lambda item: (order.get(item[0], len(order)), item[0]))
    )


def _note_of(name: str, figure: Mapping[str, Any]) -> str:
    """Return the definition, protocol and boxes of a metric value; older files lack the latter two."""
    protocol, boxes = figure.get("protocol"), figure.get("box_source")
    setting = (_NOTES_OF_PROTOCOL.get(str(protocol)), _NOTES_OF_BOXES.get(str(boxes)))
    parts = (_NOTES.get(name), ", ".join(part for part in setting if part))
    note = "; ".join(part for part in parts if part)
    return f"{note[0].upper()}{note[1:]}." if note else ""


def _metrics_section(inputs: ReportInputs) -> Section:
    shown = "Persons of the validation set, evenly spaced by id."
    if inputs.joint_scores is None or inputs.joint_scores_plot is None:
        text = f"No metrics of this model on this data. Run the pipeline evaluation.\n\n{shown}"
        return Section(title="Metrics", text=text, images=_examples(inputs, shown))
    joints = inputs.joint_scores[inputs.joint_scores["visibility"] == "all"].reset_index(drop=True)
    ranked = joints.dropna(subset=["pck_thesis"]).sort_values("pck_thesis")
    worst, best = ranked.iloc[:3], ranked.iloc[-3:][::-1]
    text = (
        f"Joints with the lowest pck_thesis: {_listed(worst)}; with the highest: {_listed(best)}.\n\n"
        "The image shows persons of the validation set at equally spaced ranks of pck_thesis, the best first."
    )
    return Section(
        title="Metrics",
        text=text,
        plots=(
            ReportPlot(
                inputs.joint_scores_plot,
                "pck_thesis and mean error of every joint; the joint with the lowest pck_thesis is on top.",
                "Bars by joint",
            ),
        ),
        images=_examples(
            inputs,
            "One person per row: image with crop box, crop with annotation, target heatmaps, predicted heatmaps, prediction.",
        ),
        tables=(
            ReportTable(
                "Metrics per joint",
                _joint_table(inputs.joint_scores),
                caption=add_setting_to_caption("Errors are in px of the original images.", inputs.joint_scores),
            ),
        ),
    )


def _examples(inputs: ReportInputs, caption: str) -> tuple[ReportImage, ...]:
    if inputs.examples is None:
        return ()
    return (ReportImage(inputs.examples, caption, "Persons, crops, heatmaps, skeletons"),)


def _joint_table(joint_scores: pd.DataFrame) -> pd.DataFrame:
    """Return one row per joint: metrics over all labelled joints, and the mean error by visibility."""
    errors = joint_scores.pivot(index="joint", columns="visibility", values="mean_error_px")
    table = joint_scores[joint_scores["visibility"] == "all"].drop(columns=["visibility", "normalised_mean_error"])
    table = drop_setting_columns(table)
    for kind in ("visible", "occluded"):
        table[f"{kind}_error_px"] = errors.loc[table["joint"], kind].to_numpy()
    return table.reset_index(drop=True)


def _listed(rows: pd.DataFrame) -> str:
    return ", ".join(f"{joint} ({pck:.2f})" for joint, pck in zip(rows["joint"], rows["pck_thesis"], strict=True))


def _training_section(inputs: ReportInputs) -> Section:
    model = inputs.model
    parameters = pd.DataFrame(
        [
            ("model", format_option({"name": model.model_spec.name, "options": model.model_spec.options})),
            ("codec", format_option({"name": model.codec_spec.name, "options": model.codec_spec.options})),
            *((key, format_option(value)) for key, value in model.provenance.items() if not isinstance(value, dict | list)),
        ],
        columns=["option", "value"],
    )
    recipe = ReportTable("Training configuration", parameters)
    if inputs.history is None or inputs.history_plot is None:
        return Section(title="Training", tables=(recipe,))
    return Section(
        title="Training",
        plots=(ReportPlot(inputs.history_plot, "Losses and PCK per epoch.", "Training curves"),),
        tables=(recipe, ReportTable("Epochs", inputs.history, decimals=5)),
    )
