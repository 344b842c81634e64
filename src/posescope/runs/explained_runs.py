"""What the pipeline explainability left in a data_dir, as it is needed to hold several networks side by side.

<data_dir>/03_primary/persons.parquet                                      which photograph a person is in
           07_model_output/features/bottleneck/, components.npz                          features and their components
           08_reporting/explainability/clusters/cluster_members.csv        each person's cluster, if that analysis was run
                                      component_names/attribute_probes.csv what can be read from the features, likewise
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
from posescope.explainability.features.feature_store import FeatureSet, FeatureStore
from posescope.explainability.similarity.representation_similarity import Representation

__all__ = ["ExplainedRun", "common_persons", "open_explained_run"]

SHARE, MOST = 0.95, 256  # of the variance that is compared, and components that may take

_ANALYSES = Path("08_reporting") / "explainability"
# By the image's number alone, two generated samples of different seeds would pass for the same people.
_IDENTITY = ("source_split", "image_id", "annotation_id", "file_name", "bbox_x", "bbox_y", "bbox_w", "bbox_h")
_MEND = "Run the pipelines up to explainability there."


@dataclass(frozen=True)
class ExplainedRun:
    """One network's features, seen through its components.

    Attributes:
        data_dir: where it was found.
        layer: where in the network the features were read.
        model: fingerprint of the network; empty: unknown.
        scores: a row a person (index person_id), a column a component.
        explained_variance_ratio: (P,) of the variance that each of these components holds.
        photographs: image_id by person_id.
        people: whose annotation each person_id is (`_IDENTITY`), by person_id.
        clusters: number of the cluster by person_id; None where they were not sought, or are of another network.
        attributes: table `attribute_probes` by attribute; None likewise.
    """

    data_dir: Path
    layer: str
    model: str
    scores: pd.DataFrame
    explained_variance_ratio: NDArray[np.float64]
    photographs: "pd.Series[int]"
    people: pd.DataFrame
    clusters: "pd.Series[int] | None"
    attributes: pd.DataFrame | None

    def of_persons(self, person_ids: NDArray[np.int64]) -> Representation:
        """What it says of these persons, in this order."""
        scores: NDArray[np.float64] = self.scores.loc[person_ids.tolist()].to_numpy(dtype=np.float64)
        if self.clusters is None or not set(person_ids.tolist()) <= set(self.clusters.index):
            return Representation(scores)
        clusters: NDArray[np.int64] = np.asarray(self.clusters.loc[person_ids.tolist()], dtype=np.int64)
        return Representation(scores, clusters)

    def photographs_of(self, person_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """(N,) image_id of each."""
        return np.asarray(self.photographs.loc[person_ids.tolist()], dtype=np.int64)


def open_explained_run(data_dir: Path) -> ExplainedRun:
    """Read it.

    Raises:
        DataError: if there are no features or components, or they do not belong together.
    """
    features = _open_features(data_dir)
    components = Components.load(data_dir / "07_model_output/features" / "components.npz")
    if components.features_fingerprint not in ("", features.fingerprint):
        raise DataError(f"{data_dir}: the components are of other features than those that lie beside them. {_MEND}")
    count = min(components.components_for(SHARE), MOST, len(components))
    persons = _read_persons(data_dir).set_index("person_id")
    return ExplainedRun(
        data_dir=data_dir,
        layer=features.layer,
        model=features.model,
        scores=pd.DataFrame(components.project(features.values, count), index=features.person_ids),
        explained_variance_ratio=components.explained_variance_ratio[:count],
        photographs=persons["image_id"],
        people=persons[[*_IDENTITY]],
        clusters=_column(_read_table(data_dir, "clusters", "cluster_members", features.model), "person_id", "cluster"),
        attributes=_indexed(_read_table(data_dir, "component_names", "attribute_probes", features.model), "attribute"),
    )


def common_persons(runs: Sequence[ExplainedRun]) -> NDArray[np.int64]:
    """(N,) persons whose features all runs have, ascending.

    Raises:
        DataError: if there are fewer than 20, or the same number means another annotation, photograph or box.
    """
    shared = sorted(set.intersection(*(set(run.scores.index) & set(run.photographs.index) for run in runs)))
    first = runs[0]
    for run in runs[1:]:
        if not first.people.loc[shared].equals(run.people.loc[shared]):
            raise DataError(
                f"{first.data_dir} and {run.data_dir} are of different people: the same person_id is another annotation, or in "
                "another image or box. Explain the networks on the same data."
            )
    if len(shared) < 20:
        raise DataError(
            f"Only {len(shared)} persons have features in all of {', '.join(str(run.data_dir) for run in runs)}; at least 20 are "
            "needed. Explain the networks on the same split of the same data (explainability.persons)."
        )
    return np.array(shared, dtype=np.int64)


def _open_features(data_dir: Path) -> FeatureSet:
    store = FeatureStore(data_dir / "07_model_output/features" / "bottleneck")
    if not store.is_finished():
        raise DataError(f"{data_dir}: no features of a network lie here (07_model_output/features/bottleneck). {_MEND}")
    return store.open()


def _read_persons(data_dir: Path) -> pd.DataFrame:
    path = data_dir / "03_primary" / "persons.parquet"
    if not path.is_file():
        raise DataError(f"{path}: there is no such file. {_MEND}")
    return pd.read_parquet(path, columns=["person_id", *_IDENTITY])


def _read_table(data_dir: Path, analysis: str, table: str, model: str) -> pd.DataFrame | None:
    """None where the analysis was not run, or was run on another network."""
    folder = data_dir / _ANALYSES / analysis
    if not (folder / f"{table}.csv").is_file() or read_json(folder / "result.json").get("model", "") not in ("", model):
        return None
    return read_csv(folder / f"{table}.csv")


def _indexed(table: pd.DataFrame | None, key: str) -> pd.DataFrame | None:
    return None if table is None else table.set_index(key)


def _column(table: pd.DataFrame | None, key: str, column: str) -> "pd.Series[int] | None":
    return None if table is None else table.set_index(key)[column]
