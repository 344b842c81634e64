"""An export that is made from the ONNX export of a model: for another runtime, or with a network of lower precision.

    model folder --export_onnx--> float32 graphs --change the network--> folder --open--> compared with PyTorch
                                        |                                  |
                                        +----- PCK, paired, on the validation persons (lower precision only)

The radii of a calibrated model hold for its own errors. An export of lower precision has other errors, so its radii are
calibrated again with it, or left out.
"""

import logging
import shutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from posescope.artifacts.description import (
    DESCRIPTION,
    FLOAT32,
    ModelDescription,
    model_fingerprint,
    read_description,
    read_description_content,
)
from posescope.artifacts.exported_model import DECODER, FLIP_TEST_DECODER, GRAPHS, NETWORK, ExportedModel
from posescope.artifacts.model_folder import load_model
from posescope.artifacts.onnx_export import check_destination, compare_with_torch, export_onnx
from posescope.artifacts.onnx_model import OnnxModel
from posescope.artifacts.uncertainty import Uncertainty, read_uncertainty, write_uncertainty
from posescope.core.errors import DataError
from posescope.core.files import atomic_folder, sha256_of, write_json
from posescope.evaluation.paired_comparison import PairedMetric
from posescope.prediction.exporters.accuracy import calibrate_radii, compare_accuracy
from posescope.prediction.exporters.exporter import ExportData, ExportReport, Radii

__all__ = ["GraphExport", "copy_network", "export_graphs"]

log = logging.getLogger(__name__)


def copy_network(source: Path, destination: Path) -> Mapping[str, Any]:
    """Write the network unchanged.

    Args:
        source, destination: ONNX files.
    """
    shutil.copyfile(source, destination)
    return {}


@dataclass(frozen=True)
class GraphExport:
    """How a format differs from ONNX.

    Attributes:
        format: name of the exporter.
        backend: name of the component that runs it.
        precision: of the network.
        open: opens the finished folder.
        tolerance: largest accepted difference of a heatmap px and of a score, as a fraction of the largest heatmap px.
        max_pck_loss: largest accepted loss of PCK; only for a lower precision.
        write_network: writes the network of the export from that in float32; returns facts for the description.
    """

    format: str
    backend: str
    precision: str
    open: Callable[[ModelDescription], ExportedModel]
    tolerance: float
    max_pck_loss: float = 1.0
    write_network: Callable[[Path, Path], Mapping[str, Any]] = copy_network


def export_graphs(
    source: Path, destination: Path, data: ExportData, plan: GraphExport, allow: Collection[str] = ()
) -> ExportReport:
    """Write an export and verify it.

    Args:
        source: a model folder.
        destination: the folder to write; only an earlier export is replaced.
        data: crops on which the export is verified.
        plan: the format.
        allow: dotted paths of components that the model folder may name.

    Raises:
        DataError: if the predictions differ from those of PyTorch, or the accuracy falls, by more than the format accepts.
        OptionsError: if the destination is anything but an earlier export, or a package is missing.
        ModelFolderError: if the source is no model folder.
    """
    destination = destination.resolve()
    check_destination(source, destination)
    with TemporaryDirectory() as place:
        original = Path(place, "float32")
        export_onnx(source, original, data.examples, allow=allow)
        with atomic_folder(destination) as folder:
            report = _fill(folder, source, original, data, plan, allow)
    log.info("Wrote %s.", destination)
    return ExportReport(destination, plan.format, plan.precision, *report)


def _fill(
    folder: Path, source: Path, original: Path, data: ExportData, plan: GraphExport, allow: Collection[str]
) -> tuple[Any, PairedMetric | None, Radii]:
    for name in (DECODER, FLIP_TEST_DECODER):
        shutil.copyfile(original / name, folder / name)
    facts = plan.write_network(original / NETWORK, folder / NETWORK)
    content = read_description_content(original)
    export = {
        **content["export"],
        "format": plan.format,
        "backend": {"name": plan.backend, "options": {}},
        "precision": plan.precision,
        "files": {name: sha256_of(folder / name) for name in GRAPHS},
        **facts,
    }
    write_json(folder / DESCRIPTION, {**content, "export": export})
    exported = plan.open(read_description(folder))
    check = compare_with_torch(load_model(source, allow=allow), exported, data.examples, plan.tolerance)
    accuracy = _measure(original, exported, data, plan)
    stated = {"largest_difference": asdict(check), **({} if accuracy is None else {"accuracy": accuracy.to_dict()})}
    write_json(folder / DESCRIPTION, {**content, "export": {**export, **stated}})
    return check, accuracy, _write_radii(folder, original, exported, data, plan)


def _measure(original: Path, exported: ExportedModel, data: ExportData, plan: GraphExport) -> PairedMetric | None:
    if plan.precision == FLOAT32 or data.validation is None:
        return None
    found = compare_accuracy(OnnxModel(read_description(original), device="cpu"), exported, data.validation)
    if not -found.difference <= plan.max_pck_loss:
        raise DataError(
            f"export: {plan.format} changes PCK by {found.difference:+.4f} ({found.low:+.4f} to {found.high:+.4f}) on "
            f"{found.count} validation persons, expected a loss of at most {plan.max_pck_loss:g}. The model was not written. Use "
            "more calibration crops, or a format of higher precision."
        )
    return found


def _write_radii(folder: Path, original: Path, exported: ExportedModel, data: ExportData, plan: GraphExport) -> Radii:
    before = _read_radii(original)
    if before is None:
        return "none"
    if plan.precision == FLOAT32:
        write_uncertainty(folder, before)
        return "copied"
    if data.calibration is None:
        log.warning("No calibration persons at hand: the export has no radii, since those of the original do not hold for it.")
        return "left out"
    write_uncertainty(folder, calibrate_radii(before, model_fingerprint(folder), exported, data.calibration))
    return "calibrated again"


def _read_radii(folder: Path) -> Uncertainty | None:
    return read_uncertainty(folder, model_fingerprint(folder), read_description(folder).skeleton.joints)
