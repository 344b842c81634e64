"""The store of crops: a folder of shards, their records, and a manifest of the finished store.

    crops/
      shard-00000.npy     (n, H, W, 3) uint8 RGB
      shard-00000.json    the record: person ids per row, colour sums, checksums, fingerprint of inputs and options
      crops.json          the manifest, written last: names the shards and the checksums (`seals`) of their records

A shard counts as finished only if its record has the fingerprint of the same inputs and options, its pixels match their
checksums, and all its images could be read: a read error may be temporary. Checksums are XXH3, which detects accidental changes.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.core.errors import DataError
from posescope.core.files import atomic_write, read_checksummed_json, remove_leftovers, write_checksummed_json
from posescope.core.mirrors import is_stored, list_names, remove
from posescope.core.records import PoseTargets
from posescope.core.tables import crop_boxes_fingerprint
from posescope.data.crops.crop_set import CropSet
from posescope.data.crops.shard_reader import ShardReader
from posescope.data.crops.shard_writer import ShardRecord, ShardWriter
from posescope.geometry.crop_recipe import CropRecipe

__all__ = ["CropStore"]

_MANIFEST = "crops.json"
_REMEDY = "Run the pipeline data_engineering."


@dataclass(frozen=True)
class CropStore:
    """Owns the folder `root` of the crops. The nodes of the pipelines get it from the catalog."""

    root: Path

    def is_finished(self) -> bool:
        """Return whether all shards of a run are written."""
        return (self.root / _MANIFEST).is_file()

    def finished_shard(self, name: str, fingerprint: str) -> ShardRecord | None:
        """Return the record of an intact shard without failures that was made from the same inputs and options, or None.

        Args:
            name: name of the shard.
            fingerprint: fingerprint of the inputs and options.
        """
        try:
            record = self.record(name)
            if record.fingerprint != fingerprint or record.failures:
                return None
            reader = ShardReader.of_records(self.root, [record])
            if not is_stored(self.root / f"{name}.npy"):  # an object store has verified what it received
                reader.verify()
        except DataError:
            return None
        return record

    @contextmanager
    def shard_writer(self, name: str, fingerprint: str, person_count: int, crop_size: tuple[int, int]) -> Iterator[ShardWriter]:
        """Yield a writer of one shard; its two files appear when the block ends without an error.

        Args:
            name: name of the shard.
            fingerprint: fingerprint of the inputs and options.
            person_count: maximum number of crops.
            crop_size: (height, width) px of the crops.

        Raises:
            DataError: if the shard cannot be written.
        """
        path = self.root / f"{name}.npy"
        remove(self.root / f"{name}.json")  # the old record does not belong to the new pixels
        try:
            # Unbuffered: crops are large, and a short write is detected at once.
            with atomic_write(path) as temporary, temporary.open("wb", buffering=0) as stream:
                writer = ShardWriter(stream, name, fingerprint, person_count, crop_size)
                yield writer
                record = writer.close()
            write_checksummed_json(self.root / f"{name}.json", dict(record.__dict__), compact=True)
        except OSError as error:
            raise DataError(
                f"{path}: this shard of {person_count * math.prod(crop_size) * 3 / 1e6:.0f} MB cannot be written "
                f"({error.strerror or error}). Free some space or choose another data_dir, and run the same command again: "
                "finished shards stay."
            ) from error

    def has_shards(self) -> bool:
        """Return whether the folder has a shard of any run."""
        return any(name.startswith("shard-") for name in list_names(self.root))

    def begin(self) -> None:
        """Create the folder and remove the manifest: the store is not finished until `finish`."""
        self.root.mkdir(parents=True, exist_ok=True)
        remove(self.root / _MANIFEST)

    def finish(self, names: list[str], squares: str = "", recipe: CropRecipe | None = None) -> None:
        """Write the manifest of the finished store; remove shards of other runs and incomplete files.

        Args:
            names: names of all shards, in order.
            squares: fingerprint of the crop boxes; '' if unknown.
            recipe: crop rule and padding; None if unknown.
        """
        wanted = set(names)
        for name in sorted(list_names(self.root)):
            if name.startswith("shard-") and Path(name).stem not in wanted:
                remove(self.root / name)
        remove_leftovers(self.root)
        seals = [self._sealed(name)["seal"] for name in names]
        crop = {} if recipe is None else {"crop": recipe.model_dump(mode="json")}
        content = {"shards": names, "seals": seals, "squares": squares, **crop}
        write_checksummed_json(self.root / _MANIFEST, content)

    @property
    def recipe(self) -> CropRecipe | None:
        """Crop rule and padding; None if the manifest has none."""
        content = self._manifest().get("crop")
        return None if content is None else CropRecipe.model_validate(content)

    def record(self, name: str) -> ShardRecord:
        """Return the record of a written shard; the store need not be finished.

        Raises:
            DataError: if the record is missing or damaged.
        """
        return _record_of(self.root / f"{name}.json", self._sealed(name))

    def records(self) -> list[ShardRecord]:
        """Return the records of all shards, in order.

        Raises:
            DataError: if the store is not finished, or a record is missing, damaged, or of another run.
        """
        manifest, found = self._manifest(), []
        for name, seal in zip(manifest["shards"], manifest["seals"], strict=True):
            content, path = self._sealed(name), self.root / f"{name}.json"
            if content["seal"] != seal:
                raise DataError(f"{path}: the shard is of another run than {_MANIFEST}. {_REMEDY}")
            found.append(_record_of(path, content))
        return found

    @property
    def crop_size(self) -> tuple[int, int]:
        """(height, width) px of the crops; (1, 1) without crops."""
        return ShardReader.of_records(self.root, self.records()[:1]).crop_size

    def person_ids(self) -> NDArray[np.int64]:
        """Return the ids (N,) of all persons with a crop, ascending."""
        return np.array(sorted(_locations(self.records())), dtype=np.int64)

    def select(self, targets: PoseTargets, person_ids: NDArray[np.int64]) -> CropSet:
        """Return the crops and targets of persons in the given order, without those whose image could not be read.

        Each crop is checked when it is read.

        Args:
            targets: joints in crop px of at least these persons.
            person_ids: (N,) persons.

        Raises:
            DataError: if targets and crops belong to different crop boxes, or a shard is missing or damaged.
        """
        self._check_squares(targets.squares, "targets")
        records = self.records()
        locations = _locations(records)
        present = np.array([person for person in person_ids.tolist() if person in locations], dtype=np.int64)
        row_of = {person: row for row, person in enumerate(targets.person_ids.tolist())}
        missing = [person for person in present.tolist() if person not in row_of]
        if missing:
            raise DataError(f"Person {missing[0]} has a crop but no targets: crops and targets are of different runs.")
        rows = np.array([row_of[person] for person in present.tolist()], dtype=np.int64)
        chosen = replace(targets.subset(rows), squares="")
        where = np.array([locations[person] for person in present.tolist()], dtype=np.int64).reshape(-1, 2)
        shards = ShardReader.of_records(self.root, records)
        return CropSet(targets=chosen, shards=shards, locations=where, recipe=self.recipe)

    def check_boxes(self, crop_boxes: pd.DataFrame) -> None:
        """Check that the crops were made from a `CropBoxes` table.

        Raises:
            DataError: if the table is of another run.
        """
        self._check_squares(crop_boxes_fingerprint(crop_boxes), "crop_boxes")

    def _check_squares(self, found: str, source: str) -> None:
        expected = self._manifest().get("squares", "")
        if expected and found and expected != found:
            raise DataError(
                f"{self.root}: the crops have the crop boxes {expected} (fingerprint), {source} those of {found}: they are of "
                "different runs, one of which was interrupted. Run the pipeline data_engineering."
            )

    def _sealed(self, name: str) -> dict[str, Any]:
        return read_checksummed_json(self.root / f"{name}.json", _REMEDY)

    def _manifest(self) -> dict[str, Any]:
        if not self.is_finished():
            raise DataError(f"{self.root}: the crops are not finished. Run the pipeline data_engineering.")
        content = read_checksummed_json(self.root / _MANIFEST, _REMEDY)
        if not {"shards", "seals", "squares"} <= set(content):
            raise DataError(
                f"{self.root / _MANIFEST}: expected the list of shards, found the fields {sorted(content)}. {_REMEDY}"
            )
        return content


def _locations(records: Sequence[ShardRecord]) -> dict[int, tuple[int, int]]:
    """Return shard and row by person id."""
    return {person: (shard, row) for shard, record in enumerate(records) for row, person in enumerate(record.person_ids)}


def _record_of(path: Path, content: Mapping[str, Any]) -> ShardRecord:
    try:
        return ShardRecord.from_dict(content)
    except (KeyError, ValueError) as error:
        raise DataError(f"{path}: expected the record of a shard ({type(error).__name__}: {error}). {_REMEDY}") from error
