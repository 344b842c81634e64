"""Select the results that the report and the model card show: those of the model and the data of this run."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from posescope.artifacts.pose_model import PoseModel
from posescope.core.origin import drop_origin
from posescope.drawing.photographs import PhotographMode, mode_covers
from posescope.drawing.rgb_images import PngImage
from posescope.explainability.base import AnalysisResult
from posescope.explainability.components.pca import Components
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.findings_file import FindingRecord, read_findings
from posescope.reporting.model_card import CardInputs
from posescope.reporting.photograph_filter import hide_result, hide_table, is_covered
from posescope.reporting.result_filter import ResultFilter
from posescope.reporting.sections.data_section import DataInputs
from posescope.reporting.sections.error_analysis_section import FailureInputs
from posescope.reporting.sections.finding_cards import picture_of
from posescope.reporting.sections.uncertainty_section import UncertaintyInputs
from posescope.reporting.subject_words import PERSONS, SubjectWords, name_subjects

__all__ = ["PageSetting", "ReportInputs", "select_card_inputs", "select_report_inputs"]

_ANALYSIS = "analysis_"


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
        findings: findings of these analyses, corrected for their number.
        examples: image grid of some persons, (H, W, 3) uint8 RGB.
        example: one person for the summary, (H, W, 3) uint8 RGB.
        failures: results of the error analysis.
        uncertainty: calibrated uncertainty per joint.
        generated: whether the images are those of the generated sample.
        subject: words for the persons.
        photographs: how photographs are shown.
        trained_on_this_data: whether the model was trained on the data that is shown.
        left_out: one sentence for each result that was left out because it is of another model or other data.
        open_command: command that opens the run as an interactive page; empty: none.
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
    findings: tuple[FindingRecord, ...] = ()
    example: NDArray[np.uint8] | None = None
    uncertainty: UncertaintyInputs | None = None
    generated: bool = False
    subject: SubjectWords = PERSONS
    photographs: PhotographMode = "full"
    trained_on_this_data: bool = True
    left_out: tuple[str, ...] = ()
    open_command: str = ""


@dataclass(frozen=True)
class PageSetting:
    """What the pages state of their data and how they show it.

    Attributes:
        title: title of the report.
        photographs: how photographs are shown.
        generated: whether the images are those of the generated sample.
        category: name of the category in the annotation files.
        open_command: command that opens the run as an interactive page; empty: none.
    """

    title: str
    photographs: PhotographMode = "full"
    generated: bool = False
    category: str = "person"
    open_command: str = ""


def select_card_inputs(
    results: ResultFilter,
    model: PoseModel,
    data: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    explainability: Mapping[str, Any],
) -> CardInputs:
    """Return the inputs of the model card.

    Args:
        results: filter for the model and the data of this run.
        model: the model.
        data: results of data engineering; `distribution` is used.
        evaluation: `metrics` (content of metrics.json) and the fields of `FailureInputs`.
        explainability: `findings`, the content of findings.json.
    """
    return CardInputs(
        model=model,
        metrics=results.keep({"metrics": evaluation["metrics"]}, "evaluation").get("metrics"),
        distribution=results.keep({"data_distribution": data["distribution"]}, "data_engineering").get("data_distribution"),
        failures=_select_failures(results, evaluation, "full"),
        findings=_select_findings(results, explainability),
        trained_on_this_data=results.trained_on_this_data,
        left_out=tuple(results.left_out),
    )


def select_report_inputs(
    results: ResultFilter,
    setting: PageSetting,
    model: PoseModel,
    *,
    data: Mapping[str, Any],
    training: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    explainability: Mapping[str, Any],
    examples: PngImage,
    example: PngImage,
) -> ReportInputs:
    """Return the inputs of the report and the summary.

    Args:
        results: filter for the model and the data of this run.
        setting: title, and how photographs are shown.
        model: the model.
        data: the fields of `DataInputs`.
        training: `history` and `history_plot`; empty for a model that this run did not train.
        evaluation: `metrics` (content of metrics.json), `joint_scores`, `joint_scores_plot`, the fields of `FailureInputs`, and
            those of `UncertaintyInputs`, if there are any.
        explainability: `components`, `findings` (content of findings.json), and results of analyses by `analysis_<name>`.
        examples, example: image grid of some persons, and one person for the summary.
    """
    mode = setting.photographs
    analyses = _select_analyses(results, explainability, mode)
    found_curves = {name: training[name] for name in ("history", "history_plot") if name in training}
    curves = results.keep_all(found_curves, "modelling", any_data=True) or {}
    joints = results.keep_all({name: evaluation[name] for name in ("joint_scores", "joint_scores_plot")}, "evaluation") or {}
    return ReportInputs(
        title=setting.title,
        model=model,
        metrics=results.keep({"metrics": evaluation["metrics"]}, "evaluation").get("metrics"),
        data=_select_data(results, data, mode),
        history=drop_origin(curves["history"]) if curves else None,
        history_plot=curves.get("history_plot"),
        joint_scores=joints.get("joint_scores"),
        joint_scores_plot=joints.get("joint_scores_plot"),
        components=results.keep({"components": explainability["components"]}, "explainability").get("components"),
        analyses=analyses,
        examples=_select_image(results, "person_examples", examples, mode),
        failures=_select_failures(results, evaluation, mode),
        findings=_select_findings(results, explainability, analyses),
        example=_select_image(results, "summary_example", example, mode),
        uncertainty=_select_uncertainty(results, evaluation, mode),
        generated=setting.generated,
        subject=name_subjects(setting.category, model.skeleton.joints),
        photographs=mode,
        trained_on_this_data=results.trained_on_this_data,
        left_out=tuple(results.left_out),
        open_command=setting.open_command,
    )


def _select_image(results: ResultFilter, name: str, image: PngImage, mode: PhotographMode) -> NDArray[np.uint8] | None:
    kept = results.keep({name: image}, "reporting").get(name)
    return None if kept is None else _shown(results, name, kept, mode)


def _shown(results: ResultFilter, name: str, image: PngImage, mode: PhotographMode) -> NDArray[np.uint8] | None:
    if is_covered(image, mode):
        return image.image
    results.name(f"Left out (it shows photographs, reporting.photographs is {mode}): {name}. Run all pipelines again.")
    return None


def _select_failures(results: ResultFilter, evaluation: Mapping[str, Any], mode: PhotographMode) -> FailureInputs | None:
    kept = results.keep_all({field.name: evaluation[field.name] for field in fields(FailureInputs)}, "evaluation")
    if kept is None:
        return None
    return FailureInputs(**{**kept, "worst_persons": _shown(results, "worst_persons", kept["worst_persons"], mode)})


def _select_uncertainty(results: ResultFilter, evaluation: Mapping[str, Any], mode: PhotographMode) -> UncertaintyInputs | None:
    named = {field.name: evaluation[field.name] for field in fields(UncertaintyInputs) if field.name in evaluation}
    if len(named) < len(fields(UncertaintyInputs)) or named["uncertainty_coverage"].empty:
        return None
    kept = results.keep_all(named, "evaluation")
    if kept is None:
        return None
    return UncertaintyInputs(**{**kept, "joint_circles": _shown(results, "joint_circles", kept["joint_circles"], mode)})


def _select_data(results: ResultFilter, data: Mapping[str, Any], mode: PhotographMode) -> DataInputs | None:
    kept = results.keep_all({field.name: data[field.name] for field in fields(DataInputs)}, "data_engineering")
    if kept is None:
        return None
    shown: dict[str, Any] = {}
    for name, item in kept.items():
        if isinstance(item, PngImage):
            shown[name] = _shown(results, name, item, mode)
        else:
            shown[name] = hide_table(drop_origin(item), mode) if isinstance(item, pd.DataFrame) else item
    return DataInputs(**shown)


def _select_analyses(results: ResultFilter, explainability: Mapping[str, Any], mode: PhotographMode) -> dict[str, AnalysisResult]:
    analyses = {name.removeprefix(_ANALYSIS): result for name, result in explainability.items() if name.startswith(_ANALYSIS)}
    kept = results.keep(analyses, "explainability")
    uncovered = [name for name, result in kept.items() if result.images and not mode_covers(result.photographs, mode)]
    if uncovered:
        results.name(
            f"Left out (they may show photographs, reporting.photographs is {mode}): images of {', '.join(uncovered)}. Run the "
            "pipeline explainability."
        )
    return {name: hide_result(result, mode) for name, result in kept.items()}


def _select_findings(
    results: ResultFilter, explainability: Mapping[str, Any], analyses: Mapping[str, AnalysisResult] | None = None
) -> tuple[FindingRecord, ...]:
    """Return the corrected findings of this model on this data; without pictures that are not among those of the analyses."""
    origin = (results.at_hand.model, results.at_hand.data)
    own = [record for record in explainability["findings"] if (record.get("model"), record.get("data")) == origin]
    try:
        found = read_findings(own)
    except ExplainabilityError as error:
        results.name(f"Left out: {error}")
        return ()
    if analyses is None:
        return found
    return tuple(_without_missing_picture(one, analyses[one.analysis]) for one in found if one.analysis in analyses)


def _without_missing_picture(finding: FindingRecord, result: AnalysisResult) -> FindingRecord:
    if picture_of(finding) in {*result.images, *result.plots}:
        return finding
    return finding.model_copy(update={"picture": None})
