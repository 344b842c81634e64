"""Selected persons as COCO annotations, a file for each split of the data set, with the original ids.

relabel     open the file with its photographs in an annotation tool, and correct it
remove      delete the annotations with these ids from the annotation file
train on    give the file as a further source of training data (docs/how-to/several-data-sets.md)
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.core.errors import DataError
from posescope.core.files import read_json
from posescope.core.skeleton import Skeleton
from posescope.core.tables import joints_of
from posescope.data.coco.annotation_writer import keypoint_category, keypoint_document

__all__ = ["EXPORT_USES", "AnnotationFile", "export_selection"]

EXPORT_USES = (
    ("Relabel", "Open the file with its photographs in an annotation tool, correct it, and put the records back by their ids."),
    ("Remove", "Delete the annotations with these ids from your annotation file, and run the pipeline again."),
    ("Train on", "Give the file as a further source of training data."),
)


@dataclass(frozen=True)
class AnnotationFile:
    """One exported file.

    Attributes:
        split: split of the data set that the persons are of, such as `train2017`.
        name: file name.
        persons: number of annotations.
        content: JSON-like.
    """

    split: str
    name: str
    persons: int
    content: dict[str, Any]


def export_selection(data_dir: Path, person_ids: NDArray[np.int64], category: str = "person") -> tuple[AnnotationFile, ...]:
    """Return the annotations of persons as keypoint files that the reader of the project accepts.

    Args:
        data_dir: folder of the run.
        person_ids: (N,) persons, in the order of the files.
        category: name of the category (`data_engineering.source.category`).

    Returns:
        A file per split, since two files may use the same ids; none without persons.

    Raises:
        DataError: if the tables of the persons are missing, or do not have a person.
    """
    persons, keypoints, skeleton = _read_tables(data_dir)
    unknown = np.setdiff1d(person_ids, persons["person_id"].to_numpy())
    if len(unknown):
        raise DataError(
            f"{data_dir}: expected the persons of the explorer table, found no person {unknown[0]}. Run reporting again."
        )
    rows = persons.set_index("person_id").loc[person_ids.tolist()]
    made = []
    for split, own in rows.groupby("source_split", sort=True):
        ids = own.index.to_numpy(dtype=np.int64)
        notes = [{"person_id": int(person)} for person in ids]
        joints = joints_of(keypoints, ids)
        content = keypoint_document(own, joints, keypoint_category(skeleton, category), "Persons selected in posescope", notes)
        made.append(AnnotationFile(str(split), f"selected_{_plain(str(split))}.json", len(own), content))
    return tuple(made)


def _read_tables(data_dir: Path) -> tuple[pd.DataFrame, pd.DataFrame, Skeleton]:
    primary, intermediate = data_dir / "03_primary", data_dir / "02_intermediate"
    paths = (primary / "persons.parquet", intermediate / "keypoints.parquet", intermediate / "skeleton.json")
    for path in paths:
        if not path.is_file():
            raise DataError(
                f"{path}: expected a table of the run, found no file. A selection is exported from the data_dir of a run."
            )
    return pd.read_parquet(paths[0]), pd.read_parquet(paths[1]), Skeleton.from_dict(read_json(paths[2]))


def _plain(name: str) -> str:
    """Return a name without characters that have a meaning in paths."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name)
