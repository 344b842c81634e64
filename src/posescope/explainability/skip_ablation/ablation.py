"""Correct joints under each ablation of skip connections and bottlenecks."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from posescope.evaluation.bootstrap import Interval
from posescope.explainability.paired_pck import Hits, PairedPck

__all__ = ["ALL", "BOTTLENECK", "EVERYTHING", "INTACT", "OWN", "Ablation", "words_of_bottlenecks", "words_of_layer"]

ALL = "all"  # all skip connections
BOTTLENECK = "bottleneck"  # the bottlenecks of all stacks
EVERYTHING = "everything"  # skip connections and bottlenecks
INTACT = ("intact", "none")
OWN = (ALL, "own")
_MODES = ("zero", "mean", "shuffled")
_LAYER_NAME = re.compile(r"stack(\d+)\.skip(\d+)")


@dataclass(frozen=True)
class Ablation:
    """Correct joints of the same persons under each ablation.

    Attributes:
        layers: the skip connections, finest first.
        joints: K names.
        hits: (n, K) of correct joints by level (a skip connection, `all`, `bottleneck` or `everything`) and mode, including the
            keys `INTACT` and `OWN`.
        scores: computes PCK of these persons.
        tolerance: largest drop of PCK at which a skip connection counts as redundant.
        middle: words for the layers of the level `bottleneck`.
    """

    layers: tuple[str, ...]
    joints: tuple[str, ...]
    hits: Mapping[tuple[str, str], Hits]
    scores: PairedPck
    tolerance: float
    middle: str = "the bottleneck"

    @property
    def mode(self) -> str:
        """Mode that the findings use."""
        return "shuffled" if (ALL, "shuffled") in self.hits else "mean"

    @property
    def modes(self) -> tuple[str, ...]:
        """Measured modes."""
        return tuple(mode for mode in _MODES if (ALL, mode) in self.hits)

    def pck(self, level: str, mode: str) -> Interval:
        """Return the PCK under an ablation.

        Args:
            level, mode: a key of `hits`.
        """
        return self.scores.pck(self.hits[level, mode])

    def drop(self, level: str, mode: str) -> Interval:
        """Return the paired drop of PCK from the intact network.

        Args:
            level, mode: a key of `hits`.
        """
        return self.scores.drop(self.hits[INTACT], self.hits[level, mode])

    def by_drop(self) -> list[str]:
        """List the skip connections by their drop of PCK, largest first."""
        return sorted(self.layers, key=lambda layer: -self.drop(layer, self.mode).estimate)

    def idle(self) -> list[str]:
        """List the skip connections whose drop of PCK is within the tolerance in every mode, with its whole interval."""
        drops = {layer: [self.drop(layer, mode) for mode in self.modes] for layer in self.layers}
        return [layer for layer, own in drops.items() if all(max(-drop.low, drop.high) <= self.tolerance for drop in own)]


def words_of_layer(layer: str, layers: tuple[str, ...]) -> str:
    """Return words for a skip connection: "skip connection 1", with its stack if there are several; else its name.

    Args:
        layer: name of the skip connection.
        layers: all skip connections.
    """
    found = _LAYER_NAME.fullmatch(layer)
    if not found:
        return layer
    stacks = {match[1] for match in map(_LAYER_NAME.fullmatch, layers) if match}
    words = f"skip connection {found[2]}"
    return f"{words} of stack {found[1]}" if len(stacks) > 1 else words


def words_of_bottlenecks(layers: Sequence[str]) -> str:
    """Return words for the bottlenecks: "the bottleneck" if the network calls them so, else their names.

    Example:
        >>> words_of_bottlenecks(["stack1.bottleneck"]), words_of_bottlenecks(["encoder.stride32"])
        ('the bottleneck', 'the layer encoder.stride32')
    """
    named = [layer for layer in layers if layer.rpartition(".")[2] != "bottleneck"]
    return f"the layer {' and '.join(named)}" if named else "the bottleneck"
