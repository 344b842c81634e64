"""Nodes of reporting: unpack, one call, return."""

from dataclasses import replace
from typing import Any

import pandas as pd
from plotly.graph_objects import Figure

from posescope.artifacts.pose_model import PoseModel
from posescope.core.origin import origin_of_table
from posescope.core.records import PoseTargets
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.crops.crop_statistics import CropStatistics, check_current
from posescope.data.crops.crop_store import CropStore
from posescope.drawing.rgb_images import PngImage
from posescope.pipelines.reporting.options import PageOptions
from posescope.reporting.html_page import render_report
from posescope.reporting.image_grids.person_examples import draw_person_examples, unscored_persons
from posescope.reporting.model_card import write_model_card
from posescope.reporting.plots.evaluation_plots import plot_joint_scores
from posescope.reporting.report_assembly import assemble_report
from posescope.reporting.report_inputs import select_card_inputs, select_report_inputs
from posescope.reporting.result_filter import ResultFilter, add_image_origin, add_plot_origin

__all__: list[str] = []


def draw_joint_scores(joint_scores: pd.DataFrame) -> Figure:
    """PCK and error of every joint."""
    figure = plot_joint_scores(joint_scores[joint_scores["visibility"] == "all"])
    return add_plot_origin(figure, origin_of_table(joint_scores))


def show_examples(
    model: PoseModel,
    raw_source: CocoFolder,
    crops: CropStore,
    targets: PoseTargets,
    persons: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    keypoints: pd.DataFrame,
    person_scores: pd.DataFrame,
    statistics: CropStatistics,
    source: SourceOptions,
    page: PageOptions,
) -> PngImage:
    """Some persons' stories, from the best to the worst."""
    check_current(statistics, crops, persons, targets)
    belongings = ResultFilter.of(model, statistics)
    own = belongings.keep({"person_scores": person_scores}, "evaluation").get("person_scores")
    scores = unscored_persons(crops, persons) if own is None else own
    picture = draw_person_examples(
        scores, model, raw_source, source, crops, targets, persons, crop_boxes, keypoints, page.examples
    )
    return add_image_origin(picture, replace(belongings.at_hand, results=None))


def write_card(
    model: PoseModel, metrics: dict[str, Any], data_distribution: pd.DataFrame, statistics: CropStatistics, **results: Any
) -> str:
    """The model card; `results`: of evaluation on failures (`failure_`), and of analyses (`analysis_`)."""
    return write_model_card(select_card_inputs(ResultFilter.of(model, statistics), model, metrics, data_distribution, **results))


def write_report(model: PoseModel, statistics: CropStatistics, page: PageOptions, **results: Any) -> str:
    """The report: one HTML file that needs nothing else; `results` as for the card, and of data engineering (`data_`)."""
    return render_report(assemble_report(select_report_inputs(ResultFilter.of(model, statistics), page.title, model, **results)))
