"""`posescope similarity DATA_DIR DATA_DIR ...`: what have networks that were trained apart learned alike?"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import combinations, permutations
from pathlib import Path
from string import ascii_uppercase

import click
from tqdm import tqdm

from posescope.cli.base import LocalPathType, PosescopeCommand
from posescope.core.text_escaping import escape_control
from posescope.explainability.similarity.representation_similarity import RepresentationSimilarity, compare_representations
from posescope.runs.explained_runs import ExplainedRun, common_persons, open_explained_run

__all__ = ["similarity"]

Pairs = dict[tuple[str, str], RepresentationSimilarity]


@click.command(cls=PosescopeCommand)
@click.argument("data_dirs", nargs=-1, required=True, type=LocalPathType(exists=True, file_okay=False))
@click.option("--components", type=click.IntRange(1, 50), default=6, show_default=True, help="How many are looked for.")
@click.option("--shuffles", type=click.IntRange(min=1), default=99, show_default=True, help="Of the controls.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of folds and shuffles.")
@click.option("--json", "as_json", is_flag=True, help="Print the same as JSON.")
def similarity(data_dirs: tuple[Path, ...], components: int, shuffles: int, seed: int, as_json: bool) -> None:
    """Hold explained networks against one another: seeds, recipes, sizes.

    DATA_DIRS: two to eight folders that runs of the same data were told to write to (data_dir), explainability included.
    """
    if not 2 <= len(data_dirs) <= 8:
        raise click.UsageError(f"Two to eight folders are compared, here are {len(data_dirs)}.")
    runs = [open_explained_run(data_dir) for data_dir in data_dirs]
    names = ascii_uppercase[: len(runs)]
    persons = common_persons(runs)
    images = runs[0].image_ids_of(persons)
    explained = dict(zip(names, (run.of_persons(persons) for run in runs), strict=True))
    # The text shows components of the first network alone, and figures that are the same both ways.
    asked = list((permutations if as_json else combinations)(names, 2))
    pairs = {
        (one, other): compare_representations(explained[one], explained[other], images, components, shuffles, seed)
        for one, other in tqdm(asked, "pairs", leave=False, disable=None)  # None: no bar where nobody watches
    }
    click.echo(_to_json(names, runs, pairs) if as_json else escape_control(_to_text(names, runs, pairs), keep_lines=True))


def _to_json(names: str, runs: Sequence[ExplainedRun], pairs: Pairs) -> str:
    networks = {
        name: {"data_dir": str(run.data_dir), "model": run.model, "layer": run.layer}
        for name, run in zip(names, runs, strict=True)
    }
    found = [{"first": one, "second": other, **asdict(agreement)} for (one, other), agreement in pairs.items()]
    return json.dumps({"networks": networks, "pairs": found}, indent=2, allow_nan=False)


def _to_text(names: str, runs: Sequence[ExplainedRun], pairs: Pairs) -> str:
    first = next(iter(pairs.values()))
    head = [f"{name}  {run.data_dir}  model {run.model or 'unknown'}  {run.layer}" for name, run in zip(names, runs, strict=True)]
    head.append(f"{first.persons} persons in common, in {first.images} photographs.")
    return "\n".join(
        [
            *head, "", *_features_lines(names, pairs), "", *_components_lines(names, runs[0], pairs), "",
            *_clusters_lines(names, pairs), "", *_attributes_lines(names, runs),
        ]
    )  # fmt: skip


def _features_lines(names: str, pairs: Pairs) -> list[str]:
    control = max(pair.cka_control for pair in pairs.values())
    return [
        f"Features (linear CKA: 1 the same but for a turn and a factor; persons shuffled: {control:.2f} at most)",
        *_square(names, {key: pair.cka for key, pair in pairs.items()}),
    ]


def _clusters_lines(names: str, pairs: Pairs) -> list[str]:
    known = {key: pair.adjusted_rand_index for key, pair in pairs.items() if pair.adjusted_rand_index is not None}
    if not known:
        return ["Clusters: fewer than two of the networks have any."]
    control = max(pair.adjusted_rand_index_control for pair in pairs.values() if pair.adjusted_rand_index_control is not None)
    return [
        f"Clusters (adjusted Rand index: 1 the same division; persons shuffled: {control:.2f} at most)",
        *_square(names, known),
    ]


def _square(names: str, values: dict[tuple[str, str], float]) -> list[str]:
    """Each pair once: the same both ways."""
    lines = [f"{'':<4}" + "".join(f"{name:>7}" for name in names[1:])]
    for place, one in enumerate(names[:-1]):
        cells = [f"{values[one, other]:>7.2f}" if (one, other) in values else f"{'-':>7}" for other in names[place + 1 :]]
        lines.append(f"{one:<4}" + " " * 7 * place + "".join(cells))
    return lines


def _components_lines(names: str, run: ExplainedRun, pairs: Pairs) -> list[str]:
    own = {other: pairs[names[0], other] for other in names[1:]}
    predicted_r2, alike = (
        max(getattr(pair, kind) for pair in own.values()) for kind in ("predicted_r2_control", "correlation_control")
    )
    lines = [
        f"Components of {names[0]}: what the others' features tell of it (R2, held out; shuffled: {predicted_r2:.2f} at most), and the",
        f"component that is most like it (correlation; shuffled: {alike:.2f} at most)",
        f"{'':<4}{'variance':>9}" + "".join(f"{f'in {name}':>12}{'':>11}" for name in names[1:]).rstrip(),
    ]
    for place in range(min(len(pair.components) for pair in own.values())):
        cells = "".join(
            f"{found.predicted_r2:>12.2f}   {f'{other}{found.match}':<4}{found.correlation:.2f}"
            for other, pair in own.items()
            for found in (pair.components[place],)
        )
        lines.append(f"{place + 1:<4}{run.explained_variance_ratio[place]:>9.1%}{cells}")
    return lines


def _attributes_lines(names: str, runs: Sequence[ExplainedRun]) -> list[str]:
    tables = [run.attributes for run in runs if run.attributes is not None]
    if len(tables) < len(runs):
        return ["What can be read from the features: not every network has the analysis component_names."]
    lines = [
        "What can be read linearly from the features (R2, held out; * not more than from shuffled ones)",
        f"{'':<18}" + "".join(f"{name:>8}" for name in names),
    ]
    shared = set.intersection(*(set(table.index) for table in tables))
    for attribute in sorted(shared, key=lambda name: -tables[0].r2[name]):
        rows = [table.loc[attribute] for table in tables]
        cells = (f"{row.r2:>7.2f}{' ' if row.r2_low > row.control_high else '*'}" for row in rows)
        lines.append(f"{attribute:<18}{''.join(cells)}".rstrip())
    return lines
