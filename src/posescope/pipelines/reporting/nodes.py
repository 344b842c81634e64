"""Nodes of the pipeline `reporting`."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from posescope.artifacts.pose_model import PoseModel
from posescope.artifacts.uncertainty import Uncertainty
from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.sources import SourceList, combine_folders
from posescope.data.crops.crop_statistics import CropStatistics, check_current
from posescope.data.crops.crop_store import CropStore
from posescope.drawing.photographs import PhotographMode
from posescope.drawing.rgb_images import PngImage
from posescope.explainability.features.feature_store import FeatureStore
from posescope.explorer.person_table import ExplainedTables, ExplorerOptions
from posescope.explorer.run_places import opening_command
from posescope.explorer.table_export import export_persons
from posescope.explorer.table_file import ExplorerStore
from posescope.pipelines.reporting.options import PageOptions
from posescope.prediction.options import PredictionOptions
from posescope.reporting import model_card
from posescope.reporting.image_grids import person_examples
from posescope.reporting.pages import write_pages
from posescope.reporting.report_inputs import PageSetting, select_card_inputs, select_report_inputs
from posescope.reporting.result_filter import ResultFilter, add_image_origin

__all__: list[str] = []


def draw_person_examples(
    model: PoseModel,
    raw_source: CocoFolder,
    crops: CropStore,
    targets: PoseTargets,
    persons: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    evaluation: Mapping[str, Any],
    statistics: CropStatistics,
    source: SourceOptions,
    sources: SourceList,
    page: PageOptions,
    photographs: PhotographMode,
) -> dict[str, PngImage]:
    """Draw some persons from image to prediction, from the best to the worst score, and a typical one for the summary.

    Args:
        model: the trained model.
        raw_source, source, sources: the data set and the names of its files and folders, or several data sets.
        crops, targets, statistics: crops of the data set, their joints and statistics.
        persons, crop_boxes: `Persons` and `CropBoxes`.
        evaluation: results of the evaluation; `person_scores` is used.
        page: number of persons.
        photographs: how photographs are shown.

    Returns:
        `person_examples` and `summary_example`.
    """
    check_current(statistics, crops, persons, targets)
    results = ResultFilter.of(model, statistics)
    own = results.keep({"person_scores": evaluation["person_scores"]}, "evaluation").get("person_scores")
    scores = person_examples.unscored_persons(crops, persons) if own is None else own
    artist = person_examples.PersonArtist(model, crops, targets, photographs)
    folder = combine_folders(raw_source, sources)
    grid = artist.draw_examples(scores, folder, source, persons, crop_boxes, page.examples)
    origin = replace(results.at_hand, results=None)
    return {
        "person_examples": add_image_origin(grid, origin, photographs),
        "summary_example": add_image_origin(artist.draw_typical(scores), origin, photographs),
    }


def write_model_card(
    model: PoseModel,
    statistics: CropStatistics,
    data: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    explainability: Mapping[str, Any],
) -> str:
    """Write the model card, Markdown.

    Args:
        model, statistics: the model, and the statistics of the data.
        data, evaluation, explainability: collected results of these stages.
    """
    results = ResultFilter.of(model, statistics)
    return model_card.write_model_card(select_card_inputs(results, model, data, evaluation, explainability))


def write_report(
    model: PoseModel,
    statistics: CropStatistics,
    data: Mapping[str, Any],
    training: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    explainability: Mapping[str, Any],
    examples: PngImage,
    example: PngImage,
    workspace: ExplorerStore,
    source: SourceOptions,
    page: PageOptions,
    photographs: PhotographMode,
) -> dict[str, str]:
    """Write the summary and the report, each one self-contained HTML file.

    Args:
        model, statistics: the model, and the statistics of the data.
        data, training, evaluation, explainability: collected results of these stages.
        examples, example: image grid of some persons, and one person for the summary.
        workspace: folder of the explorer table; the pages name the command that opens it.
        source: category of the annotation files.
        page: title of the page.
        photographs: how photographs are shown.

    Returns:
        `summary` and `report`.
    """
    inputs = select_report_inputs(
        ResultFilter.of(model, statistics),
        PageSetting(page.title, photographs, statistics.generated, source.category, opening_command(workspace.root, photographs)),
        model,
        data=data,
        training=training,
        evaluation=evaluation,
        explainability=explainability,
        examples=examples,
        example=example,
    )
    return write_pages(inputs)


def write_explorer_persons(
    workspace: ExplorerStore,
    model: PoseModel,
    crops: CropStore,
    targets: PoseTargets,
    statistics: CropStatistics,
    skeleton: Skeleton,
    features: FeatureStore,
    persons: pd.DataFrame,
    explained: pd.DataFrame,
    predictions: pd.DataFrame,
    scores: pd.DataFrame,
    attributes: pd.DataFrame,
    explainability: Mapping[str, Any],
    uncertainty: Uncertainty | None,
    prediction: PredictionOptions,
    options: ExplorerOptions,
    photographs: PhotographMode,
    source: SourceOptions,
) -> ExplorerStore:
    """Write the table of all explained persons, for interactive pages and other tools.

    Args:
        workspace: folder of the table.
        model: the model.
        crops, targets, statistics, skeleton: crops of the data set, their joints and statistics, and the skeleton.
        features: features of the explained persons.
        persons: `Persons` with splits.
        explained, predictions, scores, attributes: tables of the explained persons.
        explainability: collected results of the explainability.
        uncertainty: radii of the model. None: it was not calibrated.
        prediction: how the explained persons were predicted; `flip_test` is used.
        options: map and thumbnails.
        photographs: how thumbnails show photographs.
        source: category of the annotation files.

    Returns:
        The finished store.
    """
    export_persons(
        workspace,
        model,
        crops,
        targets,
        statistics,
        skeleton,
        features.open(),
        ExplainedTables(persons, explained, predictions, scores, attributes),
        explainability,
        uncertainty,
        flip_test=prediction.flip_test,
        options=options,
        photographs=photographs,
        category=source.category,
    )
    return workspace
