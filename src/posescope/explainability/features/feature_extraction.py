"""Extraction of features: the activations of one layer for N persons, streamed from the crops to a feature store."""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from posescope.artifacts.crop_matching import match_crops
from posescope.artifacts.devices import resolve_device, run_on_threads
from posescope.artifacts.model_folder import fingerprint_of_model
from posescope.artifacts.pose_model import PoseModel
from posescope.core.compute import current_cluster
from posescope.core.files import fingerprint
from posescope.data.crops.crop_set import CropSet
from posescope.data.crops.shard_reader import ShardReader
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.activations import read_activations
from posescope.explainability.features.feature_store import FeatureSet, FeatureStore, Pooling
from posescope.explainability.features.row_blocks import batches_of_rows
from posescope.prediction.crop_predictions import BATCHES_PER_TASK

__all__ = ["FeatureSet", "FeatureStore", "extract_features", "pool_over_space"]

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
    """Run persons through a network and store the activations of one layer.

    Memory holds one batch at a time, or a few for each worker of the current cluster. If the store already has the features of
    the same weights, data, persons, layer, dtype and pooling, they are reused.

    Args:
        model: the network; runs on its own device.
        crops: N > 0 persons. The rows of the features follow their order.
        layer: short name or module path; None: the bottleneck.
        store: destination.
        data_fingerprint: fingerprint of the pixels of the data set (`CropStatistics`). If it is None, features of crops with
            other pixels but the same joints are reused as well.
        batch_size: persons per forward pass.
        dtype: on disk.
        pooling: over space; mean and max store C numbers per person instead of C * h * w. Pooled features can be reduced, named
            and clustered, but not decoded.

    Returns:
        The features, opened from the store.

    Raises:
        ExplainabilityError: if there are no persons, the network declares no bottleneck and no layer is given, or a value is not
            finite.
        OptionsError: if the network has no such layer, or its activation cannot be read.
        JointMismatchError, CropMismatchError: if the crops do not belong to the model.
    """
    if len(crops) == 0:
        raise ExplainabilityError(
            "Feature extraction: expected at least one person, found none. Check the split and the filters."
        )
    crops = match_crops(model, crops)
    name = layer or model.network.bottleneck_layer
    if name is None:
        raise ExplainabilityError(
            f"Feature extraction: expected a layer, because the network '{model.model_spec.name}' declares no bottleneck; found "
            "none. Set explainability.persons.layer to a path of the network's named_modules()."
        )
    own = fingerprint_of_model(model)
    facts = {"model": own, "data": data_fingerprint, "layer": name, "dtype": dtype, "pooling": pooling}
    mark = fingerprint({**facts, "persons": _persons_digest(crops), "crop_size": list(crops.crop_size)})
    if store.is_finished(mark):
        _log.info("Reusing the features of '%s' for %d persons: %s", name, len(crops), store.root)
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
    """Pool activations over space: over the pixels of a map, or over tokens.

    Args:
        values: (n, C, h, w), (n, L, C) or (n, C).
        pooling: mean or max; none returns the values unchanged.

    Returns:
        (n, C, 1, 1) or (n, 1, C); the values themselves if they are vectors, or if there is no pooling.
    """
    if pooling == "none" or values.ndim == 2:
        return values
    space = (2, 3) if values.ndim == 4 else (1,)
    return values.mean(dim=space, keepdim=True) if pooling == "mean" else values.amax(dim=space, keepdim=True)


def _persons_digest(crops: CropSet) -> str:
    digest = hashlib.sha256(crops.targets.person_ids.tobytes())
    # Another crop rule or size changes the joint positions in the crops of the same persons.
    digest.update(np.nan_to_num(crops.targets.joints, nan=-1.0).tobytes())
    return digest.hexdigest()


def _blocks(model: PoseModel, crops: CropSet, layer: str, batch_size: int, pooling: Pooling) -> Iterator[NDArray[np.floating]]:
    """Yield the features of each batch; the batches are the same with and without a cluster."""
    batches = batches_of_rows(np.arange(len(crops)), batch_size)
    cluster = current_cluster()
    if cluster is None:
        for batch in tqdm(batches, desc=f"features of {layer}"):
            yield _read_block(model, crops.read_images(batch), layer, pooling)
        return
    # A worker runs the network on the same kind of device, so that it gives the same bits.
    device = model.device
    shared = (model.to(torch.device("cpu")), crops.shards, layer, pooling, device.type, torch.get_num_threads())
    found = cluster.map(_read_detached, map(crops.detach, batches), shared=shared, batch_size=BATCHES_PER_TASK)
    yield from tqdm(found, total=len(batches), desc=f"features of {layer}")
    model.to(device)


def _read_detached(
    crops: CropSet,
    model: PoseModel,
    shards: ShardReader | Sequence[NDArray[np.uint8]],
    layer: str,
    pooling: Pooling,
    device: str,
    threads: int,
) -> NDArray[np.floating]:
    """Return the features of one batch of persons in a worker of a cluster."""
    images = crops.attach(shards).read_images(np.arange(len(crops)))
    with run_on_threads(threads):
        return _read_block(model.to(resolve_device(device)), images, layer, pooling)


def _read_block(model: PoseModel, images: NDArray[np.uint8], layer: str, pooling: Pooling) -> NDArray[np.floating]:
    value = read_activations(model, torch.from_numpy(images), [layer])[layer]
    block: NDArray[np.floating] = pool_over_space(value.float(), pooling).flatten(1).cpu().numpy()
    return block
