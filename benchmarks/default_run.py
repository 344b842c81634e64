"""Make the documented figures of the default run anew: `docs/default-run.md`, and the pictures of the README that a run leaves.

The default run (`kedro run`: generated sample, small network) is trained with several seeds, each in a `data_dir` of its own. The
first seed runs the whole flow; the others run as far as the metrics. Other learning rates can be compared with the one of
`conf/base`.

    python benchmarks/default_run.py [--seeds S ...] [--rates R ...] [--work FOLDER] [--write]

`--write` replaces `docs/default-run.md` and `docs/images/{crop_grid,person_examples,traversal}.jpg`. A run that is there already
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
FIGURES = ("pck_thesis", "oks", "oks_ap", "pck@0.2")
PICTURES = {  # of 08_reporting -> name and width (px) in docs/images
    "crop_grid.png": ("crop_grid.jpg", 1000),
    "person_examples.png": ("person_examples.jpg", 900),
    "explainability/latent_traversal/traversal_pc1.png": ("traversal.jpg", 1000),
}


@dataclass(frozen=True)
class Run:
    """One default run.

    Attributes:
        seed: of the training.
        rate: highest learning rate.
        folder: its `data_dir`.
        seconds: wall time of the command.
    """

    seed: int
    rate: float
    folder: Path
    seconds: float

    def read(self, name: str) -> Any:
        """Content of a JSON file of its reports."""
        return json.loads((self.folder / "08_reporting" / name).read_text(encoding="utf-8"))

    def record(self) -> dict[str, Any]:
        """Of the newest Kedro run in the folder."""
        newest = max((self.folder / "08_reporting" / "runs").glob("*/run.json"))
        return dict(json.loads(newest.read_text(encoding="utf-8")))


def make_run(seed: int, rate: float, work: Path, whole: bool) -> Run:
    """Run the flow, or as far as the metrics, unless it has been run."""
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
    """The page, in Markdown."""
    first = runs[0]
    versions = first.record()["versions"]
    lines = [
        "# The default run in figures",
        "",
        "<!-- Written by `python benchmarks/default_run.py --write`; do not edit by hand. -->",
        "",
        f"`kedro run` on {platform.machine()}, Python {versions['python']}, torch {versions['torch']}: the whole flow took "
        f"{first.seconds:.0f} s. Another processor or version adds numbers in another order, so that the last digits differ.",
        "",
        "## Seeds",
        "",
        "Validation persons of the generated sample. Intervals are 95 %, over images; they do not include the seed.",
        "",
        "| learning rate | seed | " + " | ".join(f"`{name}`" for name in FIGURES) + " |",
        "|" + "---|" * (2 + len(FIGURES)),
    ]
    for run in runs:
        figures = run.read("metrics.json")["val"]
        cells = [f"{figures[name]['value']:.3f} [{figures[name]['low']:.3f}, {figures[name]['high']:.3f}]" for name in FIGURES]
        lines.append(f"| {run.rate:g} | {run.seed} | " + " | ".join(cells) + " |")
    lines += ["", *_summaries(runs), "", "## Findings of the first run", "", "| analysis | holds | claim |", "|---|---|---|"]
    lines += [
        f"| `{finding['analysis']}` | {'yes' if finding['passed'] else 'no'} | {finding['claim'].replace('|', chr(92) + '|')} |"
        for finding in first.read("explainability/findings.json")
    ]
    return "\n".join(lines) + "\n"


def _summaries(runs: list[Run]) -> list[str]:
    lines = []
    for rate in dict.fromkeys(run.rate for run in runs):
        values = [run.read("metrics.json")["val"]["pck_thesis"]["value"] for run in runs if run.rate == rate]
        lines.append(
            f"At {rate:g}, `pck_thesis` of {len(values)} seeds: mean {statistics.mean(values):.3f}, "
            f"{min(values):.3f} to {max(values):.3f}.\n"
        )
    return lines


def write_pictures(run: Run) -> None:
    """Scale the pictures of a run and write them to the documentation."""
    for source, (name, width) in PICTURES.items():
        picture = cv2.imread(str(run.folder / "08_reporting" / source))
        height = round(picture.shape[0] * width / picture.shape[1])
        smaller = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(REPOSITORY / "docs" / "images" / name), smaller, [cv2.IMWRITE_JPEG_QUALITY, 88])


def main() -> None:
    """Run, print, and write the page where asked."""
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
        write_pictures(runs[0])
    pck = {f"{run.rate:g} seed {run.seed}": run.read("metrics.json")["val"]["pck_thesis"]["value"] for run in runs}
    print(json.dumps({"pck_thesis": pck, "seconds_of_the_whole_flow": runs[0].seconds}))


if __name__ == "__main__":
    main()
