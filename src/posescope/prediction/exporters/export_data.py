"""The crops on which an export is made and verified: those of the data on which the model was trained, or a user's images."""

import logging
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pandas as pd

from posescope.artifacts.description import ModelDescription, read_description
from posescope.core.files import read_json
from posescope.core.plugins import restrict_dotted_paths
from posescope.core.records import PoseTargets
from posescope.core.tables import Persons, ids_of
from posescope.data.crops.crop_statistics import CropStatistics, check_current
from posescope.data.crops.crop_store import CropStore
from posescope.prediction.example_crops import load_example_crops
from posescope.prediction.exporters.exporter import ExportData, LabelledCrops
from posescope.prediction.uncertainty_calibration import photographs_of

__all__ = ["load_export_data"]

_log = logging.getLogger(__name__)

_INPUT = Path("05_model_input")
_PERSONS = Path("03_primary", "persons.parquet")


def load_export_data(
    model: Path, images: Path | None, data_dir: Path, limit: int = 64, allow: Collection[str] = ()
) -> ExportData:
    """Return crops for an export of a model.

    Args:
        model: a model folder.
        images: images to compare on, see `load_example_crops`; None: crops of the data of the model.
        data_dir: is searched for data after the data_dir of the model.
        limit: largest number of examples.
        allow: dotted paths of components that the model folder may name.

    Raises:
        DataError: if there are neither readable images nor crops of the model's size.
    """
    examples, origin = load_example_crops(model, images, data_dir, limit, allow)
    about = read_description(model)
    for folder in (*model.resolve().parents, data_dir):
        if (folder / _PERSONS).is_file() and (folder / _INPUT / "targets.npz").is_file():
            found = _read_splits(folder, about, allow)
            return ExportData(examples, origin, **found)
    return ExportData(examples, origin)


def _read_splits(data_dir: Path, about: ModelDescription, allow: Collection[str]) -> dict[str, Any]:
    """Return the splits of the data of a model; nothing if the data are of another run, whose persons it may be trained on."""
    trained_on = about.provenance.get("data_fingerprint")
    with restrict_dotted_paths(allow):
        statistics = CropStatistics.from_dict(read_json(data_dir / _INPUT / "crop_statistics.json"))
    if trained_on != statistics.data_fingerprint:
        _log.warning(
            "%s holds the data %s, the model was trained on %s: its accuracy is not measured.",
            data_dir, statistics.data_fingerprint, trained_on,
        )  # fmt: skip
        return {}
    store, targets = CropStore(data_dir / _INPUT / "crops"), PoseTargets.load(data_dir / _INPUT / "targets.npz")
    persons = pd.DataFrame(Persons.validate(pd.read_parquet(data_dir / _PERSONS)))
    check_current(statistics, store, persons, targets)
    splits = {"train": "train", "validation": "val", "calibration": "calibration"}
    found = {name: _select(store, targets, persons, split, about) for name, split in splits.items()}
    return {"data": statistics.data_fingerprint, **{name: one for name, one in found.items() if one is not None}}


def _select(
    store: CropStore, targets: PoseTargets, persons: pd.DataFrame, split: str, about: ModelDescription
) -> LabelledCrops | None:
    chosen = store.select(targets, ids_of(persons, split)).with_joint_order(about.skeleton.joints)
    if not len(chosen):
        return None
    return LabelledCrops(chosen, photographs_of(persons, chosen.targets.person_ids))
