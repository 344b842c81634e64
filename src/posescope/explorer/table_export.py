"""Write the explorer table of a run: the persons of its features, with the results of the current model and data only."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from posescope.artifacts.crop_matching import match_crops
from posescope.artifacts.pose_model import PoseModel
from posescope.artifacts.uncertainty import Uncertainty
from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.data.crops.crop_statistics import CropStatistics, check_current
from posescope.data.crops.crop_store import CropStore
from posescope.drawing.photographs import PhotographMode
from posescope.explainability.components.pca import Components
from posescope.explainability.features.feature_store import FeatureSet
from posescope.explorer.analysis_columns import AnalysisColumns
from posescope.explorer.person_table import ExplainedTables, ExplorerOptions, build_person_table, empty_person_table
from posescope.explorer.table_file import ExplorerStore
from posescope.explorer.thumbnails import CropThumbnails
from posescope.reporting.result_filter import ResultFilter

__all__ = ["export_persons"]

_log = logging.getLogger(__name__)

_ANALYSIS = "analysis_"


def export_persons(
    store: ExplorerStore,
    model: PoseModel,
    crops: CropStore,
    targets: PoseTargets,
    statistics: CropStatistics,
    skeleton: Skeleton,
    features: FeatureSet,
    tables: ExplainedTables,
    explainability: Mapping[str, Any],
    uncertainty: Uncertainty | None,
    *,
    flip_test: bool,
    options: ExplorerOptions,
    photographs: PhotographMode,
    category: str = "person",
) -> None:
    """Write the table of the explained persons.

    If the features or the components are of another model or other data, the table has no persons, and its metadata say why.

    Args:
        store: the folder of the table.
        model: the model of this run.
        crops, targets, statistics: crops of the data set, their joints and statistics.
        skeleton: skeleton of the data.
        features: features of the explained persons.
        tables: tables of the explained persons.
        explainability: `components`, and results of analyses by `analysis_<name>`.
        uncertainty: radii of a model; those of another model are not used. None: it was not calibrated.
        flip_test: whether the explained predictions are those of a flip test.
        options: map and thumbnails.
        photographs: how thumbnails show photographs.
        category: name of the category in the annotation files.

    Raises:
        DataError: if crops, persons, tables and features are of different runs.
    """
    check_current(statistics, crops, tables.persons, targets)
    results = ResultFilter.of(model, statistics)
    origin = results.at_hand
    components: Components | None = results.keep({"components": explainability["components"]}, "explainability").get("components")
    if components is None or (features.model, features.data) != (origin.model, origin.data):
        note = "The features or their components are of another model or of other data. Run the pipeline explainability."
        _log.warning("The explorer table has no persons. %s", note)
        return store.write(empty_person_table(model, origin, features.layer, options, photographs, note), lambda _: [])
    analyses = {name.removeprefix(_ANALYSIS): result for name, result in explainability.items() if name.startswith(_ANALYSIS)}
    chosen = match_crops(model, crops.select(targets, features.person_ids))
    table = build_person_table(
        model,
        origin,
        chosen.targets,
        skeleton,
        features,
        components,
        tables,
        AnalysisColumns.of_results(results.keep(analyses, "explainability")),
        uncertainty if uncertainty is not None and uncertainty.model == origin.model else None,
        flip_test=flip_test,
        options=options,
        photographs=photographs,
        generated=statistics.generated,
    )
    table = replace(table, about=table.about.model_copy(update={"category": category}))
    return store.write(table, CropThumbnails(chosen, photographs, options.thumbnail_px))
