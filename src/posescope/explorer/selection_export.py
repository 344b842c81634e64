"""Selected persons as COCO annotations, a file for each split of the data set, with the original ids.

relabel     open the file with its photographs in an annotation tool, and correct it
remove      delete the annotations with these ids from the annotation file
train on    give the file as a further source of training data (docs/how-to/several-data-sets.md)
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.core.errors import DataError
from posescope.core.files import read_json
from posescope.core.skeleton import Skeleton
from posescope.explorer.run_places import RunPlaces

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


def export_selection(places: RunPlaces, person_ids: NDArray[np.int64], category: str) -> tuple[AnnotationFile, ...]:
    """Return the annotations of persons as keypoint files that the reader of the project accepts.

    Args:
        places: places of the run.
        person_ids: (N,) persons, in the order of the files.
        category: name of the category (`ExplorerAbout.category`).

    Returns:
        A file per split, since two files may use the same ids; none without persons.

    Raises:
        DataError: if the tables of the persons are missing, or do not have a person.
    """
    from posescope.core.tables import joints_of  # noqa: PLC0415  (pandera, which a page that opens need not wait for)
    from posescope.data.coco.annotation_writer import keypoint_category, keypoint_document  # noqa: PLC0415

    persons, keypoints, skeleton = _read_tables(places)
    unknown = np.setdiff1d(person_ids, persons["person_id"].to_numpy())
    if len(unknown):
        raise DataError(
            f"{places.persons}: expected the persons of the explorer table, found no person {unknown[0]}. {places.remedy}"
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


def _read_tables(places: RunPlaces) -> tuple[pd.DataFrame, pd.DataFrame, Skeleton]:
    for path in (places.persons, places.keypoints, places.skeleton):
        if not path.is_file():
            raise DataError(f"{path}: a selection is exported from the annotations of the run, found no file. {places.remedy}")
    return pd.read_parquet(places.persons), pd.read_parquet(places.keypoints), Skeleton.from_dict(read_json(places.skeleton))


def _plain(name: str) -> str:
    """Return a name without characters that have a meaning in paths."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name)
