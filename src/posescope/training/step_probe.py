"""Training steps on random images before a run, to measure their time and their memory.

A probe trains a copy of the network, so that the model does not change. Optimiser and EMA do not run: their memory is counted by
the size of the weights, and their time is small.
"""

import copy
import time

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from posescope.artifacts.pose_model import PoseModel
from posescope.codecs.base import EncodedTargets
from posescope.core.hardware import available_memory
from posescope.training.acceleration import choose_acceleration
from posescope.training.gradients import EagerGradients
from posescope.training.losses import build_loss
from posescope.training.options import TrainingOptions

__all__ = ["StepProbe"]

# Share of the free memory that a step may take. A CPU shares its memory with other programs and with the file cache.
GPU_SHARE, CPU_SHARE = 0.8, 0.5
# Peak of a step on a CPU, divided by the activations that the forward pass keeps; gradients of activations are the rest.
PEAK_FACTOR = 1.5
# Weights, gradients, two moments of the optimiser, and the EMA.
WEIGHT_COPIES = 5
MEASURED_PERSONS = 2


class StepProbe:
    """Training steps of a copy of a network.

    Args:
        model: model with the network, the codec and the crop size.
        options: loss, mixed precision and memory format of the steps.
        device: device of the training.
    """

    def __init__(self, model: PoseModel, options: TrainingOptions, device: torch.device) -> None:
        layout = torch.channels_last if options.channels_last else torch.contiguous_format
        self.model, self.device = model, device
        self.network = copy.deepcopy(model.network).to(device).train()
        self.network.to(memory_format=layout)  # type: ignore[call-overload]
        loss = build_loss(options.loss, model.codec, model.skeleton)
        self.step = EagerGradients(self.network, loss, choose_acceleration(options, device).bf16, layout)

    def time_step(self, persons: int) -> float:
        """Return the seconds of a step of so many persons on a CPU."""
        images, targets = self._make_batch(persons)
        self.network.zero_grad(set_to_none=True)
        started = time.perf_counter()
        self.step(images, targets, 1.0)
        return time.perf_counter() - started

    def persons_in_cpu_memory(self) -> float:
        """Return the number of persons whose step fits in the memory of the CPU, from the activations of one step.

        The activations that autograd keeps are counted, not the memory of the process, so that the result depends on the network
        and on the free memory only.
        """
        images, targets = self._make_batch(MEASURED_PERSONS)
        weights = {weight.untyped_storage().data_ptr() for weight in self.network.parameters()}
        kept: dict[int, int] = {}  # bytes by address: several operations keep the same tensor

        def note(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in weights:
                kept[storage.data_ptr()] = storage.nbytes()
            return tensor

        with saved_tensors_hooks(note, lambda tensor: tensor):
            self.step(images, targets, 1.0)
        inputs = 2 * (images.nbytes + targets.heatmaps.nbytes)  # the next batch is read during the step
        per_person = (PEAK_FACTOR * sum(kept.values()) + inputs) / MEASURED_PERSONS
        return (CPU_SHARE * available_memory() - self._weight_bytes()) / per_person

    def fits_on_gpu(self, persons: int) -> bool:
        """Return whether a step of so many persons fits in the free memory of the CUDA device, with a margin."""
        self.network.zero_grad(set_to_none=True)
        torch.cuda.empty_cache()
        before, free = torch.cuda.memory_allocated(self.device), torch.cuda.mem_get_info(self.device)[0]
        torch.cuda.reset_peak_memory_stats(self.device)
        try:
            self.step(*self._make_batch(persons), 1.0)
        except torch.OutOfMemoryError:
            return False
        finally:
            self.network.zero_grad(set_to_none=True)
        needed = torch.cuda.max_memory_allocated(self.device) - before + self._weight_bytes()
        torch.cuda.empty_cache()
        return needed <= GPU_SHARE * free

    def _weight_bytes(self) -> int:
        return WEIGHT_COPIES * sum(weight.nbytes for weight in self.network.parameters())

    def _make_batch(self, persons: int) -> tuple[Tensor, EncodedTargets]:
        """Return random images, and the targets of random joints, on the device."""
        height, width = self.model.crop_size
        corner = torch.tensor([width - 1, height - 1], device=self.device)
        joints = torch.rand(persons, len(self.model.skeleton), 2, device=self.device) * corner
        visible = torch.full(joints.shape[:2], 2, dtype=torch.uint8, device=self.device)
        images = torch.randn(persons, 3, height, width, device=self.device)
        return images, self.model.codec.encode(joints, visible)
