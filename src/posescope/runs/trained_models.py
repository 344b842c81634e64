"""Trained models that a training can start from, found by a path or by the id of a run."""

from pathlib import Path

from posescope.artifacts.stored_model import StoredModel, read_stored_model
from posescope.core.mirrors import fetch, fetch_address
from posescope.core.paths import is_address
from posescope.runs.finished_runs import find_trained_model

__all__ = ["TrainedModels"]

_READ_FROM = ("06_models/model", "08_reporting/runs")


class TrainedModels:
    """The models of a data_dir, and any model folder.

    Args:
        folder: the data_dir, where runs are looked for by id.
    """

    on_demand = None  # of a mirror only what is read is fetched

    def __init__(self, folder: Path) -> None:
        self.root = folder

    def is_finished(self) -> bool:
        """Return True: models are only read."""
        return True

    def read(self, name: str) -> StoredModel:
        """Return a model with its weights; no component that it names is imported.

        Args:
            name: id of a run, folder of a run, model folder, folder of its versions, or a data_dir, whose newest model is read.

        Raises:
            DataError: if there is no such model, or it is damaged.
        """
        if is_address(name):
            return read_stored_model(find_trained_model(str(fetch_address(name)), self.root))
        for part in _READ_FROM:
            # The journals of runs, of this one too, are no objects.
            fetch(self.root / part, keeps_unsent=True)
        return read_stored_model(find_trained_model(name, self.root))
