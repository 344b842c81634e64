"""Loss and gradient of a batch: computed operation by operation, or on a GPU as one recorded whole.

An hourglass is thousands of small operations a step, and asking a GPU for them one by one takes a host longer than the GPU needs
to do them, unless batches are very large. A recorded step (a CUDA graph) is asked for at once. It does the same operations in the
same order on the same places in memory, into which each batch is copied:

    first batch of a size    run a few times to warm up ─ record ─ replay
    every further one        copy images, heatmaps and weights ─ replay ─> loss, gradients
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from posescope.codecs.base import EncodedTargets
from posescope.core.errors import OptionsError
from posescope.core.torch_rng import fork_torch_rng
from posescope.training.losses import LossFunction, supervise

__all__ = ["EagerGradients", "Gradients", "CudaGraphGradients"]

# cuDNN, cuBLAS and a compiler choose and prepare what they do in the first passes; PyTorch's own tools take three.
WARM_UPS = 3


class Gradients(Protocol):
    """Sets the gradient of every weight, of which there is none before, and gives the loss, a scalar on the device.

    The gradients may be overwritten by the next call: whoever wants to keep them copies them.
    """

    def __call__(self, images: Tensor, targets: EncodedTargets, factor: float) -> Tensor:
        """(N, 3, H, W) float32, the targets of the same N, and what the loss is multiplied by."""
        ...


class EagerGradients:
    """Operation by operation.

    Args:
        forward: images to the heatmaps of every stack.
        loss: of one stack.
        bf16: whether the forward pass is of mixed precision.
        layout: of images and heatmaps in memory.
    """

    def __init__(
        self, forward: Callable[[Tensor], Sequence[Tensor]], loss: LossFunction, bf16: bool, layout: torch.memory_format
    ) -> None:
        self.forward, self.loss, self.bf16, self.layout = forward, loss, bf16, layout

    def __call__(self, images: Tensor, targets: EncodedTargets, factor: float) -> Tensor:
        """See `Gradients`."""
        with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=self.bf16):
            outputs = self.forward(images.contiguous(memory_format=self.layout))
        # In the layout of the outputs: the loss of every stack reads them, and reading across takes many times as long.
        targets = replace(targets, heatmaps=targets.heatmaps.contiguous(memory_format=self.layout))
        loss = supervise(outputs, targets, self.loss) * factor
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()


@dataclass(frozen=True)
class _Recording:
    graph: torch.cuda.CUDAGraph
    images: Tensor
    targets: EncodedTargets
    loss: Tensor
    gradients: tuple[Tensor | None, ...]


class CudaGraphGradients:
    """As one whole, recorded anew for each size of a batch (an epoch has two at most).

    Args:
        direct: what is recorded; it must not read values on the host.
        network: whose gradients it sets.

    Raises:
        OptionsError: on the first batch of a size, if network or loss cannot be recorded.
    """

    def __init__(self, direct: EagerGradients, network: nn.Module) -> None:
        self.direct, self.network = direct, network
        self._recordings: dict[tuple[int, float], _Recording] = {}
        # One stream of this network's device for all recordings, and for the passes that warm up.
        self._aside: Any = torch.cuda.Stream(next(network.parameters()).device)  # type: ignore[no-untyped-call]

    def __call__(self, images: Tensor, targets: EncodedTargets, factor: float) -> Tensor:
        """See `Gradients`."""
        key = len(images), factor
        if key not in self._recordings:
            self._recordings[key] = self._record(images, targets, factor)
        recording = self._recordings[key]
        recording.images.copy_(images)
        recording.targets.heatmaps.copy_(targets.heatmaps)
        recording.targets.weights.copy_(targets.weights)
        recording.graph.replay()
        for weight, gradient in zip(self.network.parameters(), recording.gradients, strict=True):
            weight.grad = gradient
        return recording.loss.clone()

    def _record(self, images: Tensor, targets: EncodedTargets, factor: float) -> _Recording:
        images = images.clone(memory_format=self.direct.layout)
        targets = EncodedTargets(targets.heatmaps.clone(memory_format=self.direct.layout), targets.weights.clone())
        with self._unchanged(images.device):
            self._warm_up(images, targets, factor)
        graph = torch.cuda.CUDAGraph()
        try:
            # Other threads go on reading crops, which must not break the recording; their work is not recorded.
            with torch.cuda.graph(graph, self._shared_pool(), self._aside, capture_error_mode="thread_local"):
                loss = self.direct(images, targets, factor)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise OptionsError(
                f"A training step cannot be recorded: {error} A network or loss that reads values on the host, or whose work "
                "depends on them, cannot; set modelling.training.cuda_graph=false."
            ) from error
        gradients = tuple(weight.grad for weight in self.network.parameters())
        return _Recording(graph, images, targets, loss, gradients)

    def _warm_up(self, images: Tensor, targets: EncodedTargets, factor: float) -> None:
        """On a stream of its own, as recording asks for."""
        here = torch.cuda.current_stream(images.device)
        self._aside.wait_stream(here)
        with torch.cuda.stream(self._aside):
            for _ in range(WARM_UPS):
                self.direct(images, targets, factor)
                self.network.zero_grad(set_to_none=True)
        here.wait_stream(self._aside)

    @contextmanager
    def _unchanged(self, device: torch.device) -> Iterator[None]:
        """What the block does to the statistics of batch norms, and to random numbers, is undone: warming up is no training."""
        statistics = [buffer.clone() for buffer in self.network.buffers()]
        with fork_torch_rng([device.index or 0]):
            yield
        for buffer, before in zip(self.network.buffers(), statistics, strict=True):
            buffer.copy_(before)

    def _shared_pool(self) -> Any:
        """Recordings never run at once, so what each needs on its way may lie in the same memory."""
        return next((recording.graph.pool() for recording in self._recordings.values()), None)
