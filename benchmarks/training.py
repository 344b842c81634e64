"""How fast a training step is: ours against a plain eager float32 step of the same network and batch, as ratios from one run.

    plain   channels first, float32 (no TF32), nothing compiled: forward, loss of every stack, backward, RMSProp
    ours    the same with what the options of `modelling.training` offer: `channels_last`, and on a GPU `amp: bf16` and `compile`;
            the gradient's norm is looked at in every step, as the training loop does it

Options are measured one by one too. All variants take turns, round after round, so that a drift of the machine hits all alike;
medians of the rounds' ratios are taken. The images are random: input is measured by `input_pipeline.py`.

    python benchmarks/training.py [--network default|coco|newell8] [--batch N ...] [--rounds N] [--compile]

On a CPU the network is that of `conf/base` (96 px, batch 8), on a GPU that of Newell with eight stacks (256 px) at the best of
several batches. `share_of_matrix_rate`: arithmetic of a step (three times that of a forward pass, two operations a
multiply-accumulate) over the rate of a large matrix product in the same number format on the same device, measured here.
The last line is JSON.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from posescope.models.counting import count_macs
from posescope.models.hourglass import Hourglass, HourglassOptions

NETWORKS: dict[str, tuple[dict[str, Any], int]] = {
    "default": ({"stacks": 1, "channels": 64, "depth": 3, "stem_channels": 32, "skip": "identity"}, 96),
    "coco": ({"stacks": 2, "channels": 256, "depth": 4}, 256),
    "newell8": ({"stacks": 8, "channels": 256, "depth": 4}, 256),
}


@dataclass(frozen=True)
class Variant:
    """What differs from the plain step."""

    channels_last: bool = False
    bf16: bool = False
    compiled: bool = False
    checked: bool = True  # looks at the gradient's norm and the loss, and so waits for the device


class Step:
    """A network with its optimiser and one batch."""

    def __init__(self, network: str, variant: Variant, batch: int, device: torch.device) -> None:
        options, side = NETWORKS[network]
        self.variant, self.batch, self.device = variant, batch, device
        layout = torch.channels_last if variant.channels_last else torch.contiguous_format
        torch.manual_seed(0)
        self.network: Any = Hourglass(HourglassOptions(**options), (side, side), 17).to(device).to(memory_format=layout)
        self.forward = torch.compile(self.network) if variant.compiled else self.network
        self.images = torch.randn(batch, 3, side, side, device=device).contiguous(memory_format=layout)
        self.targets = torch.rand(batch, 17, *self.network.map_size, device=device)
        self.optimiser = torch.optim.RMSprop(self.network.parameters(), 2.5e-4)

    def __call__(self) -> None:
        """One step."""
        self.optimiser.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.variant.bf16):
            outputs = self.forward(self.images)
        loss = torch.stack([(maps.float() - self.targets).square().mean() for maps in outputs]).sum()
        loss.backward()
        if self.variant.checked:
            norm = nn.utils.get_total_norm([weight.grad for weight in self.network.parameters()])
            torch.stack([loss.detach(), norm]).tolist()
        self.optimiser.step()

    def persons_per_s(self, steps: int) -> float:
        """Of a few steps."""
        return steps * self.batch / seconds_of(lambda: [self() for _ in range(steps)], self.device)


def seconds_of(work: Callable[[], Any], device: torch.device) -> float:
    """Wall time until the device has done it."""
    _finish(device)
    started = time.perf_counter()
    work()
    _finish(device)
    return time.perf_counter() - started


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def measure_matrix_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Operations a second of a large matrix product; the best of five."""
    side = 8192 if device.type == "cuda" else 2048
    left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    product: Tensor = left @ right
    times = [seconds_of(lambda: torch.matmul(left, right, out=product), device) for _ in range(6)][1:]
    return 2 * side**3 / min(times)


def variants_of(device: torch.device, compiled: bool) -> dict[str, Variant]:
    """By name; `ours` is last."""
    plain, last = Variant(checked=False), Variant(channels_last=True)
    if device.type == "cuda":
        best = Variant(channels_last=True, bf16=True, compiled=True)
        parts = {"bf16": Variant(bf16=True), "bf16_channels_last": Variant(channels_last=True, bf16=True)}
        return {"plain": plain, "channels_last": last, **parts, "ours": best}
    more = {"compiled": Variant(compiled=True), "compiled_channels_last": Variant(True, compiled=True)} if compiled else {}
    return {"plain": plain, "plain_checked": Variant(), **more, "ours": last}


def measure(network: str, batch: int, device: torch.device, rounds: int, compiled: bool) -> dict[str, list[float]]:
    """Persons a second of each variant, round by round."""
    steps = {name: Step(network, variant, batch, device) for name, variant in variants_of(device, compiled).items()}
    speeds: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(rounds + 1):
        for name, step in steps.items():
            speed = step.persons_per_s(8 if network == "default" else 3)
            if turn:  # the first round warms up, and compiles
                speeds[name].append(speed)
    return speeds


def best_batch(network: str, batches: list[int], device: torch.device, rounds: int, compiled: bool) -> tuple[int, dict[str, Any]]:
    """The batch with the fastest step of ours that fits into memory, and its figures."""
    found: dict[int, dict[str, list[float]]] = {}
    for batch in batches:
        try:
            found[batch] = measure(network, batch, device, rounds, compiled)
        except torch.OutOfMemoryError:
            print(f"batch {batch} does not fit into the device's memory")
            break
        print(f"batch {batch}: {', '.join(f'{name} {statistics.median(s):.0f}' for name, s in found[batch].items())} persons/s")
        torch.cuda.empty_cache()
    batch = max(found, key=lambda size: statistics.median(found[size]["ours"]))
    return batch, found[batch]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=list(NETWORKS), help="default: `default` on a CPU, `newell8` on a GPU")
    parser.add_argument("--batch", type=int, nargs="+", help="default: 8 on a CPU; 16, 32, 64, 96 on a GPU")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--compile", action="store_true", help="measure compiled steps on a CPU too (minutes)")
    arguments = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    on_gpu = device.type == "cuda"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    network = arguments.network or ("newell8" if on_gpu else "default")
    batches = arguments.batch or ([16, 32, 64, 96] if on_gpu else [8])
    batch, speeds = best_batch(network, batches, device, arguments.rounds, arguments.compile)
    ratios = {
        name: round(statistics.median(fast / slow for fast, slow in zip(values, speeds["plain"], strict=True)), 3)
        for name, values in speeds.items()
    }
    for name, values in speeds.items():
        spread = f"{min(values):.1f} to {max(values):.1f}"
        print(f"{name:<24} {statistics.median(values):7.1f} persons/s ({spread}), {ratios[name]} x plain")
    options, side = NETWORKS[network]
    macs = count_macs(Hourglass(HourglassOptions(**options), (side, side), 17), (side, side))
    rate = measure_matrix_rate(device, torch.bfloat16 if on_gpu else torch.float32)
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
