"""Predictions of a network of others for annotated persons, in the joints of the data set."""

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from posescope.core.errors import pluralise
from posescope.core.skeleton import Skeleton
from posescope.core.tables import join_joints
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.images.decoding import read_image
from posescope.data.images.limits import ImageError
from posescope.prediction.peers.peer_networks import PeerNetwork

__all__ = ["predict_persons"]

_log = logging.getLogger(__name__)
_BOX = ["bbox_x", "bbox_y", "bbox_w", "bbox_h"]


def predict_persons(
    network: PeerNetwork,
    persons: pd.DataFrame,
    folder: CocoFolder,
    source: SourceOptions,
    skeleton: Skeleton,
    scale: float | None = None,
) -> pd.DataFrame:
    """Run a network on the photographs of annotated persons, one image after the other.

    Args:
        network: the network.
        persons: a `Persons` table; its boxes are those that the network gets.
        folder, source: the data set, and the names of its files and folders.
        skeleton: joints of the data set; those that the network lacks are NaN.
        scale: factor by which the boxes grow; None: the network's own.

    Returns:
        A table like `Predictions` in image px, without the persons of unreadable images, which are logged.

    Raises:
        DataError: if the folder of the images does not exist, or the network fails.
    """
    ids: list[int] = []
    found: list[NDArray[np.float64]] = []
    groups = list(persons.groupby(["source_split", "file_name"], sort=True))
    for (split, name), rows in tqdm(groups, desc="predicting", unit="image", disable=None, leave=False):
        path = folder.image_folder(source, str(split)) / str(name)
        size = (int(rows["image_h"].iloc[0]), int(rows["image_w"].iloc[0]))
        try:
            own = folder.options_of(source, str(split))
            image = read_image(path, size, frame=own.orientation, limits=own.image_limits)
        except ImageError as error:
            _log.warning("%s Its %s have no prediction.", error, pluralise(len(rows), "person"))
            continue
        boxes = rows[_BOX].to_numpy(dtype=np.float64)
        poses = network.predict(image, boxes, network.box_scale if scale is None else scale)
        ids += rows["person_id"].tolist()
        found.append(np.concatenate([poses.joints, poses.scores[..., None]], axis=-1))
    values = np.concatenate(found) if found else np.empty((0, len(network.joints), 3))
    values = _in_order(values, network.joints, skeleton.joints)
    return join_joints(np.array(ids, dtype=np.int64), values[..., :2], values[..., 2], "score")


def _in_order(values: NDArray[np.float64], own: Sequence[str], wanted: Sequence[str]) -> NDArray[np.float64]:
    """Return (n, K, 3) with the joints in another order; NaN for those that are not in `own`, score 0."""
    ordered = np.full((len(values), len(wanted), 3), (np.nan, np.nan, 0.0))
    for place, name in enumerate(wanted):
        if name in own:
            ordered[:, place] = values[:, list(own).index(name)]
    return ordered
