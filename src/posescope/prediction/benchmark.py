"""Time of a model and of its exports on this machine.

    round 1:  torch  onnx  int8  openvino       each for a fixed time: one crop per call, then a batch per call
    round 2:  torch  onnx  int8  openvino       so other work on the machine slows all of them, and the ratios stay

A call takes crops and returns joints and scores: network and decoder, without image files and crops.
"""

import logging
import os
import platform
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posescope.artifacts.description import DESCRIPTION, FLOAT32, ModelDescription, model_fingerprint, read_description
from posescope.core.errors import DataError, OptionsError
from posescope.core.hardware import INFERENCE_INSTRUCTIONS, available_cpus, read_cpu_fields, read_cpu_instructions
from posescope.prediction.backends.backend import Backend, find_backend, open_backend

__all__ = ["Machine", "Timing", "Variant", "describe_machine", "find_variants", "measure_variants", "open_variants"]

log = logging.getLogger(__name__)

_PACKAGES = ("posescope", "torch", "onnxruntime", "openvino", "numpy")
_PAUSE_S = 0.05  # threads of ONNX Runtime wait actively for some milliseconds after a call


@dataclass(frozen=True, eq=False)
class Variant:
    """A model folder on a device.

    Attributes:
        description: of the folder.
        backend: name of the backend.
        device: `cpu` or `cuda`.
    """

    description: ModelDescription
    backend: str
    device: str

    @property
    def precision(self) -> str:
        """Precision of the network."""
        return str(self.description.export.get("precision", FLOAT32))

    @property
    def label(self) -> str:
        """Backend, precision and device."""
        return f"{self.backend} {self.precision} {self.device}"


@dataclass(frozen=True)
class Timing:
    """Time of one variant.

    Attributes:
        label: backend, precision and device.
        folder: the model folder.
        latency_ms: median time of a call with one crop.
        latency_p95_ms: 95th percentile of it.
        crops_per_s: median over the rounds, with a batch per call.
        latency_ratio, throughput_ratio: how many times faster than the first variant, median of the ratios in each round.
        calls: number of calls with one crop.
    """

    label: str
    folder: str
    latency_ms: float
    latency_p95_ms: float
    crops_per_s: float
    latency_ratio: float
    throughput_ratio: float
    calls: int

    def to_dict(self) -> dict[str, Any]:
        """Return the fields for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Machine:
    """What times depend on beside the model.

    Attributes:
        cpu: name of the processor.
        flags: its instructions that the runtimes use, of those that are looked for.
        cpus: number of CPUs that this process may use.
        load: running processes per CPU of the machine in the last minute, before the measurement; NaN if unknown.
        gpu: name of the first GPU of torch; '' without one.
        versions: by package.
    """

    cpu: str
    flags: tuple[str, ...]
    cpus: int
    load: float
    gpu: str
    versions: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields for JSON."""
        return asdict(self)


def find_variants(model: Path, others: Sequence[Path] = (), allow: Collection[str] = ()) -> list[Variant]:
    """Return a model and its exports, on the CPU and on a GPU where there is one.

    Exports are the folders beside that of the model, and the given ones, that were made from the same model.

    Args:
        model: a model folder.
        others: further model folders.
        allow: dotted paths of components that a folder may name.

    Raises:
        ModelFolderError: if a given folder is no model folder.
        DataError: if a given folder is of another model or has another crop size.
    """
    own = _source_of(model)
    for folder in others:
        if _source_of(folder) != own:
            raise DataError(f"{folder}: expected an export of {model} (model {own}), found the model {_source_of(folder)}.")
    beside = [path.parent for path in sorted(model.resolve().parent.glob(f"*/{DESCRIPTION}"))]
    given = list(dict.fromkeys([model.resolve(), *(folder.resolve() for folder in others)]))
    found = [_describe(folder, allow) for folder in given]
    for folder in beside:
        if folder not in given and _is_export_of(folder, own):
            try:
                found.append(_describe(folder, allow))
            except DataError as error:  # it was not asked for
                log.warning("%s is not measured: %s", folder, error)
    named = [(about, find_backend(about, allow=allow).name) for about in found]
    devices = [(about, name, device) for about, name in named for device in _devices_of(name)]
    return [Variant(about, name, device) for about, name, device in devices]


def _describe(folder: Path, allow: Collection[str]) -> ModelDescription:
    """Return the description of a model folder whose backend is known."""
    about = read_description(folder).trusted(allow)
    find_backend(about, allow=allow)
    return about


def open_variants(
    variants: Sequence[Variant], threads: int = 0, allow: Collection[str] = ()
) -> tuple[dict[Variant, Backend], dict[str, str]]:
    """Open the variants that can run here.

    Args:
        variants: as found.
        threads: of each variant on the CPU; 0: one per CPU of this process.
        allow: dotted paths of components that a folder may name.

    Returns:
        The backends, and the reason why a variant cannot run, by its label.
    """
    opened, left_out = {}, {}
    for variant in variants:
        try:
            opened[variant] = open_backend(variant.description, device=variant.device, threads=threads, allow=allow)
        except (DataError, OptionsError, ImportError) as error:  # a runtime is not installed, or lacks the device
            left_out[variant.label] = str(error)
    if any(variant.backend == "torch" for variant in opened):
        import torch  # noqa: PLC0415  (imported by the backend already)

        torch.set_num_threads(threads or available_cpus())
    return opened, left_out


def measure_variants(
    backends: Mapping[Variant, Backend],
    batch_size: int = 16,
    rounds: int = 5,
    seconds: float = 1.0,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Timing]:
    """Measure variants in turn.

    Args:
        backends: one or more variants of the same crop size.
        batch_size: crops per call, for the throughput.
        rounds: number of rounds.
        seconds: time per variant and round, for one crop per call and for a batch per call each.
        clock: returns seconds. `time.process_time`, with one thread, leaves out the time in which other processes run.
    """
    height, width = next(iter(backends)).description.crop_size
    crops = np.random.default_rng(0).integers(0, 256, (batch_size, height, width, 3)).astype(np.uint8)
    single: dict[Variant, list[list[float]]] = {variant: [] for variant in backends}
    batch: dict[Variant, list[float]] = {variant: [] for variant in backends}
    for _ in range(rounds):
        for variant, backend in backends.items():
            single[variant].append(list(_time_calls(backend.run, crops[:1], seconds, clock)))
            batch[variant].append(float(np.median(list(_time_calls(backend.run, crops, seconds, clock)))))
    return [_summarise(variant, single, batch, batch_size) for variant in backends]


def describe_machine() -> Machine:
    """Return processor, load, GPU and versions."""
    known = read_cpu_instructions()
    name = read_cpu_fields().get("model name") or platform.processor() or platform.machine()
    return Machine(
        name,
        tuple(one for one in INFERENCE_INSTRUCTIONS if one in known),
        available_cpus(),
        _load(),
        _gpu_name(),
        dict(_versions()),
    )


def _time_calls(
    run: Callable[[NDArray[np.uint8]], Any], crops: NDArray[np.uint8], seconds: float, clock: Callable[[], float]
) -> Iterator[float]:
    """Yield the seconds of each call, at least one, after a call that does not count."""
    time.sleep(_PAUSE_S)
    run(crops)
    end = clock() + seconds
    while True:
        start = clock()
        run(crops)
        now = clock()
        yield now - start
        if now >= end:
            return


def _summarise(
    variant: Variant, single: Mapping[Variant, list[list[float]]], batch: Mapping[Variant, list[float]], batch_size: int
) -> Timing:
    first = next(iter(single))
    calls = np.concatenate([np.array(one) for one in single[variant]])
    medians = {one: np.array([np.median(calls) for calls in single[one]]) for one in (first, variant)}
    rates = batch_size / np.array(batch[variant])
    return Timing(
        label=variant.label,
        folder=str(variant.description.folder),
        latency_ms=1000 * float(np.median(calls)),
        latency_p95_ms=1000 * float(np.quantile(calls, 0.95)),
        crops_per_s=float(np.median(rates)),
        latency_ratio=float(np.median(medians[first] / medians[variant])),
        throughput_ratio=float(np.median(np.array(batch[first]) / np.array(batch[variant]))),
        calls=len(calls),
    )


def _source_of(folder: Path) -> str:
    """Return the fingerprint of the model that a folder was exported from, or of the folder itself."""
    return str(read_description(folder).export.get("source") or model_fingerprint(folder))


def _is_export_of(folder: Path, fingerprint: str) -> bool:
    try:
        return _source_of(folder) == fingerprint
    except DataError:  # a folder beside the model that is damaged or of another version is no business of this command
        return False


def _devices_of(backend: str) -> list[str]:
    return ["cpu", "cuda"] if backend in ("torch", "onnx") and _gpu_name() else ["cpu"]


def _gpu_name() -> str:
    try:
        import torch  # noqa: PLC0415  (an extra)
    except ImportError:
        return ""
    return str(torch.cuda.get_device_name(0)) if torch.cuda.is_available() else ""


def _load() -> float:
    return os.getloadavg()[0] / (os.cpu_count() or 1) if hasattr(os, "getloadavg") else float("nan")


def _versions() -> Iterator[tuple[str, str]]:
    for package in _PACKAGES:
        try:
            yield package, version(package)
        except PackageNotFoundError:
            continue
