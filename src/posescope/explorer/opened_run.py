"""A finished run as an explorer opens it: the table of its persons at once, model, crops and features when they are first needed.

Nothing is written. The table names the model, the data and the features that it is of; others beside it are refused. `torch` is
imported by `model`, `components` and what uses them only.
"""

import threading
from collections.abc import Collection, Iterable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.artifacts.description import DESCRIPTION, model_fingerprint
from posescope.core.errors import DataError
from posescope.core.files import read_json
from posescope.explorer.person_numbers import PersonNumbers
from posescope.explorer.run_places import RunPlaces, find_places
from posescope.explorer.table_file import JOINT_COLUMNS, read_about, read_joints, read_persons, read_thumbnails
from posescope.explorer.table_metadata import ExplorerAbout

if TYPE_CHECKING:
    from posescope.artifacts.pose_model import PoseModel
    from posescope.artifacts.uncertainty import Uncertainty
    from posescope.data.crops.crop_set import CropSet
    from posescope.explainability.components.pca import Components
    from posescope.explainability.features.feature_store import FeatureSet

__all__ = ["OpenedRun", "open_run"]


@dataclass(frozen=True, eq=False)
class OpenedRun:
    """Read-only view of a finished run. Threads may share it.

    Attributes:
        data_dir: the folder that was opened.
        persons: the table without thumbnails and joints, a row per person, indexed 0..N-1 (`ExplorerPersons`). `slices` holds an
            array per person.
        about: metadata of the table.
        places: paths of the other files.
        allow: dotted paths of components that the model folder may name.

    Example:
        >>> opened = open_run(Path("data"))  # doctest: +SKIP
        >>> opened.persons.sort_values("error").tail(20)["file_name"]  # doctest: +SKIP
    """

    data_dir: Path
    persons: pd.DataFrame
    about: ExplorerAbout
    places: RunPlaces
    allow: tuple[str, ...] = ()
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __len__(self) -> int:
        return len(self.persons)

    @cached_property
    def person_ids(self) -> NDArray[np.int64]:
        """(N,) ids of the persons, in row order."""
        return self.persons["person_id"].to_numpy(dtype=np.int64)

    @cached_property
    def image_groups(self) -> NDArray[np.int64]:
        """(N,) the same number for persons of one photograph. An image_id is unique only within a split of the files."""
        images = self.persons.groupby(["source_split", "image_id"], sort=False, observed=True)
        return np.asarray(images.ngroup(), dtype=np.int64)

    @cached_property
    def joints_true(self) -> NDArray[np.float32]:
        """(N, K, 3) x and y in crop px, NaN where unlabelled, and visibility 0..2; joints in the model's order."""
        return self._joints("joints_true")

    @cached_property
    def joints_predicted(self) -> NDArray[np.float32]:
        """(N, K, 3) x and y in crop px, and score; joints in the model's order."""
        return self._joints("joints_predicted")

    @cached_property
    def component_scores(self) -> NDArray[np.float32]:
        """(N, P) scores along the components of the table, at most 10."""
        names = [f"component_{one.number}" for one in self.about.components]
        return self.persons[names].to_numpy(dtype=np.float32)

    def rows_of(self, person_ids: Iterable[int]) -> NDArray[np.int64]:
        """Return the (n,) rows of persons, in the given order.

        Raises:
            DataError: if a person is not in the table.
        """
        wanted = np.fromiter(person_ids, dtype=np.int64)
        rows = pd.Index(self.person_ids).get_indexer(pd.Index(wanted))
        if (unknown := wanted[rows < 0]).size:
            numbers = PersonNumbers(self.person_ids)
            raise DataError(
                f"Person {unknown[0]}: expected the number of a person of this run, such as {numbers.nearest(int(unknown[0]))}. "
                f"There are {numbers}."
            )
        return rows.astype(np.int64)

    def rows_in_slice(self, slice_id: str) -> NDArray[np.int64]:
        """Return the (n,) rows of the persons of a failure slice (`SliceAbout.id`)."""
        return np.flatnonzero([slice_id in own for own in self.persons["slices"]]).astype(np.int64)

    def thumbnails(self, rows: NDArray[np.int64]) -> list[bytes]:
        """Return the thumbnails of persons as JPEG files; only their row groups are read.

        Args:
            rows: (n,) rows, in any order.
        """
        return read_thumbnails(self.places.table, np.asarray(rows, dtype=np.int64))

    def model(self) -> "PoseModel":
        """Return the model whose predictions the table has, on the CPU; loaded once.

        Threads share its network, and a pass may put hooks on it. Threads run it by `heatmaps`, or a copy by `copy_model`.

        Raises:
            DataError: if it is missing.
        """
        with self._lock:
            return self._model

    def copy_model(self) -> "PoseModel":
        """Return the model with a network of its own, for interventions and gradients; one thread at a time may run it.

        Raises:
            DataError: if it is missing.
        """
        with self._lock:
            return replace(self._model, network=deepcopy(self._model.network))

    def heatmaps(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Run the network on the crops of persons, one call at a time.

        Args:
            rows: (n,) rows, in any order.

        Returns:
            (n, K, h, w) heatmaps.

        Raises:
            DataError: if the model or the crops are missing.
        """
        import torch  # noqa: PLC0415

        images = torch.from_numpy(self.crops().read_images(rows))
        with self._lock:
            found: NDArray[np.float32] = self._model.heatmaps(images).cpu().numpy()
        return found

    def crops(self) -> "CropSet":
        """Return the crops of the persons, in row order, with the joints in the model's order.

        A page shows them by `read_shown_images(rows, about.photographs)`; only the network gets `read_images`.

        Raises:
            DataError: if they are missing, or of other data than the table.
        """
        return self._crops

    def components(self) -> "Components":
        """Return the components of the features.

        Raises:
            DataError: if they are missing, or of other features than the table.
        """
        return self._components

    def features(self) -> "FeatureSet":
        """Return the features of the persons, in row order, as a memory map.

        Raises:
            DataError: if they are missing, or others than those of the table.
        """
        return self._features

    def uncertainty(self) -> "Uncertainty | None":
        """Return the radii of the model; None if it was not calibrated."""
        return self._uncertainty

    def model_folder(self) -> Path:
        """Return the folder of the model.

        Raises:
            DataError: if no model folder has the fingerprint of the table.
        """
        found = _find_model(self.places.models, self.about.model)
        if found is None:
            raise DataError(f"{self.places.models}: expected the model {self.about.model}, found none. {self.places.remedy}")
        return found

    @cached_property
    def _model(self) -> "PoseModel":
        from posescope.artifacts.model_folder import load_model  # noqa: PLC0415  (torch)

        return load_model(self.model_folder(), allow=self.allow)

    @cached_property
    def _uncertainty(self) -> "Uncertainty | None":
        from posescope.artifacts.uncertainty import read_uncertainty  # noqa: PLC0415

        return read_uncertainty(self.model_folder(), self.about.model, self.about.skeleton.joints)

    @cached_property
    def _crops(self) -> "CropSet":
        from posescope.core.records import PoseTargets  # noqa: PLC0415
        from posescope.data.crops.crop_store import CropStore  # noqa: PLC0415

        _check_there(self.places.targets, self.places)
        _check_statistics(self.places, self.about)
        found = CropStore(self.places.crops).select(PoseTargets.load(self.places.targets), self.person_ids)
        if not np.array_equal(found.targets.person_ids, self.person_ids):
            raise DataError(
                f"{self.places.crops}: expected crops of the {len(self)} persons of the table, found {len(found)}. "
                f"{self.places.remedy}"
            )
        return found.with_joint_order(self.about.skeleton.joints)

    @cached_property
    def _features(self) -> "FeatureSet":
        from posescope.explainability.features.feature_store import FeatureStore  # noqa: PLC0415

        _check_there(self.places.features, self.places)
        found = FeatureStore(self.places.features).open()
        _check_same("features", self.about.features, found.fingerprint, self.places)
        if not np.array_equal(found.person_ids, self.person_ids):
            raise DataError(f"{self.places.features}: expected features of the persons of the table. {self.places.remedy}")
        return found

    @cached_property
    def _components(self) -> "Components":
        from posescope.explainability.components.pca import Components  # noqa: PLC0415  (torch)

        _check_there(self.places.components, self.places)
        found = Components.load(self.places.components)
        _check_same("components of the features", self.about.features, found.features_fingerprint, self.places)
        return found

    def _joints(self, column: str) -> NDArray[np.float32]:
        return read_joints(self.places.table, column).reshape(len(self), len(self.about.skeleton.joints), 3)


def open_run(data_dir: Path, allow: Collection[str] = ()) -> OpenedRun:
    """Open a finished run.

    Args:
        data_dir: a data_dir, or the output folder of `posescope explain`.
        allow: dotted paths of components that the model folder may name (`load_model`).

    Raises:
        DataError: if there is no table, or if the model, the data or the features beside it are others than those of the table.
    """
    places = find_places(data_dir)
    about = read_about(places.table)
    places = places.with_photographs(about.photographs)
    if about.note:
        raise DataError(f"{places.table}: the table has no persons. {about.note}")
    _check_statistics(places, about)
    _check_features(places, about)
    if places.models.is_dir() and _find_model(places.models, about.model) is None:
        raise DataError(
            f"{places.models}: expected the model {about.model}, of which the table is, found other ones. {places.remedy}"
        )
    return OpenedRun(data_dir, read_persons(places.table, without=JOINT_COLUMNS), about, places, tuple(allow))


def _find_model(models: Path, fingerprint: str) -> Path | None:
    """Return the newest model folder with this fingerprint."""
    folders = [models] if (models / DESCRIPTION).is_file() else []
    folders += sorted((path.parent for path in models.glob(f"*/*/{DESCRIPTION}")), reverse=True)
    return next((folder for folder in folders if _has_fingerprint(folder, fingerprint)), None)


def _has_fingerprint(folder: Path, fingerprint: str) -> bool:
    try:
        return model_fingerprint(folder) == fingerprint
    except DataError:  # another version may be damaged
        return False


def _check_statistics(places: RunPlaces, about: ExplorerAbout) -> None:
    if places.statistics.is_file():
        found = _text(places.statistics, "data_fingerprint")
        _check_same("crops (data)", about.data, found, places)


def _check_features(places: RunPlaces, about: ExplorerAbout) -> None:
    path = places.features / "features.json"
    if path.is_file():
        _check_same("features", about.features, _text(path, "fingerprint"), places)


def _text(path: Path, name: str) -> str:
    content = read_json(path)
    return str(content.get(name, "")) if isinstance(content, dict) else ""


def _check_same(what: str, expected: str, found: str, places: RunPlaces) -> None:
    if expected != found:
        raise DataError(
            f"{places.table}: the table is of other {what} ({expected}) than those beside it ({found or 'unknown'}). "
            f"{places.remedy}"
        )


def _check_there(path: Path, places: RunPlaces) -> None:
    if not path.exists():
        raise DataError(f"{path}: not found. {places.remedy}")
