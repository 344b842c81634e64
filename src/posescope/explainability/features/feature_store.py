"""Features of persons on disk: one memory-mapped array per folder.

    features/
        values.npy        (N, D) float16 or float32, C order
        person_ids.npy    (N,) int64
        features.json     layer, shape, pooling, fingerprints, checksums of both arrays and of this file

A folder is written under a temporary name and renamed when it is complete. The checksums of the arrays are verified when a
process first opens them.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
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

# (path, size, modification time, checksum) of the arrays that this process has verified.
_verified: set[tuple[str, int, int, str]] = set()


@dataclass(frozen=True)
class FeatureSet:
    """Features of N persons: the activations of one layer of a network.

    Attributes:
        person_ids: (N,) int64.
        values: (N, D) float16 or float32, usually a read-only memory map; D is the product of `shape`.
        layer: name of the layer.
        shape: (C, h, w), (L, C) or (C,) of one person's activation; (C, 1, 1) or (1, C) if it is pooled.
        fingerprint: fingerprint of model, layer, persons and pooling.
        pooling: over space: none, mean or max.
        model: fingerprint of the network; empty if unknown.
        data: fingerprint of crops, joints and splits; empty if unknown.
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

    def subset(self, rows: slice | NDArray[np.int64]) -> "FeatureSet":
        """Return the features at `rows`, with the same fingerprint; a slice copies nothing."""
        return replace(self, person_ids=self.person_ids[rows], values=self.values[rows])


class FeatureStore:
    """Reads and writes a folder of features.

    Args:
        folder: created when features are written; an existing one is replaced.
    """

    def __init__(self, folder: Path) -> None:
        self.root = folder

    def is_finished(self, fingerprint: str | None = None) -> bool:
        """Whether the folder holds features; with a fingerprint: undamaged features with that fingerprint."""
        if fingerprint is None or not (self.root / _ABOUT).is_file():
            return (self.root / _ABOUT).is_file()
        try:
            about = self._about()
            self._check_arrays(about)
        except DataError as error:
            _log.warning("The features are extracted again: %s", error)
            return False
        return bool(about.get("fingerprint") == fingerprint)

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
        """Stream blocks of rows to disk. The folder appears when the last block is written.

        Args:
            person_ids: (N,) persons of the rows.
            blocks: (n_i, D) with the n_i summing to N.
            layer: name of the layer.
            shape: of one person's activation.
            fingerprint: fingerprint of model, layer, persons and pooling.
            dtype: on disk; float16 halves the file, its largest number is 65,504.
            pooling: pooling of the blocks.
            model: fingerprint of the network.
            data: fingerprint of crops, joints and splits.

        Raises:
            ExplainabilityError: if a value is not finite in that dtype, or the blocks do not have N rows.
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
        """Open the features as a read-only memory map.

        Raises:
            DataError: if there are none, or a file is missing, damaged or belongs to other features.
        """
        if not self.is_finished():
            raise DataError(f"{self.root}: expected features, found none. {_REMEDY}")
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
                data=about.get("data", ""),  # missing in older folders
            )
        except (OSError, KeyError, TypeError, ValueError, EOFError) as error:
            raise DataError(f"{self.root}: the features cannot be read ({error}). {_REMEDY}") from error

    def _about(self) -> dict[str, Any]:
        return read_checksummed_json(self.root / _ABOUT, _REMEDY)

    def _check_arrays(self, about: Mapping[str, Any]) -> None:
        for name, expected in about.get("checksums", {}).items():
            path = self.root / name
            try:
                status = path.stat()
                known = (str(path.resolve()), status.st_size, status.st_mtime_ns, expected)
                found = expected if known in _verified else xxh3_of(path)
            except OSError as error:
                raise DataError(f"{path}: cannot be read ({error.strerror}). {_REMEDY}") from error
            if found != expected:
                raise DataError(f"{path}: expected checksum {expected}, found {found}; the file has changed. {_REMEDY}")
            _verified.add(known)


def _fill(values: NDArray[np.floating], blocks: Iterable[NDArray[np.floating]], layer: str) -> None:
    row = 0
    for block in blocks:
        if block.shape[1:] != values.shape[1:] or row + len(block) > len(values):
            raise ExplainabilityError(
                f"Features of '{layer}': a block of shape {block.shape} does not fit at row {row} of {values.shape}."
            )
        with np.errstate(over="ignore"):  # an overflow becomes infinite and is reported below
            values[row : row + len(block)] = block
        if not np.isfinite(values[row : row + len(block)]).all():
            raise ExplainabilityError(
                f"Features of '{layer}': expected finite {values.dtype} values, found NaN or an overflow in rows {row} to "
                f"{row + len(block) - 1}. Set explainability.persons.dtype to float32; if that fails too, check the training."
            )
        row += len(block)
    if row != len(values):
        raise ExplainabilityError(f"Features of '{layer}': expected {len(values)} rows, found {row}.")
