"""Choose what the report and the model card print: what belongs to the model and the data at hand, and nothing else."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from posescope.artifacts.pose_model import PoseModel
from posescope.core.origin import drop_origin
from posescope.drawing.rgb_images import PngImage
from posescope.explainability.base import AnalysisResult
from posescope.explainability.components.pca import Components
from posescope.explainability.study import findings_of
from posescope.reporting.model_card import CardInputs
from posescope.reporting.report_assembly import ReportInputs
from posescope.reporting.result_filter import ResultFilter
from posescope.reporting.sections.data_section import DataInputs
from posescope.reporting.sections.error_analysis_section import FailureInputs

__all__ = ["select_card_inputs", "select_report_inputs"]

_EVALUATION, _EXPLAINABILITY, _DATA = "evaluation", "explainability", "data_engineering"


def select_card_inputs(
    belongings: ResultFilter, model: PoseModel, metrics: Mapping[str, Any], data_distribution: pd.DataFrame, **results: Any
) -> CardInputs:
    """Return what the card of a model is made of.

    Args:
        belongings: the model and the data at hand.
        model: the model.
        metrics: content of metrics.json.
        data_distribution: a `Distribution` table.
        results: tables and picture of `FailureInputs` (`failure_<name>`), and analyses (`analysis_<name>`).
    """
    return CardInputs(
        model=model,
        metrics=belongings.keep({"metrics": metrics}, _EVALUATION).get("metrics"),
        distribution=belongings.keep({"data_distribution": data_distribution}, _DATA).get("data_distribution"),
        failures=_choose_failures(belongings, results),
        findings=findings_of(_choose_analyses(belongings, results)),
        trained_on_this_data=belongings.trained_on_this_data,
        left_out=tuple(belongings.left_out),
    )


def select_report_inputs(
    belongings: ResultFilter,
    title: str,
    model: PoseModel,
    *,
    metrics: Mapping[str, Any],
    history: pd.DataFrame,
    joint_scores: pd.DataFrame,
    components: Components,
    examples: PngImage,
    **results: Any,
) -> ReportInputs:
    """Return what the report on a model is made of.

    Args:
        belongings: the model and the data at hand.
        title: of the page.
        model: the model.
        metrics: content of metrics.json.
        history, joint_scores: tables of the run.
        components: of the features.
        examples: some persons' stories.
        results: as for the card, and what `DataInputs` holds (`data_<name>`).
    """
    failures = _choose_failures(belongings, results)
    components_kept = belongings.keep({"components": components}, _EXPLAINABILITY).get("components")
    analyses = _choose_analyses(belongings, results)
    history_kept = belongings.keep({"history": history}, "modelling", whatever_data=True).get("history")
    shown = belongings.keep({"person_examples": examples}, "reporting").get("person_examples")
    return ReportInputs(
        title=title,
        model=model,
        metrics=belongings.keep({"metrics": metrics}, _EVALUATION).get("metrics"),
        data=_choose_data(belongings, results),
        history=None if history_kept is None else drop_origin(history_kept),
        joint_scores=belongings.keep({"joint_scores": joint_scores}, _EVALUATION).get("joint_scores"),
        components=components_kept,
        analyses=analyses,
        examples=None if shown is None else shown.image,
        failures=failures,
        trained_on_this_data=belongings.trained_on_this_data,
        left_out=tuple(belongings.left_out),
    )


def _choose_failures(belongings: ResultFilter, results: Mapping[str, Any]) -> FailureInputs | None:
    kept = belongings.keep_all(_with_prefix("failure_", results), _EVALUATION)
    return None if kept is None else FailureInputs(**{**kept, "worst_persons": kept["worst_persons"].image})


def _choose_data(belongings: ResultFilter, results: Mapping[str, Any]) -> DataInputs | None:
    kept = belongings.keep_all(_with_prefix("data_", results), _DATA)
    return None if kept is None else DataInputs(**{name: _plain(item) for name, item in kept.items()})


def _choose_analyses(belongings: ResultFilter, results: Mapping[str, Any]) -> dict[str, AnalysisResult]:
    analyses: dict[str, AnalysisResult] = _with_prefix("analysis_", results)
    return belongings.keep(analyses, _EXPLAINABILITY)


def _plain(item: Any) -> Any:
    """Of a picture the array, of a table the columns that are shown."""
    if isinstance(item, PngImage):
        return item.image
    return drop_origin(item) if isinstance(item, pd.DataFrame) else item


def _with_prefix(prefix: str, named: Mapping[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in named.items() if name.startswith(prefix)}
