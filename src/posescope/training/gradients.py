"""Loss and gradients of a batch, computed eagerly or replayed as a CUDA graph.

A training step of an hourglass is thousands of small operations. Unless batches are very large, launching them takes the host
longer than the GPU needs to run them. A CUDA graph is launched at once. It repeats the same operations in the same order on the
same memory, into which each batch is copied:

    first batch of a size    warm up ─ capture ─ replay
    further batches          copy images and targets ─ replay ─> loss, gradients
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from posescope.codecs.base import EncodedTargets
from posescope.core.errors import OptionsError
from posescope.core.torch_rng import fork_torch_rng
from posescope.training.losses import Loss, supervise, uses_joints

__all__ = ["EagerGradients", "Gradients", "CudaGraphGradients"]

# cuDNN, cuBLAS and the compiler tune themselves in the first passes; PyTorch's tools run three.
WARM_UP_PASSES = 3


# Function of images (N, 3, H, W), targets and a factor of the loss. It sets the gradient of each weight, which must be None
# before, and returns the loss, a scalar on the device. The next call may overwrite the gradients.
Gradients: TypeAlias = Callable[[Tensor, EncodedTargets, float], Tensor]


class EagerGradients:
    """Gradients computed eagerly.

    Args:
        forward: function from images to the heatmaps of each stack.
        loss: loss of one stack.
        bf16: whether the forward pass uses mixed precision.
        layout: memory format of images and heatmaps.
    """

    def __init__(
        self, forward: Callable[[Tensor], Sequence[Tensor]], loss: Loss, bf16: bool, layout: torch.memory_format
    ) -> None:
        self.forward, self.loss, self.bf16, self.layout = forward, loss, bf16, layout

    def __call__(self, images: Tensor, targets: EncodedTargets, factor: float) -> Tensor:
        """Set the gradients and return the loss, a scalar on the device.

        Args:
            images: (N, 3, H, W) float32, mean RGB subtracted.
            targets: targets of the same persons.
            factor: factor of the loss.
        """
        with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=self.bf16):
            outputs = self.forward(images.contiguous(memory_format=self.layout))
        # In the memory format of the outputs: otherwise the loss of each stack reads them many times more slowly.
        targets = replace(targets, heatmaps=targets.heatmaps.contiguous(memory_format=self.layout))
        loss = supervise(outputs, targets, self.loss) * factor
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()


@dataclass(frozen=True)
class _CapturedStep:
    graph: torch.cuda.CUDAGraph
    images: Tensor
    targets: EncodedTargets
    loss: Tensor
    gradients: tuple[Tensor | None, ...]


class CudaGraphGradients:
    """Gradients computed by replaying a CUDA graph, captured once for each batch size (at most two per epoch).

    Args:
        step: the captured computation; it must not read values on the host.
        network: network whose gradients it sets.

    Raises:
        OptionsError: On the first batch of a size, if network or loss cannot be captured.
    """

    def __init__(self, step: EagerGradients, network: nn.Module) -> None:
        self.step, self.network = step, network
        self._captured: dict[tuple[int, float], _CapturedStep] = {}
        # One stream on the network's device for all captures and warm-up passes.
        self._stream: Any = torch.cuda.Stream(next(network.parameters()).device)  # type: ignore[no-untyped-call]

    def __call__(self, images: Tensor, targets: EncodedTargets, factor: float) -> Tensor:
        """Replay the graph of this batch size; see `EagerGradients`."""
        key = len(images), factor
        if key not in self._captured:
            self._captured[key] = self._capture(images, targets, factor)
        captured = self._captured[key]
        captured.images.copy_(images)
        captured.targets.heatmaps.copy_(targets.heatmaps)
        captured.targets.weights.copy_(targets.weights)
        if captured.targets.joints is not None and targets.joints is not None:
            captured.targets.joints.copy_(targets.joints)
        captured.graph.replay()
        for weight, gradient in zip(self.network.parameters(), captured.gradients, strict=True):
            weight.grad = gradient
        return captured.loss.clone()

    def _capture(self, images: Tensor, targets: EncodedTargets, factor: float) -> _CapturedStep:
        images = images.clone(memory_format=self.step.layout)
        joints = targets.joints.clone() if uses_joints(self.step.loss) and targets.joints is not None else None
        targets = EncodedTargets(targets.heatmaps.clone(memory_format=self.step.layout), targets.weights.clone(), joints)
        with self._unchanged(images.device):
            self._warm_up(images, targets, factor)
        graph = torch.cuda.CUDAGraph()
        try:
            # thread_local: another thread, which reads crops, must not invalidate the capture.
            with torch.cuda.graph(graph, self._shared_pool(), self._stream, capture_error_mode="thread_local"):
                loss = self.step(images, targets, factor)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise OptionsError(
                f"The training step cannot be captured as a CUDA graph: {error} Network and loss must not read values on the "
                "host; otherwise set modelling.training.cuda_graph=false."
            ) from error
        gradients = tuple(weight.grad for weight in self.network.parameters())
        return _CapturedStep(graph, images, targets, loss, gradients)

    def _warm_up(self, images: Tensor, targets: EncodedTargets, factor: float) -> None:
        """Run warm-up passes on a separate stream, as captures require."""
        here = torch.cuda.current_stream(images.device)
        self._stream.wait_stream(here)
        with torch.cuda.stream(self._stream):
            for _ in range(WARM_UP_PASSES):
                self.step(images, targets, factor)
                self.network.zero_grad(set_to_none=True)
        here.wait_stream(self._stream)

    @contextmanager
    def _unchanged(self, device: torch.device) -> Iterator[None]:
        """Restore batch-norm statistics and random generators after the block, since warm-up passes are no training."""
        statistics = [buffer.clone() for buffer in self.network.buffers()]
        with fork_torch_rng([device.index or 0]):
            yield
        for buffer, before in zip(self.network.buffers(), statistics, strict=True):
            buffer.copy_(before)

    def _shared_pool(self) -> Any:
        """Return the memory pool that all graphs share, since they never run at the same time."""
        return next((captured.graph.pool() for captured in self._captured.values()), None)
