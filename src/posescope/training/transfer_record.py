"""Record of a transfer of weights: what happened to each tensor, grouped by module.

stem            taken            52 tensors, 21,000 numbers
heads.0.project taken by joint    2 tensors,    260 numbers: rows of the joints of the same name
hourglasses.1   new             120 tensors, 90,000 numbers: not in the start model
encoder         pretrained      260 tensors, 90,000 numbers: not in the start model, or of another shape there
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from posescope.core.errors import pluralise

__all__ = ["STATUSES", "Outcome", "TensorTransfer", "TransferRow", "group_by_module"]

Outcome: TypeAlias = Literal[
    "taken", "joints", "no_joint", "inseparable", "new_head", "absent", "shape", "pretrained", "normalisation", "old_head",
    "surplus",
]  # fmt: skip

# Outcome -> what happened to the tensor, and why.
_WORDS: dict[Outcome, tuple[str, str]] = {
    "taken": ("taken", ""),
    "joints": ("taken by joint", "rows of the joints of the same name; those of other joints start anew"),
    "no_joint": ("new", "no joint of the same name"),
    "inseparable": ("new", "depends on the number of joints, without one row per joint"),
    "new_head": ("new", "part of the head (head: new)"),
    "absent": ("new", "not in the start model"),
    "shape": ("new", "another shape in the start model"),
    "pretrained": ("pretrained", "not in the start model, or of another shape there"),
    "normalisation": ("pretrained", "describes the images that the pretrained weights expect"),
    "old_head": ("skipped", "part of the head (head: new)"),
    "surplus": ("skipped", "not in this network"),
}
STATUSES = ("taken", "taken by joint", "pretrained", "new", "skipped")
_MISMATCHES: frozenset[Outcome] = frozenset({"absent", "shape", "surplus"})


@dataclass(frozen=True)
class TensorTransfer:
    """What happened to one tensor.

    Attributes:
        name: name in the state of the network, or of the start model if only that has it.
        outcome: what happened.
        numbers: count of its values.
        detail: the two shapes, for the outcome `shape`; '' otherwise.
    """

    name: str
    outcome: Outcome
    numbers: int
    detail: str = ""


@dataclass(frozen=True)
class TransferRow:
    """What happened to the tensors of one module that had the same outcome.

    Attributes:
        module: path of the outermost module whose tensors all had this outcome, or of a module with several outcomes, which has
            several rows; `network` is all of it.
        status: one of `STATUSES`; `new`: random weights, `pretrained`: those that the options of the network name.
        tensors, numbers: count of tensors and of their values.
        reason: why it was not taken as a whole; '' if it was.
        is_mismatch: whether the networks do not match here.
    """

    module: str
    status: str
    tensors: int
    numbers: int
    reason: str
    is_mismatch: bool

    def describe(self) -> str:
        """Return the row as one line."""
        counts = f"{pluralise(self.tensors, 'tensor')}, {pluralise(self.numbers, 'number')}"
        return f"{self.module}: {self.status}, {counts}{f' ({self.reason})' if self.reason else ''}"


def group_by_module(transfers: Iterable[TensorTransfer]) -> tuple[TransferRow, ...]:
    """Return one row per module and outcome, in the order of the network; modules with one outcome are not listed in parts."""
    return tuple(_group(list(transfers), 0))


def _group(transfers: Sequence[TensorTransfer], depth: int) -> Iterable[TransferRow]:
    """Return the rows of tensors whose first `depth` module names are equal."""
    if len({one.outcome for one in transfers}) <= 1:
        if transfers:
            yield _row(transfers, depth)
        return
    inside: dict[str, list[TensorTransfer]] = {}
    for one in transfers:
        inside.setdefault(_part(one, depth), []).append(one)
    own = inside.pop("", [])
    for members in inside.values():
        yield from _group(members, depth + 1)
    for outcome in dict.fromkeys(one.outcome for one in own):
        yield _row([one for one in own if one.outcome == outcome], depth)


def _part(transfer: TensorTransfer, depth: int) -> str:
    """Return the name of the module at this depth, '' for a tensor of the module itself."""
    modules = transfer.name.split(".")[:-1]
    return modules[depth] if depth < len(modules) else ""


def _row(transfers: Sequence[TensorTransfer], depth: int) -> TransferRow:
    first = transfers[0]
    status, reason = _WORDS[first.outcome]
    return TransferRow(
        module=".".join(first.name.split(".")[:-1][:depth]) or "network",
        status=status,
        tensors=len(transfers),
        numbers=sum(one.numbers for one in transfers),
        reason=f"{reason}, for example {first.detail}" if first.detail else reason,
        is_mismatch=first.outcome in _MISMATCHES,
    )
