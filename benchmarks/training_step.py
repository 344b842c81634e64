"""Measure one training step of the default network and the effect of each choice, as ratios from one run.

Rounds alternate between the variants; medians are reported. The images are random; reading and rendering are not timed. The last
line is JSON: persons per second of each variant, and the ratios to `default`.
"""

import argparse
import json
import statistics
import time
from dataclasses import dataclass, field
from typing import Any

import torch

from posescope.models.hourglass import Hourglass, HourglassOptions

DEFAULT = {"channels": 64, "depth": 3, "stem_channels": 32, "skip": "identity"}
STEPS = 12


@dataclass(frozen=True)
class Variant:
    """Settings that differ from the default run."""

    options: dict[str, Any] = field(default_factory=dict)
    batch: int = 8
    threads: int = 2
    channels_last: bool = True


VARIANTS = {
    "default": Variant(),
    "one_thread": Variant(threads=1),
    "batch_16": Variant(batch=16),
    "batch_16_one_thread": Variant(batch=16, threads=1),
    "batch_32": Variant(batch=32),
    "residual_skips": Variant({"skip": "residual"}),
    "stem_64": Variant({"stem_channels": None}),
    "not_channels_last": Variant(channels_last=False),
}


class Trainer:
    """Network, optimiser and one batch."""

    def __init__(self, variant: Variant) -> None:
        self.variant = variant
        layout = torch.channels_last if variant.channels_last else torch.contiguous_format
        options = HourglassOptions(**(DEFAULT | variant.options))
        self.network = Hourglass(options, crop_size=(96, 96), joint_count=17).to(memory_format=layout)
        self.images = torch.randn(variant.batch, 3, 96, 96).contiguous(memory_format=layout)
        self.optimiser = torch.optim.RMSprop(self.network.parameters(), 1e-3)

    def persons_per_s(self) -> float:
        """Run several steps: forward, backward, update."""
        torch.set_num_threads(self.variant.threads)
        started = time.perf_counter()
        for _ in range(STEPS):
            self.optimiser.zero_grad()
            sum(maps.square().mean() for maps in self.network(self.images)).backward()
            self.optimiser.step()
        return STEPS * self.variant.batch / (time.perf_counter() - started)


def main() -> None:
    """Time all variants."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each variant is timed")
    rounds = parser.parse_args().rounds
    trainers = {name: Trainer(variant) for name, variant in VARIANTS.items()}
    speeds: dict[str, list[float]] = {name: [] for name in trainers}
    for turn in range(rounds + 1):
        for name, trainer in trainers.items():
            speed = trainer.persons_per_s()
            if turn:  # the first round warms up
                speeds[name].append(speed)
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    for name, values in speeds.items():
        print(f"{name:<22} {medians[name]:6.0f} persons/s ({min(values):.0f} to {max(values):.0f})")
    ratios = {name: round(speed / medians["default"], 3) for name, speed in medians.items()}
    print(json.dumps({"persons_per_s": {name: round(speed, 1) for name, speed in medians.items()}, "ratio_to_default": ratios}))


if __name__ == "__main__":
    main()
