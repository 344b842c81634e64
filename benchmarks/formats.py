"""Measure the formats of an exported model against ONNX in float32, in CPU time of one thread.

On a machine with other work, time by the clock is that of the scheduler. The CPU time of one thread leaves out other processes,
so its ratios hold on a busy machine as far as caches and the clock rate of the processor allow. Formats take turns; ratios are
medians over the rounds. The last line is JSON.

    python benchmarks/formats.py FOLDER [FOLDER ...] [--rounds N] [--seconds S] [--batch-size N]

The first folder is the reference (ONNX, float32); the others are exports of the same model, or the model.
"""

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from posescope.prediction.benchmark import describe_machine, find_variants, measure_variants, open_variants


def main() -> None:
    """Print a line per format, and JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--batch-size", type=int, default=8)
    given = parser.parse_args()
    machine = describe_machine()
    backends, left_out = open_variants(find_variants(given.folders[0], given.folders[1:]), threads=1)
    on_cpu = {variant: backend for variant, backend in backends.items() if variant.device == "cpu"}
    timings = measure_variants(on_cpu, given.batch_size, given.rounds, given.seconds, clock=time.process_time)
    for one in timings:
        latency = f"{one.latency_ms:8.2f} ms/crop x{one.latency_ratio:5.2f}"
        print(f"{one.label:24} {latency}   batch {given.batch_size}: x{one.throughput_ratio:5.2f}")
    print(json.dumps({"machine": machine.to_dict(), "timings": [one.to_dict() for one in timings], "left_out": left_out}))


if __name__ == "__main__":
    main()
