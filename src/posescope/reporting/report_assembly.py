"""Assemble the sections of the report from the results of a run."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from posescope.core.skeleton import DEFAULT_OKS_SIGMA
from posescope.models.complexity import count_macs, count_parameters
from posescope.reporting.glossary import list_terms
from posescope.reporting.number_format import format_option
from posescope.reporting.report_content import Fact, Headline, ReportContent, ReportImage, ReportPlot, ReportTable, Section
from posescope.reporting.report_inputs import ReportInputs
from posescope.reporting.sections.data_section import assemble_data_section, assemble_quality_section
from posescope.reporting.sections.error_analysis_section import assemble_failure_section
from posescope.reporting.sections.explainability_section import ExplainInputs, assemble_explain_sections
from posescope.reporting.sections.uncertainty_section import assemble_uncertainty_section
from posescope.reporting.setting_captions import add_setting_to_caption, drop_setting_columns
from posescope.reporting.start_text import describe_start, describe_trained_parts
from posescope.reporting.subject_texts import adapt_section
from posescope.reporting.summary.summary_content import Summary
from posescope.reporting.wording import in_words

__all__ = ["assemble_report"]

# Metrics in the order of the page: name in the files, name in words, definition.
_METRICS = {
    "pck_thesis": ("PCK", "Fraction of joints with an error below 5 % of the crop side, averaged over persons"),
    "pck_thesis_visible": ("PCK, visible joints", "As PCK, of the visible joints only"),
    "pck@0.2": ("PCK at 0.2", "Fraction of joints with an error of at most 20 % of the longer side of the box"),
    "oks_ap": ("OKS AP", "COCO average precision"),
    "oks_ap50": ("OKS AP at 0.50", "COCO average precision at OKS 0.50"),
    "oks_ap75": ("OKS AP at 0.75", "COCO average precision at OKS 0.75"),
    "oks_ar": ("OKS AR", "COCO average recall"),
    "oks": ("Mean OKS", "OKS averaged over persons"),
    "mse": ("Heatmap error", "Mean squared error of the heatmaps"),
}
_MAIN = ("pck_thesis", "pck@0.2", "oks_ap")
_NOTES_OF_PROTOCOL = {
    "coco": "evaluated on all labelled persons (persons rejected during preprocessing count as not detected)",
    "crops": "evaluated on persons with a crop",
}
_NOTES_OF_BOXES = {"ground_truth": "using crops made from the annotation", "results": "using external results"}
_DECIMALS = {"mse": 6}


def assemble_report(inputs: ReportInputs, summary: Summary) -> ReportContent:
    """Return the report: summary, findings, metrics, errors, explainability, data, training, glossary.

    Args:
        inputs: results of the run.
        summary: the first part of the page, whose images are not repeated.
    """
    data = inputs.data
    explained = assemble_explain_sections(
        ExplainInputs(inputs.components, inputs.analyses, inputs.findings, summary.sources, inputs.subject, inputs.open_command)
    )
    findings = tuple(section for section in explained if section.anchor == "findings")
    sections = (
        *findings,
        _metrics_section(inputs),
        *(() if inputs.failures is None else (assemble_failure_section(inputs.failures),)),
        assemble_uncertainty_section(inputs.uncertainty),
        *(section for section in explained if section not in findings),
        *(() if data is None else (assemble_data_section(data), assemble_quality_section(data.quality))),
        _training_section(inputs),
        *_left_out_section(inputs.left_out),
    )
    return ReportContent(
        title=inputs.title,
        subtitle=f"What one network that finds the joints of a {inputs.subject.one} does, and why: first a summary in plain "
        "words, then the full report.",
        summary=summary,
        sections=tuple(adapt_section(section, inputs.subject) for section in sections),
        glossary=list_terms(inputs.subject, has_skips=bool(inputs.model.network.skip_layers)),
        footer="Metrics and errors are of the validation set. In images, open circles are occluded joints, orange is the left "
        "side of the body, and blue is its right side.",
    )


def _model_facts(inputs: ReportInputs) -> tuple[Fact, ...]:
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
        extra = f", {counts['calibration']:,} calibration" if counts.get("calibration", 0) else ""
        facts.append(
            Fact("Persons", f"{counts['train']:,} train, {counts['val']:,} validation, {counts['test']:,} test{extra}{other}")
        )
    facts.append(Fact("Joints", f"{len(model.skeleton)}: {', '.join(model.skeleton.joints)}"))
    if model.skeleton.guessed_sigmas:
        guessed = f"default ({DEFAULT_OKS_SIGMA:g}) for {', '.join(model.skeleton.guessed_sigmas)}"
        facts.append(Fact("OKS sigmas", f"{guessed}: not comparable with other data sets"))
    if start := describe_start(model.provenance):
        facts.append(Fact("Initial weights", start))
    if history is not None:
        facts.append(Fact("Training", f"{len(history)} epochs, {history['seconds'].sum():.0f} s"))
    return tuple(Fact(fact.name, in_words(fact.value)) for fact in facts)


def _left_out_section(left_out: tuple[str, ...]) -> tuple[Section, ...]:
    if not left_out:
        return ()
    text = "These results are of another model or of other data, or show photographs that must not be shown.\n\n"
    return (
        Section(title="Left out", anchor="left-out", text=text + "\n".join(f"- {in_words(sentence)}" for sentence in left_out)),
    )


def _headlines(figures: Mapping[str, Mapping[str, Any]]) -> tuple[Headline, ...]:
    return tuple(
        Headline(
            name=_METRICS[name][0],
            value=float("nan") if figures[name]["value"] is None else float(figures[name]["value"]),
            low=figures[name]["low"],
            high=figures[name]["high"],
            note=_note_of(name, figures[name]),
        )
        for name in _MAIN
        if name in figures
    )


def _metrics_table(figures: Mapping[str, Mapping[str, Any]]) -> ReportTable:
    """Return all metric values, the known ones first."""
    order = {name: place for place, name in enumerate(_METRICS)}
    names = sorted(figures, key=lambda name: (order.get(_metric_of(name, figures[name]), len(order)), name))
    rows = [
        (
            _label_of(name, figures[name]),
            *(figures[name].get(end) for end in ("value", "low", "high", "persons")),
            _note_of(name, figures[name]),
        )
        for name in names
    ]
    table = pd.DataFrame(rows, columns=["metric", "value", "low", "high", "persons", "definition"])
    return ReportTable("All metrics", table, caption="Intervals are 95 % bootstrap intervals over images.")


def _metric_of(name: str, figure: Mapping[str, Any]) -> str:
    """Return the name of the metric, without the data set whose persons count."""
    return name if figure.get("source") is None else name.removesuffix(f"/{figure['source']}")


def _label_of(name: str, figure: Mapping[str, Any]) -> str:
    metric, source = _metric_of(name, figure), figure.get("source")
    label = _METRICS.get(metric, (in_words(metric),))[0]
    return label if source is None else f"{label}, data set {source}"


def _note_of(name: str, figure: Mapping[str, Any]) -> str:
    """Return the definition, protocol and boxes of a metric value; older files lack the latter two."""
    protocol, boxes = figure.get("protocol"), figure.get("box_source")
    setting = (_NOTES_OF_PROTOCOL.get(str(protocol)), _NOTES_OF_BOXES.get(str(boxes)))
    joints = "" if figure.get("source") is None else "joints that the data set annotates"
    parts = (_METRICS.get(_metric_of(name, figure), ("", ""))[1], joints, ", ".join(part for part in setting if part))
    note = "; ".join(part for part in parts if part)
    return f"{note[0].upper()}{note[1:]}." if note else ""


def _metrics_section(inputs: ReportInputs) -> Section:
    figures = {} if inputs.metrics is None else inputs.metrics["val"]
    shown = "Persons of the validation set, from the best to the worst, or evenly spaced by id if they have no metrics."
    if inputs.joint_scores is None or inputs.joint_scores_plot is None:
        text = "No metrics of this model on this data. Run the pipeline evaluation."
        return Section(title="Metrics", anchor="metrics", text=text, images=_examples(inputs, shown))
    plot = ReportPlot(
        inputs.joint_scores_plot, "PCK and mean error of every joint; the joint with the lowest PCK is on top.", "Bars by joint"
    )
    return Section(
        title="Metrics",
        anchor="metrics",
        text=_describe_joints(inputs.joint_scores),
        headlines=_headlines(figures),
        plots=(plot,),
        images=_examples(
            inputs,
            "One person per row, the best first: image with crop box, crop with annotation, target heatmaps, predicted heatmaps, "
            "prediction.",
        ),
        tables=(*((_metrics_table(figures),) if figures else ()), _joint_scores_table(inputs.joint_scores, figures)),
    )


def _describe_joints(joint_scores: pd.DataFrame) -> str:
    joints = joint_scores[joint_scores["visibility"] == "all"]
    ranked = joints.dropna(subset=["pck_thesis"]).sort_values("pck_thesis")
    worst, best = ranked.iloc[:3], ranked.iloc[-3:][::-1]
    return f"Joints with the lowest PCK: {_listed(worst)}; with the highest: {_listed(best)}."


def _joint_scores_table(joint_scores: pd.DataFrame, figures: Mapping[str, Mapping[str, Any]]) -> ReportTable:
    # A joint is labelled for some persons only, so the number of evaluated persons is that of the metrics.
    persons = figures.get("pck_thesis", {}).get("persons")
    of = f" Of {persons:,} persons; a joint counts for those who have it labelled." if persons else ""
    caption = add_setting_to_caption(f"Errors are in px of the original images.{of}", joint_scores)
    return ReportTable("Metrics per joint", _joint_table(joint_scores), caption=caption)


def _examples(inputs: ReportInputs, caption: str) -> tuple[ReportImage, ...]:
    if inputs.examples is None:
        return ()
    return (ReportImage(inputs.examples, caption, "Persons, crops, heatmaps, skeletons", folded=True),)


def _joint_table(joint_scores: pd.DataFrame) -> pd.DataFrame:
    """Return one row per joint: metrics over all labelled joints, and the mean error by visibility."""
    errors = joint_scores.pivot(index="joint", columns="visibility", values="mean_error_px")
    table = joint_scores[joint_scores["visibility"] == "all"].drop(columns=["visibility", "normalised_mean_error"])
    table = drop_setting_columns(table)
    for kind in ("visible", "occluded"):
        table[f"{kind}_error_px"] = errors.loc[table["joint"], kind].to_numpy()
    return table.reset_index(drop=True)


def _listed(rows: pd.DataFrame) -> str:
    return ", ".join(f"{in_words(str(joint))} ({pck:.2f})" for joint, pck in zip(rows["joint"], rows["pck_thesis"], strict=True))


def _training_section(inputs: ReportInputs) -> Section:
    model = inputs.model
    parameters = pd.DataFrame(
        [
            ("model", format_option({"name": model.model_spec.name, "options": model.model_spec.options})),
            ("codec", format_option({"name": model.codec_spec.name, "options": model.codec_spec.options})),
            *((key, format_option(value)) for key, value in model.provenance.items() if not isinstance(value, dict | list)),
            *describe_trained_parts(model.provenance).items(),
        ],
        columns=["option", "value"],
    )
    recipe = ReportTable("Training configuration", parameters)
    if inputs.history is None or inputs.history_plot is None:
        return Section(title="Training", anchor="training", facts=_model_facts(inputs), facts_title="The model", tables=(recipe,))
    return Section(
        title="Training",
        anchor="training",
        facts=_model_facts(inputs),
        facts_title="The model",
        plots=(ReportPlot(inputs.history_plot, "Losses and PCK per epoch.", "Training curves", folded=True),),
        tables=(recipe, ReportTable("Epochs", inputs.history, decimals=5)),
    )
