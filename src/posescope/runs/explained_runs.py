"""The outputs of the pipeline explainability in a data_dir, as the comparison of several networks needs them.

<data_dir>/03_primary/persons.parquet                                        image and annotation of each person
           07_model_output/features/bottleneck/, components.npz               features and their principal components
           08_reporting/explainability/clusters/cluster_members.csv          cluster of each person, if this analysis was run
                                      component_names/attribute_probes.csv   attributes predicted from the features
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.core.csv_files import read_csv
from posescope.core.errors import DataError
from posescope.core.files import read_json
from posescope.explainability.components.pca import Components
from posescope.explainability.features.feature_store import FeatureStore
from posescope.explainability.similarity.representation_similarity import Representation

__all__ = ["ExplainedRun", "common_persons", "open_explained_run"]

VARIANCE_FRACTION, MAX_COMPONENTS, MIN_PERSONS = 0.95, 256, 20

_ANALYSES = Path("08_reporting") / "explainability"
# image_id does not identify a person: two generated samples of different seeds have the same ids.
_IDENTITY = ["source_split", "image_id", "annotation_id", "file_name", "bbox_x", "bbox_y", "bbox_w", "bbox_h"]
_REMEDY = "Run the pipelines up to explainability there."


@dataclass(frozen=True)
class ExplainedRun:
    """The features of one network, projected on their principal components; every table is indexed by person_id.

    Attributes:
        data_dir: folder of the run.
        layer: layer of the network that the features are of.
        model: fingerprint of the network; '' if unknown.
        scores: one row per person, one column per component.
        explained_variance_ratio: (P,) of these components.
        annotations: source_split, image_id, annotation_id, file_name and box of each person.
        clusters: number of the cluster; None without this analysis, or if it is of another network.
        attributes: table `attribute_probes`, indexed by attribute; None if there is none.
    """

    data_dir: Path
    layer: str
    model: str
    scores: pd.DataFrame
    explained_variance_ratio: NDArray[np.float64]
    annotations: pd.DataFrame
    clusters: "pd.Series[int] | None"
    attributes: pd.DataFrame | None

    def of_persons(self, person_ids: NDArray[np.int64]) -> Representation:
        """Return scores and clusters of (N,) persons, in this order."""
        ids = person_ids.tolist()
        scores: NDArray[np.float64] = self.scores.loc[ids].to_numpy(dtype=np.float64)
        if self.clusters is None or not set(ids) <= set(self.clusters.index):
            return Representation(scores)
        clusters: NDArray[np.int64] = np.asarray(self.clusters.loc[ids], dtype=np.int64)
        return Representation(scores, clusters)

    def image_ids_of(self, person_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return (N,) the image_id of (N,) persons."""
        return np.asarray(self.annotations["image_id"].loc[person_ids.tolist()], dtype=np.int64)


def open_explained_run(data_dir: Path) -> ExplainedRun:
    """Read the outputs of the pipeline explainability.

    Raises:
        DataError: if features or components are missing, or do not belong together.
    """
    store = FeatureStore(data_dir / "07_model_output" / "features" / "bottleneck")
    if not store.is_finished():
        raise DataError(f"{store.root}: expected features of a network, found none. {_REMEDY}")
    features = store.open()
    components = Components.load(data_dir / "07_model_output" / "features" / "components.npz")
    if components.features_fingerprint not in ("", features.fingerprint):
        raise DataError(f"{data_dir}: the components were computed from other features than those beside them. {_REMEDY}")
    members = _read_table(data_dir, "clusters", "cluster_members", "person_id", features.model)
    count = min(components.components_for(VARIANCE_FRACTION), MAX_COMPONENTS, len(components))
    return ExplainedRun(
        data_dir=data_dir,
        layer=features.layer,
        model=features.model,
        scores=pd.DataFrame(components.project(features.values, count), index=features.person_ids),
        explained_variance_ratio=components.explained_variance_ratio[:count],
        annotations=_read_persons(data_dir),
        clusters=None if members is None else members["cluster"],
        attributes=_read_table(data_dir, "component_names", "attribute_probes", "attribute", features.model),
    )


def common_persons(runs: Sequence[ExplainedRun]) -> NDArray[np.int64]:
    """Return (N,) the persons whose features all runs have, ascending.

    Raises:
        DataError: if there are fewer than 20 persons, or if a person_id is another annotation, image or box in another run.
    """
    shared = sorted(set.intersection(*(set(run.scores.index) & set(run.annotations.index) for run in runs)))
    first = runs[0]
    for run in runs[1:]:
        if not first.annotations.loc[shared].equals(run.annotations.loc[shared]):
            raise DataError(
                f"{first.data_dir} and {run.data_dir} have different persons: the same person_id has another annotation, image "
                "or box. Explain the networks on the same data."
            )
    if len(shared) < MIN_PERSONS:
        raise DataError(
            f"Expected at least {MIN_PERSONS} persons with features in all of {', '.join(str(run.data_dir) for run in runs)}, "
            f"found {len(shared)}. Explain the networks on the same split of the same data (explainability.persons)."
        )
    return np.array(shared, dtype=np.int64)


def _read_persons(data_dir: Path) -> pd.DataFrame:
    path = data_dir / "03_primary" / "persons.parquet"
    if not path.is_file():
        raise DataError(f"{path}: file not found. {_REMEDY}")
    return pd.read_parquet(path, columns=["person_id", *_IDENTITY]).set_index("person_id")


def _read_table(data_dir: Path, analysis: str, table: str, index: str, model: str) -> pd.DataFrame | None:
    """Return None if the analysis was not run, or was run on another network."""
    folder = data_dir / _ANALYSES / analysis
    if not (folder / f"{table}.csv").is_file() or read_json(folder / "result.json").get("model", "") not in ("", model):
        return None
    return read_csv(folder / f"{table}.csv").set_index(index)
