"""Make the numbers and images of `docs/explainability.md` anew: the findings of the default run with three seeds.

The page has blocks that this script fills; the text between them is written by hand:

    <!-- findings clusters -->            a row per question of the analysis, a column per seed: answer, effect, interval
    <!-- table clusters groups a b -->    columns a and b of the table `groups` of the analysis, a row per row and seed;
                                          groups:3: the first three rows of each seed
    <!-- end -->                          end of a block

    python benchmarks/explain_seeds.py [--seeds 0 1 2] [--work FOLDER] [--write]

An existing run (same seed and folder) is not repeated. `--write` replaces the blocks and the images; otherwise the blocks are
printed. The last line is JSON: per seed the number of findings with each answer.
"""

import argparse
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import pandas as pd
from default_run import ANSWERS, REPOSITORY, Run, make_run

PAGE = REPOSITORY / "docs" / "explainability.md"
IMAGES = {  # file in 08_reporting/explainability -> name and largest width (px) in docs/images
    "component_names/component_1_ends.png": ("component_1_ends.jpg", 900),
    "component_names/component_2_ends.png": ("component_2_ends.jpg", 900),
    "latent_traversal/traversal_strip_1.png": ("traversal_strip_1.jpg", 900),
    "latent_traversal/traversal_strip_2.png": ("traversal_strip_2.jpg", 900),
    "failure_slices/slice_1.png": ("slice_1.jpg", 900),
    "label_errors/doubtful_annotations.png": ("doubtful_annotations.jpg", 900),
}
_BLOCK = re.compile(r"(<!-- (findings|table) ([^>]*?) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def fill_blocks(text: str, runs: list[Run]) -> str:
    """Return the page with its blocks made from the runs."""

    def fill(match: re.Match[str]) -> str:
        start, kind, arguments, _, end = match.groups()
        names = arguments.split()
        rows = findings_table(names[0], runs) if kind == "findings" else rows_table(names[0], names[1], names[2:], runs)
        return f"{start}\n{rows}\n\n{end}"

    return _BLOCK.sub(fill, text)


def findings_table(analysis: str, runs: list[Run]) -> str:
    """Return a row per question of an analysis and a column per seed."""
    by_seed = {run.seed: {one["id"]: one for one in _findings(run) if one["analysis"] == analysis} for run in runs}
    questions: dict[str, list[str]] = {}
    for findings in by_seed.values():
        for name, finding in findings.items():
            questions.setdefault(name, []).append(finding["question"])
    rows = []
    for name, asked in questions.items():
        cells = [_answer(findings.get(name)) for findings in by_seed.values()]
        rows.append([" / ".join(dict.fromkeys(asked)), *cells])
    return _markdown(["question", *(f"seed {seed}" for seed in by_seed)], rows)


def rows_table(analysis: str, table: str, columns: list[str], runs: list[Run]) -> str:
    """Return columns of a table of an analysis, a row per row and seed."""
    rows = []
    name, _, most = table.partition(":")
    for run in runs:
        frame = pd.read_csv(run.folder / "08_reporting" / "explainability" / analysis / f"{name}.csv")
        frame = frame.head(int(most)) if most else frame
        rows += [[str(run.seed), *(_cell(row[column]) for column in columns)] for _, row in frame.iterrows()]
    return _markdown(["seed", *(name.replace("_", " ") for name in columns)], rows)


def _findings(run: Run) -> list[dict[str, Any]]:
    return list(run.read("explainability/findings.json"))


def _answer(finding: dict[str, Any] | None) -> str:
    if finding is None:
        return "not asked"
    effect = _number(finding["effect"])
    if finding["low"] is not None:
        effect += f" [{_number(finding['low'])}, {_number(finding['high'])}]"
    return f"{ANSWERS[finding['verdict']]}: {effect} {finding['unit']}".strip()


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 or (value == round(value) and abs(value) >= 2) else f"{value:.2f}"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if pd.isna(value) else _number(value)
    return str(value)


def _markdown(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def write_images(run: Run) -> None:
    """Write the images of a run to the documentation, made smaller where they are wider."""
    for source, (name, width) in IMAGES.items():
        image = cv2.imread(str(run.folder / "08_reporting" / "explainability" / source))
        if image is None:
            raise FileNotFoundError(f"{source}: expected an image of the run {run.folder}")
        if image.shape[1] > width:
            size = (width, round(image.shape[0] * width / image.shape[1]))
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(REPOSITORY / "docs" / "images" / name), image, [cv2.IMWRITE_JPEG_QUALITY, 88])


def main() -> None:
    """Run the seeds; print the blocks or write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rate", type=float, default=0.011, help="learning rate, for the names of the folders")
    parser.add_argument("--work", type=Path, default=REPOSITORY / "build" / "default-run")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    runs = [make_run(seed, arguments.rate, arguments.work.resolve(), whole=True) for seed in arguments.seeds]
    text = fill_blocks(PAGE.read_text(encoding="utf-8"), runs)
    if arguments.write:
        PAGE.write_text(text, encoding="utf-8")
        write_images(runs[0])
    else:
        print("\n\n".join(match.group(0) for match in _BLOCK.finditer(text)))
    print(json.dumps({run.seed: Counter(ANSWERS[one["verdict"]] for one in _findings(run)) for run in runs}))


if __name__ == "__main__":
    main()
