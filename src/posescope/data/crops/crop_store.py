"""The folder of crops: shards, their index, and what is finished.

    crops/
      shard-00000.npy     (n, S, S, 3) uint8 RGB
      shard-00000.json    person ids by row, colour sums, checksum, the fingerprint of what made it, its own seal
      crops.json          written last: names the shards of the finished whole and the seals of their records; its own seal

A shard counts as done only if its JSON carries the fingerprint of the same inputs and options, its pixels are those that were
written, and every image of it could be read: existence alone is not enough, and a failure may have been of the moment. Checksums
are XXH3: they find accidents, at the speed of the memory.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.core.errors import DataError
from posescope.core.files import atomic_write, read_checksummed_json, remove_leftovers, write_checksummed_json
from posescope.core.records import PoseTargets
from posescope.core.tables import crop_boxes_fingerprint
from posescope.data.crops.crop_set import CropSet
from posescope.data.crops.shard_reader import ShardReader
from posescope.data.crops.shard_writer import ShardRecord, ShardWriter, checksum_of_rows, digest_of
from posescope.geometry.crop_recipe import CropRecipe

__all__ = ["CropStore"]

_MANIFEST = "crops.json"
_REMEDY = "Run the pipeline data_engineering."


@dataclass(frozen=True)
class CropStore:
    """Owns the folder of crops. Nodes get it from the catalog."""

    root: Path

    def is_finished(self) -> bool:
        """True once all shards of a run are written."""
        return (self.root / _MANIFEST).is_file()

    def finished_shard(self, name: str, fingerprint: str) -> ShardRecord | None:
        """The record of a shard that is done, without failures, and was made from exactly these inputs and options, or None.

        All pixels are read and compared with their checksum: a damaged shard is not done.

        Args:
            name: of the shard.
            fingerprint: of the inputs and options that are wanted.
        """
        record = self._written(name)
        if record is None or record.fingerprint != fingerprint or record.failures:
            return None
        return record if self.is_intact(record) else None

    def is_intact(self, record: ShardRecord) -> bool:
        """Whether the pixels of a shard are those that were written."""
        try:
            pixels = ShardReader.of_records(self.root, [record])[0]
        except DataError:
            return False
        return checksum_of_rows([digest_of(crop) for crop in pixels]) == record.checksum

    @contextmanager
    def shard_writer(self, name: str, fingerprint: str, person_count: int, size_px: int) -> Iterator["ShardWriter"]:
        """Write a shard crop by crop, never all in memory; when the block ends well, its two files are there, whole.

        Args:
            name: of the shard.
            fingerprint: of the inputs and options that make it.
            person_count: crops at most.
            size_px: side of the crops.

        Raises:
            DataError: if it cannot be written.
        """
        path = self.root / f"{name}.npy"
        (self.root / f"{name}.json").unlink(missing_ok=True)  # the old record must not vouch for the new pixels
        try:
            with atomic_write(path) as temporary, open_raw(temporary) as stream:
                writer = ShardWriter(stream, name, fingerprint, person_count, size_px)
                yield writer
                record = writer.close()
            write_checksummed_json(self.root / f"{name}.json", dict(record.__dict__), compact=True)
        except OSError as error:
            raise DataError(
                f"{path}: this shard of {person_count * size_px**2 * 3 / 1e6:.0f} MB cannot be written "
                f"({error.strerror or error}). Make room or take another data_dir, and give the same command again: "
                "finished shards stay."
            ) from error

    def has_shards(self) -> bool:
        """True if there is a shard, of whatever run."""
        return any(self.root.glob("shard-*.npy"))

    def begin(self) -> None:
        """The store is being filled: until `finish` it does not count as finished."""
        self.root.mkdir(parents=True, exist_ok=True)
        (self.root / _MANIFEST).unlink(missing_ok=True)

    def finish(self, names: list[str], fingerprint: str, squares: str = "", recipe: CropRecipe | None = None) -> None:
        """All of `names` are written, from crop boxes with the fingerprint `squares`, cut as `recipe` says: say so.

        Shards of earlier, larger runs go, and the half files of killed ones.
        """
        wanted = set(names)
        for path in self.root.glob("shard-*"):
            if path.stem not in wanted:
                path.unlink()
        remove_leftovers(self.root)
        seals = [self._sealed(name)["seal"] for name in names]
        told = {} if recipe is None else {"crop": recipe.model_dump(mode="json")}
        content = {"shards": names, "seals": seals, "fingerprint": fingerprint, "squares": squares, **told}
        write_checksummed_json(self.root / _MANIFEST, content)

    @property
    def fingerprint(self) -> str:
        """Of the inputs and options of the finished whole."""
        return str(self._manifest()["fingerprint"])

    @property
    def recipe(self) -> CropRecipe | None:
        """How the crops were cut; None where the store does not say."""
        content = self._manifest().get("crop")
        return None if content is None else CropRecipe.model_validate(content)

    def record(self, name: str) -> ShardRecord:
        """Of one shard that is written, whether or not the whole is finished.

        Raises:
            DataError: if it is missing or damaged.
        """
        return _record_of(self.root / f"{name}.json", self._sealed(name))

    def records(self) -> list[ShardRecord]:
        """Of all shards, in order.

        Raises:
            DataError: if the crops are not finished, or a record is missing, damaged, or of another run.
        """
        manifest, found = self._manifest(), []
        for name, seal in zip(manifest["shards"], manifest["seals"], strict=True):
            content, path = self._sealed(name), self.root / f"{name}.json"
            if content["seal"] != seal:
                raise DataError(f"{path}: this shard is of another run than {_MANIFEST}. {_REMEDY}")
            found.append(_record_of(path, content))
        return found

    @property
    def crop_size(self) -> tuple[int, int]:
        """(height, width) px of the crops; (1, 1) where there are none."""
        return ShardReader.of_records(self.root, self.records()[:1]).crop_size

    def person_ids(self) -> NDArray[np.int64]:
        """(N,) ids of all who have a crop, ascending."""
        return np.array(sorted(_places(self.records())), dtype=np.int64)

    def select(self, targets: PoseTargets, person_ids: NDArray[np.int64]) -> CropSet:
        """The crops of these persons, in this order, with their targets; whose image could not be read is left out.

        Raises:
            DataError: if the joints were placed in other squares than those that were cut, or a shard is missing or damaged.
                Each crop is checked when it is read.
        """
        self._check_squares(targets.squares, "targets")
        records = self.records()
        locations = _places(records)
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
        """See that a `CropBoxes` table is the one that was cut.

        Raises:
            DataError: if it is of another run.
        """
        self._check_squares(crop_boxes_fingerprint(crop_boxes), "crop_boxes")

    def _check_squares(self, found: str, what: str) -> None:
        expected = self._manifest().get("squares", "")
        if expected and found and expected != found:
            raise DataError(
                f"{self.root}: the crops were cut from other squares (fingerprint {expected}) than {what} speak of ({found}): "
                "they are of different runs, one of which did not come to its end. Run the pipeline data_engineering."
            )

    def _written(self, name: str) -> ShardRecord | None:
        """The record of a shard whose two files are there, whole and of this version, or None."""
        pixels, path = self.root / f"{name}.npy", self.root / f"{name}.json"
        if not path.is_file() or not pixels.is_file():
            return None
        try:
            record = self.record(name)
        except DataError:
            return None
        return record if pixels.stat().st_size == record.size_bytes else None

    def _sealed(self, name: str) -> dict[str, Any]:
        return read_checksummed_json(self.root / f"{name}.json", _REMEDY)

    def _manifest(self) -> dict[str, Any]:
        if not self.is_finished():
            raise DataError(f"{self.root}: the crops are not finished; run the pipeline data_engineering.")
        content = read_checksummed_json(self.root / _MANIFEST, _REMEDY)
        if not {"shards", "seals", "fingerprint", "squares"} <= set(content):
            raise DataError(f"{self.root / _MANIFEST}: expected the list of the shards, found {sorted(content)}. {_REMEDY}")
        return content


def open_raw(path: Path) -> IO[bytes]:
    """A new file without a buffer: crops are large, and a short write is seen at once."""
    return path.open("wb", buffering=0)


def _places(records: Sequence[ShardRecord]) -> dict[int, tuple[int, int]]:
    """Shard and row by person."""
    return {person: (shard, row) for shard, record in enumerate(records) for row, person in enumerate(record.person_ids)}


def _record_of(path: Path, content: Mapping[str, Any]) -> ShardRecord:
    try:
        return ShardRecord.from_dict(content)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: expected the record of a shard ({type(error).__name__}: {error}). {_REMEDY}") from error
