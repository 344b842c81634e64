"""The folder of crops: shards, their index, and what is finished.

    crops/
      shard-00000.npy     (n, S, S, 3) uint8 RGB, memory-mapped when read
      shard-00000.json    person ids by row, colour sums, checksum, the fingerprint of what made it
      crops.json          written last: names the shards of the finished whole

A shard counts as done only if its JSON carries the fingerprint of the same inputs and options, and every image of it could be
read: existence alone is not enough, and a failure may have been of the moment.
"""

from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posescope.crops.crop_set import CropSet
from posescope.errors import DataError
from posescope.files import atomic_write, read_json, sha256_of, write_json
from posescope.records import PoseTargets

__all__ = ["CropStore", "ShardRecord"]


@dataclass(frozen=True)
class ShardRecord:
    """What is known of one shard.

    Attributes:
        name: of its files, without suffix.
        fingerprint: of the inputs and options that made it.
        person_ids: by row.
        rgb_sums: per row, the sums of the three channels over the real (not padded) pixels of the crop.
        pixel_counts: per row, the number of those pixels.
        failures: (person_id, reason) of people whose image could not be read.
        sha256: of the `.npy` file; empty until it is written.
        row_digests: per row, 16 hex digits of BLAKE2b over the crop's bytes; empty until the shard is written.
    """

    name: str
    fingerprint: str
    person_ids: tuple[int, ...]
    rgb_sums: tuple[tuple[int, int, int], ...]
    pixel_counts: tuple[int, ...]
    failures: tuple[tuple[int, str], ...]
    sha256: str = ""
    row_digests: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "ShardRecord":
        """From the content of its JSON file."""
        return cls(
            name=content["name"],
            fingerprint=content["fingerprint"],
            person_ids=tuple(content["person_ids"]),
            rgb_sums=tuple((int(r), int(g), int(b)) for r, g, b in content["rgb_sums"]),
            pixel_counts=tuple(content["pixel_counts"]),
            failures=tuple((int(person), str(reason)) for person, reason in content["failures"]),
            sha256=content["sha256"],
            row_digests=tuple(content.get("row_digests", ())),  # older shards have none, and are not done
        )


@dataclass(frozen=True)
class CropStore:
    """Owns the folder of crops. Nodes get it from the catalog."""

    root: Path

    def is_finished(self) -> bool:
        """True once all shards of a run are written."""
        return (self.root / "crops.json").is_file()

    def done_shard(self, name: str, fingerprint: str) -> ShardRecord | None:
        """The record of a shard that is done, without failures, and was made from exactly these inputs and options, or None."""
        path = self.root / f"{name}.json"
        if not path.is_file() or not (self.root / f"{name}.npy").is_file():
            return None
        record = self.record(name)
        whole = not record.failures and len(record.row_digests) == len(record.person_ids)
        return record if whole and record.fingerprint == fingerprint else None

    def write_shard(self, images: NDArray[np.uint8], record: ShardRecord) -> ShardRecord:
        """Write a shard: first the pixels, then its record with checksum and digests, each renamed when whole."""
        path = self.root / f"{record.name}.npy"
        (self.root / f"{record.name}.json").unlink(missing_ok=True)  # the old record must not vouch for the new pixels
        with atomic_write(path) as temporary:
            np.save(temporary, images, allow_pickle=False)
        digests = tuple(blake2b(crop.tobytes(), digest_size=8).hexdigest() for crop in images)
        stamped = replace(record, sha256=sha256_of(path), row_digests=digests)
        write_json(self.root / f"{record.name}.json", stamped.__dict__)
        return stamped

    def begin(self) -> None:
        """The store is being filled: until `finish` it does not count as finished."""
        self.root.mkdir(parents=True, exist_ok=True)
        (self.root / "crops.json").unlink(missing_ok=True)

    def finish(self, names: list[str], fingerprint: str) -> None:
        """All of `names` are written: say so, and remove shards of earlier, larger runs."""
        for path in self.root.glob("shard-*"):
            if path.stem not in names:
                path.unlink()
        write_json(self.root / "crops.json", {"shards": names, "fingerprint": fingerprint})

    @property
    def fingerprint(self) -> str:
        """Of the inputs and options of the finished whole."""
        return str(self._manifest()["fingerprint"])

    def record(self, name: str) -> ShardRecord:
        """Of one shard that is written, whether or not the whole is finished."""
        return ShardRecord.from_dict(read_json(self.root / f"{name}.json"))

    def records(self) -> list[ShardRecord]:
        """Of all shards, in order."""
        return [self.record(name) for name in self._manifest()["shards"]]

    def person_ids(self) -> NDArray[np.int64]:
        """(N,) ids of all who have a crop, ascending."""
        return np.array(sorted(self._places()), dtype=np.int64)

    def select(self, targets: PoseTargets, person_ids: NDArray[np.int64]) -> CropSet:
        """The crops of these persons, in this order, with their targets; whose image could not be read is left out."""
        places = self._places()
        present = np.array([person for person in person_ids.tolist() if person in places], dtype=np.int64)
        row_of = {person: row for row, person in enumerate(targets.person_ids.tolist())}
        missing = [person for person in present.tolist() if person not in row_of]
        if missing:
            raise DataError(f"Person {missing[0]} has a crop but no targets: crops and targets are of different runs.")
        rows = np.array([row_of[person] for person in present.tolist()], dtype=np.int64)
        chosen = PoseTargets(present, targets.joints[rows], targets.visibility[rows])
        where = np.array([places[person] for person in present.tolist()], dtype=np.int64).reshape(-1, 2)
        return CropSet(targets=chosen, shards=self._open_shards(), places=where)

    def _manifest(self) -> dict[str, Any]:
        if not self.is_finished():
            raise DataError(f"{self.root}: the crops are not finished; run the pipeline data_engineering.")
        return dict(read_json(self.root / "crops.json"))

    def _places(self) -> dict[int, tuple[int, int]]:
        return {
            person: (shard, row) for shard, record in enumerate(self.records()) for row, person in enumerate(record.person_ids)
        }

    def _open_shards(self) -> tuple[NDArray[np.uint8], ...]:
        return tuple(_open_shard(self.root / f"{name}.npy") for name in self._manifest()["shards"])


def _open_shard(path: Path) -> NDArray[np.uint8]:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: this shard cannot be opened ({error}); run the pipeline data_engineering again.") from error
