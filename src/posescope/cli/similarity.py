"""The command `posescope similarity`: representation similarity of independently trained networks."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import combinations, permutations
from pathlib import Path
from string import ascii_uppercase

import click
from tqdm import tqdm

from posescope.cli.base import LocalPathType, PosescopeCommand, echo
from posescope.explainability.similarity.representation_similarity import RepresentationSimilarity, compare_representations
from posescope.runs.explained_runs import ExplainedRun, common_persons, open_explained_run

__all__ = ["similarity"]

Pairs = dict[tuple[str, str], RepresentationSimilarity]


@click.command(cls=PosescopeCommand)
@click.argument("data_dirs", nargs=-1, required=True, type=LocalPathType(exists=True, file_okay=False, takes_addresses=True))
@click.option("--components", type=click.IntRange(1, 50), default=6, show_default=True, help="Number of components to match.")
@click.option("--shuffles", type=click.IntRange(min=1), default=99, show_default=True, help="Number of shuffles of the controls.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of folds and shuffles.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def similarity(data_dirs: tuple[Path, ...], components: int, shuffles: int, seed: int, as_json: bool) -> None:
    """Compare the representations of several networks.

    The networks, for example of different seeds or sizes, were trained on the same data, and the pipeline explainability was run
    for each. Features are compared by linear CKA, components by R2 and correlation, clusters by the adjusted Rand index.

    Any two networks that see the same images exceed the controls with shuffled persons, also one that was never trained: for a
    claim that training made two networks alike, compare both with a network of random weights as well.

    DATA_DIRS: the data_dirs of two to eight such runs.
    """
    if not 2 <= len(data_dirs) <= 8:
        raise click.UsageError(f"Expected two to eight data_dirs, found {len(data_dirs)}.")
    runs = [open_explained_run(data_dir) for data_dir in data_dirs]
    names = ascii_uppercase[: len(runs)]
    persons = common_persons(runs)
    images = runs[0].image_ids_of(persons)
    explained = dict(zip(names, (run.of_persons(persons) for run in runs), strict=True))
    # The text shows the components of the first network only, and symmetric values.
    compared = list((permutations if as_json else combinations)(names, 2))
    pairs = {
        (one, other): compare_representations(explained[one], explained[other], images, components, shuffles, seed)
        for one, other in tqdm(compared, "pairs", leave=False, disable=None)  # None: a bar on terminals only
    }
    echo(_to_json(names, runs, pairs) if as_json else _to_text(names, runs, pairs))


def _to_json(names: str, runs: Sequence[ExplainedRun], pairs: Pairs) -> str:
    networks = {
        name: {"data_dir": str(run.data_dir), "model": run.model, "layer": run.layer}
        for name, run in zip(names, runs, strict=True)
    }
    found = [{"first": one, "second": other, **asdict(similarity)} for (one, other), similarity in pairs.items()]
    return json.dumps({"networks": networks, "pairs": found}, indent=2, allow_nan=False)


def _to_text(names: str, runs: Sequence[ExplainedRun], pairs: Pairs) -> str:
    first = next(iter(pairs.values()))
    head = [f"{name}  {run.data_dir}  model {run.model or 'unknown'}  {run.layer}" for name, run in zip(names, runs, strict=True)]
    head.append(f"{first.persons} persons in common, in {first.images} images.")
    return "\n".join(
        [
            *head, "", *_features_lines(names, pairs), "", *_components_lines(names, runs[0], pairs), "",
            *_clusters_lines(names, pairs), "", *_attributes_lines(names, runs),
        ]
    )  # fmt: skip


def _features_lines(names: str, pairs: Pairs) -> list[str]:
    control = max(pair.cka_control for pair in pairs.values())
    return [
        f"Features (linear CKA: 1 = equal up to rotation and scale; persons shuffled: at most {control:.2f})",
        *_square(names, {key: pair.cka for key, pair in pairs.items()}),
    ]


def _clusters_lines(names: str, pairs: Pairs) -> list[str]:
    known = {key: pair.adjusted_rand_index for key, pair in pairs.items() if pair.adjusted_rand_index is not None}
    if not known:
        return ["Clusters: fewer than two networks have clusters."]
    control = max(pair.adjusted_rand_index_control for pair in pairs.values() if pair.adjusted_rand_index_control is not None)
    return [
        f"Clusters (adjusted Rand index: 1 = equal partitions; persons shuffled: at most {control:.2f})",
        *_square(names, known),
    ]


def _square(names: str, values: dict[tuple[str, str], float]) -> list[str]:
    """Format symmetric values, each pair once."""
    lines = [f"{'':<4}" + "".join(f"{name:>7}" for name in names[1:])]
    for place, one in enumerate(names[:-1]):
        cells = [f"{values[one, other]:>7.2f}" if (one, other) in values else f"{'-':>7}" for other in names[place + 1 :]]
        lines.append(f"{one:<4}" + " " * 7 * place + "".join(cells))
    return lines


def _components_lines(names: str, run: ExplainedRun, pairs: Pairs) -> list[str]:
    own = {other: pairs[names[0], other] for other in names[1:]}
    predicted, correlated = (
        max(getattr(pair, kind) for pair in own.values()) for kind in ("predicted_r2_control", "correlation_control")
    )
    lines = [
        f"Components of {names[0]}: R2 of a linear fit from the other network (held out; shuffled: up to {predicted:.2f}),",
        f"and the most correlated component of the other (shuffled: up to {correlated:.2f})",
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
        return ["Attributes: not every network has results of the analysis component_names."]
    lines = [
        "Attributes: R2 of a linear prediction from the features (held out; * not above shuffled features)",
        f"{'':<18}" + "".join(f"{name:>8}" for name in names),
    ]
    shared = set.intersection(*(set(table.index) for table in tables))
    for attribute in sorted(shared, key=lambda name: -tables[0].r2[name]):
        rows = [table.loc[attribute] for table in tables]
        cells = (f"{row.r2:>7.2f}{' ' if row.r2_low > row.control_high else '*'}" for row in rows)
        lines.append(f"{attribute:<18}{''.join(cells)}".rstrip())
    return lines
