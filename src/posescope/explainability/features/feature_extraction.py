"""Reading the features of N persons at one tap of the network, streamed from the crops to the feature store."""

import hashlib
import logging
from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from posescope.artifacts.crop_matching import match_crops
from posescope.artifacts.model_folder import fingerprint_of_model
from posescope.artifacts.pose_model import PoseModel
from posescope.core.files import fingerprint
from posescope.data.crops.crop_set import CropSet
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.activations import batches_of_rows, read_activations
from posescope.explainability.features.feature_store import FeatureSet, FeatureStore, Pooling

__all__ = ["FeatureSet", "FeatureStore", "extract_features", "features_fingerprint", "pool_over_space"]

_log = logging.getLogger(__name__)


def extract_features(
    model: PoseModel,
    crops: CropSet,
    layer: str | None,
    store: FeatureStore,
    *,
    data_fingerprint: str | None = None,
    batch_size: int = 64,
    dtype: Literal["float16", "float32"] = "float16",
    pooling: Pooling = "none",
) -> FeatureSet:
    """Stream persons through the network and write what stands at a tap.

    One batch of persons is held at a time, so there may be any number of them. Nothing is done if the store already holds the
    features of the same weights, data, persons, tap, dtype and pooling.

    Args:
        model: runs on the device where its weights are.
        crops: N persons, N > 0; the rows of the features follow their order.
        layer: name of the place; none: the network's bottleneck.
        store: where they go.
        data_fingerprint: of the data set's pixels (`CropStatistics`); none: crops that differ in their pixels alone are not
            told apart.
        batch_size: persons a forward pass.
        dtype: on disk.
        pooling: keep every place of a channel, or only the mean or the maximum over space: C numbers a person instead of
            C * h * w. Pooled features can be reduced, named and clustered, not decoded.

    Returns:
        The features, opened from the store.

    Raises:
        ExplainError: if there is nobody, no such tap, or a value is not finite.
        JointMismatchError, CropMismatchError: if the crops do not belong to the model.
    """
    if len(crops) == 0:
        raise ExplainabilityError("Features: there are no persons to read them from. Check the split and the filters.")
    crops = match_crops(model, crops).crops
    name = model.network.bottleneck_layer if layer is None else layer
    mark = features_fingerprint(model, crops, name, dtype, data_fingerprint, pooling)
    own = fingerprint_of_model(model)
    # Features of before the model and the data were noted are read again.
    if store.is_finished(mark) and (store.open().model, store.open().data) == (own, data_fingerprint or ""):
        _log.info("Features of '%s' for %d persons are there already: %s", name, len(crops), store.root)
        return store.open()
    first = read_activations(model, torch.from_numpy(crops.read_images(np.zeros(1, dtype=np.int64))), [name])[name]
    shape = tuple(pool_over_space(first, pooling).shape[1:])
    blocks = _blocks(model, crops, name, batch_size, pooling)
    store.write(
        crops.targets.person_ids, blocks, layer=name, shape=shape, fingerprint=mark, dtype=dtype, pooling=pooling,
        model=own, data=data_fingerprint or "",
    )  # fmt: skip
    return store.open()


def pool_over_space(values: Tensor, pooling: Pooling) -> Tensor:
    """(n, C, h, w) -> (n, C, 1, 1), the mean or maximum of each channel; `none`: as they are."""
    if pooling == "none":
        return values
    return values.mean(dim=(2, 3), keepdim=True) if pooling == "mean" else values.amax(dim=(2, 3), keepdim=True)


def features_fingerprint(
    model: PoseModel,
    crops: CropSet,
    layer: str,
    dtype: str,
    data_fingerprint: str | None = None,
    pooling: Pooling = "none",
) -> str:
    """Fingerprint of what the features follow from.

    That is: weights, data, persons, the joints' places in the crops, tap, dtype and pooling.
    """
    weights = hashlib.sha256()
    for name, value in sorted(model.network.state_dict().items()):
        weights.update(name.encode())
        weights.update(value.detach().float().cpu().contiguous().numpy().tobytes())
    persons = hashlib.sha256(crops.targets.person_ids.tobytes())
    # Another crop rule or size moves the joints inside the crops, though the persons stay the same.
    persons.update(np.nan_to_num(crops.targets.joints, nan=-1.0).tobytes())
    facts = {"weights": weights.hexdigest(), "persons": persons.hexdigest(), "crop_size": list(crops.crop_size)}
    return fingerprint({**facts, "data": data_fingerprint, "layer": layer, "dtype": dtype, "pooling": pooling})


def _blocks(model: PoseModel, crops: CropSet, layer: str, batch_size: int, pooling: Pooling) -> Iterator[NDArray[np.floating]]:
    batches = batches_of_rows(np.arange(len(crops)), batch_size)
    for batch in tqdm(batches, desc=f"features of {layer}"):
        value = read_activations(model, torch.from_numpy(crops.read_images(batch)), [layer])[layer]
        yield pool_over_space(value.float(), pooling).flatten(1).cpu().numpy()
