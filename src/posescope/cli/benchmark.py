"""The command `posescope benchmark`: latency and throughput of a model and of its exports on this machine."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from posescope.cli.base import LocalPathType, PosescopeCommand, allow_component, echo
from posescope.core.errors import DataError
from posescope.core.hardware import available_cpus
from posescope.runs.project_models import find_model

if TYPE_CHECKING:
    from posescope.prediction.benchmark import Machine, Timing

__all__ = ["benchmark"]


@click.command(cls=PosescopeCommand)
@click.argument("models", nargs=-1, type=LocalPathType(exists=True, file_okay=False))
@click.option("--batch-size", type=click.IntRange(1, 1024), default=16, show_default=True, help="Crops per call for throughput.")
@click.option("--rounds", type=click.IntRange(1, 1000), default=5, show_default=True, help="Rounds; in each, all take turns.")
@click.option(
    "--seconds",
    type=click.FloatRange(0, 600, min_open=True),
    default=1.0,
    show_default=True,
    help="Time per model and round, for latency and for throughput each.",
)
@click.option("--threads", type=click.IntRange(0, 1024), default=0, show_default=True, help="CPU threads; 0: one per CPU.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@allow_component
def benchmark(
    models: tuple[Path, ...],
    batch_size: int,
    rounds: int,
    seconds: float,
    threads: int,
    as_json: bool,
    allow: tuple[str, ...],
) -> None:
    """Measure the time of a model and of its exports.

    A call takes crops of persons and returns their joints; reading images is not included. All take turns, so that other work on
    the machine slows all of them: compare the ratios, which are those of the first line. Exports in folders beside the model are
    found by their description.

    MODELS: model folder or data_dir (default: the newest model of the project), and folders of its exports elsewhere.

    \b
    Examples:
      posescope benchmark
      posescope benchmark data model_onnx model_int8 --batch-size 32
    """  # noqa: D301 (\b keeps click from filling the lines)
    from posescope.prediction.benchmark import (  # noqa: PLC0415  (the help page needs no NumPy)
        describe_machine,
        find_variants,
        measure_variants,
        open_variants,
    )

    machine, used = describe_machine(), threads or available_cpus()
    variants = find_variants(find_model(models[0] if models else None), models[1:], allow)
    backends, left_out = open_variants(variants, used, allow)
    if not backends:
        raise DataError("; ".join(left_out.values()))
    timings = measure_variants(backends, batch_size, rounds, seconds)
    if as_json:
        content = {"machine": machine.to_dict(), "threads": used, "batch_size": batch_size, "rounds": rounds, "seconds": seconds}
        rows = [timing.to_dict() for timing in timings]
        echo(json.dumps({**content, "timings": rows, "left_out": left_out}, indent=2))
        return
    for line in [*_describe(machine, used), *_table(timings, batch_size), *_reasons(left_out)]:
        echo(line)


def _describe(machine: "Machine", threads: int) -> list[str]:
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    gpu = f", {machine.gpu}" if machine.gpu else ""
    return [
        f"{machine.cpu} ({', '.join(machine.flags) or 'no instructions known'}), {threads} of {machine.cpus} CPUs{gpu}, "
        f"load {machine.load:.1f} per CPU",
        versions,
    ]


def _table(timings: Sequence["Timing"], batch_size: int) -> list[str]:
    width = max(len(timing.label) for timing in timings)
    rate = f"crops/s (batch {batch_size})"
    head = f"{'':{width}}  median ms   p95 ms  ratio  {rate}  ratio"
    rows = [
        f"{one.label:{width}}  {one.latency_ms:9.2f} {one.latency_p95_ms:8.2f} {one.latency_ratio:6.2f}  "
        f"{one.crops_per_s:{len(rate)}.1f}  {one.throughput_ratio:5.2f}"
        for one in timings
    ]
    return [head, *rows]


def _reasons(left_out: Mapping[str, str]) -> list[str]:
    return [f"{label}: not measured. {reason}" for label, reason in left_out.items()]
