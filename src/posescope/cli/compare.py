"""The command `posescope compare`: paired comparison of two finished runs, or of a run and a network of others."""

import json
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import click

from posescope.cli.base import LocalPathType, PosescopeCommand, echo, read_settings
from posescope.core.errors import pluralise
from posescope.core.files import sha256_of, write_json
from posescope.core.flat_parameters import NOT_SET, ParameterDifference, differing_parameters
from posescope.evaluation.paired_comparison import JointComparison, PairedMetric, RunComparison, compare_joints, compare_persons
from posescope.prediction.peers.peer_networks import PEER_FORMATS, open_peer
from posescope.runs.finished_runs import FinishedRun, find_run
from posescope.runs.peer_comparison import BOX_KINDS, PeerComparison, compare_with_peer
from posescope.runs.project_models import project_data_dir
from posescope.runs.run_comparability import check_comparable, describe_differences

__all__ = ["compare"]

_Measure: TypeAlias = Literal["oks", "pck_thesis"]
_Letter: TypeAlias = Literal["A", "B"]
_MEASURES: tuple[_Measure, ...] = get_args(_Measure)
_LETTERS: tuple[_Letter, ...] = get_args(_Letter)


@click.command(cls=PosescopeCommand)
@click.argument("run_a")
@click.argument("run_b", required=False)
@click.option(
    "--peer",
    type=LocalPathType(dir_okay=False),
    help="ONNX file of a network of others, in place of RUN_B (needs the extra onnx).",
)
@click.option("--peer-format", type=click.Choice(list(PEER_FORMATS)), help="Format of its input and output.")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="An option of the format, such as mean=[0.5,0.5,0.5]."
)
@click.option(
    "--peer-boxes",
    type=click.Choice(BOX_KINDS),
    default="crops",
    show_default=True,
    help="What the peer is given: the boxes of RUN_A's crops, or the annotated boxes x its own factor.",
)
@click.option(
    "--peer-results", type=LocalPathType(dir_okay=False), help="Write the peer's predictions to this file, as COCO results."
)
@click.option(
    "--data-dir",
    type=LocalPathType(file_okay=False),
    help="Folder in which run ids are looked up (default: that of the project).",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the bootstrap.")
@click.option("--resamples", type=click.IntRange(min=1), default=1000, show_default=True, help="Number of bootstrap resamples.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def compare(run_a: str, run_b: str | None, peer: Path | None, **options: Any) -> None:
    """Compare two runs, or a run and another network, person by person.

    Differences have 95 % confidence intervals from a paired bootstrap over images.

    RUN_A, RUN_B: ids of runs, folders of runs, or data_dirs, whose newest run of a model is used.

    \b
    Examples:
      posescope compare data/plain data/seeded
      posescope compare data --peer movenet.onnx --peer-format movenet
    """  # noqa: D301 (\b keeps click from filling the lines)
    _check_arguments(run_b, peer, options)
    find = partial(find_run, data_dir=options["data_dir"] or project_data_dir())
    if peer is not None:
        _compare_peer(find(run_a), peer, options)
    elif run_b is not None:
        _compare_runs(find(run_a), find(run_b), options)


def _check_arguments(run_b: str | None, peer: Path | None, options: dict[str, Any]) -> None:
    if (run_b is None) == (peer is None):
        raise click.UsageError("Expected RUN_B or --peer, " + ("found neither." if peer is None else "found both."))
    if (peer is None) != (options["peer_format"] is None):
        raise click.UsageError(f"--peer and --peer-format belong together. Formats: {', '.join(PEER_FORMATS)}.")
    if peer is None and (options["settings"] or options["peer_results"]):
        raise click.UsageError("--set and --peer-results need --peer.")


def _compare_runs(first: FinishedRun, second: FinishedRun, options: dict[str, Any]) -> None:
    runs, seed, resamples = [first, second], options["seed"], options["resamples"]
    check_comparable(first, second)
    persons = compare_persons(first.person_scores(), second.person_scores(), seed, resamples)
    hits_a, hits_b = first.joint_hits(), second.joint_hits()
    joints = None if hits_a is None or hits_b is None else compare_joints(hits_a, hits_b, seed, resamples)
    notes = [*(run.selection_reason for run in runs if run.selection_reason), *describe_differences(first, second)]
    parameters = differing_parameters(first.record["parameters"], second.record["parameters"])
    if options["as_json"]:
        click.echo(_to_json(first.describe(), second.describe(), notes, persons, joints, options, parameters))
    else:
        head = [_run_line("A", first), _run_line("B", second), *notes, *_parameters_lines(parameters)]
        echo(_to_text(head, persons, _joints_lines(joints)))


def _compare_peer(run: FinishedRun, path: Path, options: dict[str, Any]) -> None:
    network = open_peer(path, options["peer_format"], read_settings(options["settings"]))
    found = compare_with_peer(run, network, options["peer_boxes"], options["seed"], options["resamples"])
    if options["peer_results"] is not None:
        write_json(options["peer_results"], found.results)
    notes = [*([run.selection_reason] if run.selection_reason else []), *run.differences(), *found.notes]
    if options["as_json"]:
        peer = {"peer": str(path), "format": options["peer_format"], "sha256": sha256_of(path), "boxes": options["peer_boxes"]}
        content = _to_json(run.describe(), peer, notes, found.persons, found.joints, options)
        click.echo(content)
        return
    head = [_run_line("A", run), f"B  {path}  format {options['peer_format']}  {len(network.joints)} joints", *notes]
    echo(_to_text(head, found.persons, _peer_joints_lines(found)))


def _to_json(
    first: dict[str, Any],
    second: dict[str, Any],
    notes: list[str],
    persons: RunComparison,
    joints: tuple[JointComparison, ...] | None,
    options: dict[str, Any],
    parameters: tuple[ParameterDifference, ...] | None = None,
) -> str:
    content: dict[str, Any] = {
        "a": first,
        "b": second,
        "notes": notes,
        **({} if parameters is None else {"parameters": [asdict(parameter) for parameter in parameters]}),
        "split": "val",
        "seed": options["seed"],
        "resamples": options["resamples"],
        **persons.to_dict(),
        "joints": None if joints is None else [joint.to_dict() for joint in joints],
    }
    return json.dumps(content, indent=2, allow_nan=False)


def _to_text(head: list[str], persons: RunComparison, joints: list[str]) -> str:
    lines = [*head, *_persons_lines(persons), "", _header("mean over persons"), *map(_metric_line, persons.metric_values)]
    if persons.left_out:
        lines.append(f"Metrics of one run only, not compared: {', '.join(persons.left_out)}.")
    return "\n".join([*lines, *(["", *joints] if joints else [])])


def _header(what: str) -> str:
    return f"{what:<24}{'A':>8}{'B':>8}{'B - A':>9}   95 % interval"


def _run_line(letter: str, run: FinishedRun) -> str:
    known = run.describe()
    flip_test = {True: "on", False: "off", None: "unknown"}[known["flip_test"]]
    scored = f"results {run.results}" if run.results else f"model {known['model_fingerprint'] or 'unknown'}"
    return f"{letter}  {run.run_id}  {scored}  flip test {flip_test}  {run.data_dir}"


def _parameters_lines(parameters: tuple[ParameterDifference, ...]) -> list[str]:
    """Return a table of the parameters in which the runs differ; nothing if they do not."""
    if not parameters:
        return []
    width = max(len(one.name) for one in parameters)
    rows = [f"  {one.name:<{width}}  A {_value(one.a, one.set_a)}  B {_value(one.b, one.set_b)}" for one in parameters]
    return [f"{pluralise(len(rows), 'parameter')} {'differs' if len(rows) == 1 else 'differ'}:", *rows]


def _value(value: Any, is_set: bool) -> str:
    if not is_set:
        return NOT_SET
    return value if isinstance(value, str) else json.dumps(value)


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
    return [line for measure in _MEASURES for letter in _LETTERS for line in _winners(joints, measure, letter)]


def _peer_joints_lines(found: PeerComparison) -> list[str]:
    """Return a table of all common joints, and the joints of one side only."""
    lines = [_header("pck_thesis of each joint")]
    lines += [_metric_line(replace(joint.pck_thesis, name=joint.joint)) for joint in found.joints]
    for who, names in (("A", found.only_run), ("B", found.only_peer)):
        if names:
            lines.append(f"Joints of {who} only, not compared: {', '.join(names)}.")
    return lines


def _winners(joints: tuple[JointComparison, ...], measure: Literal["oks", "pck_thesis"], letter: Literal["A", "B"]) -> list[str]:
    """Return a table of the joints at which one run is better; nothing if there are none."""
    won = [joint for joint in joints if joint.winner(measure) == letter]
    rows: list[PairedMetric] = [getattr(joint, measure) for joint in won]
    shown = [
        f"  {joint.joint:<22}{row.a:>8.4f}{row.b:>8.4f}{row.difference:>+9.4f}   [{row.low:+.4f}, {row.high:+.4f}]"
        for joint, row in zip(won, rows, strict=True)
    ]
    return [f"Joints better in {letter} by {measure}: {len(won)} of {len(joints)}", *shown] if won else []
