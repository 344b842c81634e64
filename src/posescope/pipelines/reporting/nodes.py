"""Nodes of reporting: unpack, one call, return."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from plotly.graph_objects import Figure

from posescope.artifacts.pose_model import PoseModel
from posescope.coco.folder import CocoFolder, SourceOptions
from posescope.crops.store import CropStore
from posescope.explain.components import Components
from posescope.explain.same_model import components_of_model, results_of_model
from posescope.explain.study import findings_of
from posescope.pipelines.reporting.options import PageOptions
from posescope.pipelines.steps import with_prefix
from posescope.records import PoseTargets
from posescope.report.assembly import ReportInputs, assemble_report
from posescope.report.data_section import DataInputs
from posescope.report.examples import picture_examples
from posescope.report.failure_section import FailureInputs
from posescope.report.model_card import CardInputs, write_model_card
from posescope.report.page import render_report
from posescope.report.score_figures import plot_joint_scores

__all__: list[str] = []


def draw_joint_scores(joint_scores: pd.DataFrame) -> Figure:
    """PCK and error of every joint."""
    return plot_joint_scores(joint_scores[joint_scores["visibility"] == "all"])


def show_examples(
    model: PoseModel,
    raw_source: CocoFolder,
    crops: CropStore,
    targets: PoseTargets,
    persons: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    keypoints: pd.DataFrame,
    person_scores: pd.DataFrame,
    source: SourceOptions,
    page: PageOptions,
) -> NDArray[np.uint8]:
    """Some persons' stories, from the best to the worst."""
    return picture_examples(
        person_scores, model, raw_source, source, crops, targets, persons, crop_boxes, keypoints, page.examples
    )


def write_card(
    model: PoseModel,
    metrics: dict[str, Any],
    data_distribution: pd.DataFrame,
    **results: Any,
) -> str:
    """The model card; `results`: of evaluation on failures (`failure_`), and of analyses (`analysis_`)."""
    return write_model_card(
        CardInputs(
            model=model,
            metrics=metrics,
            distribution=data_distribution,
            failures=FailureInputs(**with_prefix("failure_", results)),
            findings=findings_of(results_of_model(with_prefix("analysis_", results), model)),
        )
    )


def write_report(
    model: PoseModel,
    metrics: dict[str, Any],
    data_distribution: pd.DataFrame,
    discarded: pd.DataFrame,
    joint_labels: pd.DataFrame,
    data_quality: pd.DataFrame,
    box_sizes: Figure,
    joint_counts: Figure,
    crop_sheet: NDArray[np.uint8],
    target_sheet: NDArray[np.uint8],
    average_crop: NDArray[np.uint8],
    history: pd.DataFrame,
    joint_scores: pd.DataFrame,
    components: Components,
    examples: NDArray[np.uint8],
    page: PageOptions,
    **results: Any,
) -> str:
    """The report: one HTML file that needs nothing else; `results` as for the card."""
    return render_report(
        assemble_report(
            ReportInputs(
                title=page.title,
                model=model,
                metrics=metrics,
                data=DataInputs(
                    distribution=data_distribution,
                    discarded=discarded,
                    joint_labels=joint_labels,
                    quality=data_quality,
                    box_sizes=box_sizes,
                    joint_counts=joint_counts,
                    crop_sheet=crop_sheet,
                    target_sheet=target_sheet,
                    average_crop=average_crop,
                ),
                history=history,
                joint_scores=joint_scores,
                components=components_of_model(components, model),
                analyses=results_of_model(with_prefix("analysis_", results), model),
                examples=examples,
                failures=FailureInputs(**with_prefix("failure_", results)),
            )
        )
    )
