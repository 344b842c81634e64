"""Select the results that the report and the model card show: those of the model and the data of this run."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import pandas as pd

from posescope.artifacts.pose_model import PoseModel
from posescope.core.origin import drop_origin
from posescope.drawing.rgb_images import PngImage
from posescope.explainability.base import AnalysisResult
from posescope.explainability.findings_file import findings_of
from posescope.reporting.model_card import CardInputs
from posescope.reporting.report_assembly import ReportInputs
from posescope.reporting.result_filter import ResultFilter
from posescope.reporting.sections.data_section import DataInputs
from posescope.reporting.sections.error_analysis_section import FailureInputs

__all__ = ["select_card_inputs", "select_report_inputs"]

_ANALYSIS = "analysis_"


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
        explainability: results of analyses by `analysis_<name>`.
    """
    return CardInputs(
        model=model,
        metrics=results.keep({"metrics": evaluation["metrics"]}, "evaluation").get("metrics"),
        distribution=results.keep({"data_distribution": data["distribution"]}, "data_engineering").get("data_distribution"),
        failures=_select_failures(results, evaluation),
        findings=findings_of(_select_analyses(results, explainability)),
        trained_on_this_data=results.trained_on_this_data,
        left_out=tuple(results.left_out),
    )


def select_report_inputs(
    results: ResultFilter,
    title: str,
    model: PoseModel,
    *,
    data: Mapping[str, Any],
    training: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    explainability: Mapping[str, Any],
    examples: PngImage,
) -> ReportInputs:
    """Return the inputs of the report.

    Args:
        results: filter for the model and the data of this run.
        title: title of the page.
        model: the model.
        data: the fields of `DataInputs`.
        training: `history` and `history_plot`.
        evaluation: `metrics` (content of metrics.json), `joint_scores`, `joint_scores_plot`, and the fields of `FailureInputs`.
        explainability: `components`, and results of analyses by `analysis_<name>`.
        examples: image grid of some persons.
    """
    failures = _select_failures(results, evaluation)
    components = results.keep({"components": explainability["components"]}, "explainability").get("components")
    analyses = _select_analyses(results, explainability)
    curves = results.keep_all({name: training[name] for name in ("history", "history_plot")}, "modelling", any_data=True) or {}
    shown = results.keep({"person_examples": examples}, "reporting").get("person_examples")
    metrics = results.keep({"metrics": evaluation["metrics"]}, "evaluation").get("metrics")
    joints = results.keep_all({name: evaluation[name] for name in ("joint_scores", "joint_scores_plot")}, "evaluation") or {}
    return ReportInputs(
        title=title,
        model=model,
        metrics=metrics,
        data=_select_data(results, data),
        history=drop_origin(curves["history"]) if curves else None,
        history_plot=curves.get("history_plot"),
        joint_scores=joints.get("joint_scores"),
        joint_scores_plot=joints.get("joint_scores_plot"),
        components=components,
        analyses=analyses,
        examples=None if shown is None else shown.image,
        failures=failures,
        trained_on_this_data=results.trained_on_this_data,
        left_out=tuple(results.left_out),
    )


def _select_failures(results: ResultFilter, evaluation: Mapping[str, Any]) -> FailureInputs | None:
    kept = results.keep_all({field.name: evaluation[field.name] for field in fields(FailureInputs)}, "evaluation")
    return None if kept is None else FailureInputs(**{**kept, "worst_persons": kept["worst_persons"].image})


def _select_data(results: ResultFilter, data: Mapping[str, Any]) -> DataInputs | None:
    kept = results.keep_all({field.name: data[field.name] for field in fields(DataInputs)}, "data_engineering")
    return None if kept is None else DataInputs(**{name: _without_origin(item) for name, item in kept.items()})


def _select_analyses(results: ResultFilter, explainability: Mapping[str, Any]) -> dict[str, AnalysisResult]:
    analyses = {name.removeprefix(_ANALYSIS): result for name, result in explainability.items() if name.startswith(_ANALYSIS)}
    return results.keep(analyses, "explainability")


def _without_origin(item: Any) -> Any:
    """Return the array of an image, and a table without its origin."""
    if isinstance(item, PngImage):
        return item.image
    return drop_origin(item) if isinstance(item, pd.DataFrame) else item
