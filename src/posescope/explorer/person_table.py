"""The explorer table: a row per explained person with everything that was measured of it, for pages and for other tools.

    explained persons, scores, attributes, predictions, features, analyses  ->  explorer/persons.parquet

The persons are those of the features, in their order: fitted and judged persons, never one of the sealed test set.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa
from numpy.typing import NDArray
from pandera.typing.pandas import Series
from pydantic import Field, field_validator

from posescope.artifacts.pose_model import PoseModel
from posescope.artifacts.uncertainty import Uncertainty
from posescope.core.errors import DataError
from posescope.core.origin import Origin
from posescope.core.plugins import Options
from posescope.core.records import PosePredictions, PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.drawing.photographs import PhotographMode
from posescope.explainability.components.pca import Components
from posescope.explainability.explained_persons import read_predictions
from posescope.explainability.features.feature_store import FeatureSet
from posescope.explorer.analysis_columns import AnalysisColumns
from posescope.explorer.map_coordinates import MISSING_UMAP, has_umap, map_coordinates
from posescope.explorer.table_file import PersonTable
from posescope.explorer.table_metadata import ExplorerAbout, MapName, SkeletonAbout

__all__ = [
    "MAX_COMPONENTS",
    "ExplainedTables",
    "ExplorerOptions",
    "ExplorerPersons",
    "build_person_table",
    "empty_person_table",
    "mean_error",
    "mean_radius",
]

MAX_COMPONENTS = 10


class ExplorerOptions(Options):
    """Options of the explorer table."""

    map: MapName = Field(
        "components",
        description="coordinates of the map: the first two components; tsne of scikit-learn; umap, if umap-learn is installed",
    )
    map_persons: int = Field(
        10_000,
        ge=10,
        le=200_000,
        description="maximum number of persons that tsne or umap is fitted to; the others are placed between them",
    )
    thumbnail_px: int = Field(96, ge=16, le=512, description="longest side of the thumbnails, px")
    seed: int = Field(0, ge=0, description="seed of the map")

    @field_validator("map")
    @classmethod
    def _check_installed(cls, name: MapName) -> MapName:
        if name == "umap" and not has_umap():
            raise ValueError(MISSING_UMAP)
        return name


class ExplorerPersons(pa.DataFrameModel):
    """One row per explained person, without joints and thumbnail.

    Other columns: component_<n>, the score along component n; the scores of the metrics, such as pck_thesis and oks, 0..1; and
    attribute_<name>, an attribute of pose or image. `error` and `radius` are means over the joints, % of the longer side of the
    crop. `role` is the half of the explanation. `file_name` is empty unless photographs are shown in full.
    """

    person_id: Series[np.int64] = pa.Field(unique=True, ge=0)
    image_id: Series[np.int64]
    annotation_id: Series[np.int64]
    file_name: Series[str]
    source_split: Series[str]
    split: Series[str] = pa.Field(isin=("train", "val", "calibration"))
    role: Series[str] = pa.Field(isin=("fitted", "judged"))
    map_x: Series[np.float32]
    map_y: Series[np.float32]
    error: Series[np.float32] = pa.Field(nullable=True, ge=0)
    radius: Series[np.float32] = pa.Field(nullable=True, ge=0)
    cluster: Series[pd.Int32Dtype] = pa.Field(nullable=True, ge=1)
    cluster_name: Series[str]
    slices: Series[object]
    crop_height: Series[np.int32] = pa.Field(ge=1)
    crop_width: Series[np.int32] = pa.Field(ge=1)

    class Config:  # noqa: D106
        strict = False
        coerce = True


@dataclass(frozen=True, eq=False)
class ExplainedTables:
    """Tables of the explained persons, in any order.

    Attributes:
        persons: `Persons` with splits, of all persons.
        explained: table of `choose_persons`.
        predictions: `Predictions` with crop coordinates.
        scores: table of `score_persons`: person_id and a column per score.
        attributes: person_id and a column per attribute.
    """

    persons: pd.DataFrame
    explained: pd.DataFrame
    predictions: pd.DataFrame
    scores: pd.DataFrame
    attributes: pd.DataFrame


def build_person_table(
    model: PoseModel,
    origin: Origin,
    targets: PoseTargets,
    skeleton: Skeleton,
    features: FeatureSet,
    components: Components,
    tables: ExplainedTables,
    analyses: AnalysisColumns,
    uncertainty: Uncertainty | None,
    *,
    flip_test: bool,
    options: ExplorerOptions,
    photographs: PhotographMode,
    generated: bool = False,
) -> PersonTable:
    """Gather what was measured of the explained persons.

    Args:
        model: the model.
        origin: fingerprints of model and data.
        targets: joints of the N persons of `features`, in their order, and in the model's order of joints.
        skeleton: skeleton of the data, whose order of joints the predictions have.
        features: features of the N persons.
        components: components of these features.
        tables: tables of these persons.
        analyses: names of components, clusters and slices.
        uncertainty: radii of the model; None: it was not calibrated.
        flip_test: whether the predictions are those of a flip test.
        options: map and thumbnails.
        photographs: how photographs are shown.
        generated: whether the images are those of the generated sample.

    Raises:
        DataError: if a person is of the sealed test set, or is missing from a table.
    """
    ids = features.person_ids
    own = _rows_of(tables.persons, ids, "persons")
    _check_not_sealed(own)
    found = _predictions_of(tables, ids, skeleton, model)
    along = components.project(features.values, MAX_COMPONENTS)
    plane = map_coordinates(along, options.map, most=options.map_persons, seed=options.seed)
    scores = _rows_of(tables.scores, ids, "explained_scores")
    attributes = _rows_of(tables.attributes, ids, "pose_attributes").add_prefix("attribute_")
    side = max(model.crop_size)
    columns = {
        **{name: own[name] for name in ("image_id", "annotation_id", "file_name", "source_split", "split")},
        "role": _rows_of(tables.explained, ids, "explained_persons")["role"],
        "map_x": plane[:, 0],
        "map_y": plane[:, 1],
        **{f"component_{number}": along[:, number - 1].astype(np.float32) for number in range(1, along.shape[1] + 1)},
        **{str(name): scores[name].astype(np.float32) for name in scores},
        "error": mean_error(found, targets, side),
        "radius": mean_radius(found, uncertainty, flip_test, side),
        **analyses.columns(ids),
        **{str(name): _number(attributes[name]) for name in attributes},
        "crop_height": np.int32(model.crop_size[0]),
        "crop_width": np.int32(model.crop_size[1]),
    }
    frame = pd.DataFrame(columns, index=own.index).rename_axis("person_id").reset_index()
    if photographs != "full":
        frame["file_name"] = ""
    about = ExplorerAbout(
        skeleton=SkeletonAbout(joints=model.skeleton.joints, limbs=model.skeleton.limbs),
        model=origin.model or "",
        data=origin.data or "",
        features=features.fingerprint,
        layer=components.layer,
        crop_size=model.crop_size,
        map=options.map,
        scores=tuple(map(str, scores)),
        components=analyses.describe_components(components, along.shape[1]),
        clusters=analyses.describe_clusters(ids),
        slices=analyses.describe_slices(frame),
        attributes=analyses.describe_attributes(name.removeprefix("attribute_") for name in map(str, attributes)),
        photographs=photographs,
        thumbnail_px=options.thumbnail_px,
        generated=generated,
    )
    return PersonTable(
        columns=pd.DataFrame(ExplorerPersons.validate(frame)),
        joints_true=_stack(np.where(targets.visibility[..., None] > 0, targets.joints, np.nan), targets.visibility),
        joints_predicted=_stack(found.joints, found.scores),
        about=about,
    )


def empty_person_table(
    model: PoseModel, origin: Origin, layer: str, options: ExplorerOptions, photographs: PhotographMode, note: str
) -> PersonTable:
    """Return a table without persons.

    Args:
        model, origin: the model, and the fingerprints of model and data.
        layer: layer of the features.
        options: map and thumbnails.
        photographs: how photographs are shown.
        note: why there are no persons.
    """
    kinds = {name: str(column.dtype) for name, column in ExplorerPersons.to_schema().columns.items()}
    none = np.empty((0, len(model.skeleton), 3), dtype=np.float32)
    about = ExplorerAbout(
        skeleton=SkeletonAbout(joints=model.skeleton.joints, limbs=model.skeleton.limbs),
        model=origin.model or "",
        data=origin.data or "",
        layer=layer,
        crop_size=model.crop_size,
        map=options.map,
        photographs=photographs,
        thumbnail_px=options.thumbnail_px,
        note=note,
    )
    return PersonTable(pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in kinds.items()}), none, none, about)


def mean_error(predictions: PosePredictions, targets: PoseTargets, side_px: int) -> NDArray[np.float32]:
    """Return the mean distance between predicted and labelled joints of each person.

    Args:
        predictions, targets: of the same N persons and joints, crop px.
        side_px: longer side of the crop.

    Returns:
        (N,) % of the side; NaN for a person without labelled joints.
    """
    labelled = targets.visibility > 0
    offsets = np.where(labelled[..., None], predictions.joints - targets.joints, 0.0)
    return _mean_of(np.hypot(offsets[..., 0], offsets[..., 1]), labelled, side_px)


def mean_radius(
    predictions: PosePredictions, uncertainty: Uncertainty | None, flip_test: bool, side_px: int
) -> NDArray[np.float32]:
    """Return the mean calibrated radius of the joints of each person.

    Args:
        predictions: predictions of N persons, joints in the model's order.
        uncertainty: radii of the model; None: it was not calibrated.
        flip_test: whether the scores are those of a flip test.
        side_px: longer side of the crop.

    Returns:
        (N,) % of the side; NaN for a person without a joint that has a radius.
    """
    if uncertainty is None:
        return np.full(len(predictions), np.nan, dtype=np.float32)
    radii = uncertainty.radii(predictions.scores, flip_test)
    known = np.isfinite(radii)
    return _mean_of(np.where(known, radii, 0.0), known, side_px)


def _mean_of(values: NDArray[np.floating], known: NDArray[np.bool_], side_px: int) -> NDArray[np.float32]:
    counts = known.sum(axis=1)
    sums = np.where(known, values, 0.0).sum(axis=1)
    means = np.divide(100 * sums / side_px, counts, out=np.full(len(counts), np.nan), where=counts > 0)
    return np.asarray(means, dtype=np.float32)


def _check_not_sealed(persons: pd.DataFrame) -> None:
    sealed = persons.index[persons["split"] == "test"]
    if len(sealed):
        raise DataError(
            f"Explorer table: expected persons of the training and the validation set, found {len(sealed)} of the sealed test "
            f"set, first person {sealed[0]}. The features are of an earlier split: run the pipeline explainability."
        )


def _rows_of(table: pd.DataFrame, ids: NDArray[np.int64], name: str) -> pd.DataFrame:
    indexed = table.set_index("person_id")
    missing = np.setdiff1d(ids, indexed.index)
    if len(missing):
        raise DataError(
            f"{name}: expected a row for each of the {len(ids)} persons with features, found none for {len(missing)}, first "
            f"person {missing[0]}: they are of different runs. Run the pipeline explainability."
        )
    return indexed.loc[ids]


def _predictions_of(tables: ExplainedTables, ids: NDArray[np.int64], skeleton: Skeleton, model: PoseModel) -> PosePredictions:
    known = tables.predictions["person_id"]
    if len(missing := np.setdiff1d(ids, known)):
        raise DataError(
            f"explained_predictions: expected predictions of all {len(ids)} persons with features, found none for "
            f"{len(missing)}, first person {missing[0]}: they are of different runs. Run the pipeline explainability."
        )
    return read_predictions(tables.predictions, ids, skeleton, model.skeleton.joints)


def _number(values: "pd.Series[Any]") -> "pd.Series[Any]":
    return values if pd.api.types.is_bool_dtype(values) else values.astype(np.float32)


def _stack(joints: NDArray[np.floating], third: NDArray[np.generic]) -> NDArray[np.float32]:
    return np.concatenate([joints, third[..., None]], axis=2).astype(np.float32)
