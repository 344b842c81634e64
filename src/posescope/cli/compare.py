"""The command `posescope compare`: paired comparison of two finished runs."""

import json
from pathlib import Path
from typing import Any, Literal

import click

from posescope.cli.base import LocalPathType, PosescopeCommand, echo
from posescope.core.errors import pluralise
from posescope.evaluation.paired_comparison import JointComparison, PairedMetric, RunComparison, compare_joints, compare_persons
from posescope.runs.finished_runs import FinishedRun, check_comparable, describe_differences, find_run
from posescope.runs.project_models import project_data_dir

__all__ = ["compare"]


@click.command(cls=PosescopeCommand)
@click.argument("run_a")
@click.argument("run_b")
@click.option(
    "--data-dir",
    type=LocalPathType(file_okay=False),
    help="Folder in which run ids are looked up (default: that of the project).",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the bootstrap.")
@click.option("--resamples", type=click.IntRange(min=1), default=1000, show_default=True, help="Number of bootstrap resamples.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def compare(run_a: str, run_b: str, data_dir: Path | None, seed: int, resamples: int, as_json: bool) -> None:
    """Compare two finished runs, person by person.

    Differences have 95 % confidence intervals from a paired bootstrap over images.

    RUN_A, RUN_B: ids of runs, folders of runs, or data_dirs, whose newest run of a model is used.
    """
    first, second = runs = [find_run(name, data_dir or project_data_dir()) for name in (run_a, run_b)]
    check_comparable(first, second)
    persons = compare_persons(first.person_scores(), second.person_scores(), seed, resamples)
    hits_a, hits_b = first.joint_hits(), second.joint_hits()
    joints = None if hits_a is None or hits_b is None else compare_joints(hits_a, hits_b, seed, resamples)
    notes = [*(run.selection_reason for run in runs if run.selection_reason), *describe_differences(first, second)]
    if as_json:
        click.echo(_to_json(runs, notes, persons, joints, seed, resamples))
    else:
        echo(_to_text(runs, notes, persons, joints))


def _to_json(
    runs: list[FinishedRun],
    notes: list[str],
    persons: RunComparison,
    joints: tuple[JointComparison, ...] | None,
    seed: int,
    resamples: int,
) -> str:
    content: dict[str, Any] = {
        "a": runs[0].describe(),
        "b": runs[1].describe(),
        "notes": notes,
        "split": "val",
        "seed": seed,
        "resamples": resamples,
        **persons.to_dict(),
        "joints": None if joints is None else [joint.to_dict() for joint in joints],
    }
    return json.dumps(content, indent=2, allow_nan=False)


def _to_text(
    runs: list[FinishedRun], notes: list[str], persons: RunComparison, joints: tuple[JointComparison, ...] | None
) -> str:
    lines = [*map(_run_line, "AB", runs), *notes, *_persons_lines(persons)]
    lines += [
        "",
        f"{'mean over persons':<24}{'A':>8}{'B':>8}{'B - A':>9}   95 % interval",
        *map(_metric_line, persons.metric_values),
    ]
    if persons.left_out:
        lines.append(f"Metrics of one run only, not compared: {', '.join(persons.left_out)}.")
    return "\n".join([*lines, "", *_joints_lines(joints)])


def _run_line(letter: str, run: FinishedRun) -> str:
    known = run.describe()
    flip_test = {True: "on", False: "off", None: "unknown"}[known["flip_test"]]
    scored = f"results {run.results}" if run.results else f"model {known['model_fingerprint'] or 'unknown'}"
    return f"{letter}  {run.run_id}  {scored}  flip test {flip_test}  {run.data_dir}"


def _persons_lines(persons: RunComparison) -> list[str]:
    lines = [f"{pluralise(persons.persons, 'person')} of the validation set in common, in {pluralise(persons.images, 'image')}."]
    if persons.missed_a or persons.missed_b:
        lines.append(f"Without prediction, scored as 0: {persons.missed_a} persons of A, {persons.missed_b} of B.")
    if persons.only_a or persons.only_b:
        lines.append(
            f"EXCLUDED: {pluralise(persons.only_a, 'person')} only in A, {pluralise(persons.only_b, 'person')} only in B. The "
            "values below do not include them. The runs have different crop rules or protocols "
            "(evaluation.scoring.protocol=coco scores all persons), or one is older than the column `found`."
        )
    return lines


def _metric_line(metric: PairedMetric) -> str:
    verdict = "B is higher" if metric.difference > 0 else "A is higher"
    return (
        f"{metric.name:<24}{metric.a:>8.4f}{metric.b:>8.4f}{metric.difference:>+9.4f}   "
        f"[{metric.low:+.4f}, {metric.high:+.4f}]  {verdict if metric.excludes_zero else 'not significant'}"
    )


def _joints_lines(joints: tuple[JointComparison, ...] | None) -> list[str]:
    if joints is None:
        return ["Joints are not compared: a run is older than the table joint_hits_val. Run the pipeline evaluation again."]
    return [
        *(_winners(joints, "oks", letter) for letter in ("A", "B")),
        *(_winners(joints, "pck_thesis", letter) for letter in ("A", "B")),
    ]


def _winners(joints: tuple[JointComparison, ...], measure: Literal["oks", "pck_thesis"], letter: Literal["A", "B"]) -> str:
    won = [joint for joint in joints if joint.winner(measure) == letter]
    head = f"Joints better in {letter} by {measure}: {len(won)} of {len(joints)}"
    rows: list[PairedMetric] = [getattr(joint, measure) for joint in won]
    return "\n".join(
        [
            head,
            *(
                f"  {joint.joint:<22}{row.a:>8.4f}{row.b:>8.4f}{row.difference:>+9.4f}   [{row.low:+.4f}, {row.high:+.4f}]"
                for joint, row in zip(won, rows, strict=True)
            ),
        ]
    )
