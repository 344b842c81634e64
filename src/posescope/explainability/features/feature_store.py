"""Features on disk: a folder that holds one (N, D) array, who its rows are, and where in the network it was read.

    features/
        values.npy        (N, D) float16 or float32, memory-mapped, C order
        person_ids.npy    (N,) int64
        features.json     tap, shape (C, h, w), pooling, fingerprint of the model and the persons, and of the model alone;
                          checksums of both arrays, and its own seal

The folder appears whole or not at all: it is filled under a temporary name and renamed. The arrays are compared with their
checksums when a process first opens them.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from posescope.core.errors import DataError
from posescope.core.files import atomic_folder, read_checksummed_json, write_checksummed_json, xxh3_of
from posescope.explainability.errors import ExplainabilityError

__all__ = ["FeatureSet", "FeatureStore", "Pooling"]

Pooling: TypeAlias = Literal["none", "mean", "max"]

_log = logging.getLogger(__name__)

_ABOUT, _VALUES, _PERSONS = "features.json", "values.npy", "person_ids.npy"
_REMEDY = "Run the pipeline explainability (or improve, for its own features) again."

# (path, size, time of the last change, expected checksum) of the arrays that this process has found whole.
_whole: set[tuple[str, int, int, str]] = set()


@dataclass(frozen=True)
class FeatureSet:
    """What a network says of N persons at one of its taps.

    Attributes:
        person_ids: (N,) int64.
        values: (N, D) float16 or float32, mostly a read-only memory map; D = C * h * w in that order.
        layer: name of the place in the network.
        shape: of one person's value, (C, h, w); (C, 1, 1) where it was pooled.
        fingerprint: of the model, the tap, the persons and the pooling.
        pooling: what was kept of each channel: all of it (`none`), or its mean or maximum over space.
        model: fingerprint of the network; empty: unknown.
        data: fingerprint of the crops, joints and splits; empty: unknown.
    """

    person_ids: NDArray[np.int64]
    values: NDArray[np.floating]
    layer: str
    shape: tuple[int, ...]
    fingerprint: str = ""
    pooling: Pooling = "none"
    model: str = ""
    data: str = ""

    def __post_init__(self) -> None:
        expected = (len(self.person_ids), int(np.prod(self.shape)))
        if self.values.shape != expected:
            raise DataError(f"FeatureSet '{self.layer}': expected values {expected}, found {self.values.shape}.")

    def __len__(self) -> int:
        return len(self.person_ids)

    @property
    def is_pooled(self) -> bool:
        """Whether the places within each channel are lost: then a point of this space cannot be put back into the network."""
        return self.pooling != "none"


class FeatureStore:
    """Owns a folder of features.

    Args:
        folder: made when features are written; an older one is replaced.
    """

    def __init__(self, folder: Path) -> None:
        self.root = folder

    def is_finished(self, fingerprint: str | None = None) -> bool:
        """Whether the folder holds features; if a fingerprint is given: whole features of that fingerprint."""
        if fingerprint is None or not (self.root / _ABOUT).is_file():
            return (self.root / _ABOUT).is_file()
        try:
            about = self._about()
            self._check_arrays(about)
        except DataError as error:
            _log.warning("These features are extracted again: %s", error)
            return False
        return bool(about.get("fingerprint") == fingerprint)

    @property
    def fingerprint(self) -> str:
        """Of the model, the tap, the persons and the pooling, as written."""
        return str(self._about().get("fingerprint", ""))

    def write(
        self,
        person_ids: NDArray[np.int64],
        blocks: Iterable[NDArray[np.floating]],
        *,
        layer: str,
        shape: tuple[int, ...],
        fingerprint: str,
        dtype: Literal["float16", "float32"] = "float16",
        pooling: Pooling = "none",
        model: str = "",
        data: str = "",
    ) -> None:
        """Stream blocks of rows to disk; nothing is seen by a reader before the last one.

        Args:
            person_ids: (N,) whose rows follow.
            blocks: (n_i, D), with the n_i adding up to N.
            layer: name of the place in the network.
            shape: (C, h, w).
            fingerprint: of the model, the tap, the persons and the pooling.
            dtype: float16 halves the file; its largest number is 65,504.
            pooling: what the blocks hold of each channel.
            model: fingerprint of the network.
            data: fingerprint of the crops, joints and splits.

        Raises:
            ExplainError: if a value is not finite in that dtype, or the blocks do not add up.
        """
        with atomic_folder(self.root) as folder:
            size = (len(person_ids), int(np.prod(shape)))
            values = np.lib.format.open_memmap(folder / _VALUES, mode="w+", dtype=dtype, shape=size)
            _fill(values, blocks, layer)
            values.flush()
            np.save(folder / _PERSONS, np.asarray(person_ids, dtype=np.int64), allow_pickle=False)
            about = {"layer": layer, "shape": list(shape), "fingerprint": fingerprint, "pooling": pooling}
            about |= {"model": model, "data": data}
            checksums = {name: xxh3_of(folder / name) for name in (_VALUES, _PERSONS)}
            write_checksummed_json(folder / _ABOUT, {**about, "checksums": checksums})

    def open(self) -> FeatureSet:
        """The features, as a read-only memory map.

        Raises:
            DataError: if there are none, or a file is missing, damaged, or of other features.
        """
        if not self.is_finished():
            raise DataError(f"{self.root}: there are no finished features here. Extract them first.")
        about = self._about()
        self._check_arrays(about)
        try:
            return FeatureSet(
                person_ids=np.load(self.root / _PERSONS, allow_pickle=False),
                values=np.load(self.root / _VALUES, mmap_mode="r", allow_pickle=False),
                layer=about["layer"],
                shape=tuple(int(side) for side in about["shape"]),
                fingerprint=about["fingerprint"],
                pooling=about["pooling"],
                model=about["model"],
                # Of folders that were sealed before it was noted:
                data=about.get("data", ""),
            )
        except (OSError, KeyError, TypeError, ValueError, EOFError) as error:
            raise DataError(f"{self.root}: these features cannot be read ({error}). {_REMEDY}") from error

    def _about(self) -> dict[str, Any]:
        return read_checksummed_json(self.root / _ABOUT, _REMEDY)

    def _check_arrays(self, about: Mapping[str, Any]) -> None:
        for name, expected in about.get("checksums", {}).items():
            path = self.root / name
            try:
                status = path.stat()
                known = (str(path.resolve()), status.st_size, status.st_mtime_ns, expected)
                found = expected if known in _whole else xxh3_of(path)
            except OSError as error:
                raise DataError(f"{path}: cannot be read ({error.strerror}). {_REMEDY}") from error
            if found != expected:
                raise DataError(f"{path}: changed since it was written (checksum {found}, expected {expected}). {_REMEDY}")
            _whole.add(known)


def _fill(values: NDArray[np.floating], blocks: Iterable[NDArray[np.floating]], layer: str) -> None:
    row = 0
    for block in blocks:
        if block.shape[1:] != values.shape[1:] or row + len(block) > len(values):
            raise ExplainabilityError(
                f"Features of '{layer}': a block {block.shape} does not fit rows {row}.. of {values.shape}."
            )
        with np.errstate(over="ignore"):  # an overflow becomes infinite, and is named below
            values[row : row + len(block)] = block
        if not np.isfinite(values[row : row + len(block)]).all():
            raise ExplainabilityError(
                f"Features of '{layer}': a value is NaN or too large for {values.dtype} in rows {row}..{row + len(block) - 1}. "
                "If the network is sound, store them as float32 (explainability.persons.dtype)."
            )
        row += len(block)
    if row != len(values):
        raise ExplainabilityError(f"Features of '{layer}': expected {len(values)} rows, found {row}.")
