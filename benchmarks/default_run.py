"""Measure the default run with several seeds; write `docs/default-run.md` and the images of the README.

The default run (`kedro run`: generated sample, small network) is trained with each seed in its own `data_dir`. The first seed
runs the whole pipeline; the others run until the metrics. `--rates` compares learning rates.

    python benchmarks/default_run.py [--seeds S ...] [--rates R ...] [--work FOLDER] [--write]

`--write` replaces `docs/default-run.md` and `docs/images/{crop_grid,person_examples,traversal}.jpg`. An existing run
(same seed, rate and folder) is not repeated. The last line is JSON: the PCK of every run.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / "docs" / "default-run.md"
ANSWERS = {"supported": "yes", "refuted": "no", "inconclusive": "cannot be said"}
METRICS = ("pck_thesis", "oks", "oks_ap", "pck@0.2")
IMAGES = {  # file in 08_reporting -> name and width (px) in docs/images
    "crop_grid.png": ("crop_grid.jpg", 1000),
    "person_examples.png": ("person_examples.jpg", 900),
    "explainability/latent_traversal/traversal_pc1.png": ("traversal.jpg", 1000),
}


@dataclass(frozen=True)
class Run:
    """One default run.

    Attributes:
        seed: training seed.
        rate: maximum learning rate.
        folder: `data_dir` of the run.
        seconds: wall time of the command.
    """

    seed: int
    rate: float
    folder: Path
    seconds: float

    def read(self, name: str) -> Any:
        """Return the content of a JSON file of the reports."""
        return json.loads((self.folder / "08_reporting" / name).read_text(encoding="utf-8"))

    def record(self) -> dict[str, Any]:
        """Return the record of the newest run in the folder."""
        newest = max((self.folder / "08_reporting" / "runs").glob("*/run.json"))
        return dict(json.loads(newest.read_text(encoding="utf-8")))


def make_run(seed: int, rate: float, work: Path, whole: bool) -> Run:
    """Run the whole pipeline, or until the metrics, unless the run exists."""
    folder = work / f"rate-{rate:g}-seed-{seed}"
    done = folder / "seconds.json"
    if not done.is_file():
        parameters = {
            "raw_dir": work / "sample", "data_dir": folder, "test_access_log": folder / "test_access_log.json",
            "modelling.training.seed": seed, "modelling.training.learning_rate": rate,
        }  # fmt: skip
        chosen = [] if whole else ["--pipelines", "data_engineering,modelling,evaluation"]
        command = [sys.executable, "-m", "kedro", "run", *chosen, "--params", ",".join(f"{k}={v}" for k, v in parameters.items())]
        started = time.perf_counter()
        subprocess.run(command, cwd=REPOSITORY, check=True)
        done.write_text(json.dumps(round(time.perf_counter() - started)))
    return Run(seed, rate, folder, float(json.loads(done.read_text())))


def page_of(runs: list[Run]) -> str:
    """Return the page in Markdown."""
    first = runs[0]
    versions = first.record()["versions"]
    lines = [
        "# Results of the default run",
        "",
        "<!-- Written by `python benchmarks/default_run.py --write`; do not edit by hand. -->",
        "",
        f"`kedro run` on {platform.machine()}, Python {versions['python']}, torch {versions['torch']}: the whole run took "
        f"{first.seconds:.0f} s. Other processors and versions sum in another order, so the last digits may differ.",
        "",
        "## Seeds",
        "",
        "Validation persons of the generated sample. Intervals are 95 %, over images; they do not include the seed.",
        "",
        "| learning rate | seed | " + " | ".join(f"`{name}`" for name in METRICS) + " |",
        "|" + "---|" * (2 + len(METRICS)),
    ]
    for run in runs:
        metrics = run.read("metrics.json")["val"]
        cells = [f"{metrics[name]['value']:.3f} [{metrics[name]['low']:.3f}, {metrics[name]['high']:.3f}]" for name in METRICS]
        lines.append(f"| {run.rate:g} | {run.seed} | " + " | ".join(cells) + " |")
    lines += [
        "",
        *_summaries(runs),
        "",
        "## Findings of the first run",
        "",
        "| question | answer | statement |",
        "|---|---|---|",
    ]
    lines += [
        f"| {_escaped(finding['question'])} | {ANSWERS[finding['verdict']]} | {_escaped(finding['statement'])} |"
        for finding in first.read("explainability/findings.json")
    ]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def _summaries(runs: list[Run]) -> list[str]:
    lines = []
    for rate in dict.fromkeys(run.rate for run in runs):
        values = [run.read("metrics.json")["val"]["pck_thesis"]["value"] for run in runs if run.rate == rate]
        lines.append(
            f"At {rate:g}, `pck_thesis` of {len(values)} seeds: mean {statistics.mean(values):.3f}, "
            f"{min(values):.3f} to {max(values):.3f}.\n"
        )
    return lines


def write_images(run: Run) -> None:
    """Resize the images of a run and write them to the documentation."""
    for source, (name, width) in IMAGES.items():
        image = cv2.imread(str(run.folder / "08_reporting" / source))
        height = round(image.shape[0] * width / image.shape[1])
        smaller = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(REPOSITORY / "docs" / "images" / name), smaller, [cv2.IMWRITE_JPEG_QUALITY, 88])


def main() -> None:
    """Run, print the page, and write it if requested."""
    base = yaml.safe_load((REPOSITORY / "conf/base/modelling/parameters.yml").read_text())["modelling"]["training"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--rates", type=float, nargs="+", default=[base["learning_rate"]])
    parser.add_argument("--work", type=Path, default=REPOSITORY / "build" / "default-run")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    work = arguments.work.resolve()
    pairs = [(seed, rate) for rate in arguments.rates for seed in arguments.seeds]
    runs = [make_run(seed, rate, work, whole=pair == 0) for pair, (seed, rate) in enumerate(pairs)]
    print(page_of(runs))
    if arguments.write:
        PAGE.write_text(page_of(runs), encoding="utf-8")
        write_images(runs[0])
    pck = {f"{run.rate:g} seed {run.seed}": run.read("metrics.json")["val"]["pck_thesis"]["value"] for run in runs}
    print(json.dumps({"pck_thesis": pck, "whole_run_s": runs[0].seconds}))


if __name__ == "__main__":
    main()
