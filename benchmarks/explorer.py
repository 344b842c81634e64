"""Speed of the page of the explorer, part by part: `python benchmarks/explorer.py slider --data <data_dir of a finished run>`.

    slider    one answer of the tab "Latent space" for each position of the sliders: positions of the controls as JSON -> rest of
              the network, nearest persons, both pictures as JPEG, table. 200 answers of the function that the callback calls,
              after a first one; the first two components of a person move back and forth, as a drag moves them.

Expected on two free cores for the network of the default run: a median of at most 100 ms, and 95 % within 250 ms.
Times are wall-clock times; the time of the processor, which depends less on other programs, is printed too.

Threads wait as those of `posescope explore` do (OMP_WAIT_POLICY).

The last line is JSON: for the part `slider` `slider_median_ms`, `slider_p95_ms`, `slider_cpu_median_ms`, `slider_first_ms` and
`slider_first_cpu_ms` (the first answer, which loads the model) and `answers`.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from posescope.explorer.app.latent_tab import LatentTab
from posescope.explorer.opened_run import open_run

ANSWERS = 200
OFFSETS = 10


def measure_slider(data_dir: Path, answers: int) -> dict[str, float]:
    """Drag the first two sliders of a person from one end to the other and back."""
    opened = open_run(data_dir)
    tab, person_id = LatentTab(opened), int(opened.person_ids[len(opened) // 2])
    sliders = min(OFFSETS, len(opened.about.components))

    def answer_at(step: int) -> None:
        offsets = [0.0] * sliders
        angle = 2 * np.pi * step / 60
        offsets[0] = round(float(3 * np.sin(angle)), 1)
        offsets[min(1, sliders - 1)] = round(float(2 * np.cos(angle)), 1)
        tab.respond({"person": person_id, "offsets": offsets, "joint": "all"})

    first, first_processor = _timed(lambda: answer_at(0))
    walls, processors = zip(*(_timed(lambda step=step: answer_at(step)) for step in range(1, answers + 1)), strict=True)
    return {
        "slider_first_ms": 1e3 * first,
        "slider_first_cpu_ms": 1e3 * first_processor,
        "slider_median_ms": 1e3 * float(np.median(walls)),
        "slider_p95_ms": 1e3 * float(np.quantile(walls, 0.95)),
        "slider_cpu_median_ms": 1e3 * float(np.median(processors)),
        "answers": answers,
    }


def _timed(work: Callable[[], None]) -> tuple[float, float]:
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor


PARTS = {"slider": measure_slider}


def main() -> None:
    """Measure the chosen parts."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # PyTorch is not imported yet
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="parts to measure; all by default")
    parser.add_argument("--data", type=Path, default=Path("data"), help="data_dir of a finished run")
    parser.add_argument("--answers", type=int, default=ANSWERS)
    arguments = parser.parse_args()
    found: dict[str, float] = {}
    for part in arguments.parts or PARTS:
        found |= PARTS[part](arguments.data, arguments.answers)
    for name, value in found.items():
        print(f"{name:24} {value:10.1f}")
    print(json.dumps({name: round(value, 2) for name, value in found.items()}))


if __name__ == "__main__":
    main()
