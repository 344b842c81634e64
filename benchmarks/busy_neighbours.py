"""Measure training beside busy processes, for several ways of waiting at barriers.

Training divides each operation among threads, which meet at a barrier after it. GNU OpenMP, which PyTorch uses on Linux, lets
threads spin at a barrier before they sleep. On idle cores this avoids the cost of waking up. On shared cores a spinning thread
uses the time slice of the thread that it waits for.

Each measurement is a new process that trains the default network (96 px, batch 8), on idle cores and beside one busy process per
core. With one training thread and one busy process per core, a fair scheduler gives training half of the machine. That is the
fair share, the reference of all variants:

    kept = rate beside the busy processes / (idle rate of `spinning` / 2)

`spinning` is one thread per core with OpenMP's default. Rounds alternate between the variants; medians are reported. The last
line is JSON.

    python benchmarks/busy_neighbours.py [--rounds N] [--seconds S] [--variants NAME ...]
"""

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import joblib

CORES = joblib.cpu_count()
BATCH = 8
_MEASURES_FOR = "POSESCOPE_MEASURE_SECONDS"
_THREADS = "POSESCOPE_MEASURE_THREADS"


@dataclass(frozen=True)
class Variant:
    """Number of training threads, and environment variables of the process."""

    threads: int
    environment: dict[str, str] = field(default_factory=dict)


VARIANTS = {
    "spinning": Variant(CORES),
    "passive": Variant(CORES, {"OMP_WAIT_POLICY": "PASSIVE"}),
    **{f"spin {count}": Variant(CORES, {"GOMP_SPINCOUNT": str(count)}) for count in (1_000, 10_000, 20_000, 40_000, 80_000)},
    "one thread": Variant(1),
}


def train_for(seconds: float, threads: int) -> float:
    """Return the persons per second of training steps, after a warm-up of a third of the time."""
    import torch  # noqa: PLC0415  OpenMP reads its environment when torch is imported

    import training  # noqa: PLC0415  the benchmark beside this one

    torch.set_num_threads(threads)
    step = training.Step("default", training.Variant(channels_last=True, checked=True), BATCH, torch.device("cpu"))
    with step.variant.applied():
        _run_until(step, time.perf_counter() + seconds / 3)
        started = time.perf_counter()
        count = _run_until(step, started + seconds)
        return count * BATCH / (time.perf_counter() - started)


def _run_until(step: Callable[[], None], deadline: float) -> int:
    count = 0
    while time.perf_counter() < deadline or not count:
        step()
        count += 1
    return count


def measure(variant: Variant, seconds: float, neighbours: int) -> float:
    """Return the persons per second of a new process beside busy processes."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("OMP_", "GOMP_", "KMP_"))}
    environment |= variant.environment | {_MEASURES_FOR: str(seconds), _THREADS: str(variant.threads)}
    with busy(neighbours):
        done = subprocess.run([sys.executable, __file__], env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout.strip().splitlines()[-1])


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Run busy processes within the block."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_calculate, daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()


def _calculate() -> None:
    value = 1
    while True:
        value = value * 1103515245 % 2147483647


def main() -> None:
    """Measure all variants and print the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    arguments = parser.parse_args()
    chosen = {name: VARIANTS[name] for name in dict.fromkeys(["spinning", *arguments.variants])}
    rates: dict[str, dict[int, list[float]]] = {name: {0: [], CORES: []} for name in chosen}
    for _ in range(arguments.rounds):
        for name, variant in chosen.items():
            for neighbours in (0, CORES):
                rates[name][neighbours].append(measure(variant, arguments.seconds, neighbours))
    fair = statistics.median(rates["spinning"][0]) / 2
    kept = {name: round(statistics.median(found[CORES]) / fair, 3) for name, found in rates.items()}
    idle = {name: round(statistics.median(found[0]) / (2 * fair), 3) for name, found in rates.items()}
    for name, found in rates.items():
        for neighbours, values in found.items():
            spread = f"{min(values):.0f} to {max(values):.0f}"
            print(f"{name:<14} beside {neighbours} busy: {statistics.median(values):6.1f} persons/s ({spread})")
        print(f"{name:<14} keeps {kept[name]:.2f} of the fair share; idle {idle[name]:.2f} x spinning")
    print(json.dumps({"kept_of_fair_share": kept, "idle_over_spinning": idle, "cores": CORES}))


if __name__ == "__main__":
    if _MEASURES_FOR in os.environ:
        print(train_for(float(os.environ[_MEASURES_FOR]), int(os.environ[_THREADS])))
    else:
        main()
