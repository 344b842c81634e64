"""Parts of a network that are not trained, or with a learning rate of their own.

A part is named by a pattern: the path of a module in `named_modules()` or one of the short names of the network, with `*` and `?`
as in file names (`stem`, `hourglasses.0.*`, `stack1.bottleneck`). A pattern covers the modules that it matches and all modules
inside them.
"""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import Field
from torch import nn

from posescope.core.errors import OptionsError
from posescope.core.plugins import Options
from posescope.models.base import PoseNetwork

__all__ = ["RATE_SCALE", "TrainedParts", "freeze_parts", "group_parameters", "paths_of"]

# Key of an optimiser's parameter group: the factor on the learning rate of the schedule.
RATE_SCALE = "rate_scale"

Pattern = Annotated[str, Field(min_length=1, max_length=200)]
Factor = Annotated[float, Field(gt=0, le=100)]


class TrainedParts(Options):
    """Parts of the network that are frozen, and factors on the learning rate of others."""

    freeze: tuple[Pattern, ...] = Field(
        default=(),
        description="Modules that are not trained, by path or short name with * and ?: their weights stay, and their batch norms "
        "keep their statistics",
    )
    learning_rate_scale: dict[Pattern, Factor] = Field(
        default_factory=dict,
        description="Factor on the learning rate by module, named as for `freeze`; of nested modules the innermost counts",
    )

    def identity(self) -> dict[str, Any]:
        """Return the options that differ from their defaults, as JSON-like content: a part of a run's fingerprint."""
        return self.model_dump(mode="json", include={"freeze", "learning_rate_scale"}, exclude_defaults=True)


def freeze_parts(network: PoseNetwork, patterns: Sequence[str]) -> list[nn.Module]:
    """Exclude parts of a network from its training.

    Args:
        network: its parameters in these parts no longer require a gradient.
        patterns: parts, as for `TrainedParts.freeze`.

    Returns:
        The frozen modules. In evaluation mode, which the caller sets in each epoch, their batch norms keep their statistics.

    Raises:
        OptionsError: A pattern matches no module, or no weight is left to train.
    """
    modules = [network.get_submodule(path) for pattern in patterns for path in paths_of(network, pattern, "freeze")]
    for module in modules:
        module.requires_grad_(False)
    if modules and not any(weight.requires_grad for weight in network.parameters()):
        raise OptionsError(f"freeze: expected a part of the network to train, found all of it frozen by {', '.join(patterns)}.")
    return modules


def group_parameters(
    network: PoseNetwork, scales: Mapping[str, float], learning_rate: float
) -> list[nn.Parameter] | list[dict[str, Any]]:
    """Return the parameters of a network as an optimiser takes them.

    Args:
        network: the network.
        scales: factor by pattern, as for `TrainedParts.learning_rate_scale`.
        learning_rate: learning rate of the schedule's peak.

    Returns:
        Without factors a list of all parameters, of which optimisers skip the frozen ones, since they have no gradient. With
        factors one group of the trained parameters for each factor, first that of the factor 1; a group has its factor under
        `RATE_SCALE`.

    Raises:
        OptionsError: A pattern matches no module, or two patterns with different factors match the same module.
    """
    if not scales:
        return list(network.parameters())
    trained = {name: weight for name, weight in network.named_parameters() if weight.requires_grad}
    matches = {pattern: frozenset(paths_of(network, pattern, "learning_rate_scale")) for pattern in scales}
    groups: dict[float, list[nn.Parameter]] = {}
    for name, weight in trained.items():
        groups.setdefault(_scale_of(name, matches, scales), []).append(weight)
    ordered = sorted(groups, key=lambda scale: (scale != 1, scale))
    return [{"params": groups[scale], "lr": learning_rate * scale, RATE_SCALE: scale} for scale in ordered]


def paths_of(network: PoseNetwork, pattern: str, option: str) -> list[str]:
    """Return the paths of all modules that a pattern matches, by path or short name.

    Args:
        network: the network.
        pattern: path or short name with * and ?.
        option: name of the option, for the message.

    Raises:
        OptionsError: The pattern matches no module.
    """
    paths = [path for path, _ in network.named_modules()]
    names = [*network.short_names, *network.layer_paths()]
    named = {network.module_path(name) for name in names if fnmatchcase(name, pattern)}
    found = [path for path in paths if path in named or fnmatchcase(path, pattern)]
    if not found:
        outermost = _listed(name for name in network.layer_paths() if "." not in name)
        close = "".join(f" Did you mean '{name}'?" for name in get_close_matches(pattern, names, n=1))
        raise OptionsError(
            f"{option}: expected modules of the network, found '{pattern}', which matches none.{close} Its outermost modules are "
            f"{outermost}; its short names are {_listed(network.short_names)}."
        )
    return found


def _scale_of(name: str, matches: Mapping[str, frozenset[str]], scales: Mapping[str, float]) -> float:
    """Return the factor of a parameter: of the pattern whose outermost match around it is the innermost, 1 without a match."""
    depths = {pattern: depth for pattern, paths in matches.items() if (depth := _depth(name, paths)) is not None}
    if not depths:
        return 1.0
    innermost = [pattern for pattern, depth in depths.items() if depth == max(depths.values())]
    if len({scales[pattern] for pattern in innermost}) > 1:
        found = ", ".join(f"{pattern}: {scales[pattern]:g}" for pattern in innermost)
        raise OptionsError(f"learning_rate_scale: expected one factor for {name}, found several: {found}.")
    return float(scales[innermost[0]])


def _depth(name: str, paths: frozenset[str]) -> int | None:
    """Return the depth of the outermost module around a parameter that is in `paths`; 0 is the network."""
    parts = name.split(".")[:-1]
    return next((depth for depth in range(len(parts) + 1) if ".".join(parts[:depth]) in paths), None)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
