"""Compare the training step with a plain eager float32 step of the same network and batch, as ratios from one run.

    plain   channels first, float32 (no TF32), not compiled: forward, loss of every stack, backward, RMSProp
    ours    the same with the options of `modelling.training`: `channels_last`, and on a GPU `amp: bf16`, `compile`, `cuda_graph`;
            as in the training loop, operations are deterministic where possible, and the loss is read one step late

Each option is measured alone, too. On a CPU rounds alternate between the variants; on a GPU, whose memory does not hold all of
them, they run in sequence. Medians of the ratios are reported. The images are random; `input_pipeline.py` measures the input.

    python benchmarks/training.py [--network default|coco|newell8] [--batch N ...] [--rounds N] [--compile]

The network is that of `conf/base` (96 px, batch 8) on a CPU, and Newell's with eight stacks (256 px) on a GPU, at the batch size
with the fastest bf16 step with a CUDA graph. `share_of_matrix_rate`: operations of a step (three times those of a forward pass,
two per multiply-accumulate) divided by the rate of a large matrix product in the same number format on the same device. The last
line is JSON.
"""

import argparse
import gc
import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.utils.deterministic
from torch import Tensor, nn

from posescope.codecs.base import EncodedTargets
from posescope.core.records import PoseTargets
from posescope.models.blocks import Residual
from posescope.models.complexity import count_macs
from posescope.models.hourglass import Hourglass, HourglassOptions
from posescope.training.acceleration import compile_parts, raise_recompile_limit
from posescope.training.batches import Batch
from posescope.training.gradients import CudaGraphGradients, EagerGradients, Gradients
from posescope.training.loss_monitor import LossMonitor
from posescope.training.losses import MeanSquaredError, MeanSquaredErrorOptions

NETWORKS: dict[str, tuple[dict[str, Any], int]] = {
    "default": ({"stacks": 1, "channels": 64, "depth": 3, "stem_channels": 32, "skip": "identity"}, 96),
    "coco": ({"stacks": 2, "channels": 256, "depth": 4}, 256),
    "newell8": ({"stacks": 8, "bottleneck_residuals": 2, "stem_channels": (64, 128, 256)}, 256),
}


@dataclass(frozen=True)
class Variant:
    """Settings that differ from the plain step."""

    channels_last: bool = False
    tf32: bool = False
    bf16: bool = False
    compiled: bool = False
    residuals: bool = False  # compiled each for itself, see `compile_residuals`
    graphed: bool = False
    checked: bool = False  # looks at the gradient's norm and the loss of the step before, and is deterministic, as the loop

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Apply the settings of a variant to torch within the block."""
        torch.use_deterministic_algorithms(self.checked, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = self.tf32
        with raise_recompile_limit():
            yield


def compile_residuals(network: Any) -> None:
    """Compile each residual separately, as training did before it compiled whole stacks."""
    for module in network.modules():
        if isinstance(module, Residual):
            module.compile(dynamic=False)


class Step:
    """Network, optimiser and one batch."""

    def __init__(self, network: str, variant: Variant, batch: int, device: torch.device) -> None:
        options, side = NETWORKS[network]
        self.variant, self.batch, self.device = variant, batch, device
        layout = torch.channels_last if variant.channels_last else torch.contiguous_format
        torch.manual_seed(0)
        self.network: Any = Hourglass(HourglassOptions(**options), (side, side), 17).to(device).to(memory_format=layout)
        if variant.compiled:
            (compile_residuals if variant.residuals else compile_parts)(self.network)
        self.images = torch.randn(batch, 3, side, side, device=device).contiguous(memory_format=layout)
        weights = torch.ones(batch, 17, device=device)
        self.targets = EncodedTargets(torch.rand(batch, 17, *self.network.map_size, device=device), weights)
        direct = EagerGradients(self.network, MeanSquaredError(MeanSquaredErrorOptions()), variant.bf16, layout)
        self.gradients: Gradients = CudaGraphGradients(direct, self.network) if variant.graphed else direct
        self.optimiser = torch.optim.RMSprop(self.network.parameters(), 2.5e-4)
        self.first_loss: float | None = None
        self.watch = LossMonitor()
        unlabelled = PoseTargets(np.arange(batch), np.zeros((batch, 17, 2), np.float32), np.zeros((batch, 17), np.uint8))
        self.persons = Batch(unlabelled, slice(None), self.images, self.images, self.images)

    def __call__(self) -> None:
        """Run one step."""
        self.optimiser.zero_grad(set_to_none=True)
        loss = self.gradients(self.images, self.targets, 1.0)
        if self.first_loss is None:
            self.first_loss = float(loss)
        norm = nn.utils.get_total_norm([weight.grad for weight in self.network.parameters()]) if self.variant.checked else None
        self.optimiser.step()
        if norm is not None:
            self.watch.record(loss, norm, self.persons, 0, 0)

    def persons_per_s(self, steps: int) -> float:
        """Return the seconds of several steps."""
        with self.variant.applied():
            return steps * self.batch / seconds_of(lambda: [self() for _ in range(steps)], self.device)


def seconds_of(work: Callable[[], Any], device: torch.device) -> float:
    """Return the wall time until the device has finished."""
    _finish(device)
    started = time.perf_counter()
    work()
    _finish(device)
    return time.perf_counter() - started


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def measure_matrix_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Return the operations per second of a large matrix product, best of five."""
    side = 8192 if device.type == "cuda" else 2048
    left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    product: Tensor = left @ right
    times = [seconds_of(lambda: torch.matmul(left, right, out=product), device) for _ in range(6)][1:]
    return 2 * side**3 / min(times)


def variants_of(device: torch.device, compiled: bool) -> dict[str, Variant]:
    """Return the variants by name; `ours` is last."""
    plain, last = Variant(), Variant(channels_last=True, checked=True)
    if device.type == "cuda":
        bf16 = Variant(channels_last=True, bf16=True, checked=True)
        return {
            "plain": plain,
            "tf32": Variant(tf32=True),
            "channels_last": Variant(channels_last=True),
            "tf32_channels_last": Variant(tf32=True, channels_last=True),
            "bf16": Variant(bf16=True),
            "bf16_channels_last": bf16,
            "bf16_channels_last_unchecked": replace(bf16, checked=False),
            "graphed": replace(bf16, graphed=True),
            "compiled": replace(bf16, compiled=True),
            "residuals": replace(bf16, compiled=True, residuals=True, graphed=True),
            "ours": replace(bf16, compiled=True, graphed=True),
        }
    more = {"compiled": Variant(compiled=True), "compiled_channels_last": replace(last, compiled=True)} if compiled else {}
    return {"plain": plain, "plain_checked": Variant(checked=True), **more, "ours": last}


def measure(variants: dict[str, Variant], network: str, batch: int, device: torch.device, rounds: int) -> dict[str, list[float]]:
    """Return the persons per second of each variant and round."""
    if device.type == "cuda":
        return {name: speeds_of({name: variant}, network, batch, device, rounds)[name] for name, variant in variants.items()}
    return speeds_of(variants, network, batch, device, rounds)


def speeds_of(
    variants: dict[str, Variant], network: str, batch: int, device: torch.device, rounds: int
) -> dict[str, list[float]]:
    """Measure alternating variants; the first round warms up and compiles."""
    steps = {name: Step(network, variant, batch, device) for name, variant in variants.items()}
    speeds: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(rounds + 1):
        for name, step in steps.items():
            started = time.perf_counter()
            speed = step.persons_per_s(8 if network == "default" else 3)
            if turn:
                speeds[name].append(speed)
            else:
                print(f"{name}: first steps {time.perf_counter() - started:.1f} s, first loss {step.first_loss:.5f}", flush=True)
    if device.type == "cuda":
        for name, values in speeds.items():
            print(
                f"{name}: {statistics.median(values):.1f} persons/s, {torch.cuda.max_memory_allocated() / 2**30:.0f} GiB",
                flush=True,
            )
        if "ours" in steps:
            profile(steps["ours"])
        del step
        steps.clear()
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    return speeds


def profile(step: Step) -> None:
    """Print which kernels of a step take the most time."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profiler:
        step.persons_per_s(1)
    print(profiler.key_averages().table(sort_by="self_device_time_total", row_limit=28, max_name_column_width=100))


def best_batch(network: str, batches: list[int], device: torch.device) -> int:
    """Return the batch size with the fastest bf16 step in channels last that fits into memory."""
    if len(batches) == 1:
        return batches[0]
    found: dict[int, float] = {}
    for batch in batches:
        try:
            step = Step(network, Variant(channels_last=True, bf16=True, graphed=True, checked=True), batch, device)
            step.persons_per_s(2)
            found[batch] = step.persons_per_s(3)
        except torch.OutOfMemoryError:
            print(f"batch {batch} does not fit into the device's memory")
            break
        memory = f", {torch.cuda.max_memory_allocated() / 2**30:.0f} GiB" if device.type == "cuda" else ""
        print(f"batch {batch}: {found[batch]:.0f} persons/s{memory}", flush=True)
        del step
        if device.type == "cuda":
            torch.cuda.empty_cache()
    return max(found, key=lambda size: found[size])


def main() -> None:
    """Measure all variants and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=list(NETWORKS), help="default: `default` on a CPU, `newell8` on a GPU")
    parser.add_argument("--batch", type=int, nargs="+", help="default: 8 on a CPU; 32, 64, 128 on a GPU")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--variants", nargs="*", help="besides plain and ours; none: no other; default: all")
    parser.add_argument("--compile", action="store_true", help="measure compiled steps on a CPU too (minutes)")
    arguments = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    on_gpu = device.type == "cuda"
    network = arguments.network or ("newell8" if on_gpu else "default")
    variants = variants_of(device, arguments.compile)
    others = set(variants if arguments.variants is None else arguments.variants) - {"none"}
    if unknown := others - set(variants):
        parser.error(f"there is no variant {', '.join(sorted(unknown))} here; there are {', '.join(variants)}")
    rate = measure_matrix_rate(device, torch.bfloat16 if on_gpu else torch.float32)
    batch = best_batch(network, arguments.batch or ([32, 64, 128] if on_gpu else [8]), device)
    chosen = {"plain", "ours", *others}
    variants = {name: variant for name, variant in variants.items() if name in chosen}
    speeds = measure(variants, network, batch, device, arguments.rounds)
    ratios = {
        name: round(statistics.median(fast / slow for fast, slow in zip(values, speeds["plain"], strict=True)), 3)
        for name, values in speeds.items()
    }
    for name, values in speeds.items():
        spread = f"{min(values):.1f} to {max(values):.1f}"
        print(f"{name:<29} {statistics.median(values):7.1f} persons/s ({spread}), {ratios[name]} x plain")
    options, side = NETWORKS[network]
    macs = count_macs(Hourglass(HourglassOptions(**options), (side, side), 17), (side, side))
    result = {
        "persons_per_s": round(statistics.median(speeds["ours"]), 1),
        "eager_fp32_persons_per_s": round(statistics.median(speeds["plain"]), 1),
        "speedup": ratios["ours"],
        "share_of_matrix_rate": round(6 * macs * statistics.median(speeds["ours"]) / rate, 4),
        "device": torch.cuda.get_device_name(device) if on_gpu else "cpu",
        "network": network,
        "batch": batch,
        "matrix_rate_tflops": round(rate / 1e12, 3),
        "ratios": ratios,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
