"""Validation: loss and the thesis's PCK on the validation persons."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from posescope.artifacts.pose_model import PoseModel, normalise_images
from posescope.codecs.base import DecodedJoints, encode_weighted
from posescope.data.crops.crop_set import CropSet
from posescope.evaluation.metrics.pck_thesis import pck_thesis
from posescope.training.batches import Batch, count_batches, iterate_batches
from posescope.training.distributed.process_group import SINGLE_PROCESS, ProcessGroup
from posescope.training.losses import Loss, supervise

__all__ = ["Validation", "validate"]

# Without a backward pass the memory of a step holds twice as many persons; with small batches a GPU waits for the host.
GPU_BATCH_SIZE = 64


@dataclass(frozen=True)
class Validation:
    """Results of one validation.

    Attributes:
        loss: mean over persons, summed over stacks.
        pck_thesis: 0..1, mean over the persons with a labelled joint; NaN without such persons.
    """

    loss: float
    pck_thesis: float


@torch.no_grad()
def validate(
    model: PoseModel, crop_set: CropSet, loss: Loss, batch_size: int, process_group: ProcessGroup = SINGLE_PROCESS
) -> Validation:
    """Run the model on a crop set in evaluation mode.

    Args:
        model: model to validate; its network is left in evaluation mode.
        crop_set: crops of the model's size, in the order of evaluation.
        loss: loss of one stack.
        batch_size: persons per batch, at least; on a GPU up to twice as many.
        process_group: processes that each validate a slice of the set.
    """
    model.network.eval()
    rows = np.arange(len(crop_set), dtype=np.int64)[process_group.local_slice(len(crop_set))]
    loss_sum, pcks = 0.0, [np.empty(0)]
    if model.device.type == "cuda":
        batch_size = max(batch_size, min(2 * batch_size, GPU_BATCH_SIZE))
    batches = iterate_batches(crop_set, rows, batch_size, model.device)
    disabled = None if process_group.is_main else True  # None: no bar where the output is no terminal
    for batch in tqdm(batches, "validation", count_batches(len(rows), batch_size), leave=False, disable=disabled):
        outputs = model.network(normalise_images(batch.images, model.mean_rgb))
        targets = encode_weighted(model.codec, batch.joints, batch.visibility, batch.weights)
        loss_sum += float(supervise(outputs, targets, loss)) * len(batch)
        pcks.append(_score(model.codec.decode(outputs[-1].float()), batch, crop_set.crop_size))
    pck = np.concatenate(pcks)
    labelled = pck[~np.isnan(pck)]
    sums = torch.tensor([loss_sum, labelled.sum(), len(labelled)], dtype=torch.float64, device=model.device)
    loss_sum, pck_sum, count = process_group.all_reduce(sums).tolist()
    return Validation(loss_sum / len(crop_set), pck_sum / count if count else float("nan"))


def _score(decoded: DecodedJoints, batch: Batch, crop_size: tuple[int, int]) -> NDArray[np.float64]:
    return pck_thesis(decoded.joints.cpu().numpy(), batch.joints.cpu().numpy(), batch.visibility.cpu().numpy(), crop_size)
