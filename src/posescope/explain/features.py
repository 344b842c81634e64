"""Reading the features of N persons at one tap of the network, streamed from the crops to the feature store."""

import hashlib
import logging
from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from posescope.artifacts.pose_model import PoseModel
from posescope.crops.crop_set import CropSet
from posescope.explain.errors import ExplainError
from posescope.explain.feature_store import FeatureSet, FeatureStore
from posescope.explain.taps import batches_of_rows, read_taps
from posescope.files import fingerprint

__all__ = ["FeatureSet", "FeatureStore", "extract_features", "features_fingerprint"]

_log = logging.getLogger(__name__)


def extract_features(
    model: PoseModel,
    crops: CropSet,
    tap: str | None,
    store: FeatureStore,
    *,
    data_fingerprint: str | None = None,
    batch_size: int = 64,
    dtype: Literal["float16", "float32"] = "float16",
) -> FeatureSet:
    """Stream persons through the network and write what stands at a tap.

    Nothing is done if the store already holds the features of the same weights, data, persons, tap and dtype.

    Args:
        model: runs on the device where its weights are.
        crops: N persons, N > 0; the rows of the features follow their order.
        tap: name of the place; none: the network's bottleneck.
        store: where they go.
        data_fingerprint: of the data set's pixels (`CropStatistics`); none: crops that differ in their pixels alone are not
            told apart.
        batch_size: persons a forward pass.
        dtype: on disk.

    Returns:
        The features, opened from the store.

    Raises:
        ExplainError: if there is nobody, no such tap, or a value is not finite.
    """
    if len(crops) == 0:
        raise ExplainError("Features: there are no persons to read them from. Check the split and the filters.")
    name = model.network.bottleneck_tap if tap is None else tap
    mark = features_fingerprint(model, crops, name, dtype, data_fingerprint)
    if store.is_finished(mark):
        _log.info("Features of '%s' for %d persons are there already: %s", name, len(crops), store.root)
        return store.open()
    first = read_taps(model, torch.from_numpy(crops.read_images(np.zeros(1, dtype=np.int64))), [name])[name]
    blocks = _blocks(model, crops, name, batch_size)
    store.write(crops.targets.person_ids, blocks, tap=name, shape=tuple(first.shape[1:]), fingerprint=mark, dtype=dtype)
    return store.open()


def features_fingerprint(model: PoseModel, crops: CropSet, tap: str, dtype: str, data_fingerprint: str | None = None) -> str:
    """Fingerprint of what the features follow from: weights, data, persons, the joints' places in the crops, tap and dtype."""
    weights = hashlib.sha256()
    for name, value in sorted(model.network.state_dict().items()):
        weights.update(name.encode())
        weights.update(value.detach().float().cpu().contiguous().numpy().tobytes())
    persons = hashlib.sha256(crops.targets.person_ids.tobytes())
    # Another crop rule or size moves the joints inside the crops, though the persons stay the same.
    persons.update(np.nan_to_num(crops.targets.joints, nan=-1.0).tobytes())
    facts = {"weights": weights.hexdigest(), "persons": persons.hexdigest(), "crop_size": list(crops.crop_size)}
    return fingerprint({**facts, "data": data_fingerprint, "tap": tap, "dtype": dtype})


def _blocks(model: PoseModel, crops: CropSet, tap: str, batch_size: int) -> Iterator[NDArray[np.floating]]:
    batches = batches_of_rows(np.arange(len(crops)), batch_size)
    for batch in tqdm(batches, desc=f"features of {tap}"):
        value = read_taps(model, torch.from_numpy(crops.read_images(batch)), [tap])[tap]
        yield value.flatten(1).float().cpu().numpy()
