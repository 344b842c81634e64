"""Initial weights from a trained model: tensors by name, rows of the head by joint name.

    tensor of the new network        in the start model
    same name and shape          <-  taken
    rows of joints               <-  rows of the joints of the same name; the other rows start anew
    other shape, or absent           starts anew                    } refused, unless `allow_mismatch`
    --                               only there: skipped            }

What starts anew has random weights. Parts outside the head for which the options of the network name pretrained weights have
these. They are loaded in this case only: a start model that has all of these parts replaces them.

What was taken, started anew and skipped is listed by module and becomes part of the model's provenance.
"""

import copy
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from pydantic import ConfigDict, Field, JsonValue
from torch import Tensor

from posescope.artifacts.pose_model import PoseModel
from posescope.artifacts.stored_model import StoredModel
from posescope.core.errors import OptionsError, pluralise
from posescope.core.torch_rng import fork_torch_rng
from posescope.models.base import PoseNetwork
from posescope.training.joint_axes import JointAxes, copy_joints, find_joint_axes, shape_with_joints
from posescope.training.trained_parts import TrainedParts
from posescope.training.transfer_record import STATUSES, Outcome, TensorTransfer, TransferRow, group_by_module

__all__ = ["InitialiseOptions", "identify_start", "start_from"]

log = logging.getLogger(__name__)

_SHOWN = 12
# Of the provenance of a start model: which training it was, on which data, and how good.
_SUMMARY = (
    "fingerprint", "epochs", "epoch", "val_pck_thesis", "train_persons", "data_fingerprint", "test_set_fingerprint",
    "generated_sample", "posescope",
)  # fmt: skip


class InitialiseOptions(TrainedParts):
    """Initial weights from a trained model, and which parts of the network are trained."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    from_model: str | None = Field(
        default=None,
        alias="from",
        min_length=1,
        description="Model whose weights the training starts from: a model folder, the folder of its versions, a data_dir (its "
        "newest model), or the id of a run of this data_dir; null: random weights",
    )
    head: Literal["auto", "new"] = Field(
        default="auto", description="auto: joints of the same name keep their rows of the head; new: the whole head starts anew"
    )
    allow_mismatch: bool = Field(
        default=False,
        description="Whether modules with other shapes, or that only one of the two networks has, may start anew or be skipped; "
        "false: they are an error",
    )


def identify_start(options: InitialiseOptions, start: StoredModel | None) -> dict[str, Any]:
    """Return the part `initialise` of a run's identity as JSON-like content: empty with the defaults.

    Args:
        options: the options.
        start: the model to start from, which is identified by its fingerprint and not by its place; None: random weights.
    """
    content = options.identity()
    if start is not None:
        content |= {"from": start.fingerprint, "head": options.head, "allow_mismatch": options.allow_mismatch}
    return {"initialise": content} if content else {}


@dataclass(frozen=True)
class _Transfer:
    """Initial weights by name, what happened to each tensor, and the origin of the pretrained weights among them."""

    weights: Mapping[str, Tensor]
    transfers: Sequence[TensorTransfer]
    pretrained: Mapping[str, JsonValue] | None = None


def start_from(model: PoseModel, start: StoredModel, options: InitialiseOptions) -> PoseModel:
    """Return a model with the weights of a start model, as far as they belong to it, and log what was taken.

    Args:
        model: untrained model with random weights (`build_untrained` with `load_pretrained=False`); not changed.
        start: trained model.
        options: what is taken.

    Returns:
        The model with the initial weights and the mean RGB of the start model, which its weights expect; with pretrained weights
        it is the mean RGB that those expect. `provenance["start"]` describes the start model and what was taken, and
        `provenance["initial_weights"]` the pretrained weights, if parts of the network have them.

    Raises:
        OptionsError: Modules do not match and `allow_mismatch` is false, no tensor of the start model can be taken, or the
            package of pretrained weights that are needed is missing.
        DataError: A file of pretrained weights that are needed cannot be read.
    """
    transfer = _transfer(model, start.weights, start.description.skeleton.joints, options)
    _check(model, group_by_module(transfer.transfers), start, options)
    network = copy.deepcopy(model.network)
    transfer = _add_pretrained(network, transfer, int(model.provenance.get("init_seed", 0)))
    network.load_state_dict(transfer.weights)
    rows = group_by_module(transfer.transfers)
    record = _describe(model, start, rows, options)
    _log(model, start, rows, record)
    known = {name: value for name, value in model.provenance.items() if name != "initial_weights"}
    pretrained = {"initial_weights": transfer.pretrained} if transfer.pretrained else {}
    mean_rgb = (network.mean_rgb if pretrained else None) or start.description.mean_rgb
    return replace(model, network=network, mean_rgb=mean_rgb, provenance={**known, **pretrained, "start": record})


def _transfer(
    model: PoseModel, source: Mapping[str, Tensor], source_joints: tuple[str, ...], options: InitialiseOptions
) -> _Transfer:
    """Return the initial weights without pretrained ones, and what happened to each tensor of both networks."""
    target, joints = model.network.state_dict(), (model.skeleton.joints, source_joints)
    # With the same joints all tensors are compared as wholes, and the network need not be built again.
    same = options.head == "auto" and tuple(joints[0]) == tuple(joints[1])
    axes = JointAxes({}, frozenset()) if same else find_joint_axes(model)
    pairs = _pair_joints(*joints)
    head = _head_paths(model, axes) if options.head == "new" else frozenset()
    weights: dict[str, Tensor] = {}
    transfers: list[TensorTransfer] = []
    for name, value in target.items():
        found, detail = source.get(name), ""
        outcome = "new_head" if _is_inside(name, head) else _compare(name, value, found, axes, joints)
        weights[name] = value
        if outcome == "taken" and found is not None:
            weights[name] = found.to(value.dtype)
        elif outcome == "joints" and found is not None:
            weights[name] = copy_joints(value, found, axes.axes[name], pairs)
        elif outcome == "shape" and found is not None:
            detail = f"{name} is {tuple(value.shape)} here, {tuple(found.shape)} there"
        transfers.append(TensorTransfer(name, outcome, value.numel(), detail))
    unused = {name: value.numel() for name, value in source.items() if name not in target}
    transfers += [
        TensorTransfer(name, "old_head" if _is_inside(name, head) else "surplus", size) for name, size in unused.items()
    ]
    return _Transfer(weights, transfers)


def _add_pretrained(network: PoseNetwork, transfer: _Transfer, seed: int) -> _Transfer:
    """Return a transfer with pretrained weights in the parts outside the head that the start model lacks.

    Args:
        network: network with random weights; its pretrained weights are loaded if such parts can have them.
        transfer: weights of the start model and random ones.
        seed: seed of what the network may draw meanwhile.
    """
    covered, head = (
        frozenset(network.module_path(layer) for layer in layers) for layers in (network.pretrained_layers, network.head_layers)
    )
    absent = [one.name for one in transfer.transfers if one.outcome in {"absent", "shape"}]
    lacking = [name for name in absent if not _is_inside(name, head) and (not covered or _is_inside(name, covered))]
    if not lacking:
        return transfer
    random = {name: value.clone() for name, value in network.state_dict().items()}
    with fork_torch_rng():
        torch.manual_seed(seed)
        origin = network.load_initial_weights()
    if not origin:
        return transfer
    loaded = network.state_dict()
    # Of a module with pretrained weights single values may equal the random ones, such as a bias of zeros.
    modules = {_module_of(name) for name in lacking if not torch.equal(loaded[name], random[name])}
    outcomes: dict[str, Outcome] = {name: "pretrained" for name in lacking if _module_of(name) in modules}
    outcomes |= dict.fromkeys(_own_buffers(network, transfer.weights), "normalisation")
    return _Transfer(
        weights={name: loaded[name] if name in outcomes else value for name, value in transfer.weights.items()},
        transfers=[
            replace(one, outcome=outcomes[one.name], detail="") if one.name in outcomes else one for one in transfer.transfers
        ],
        pretrained=origin,
    )


def _own_buffers(network: PoseNetwork, weights: Mapping[str, Tensor]) -> Collection[str]:
    """Return the buffers of the network itself, such as 1 / std of the images, whose values differ from the given ones."""
    own = dict(network.named_buffers(recurse=False))
    return [name for name, value in own.items() if name in weights and not torch.equal(value, weights[name].to(value.device))]


def _module_of(name: str) -> str:
    return name.rpartition(".")[0]


def _pair_joints(joints: Sequence[str], source_joints: Sequence[str]) -> list[tuple[int, int]]:
    """Return the numbers of each joint that both have, here and in the start model."""
    return [(number, source_joints.index(name)) for number, name in enumerate(joints) if name in source_joints]


def _compare(
    name: str, value: Tensor, found: Tensor | None, axes: JointAxes, joints: tuple[Sequence[str], Sequence[str]]
) -> Outcome:
    """Return what happens to a tensor of the network that is not in a head that starts anew.

    Args:
        name, value: the tensor.
        found: tensor of the same name of the start model.
        axes: tensors with joints.
        joints: joint names here and in the start model.
    """
    here, there = joints
    if found is None:
        return "absent"
    if tuple(here) == tuple(there) or name not in {*axes.axes, *axes.inseparable}:
        return "taken" if value.shape == found.shape else "shape"
    if name in axes.inseparable:
        return "inseparable"
    if tuple(found.shape) != shape_with_joints(value.shape, axes.axes[name], len(there)):
        return "shape"
    return "joints" if set(here) & set(there) else "no_joint"


def _head_paths(model: PoseModel, axes: JointAxes) -> frozenset[str]:
    """Return the modules of the head: as the network lists them, or those with tensors of joints."""
    if model.network.head_layers:
        return frozenset(model.network.module_path(layer) for layer in model.network.head_layers)
    return frozenset(_module_of(name) for name in {*axes.axes, *axes.inseparable})


def _is_inside(name: str, modules: frozenset[str]) -> bool:
    """Return whether a tensor belongs to one of these modules or to a module inside them."""
    parts = name.split(".")
    return any(".".join(parts[:length]) in modules for length in range(1, len(parts)))


def _check(model: PoseModel, rows: Sequence[TransferRow], start: StoredModel, options: InitialiseOptions) -> None:
    folder, crop_size = start.description.folder, start.description.crop_size
    if not any(row.status.startswith("taken") for row in rows):
        raise OptionsError(
            f"{folder}: expected a model with weights for this network, found none that fit: it is a "
            f"{start.description.architecture.name} with other modules or widths. Start from another model, or set "
            "modelling.initialise.from to null."
        )
    mismatches = [row.describe() for row in rows if row.is_mismatch]
    if mismatches and not options.allow_mismatch:
        more = [f"and {len(mismatches) - _SHOWN} more"] if len(mismatches) > _SHOWN else []
        if crop_size != model.crop_size:
            more.append(f"crop size: {model.crop_size} here, {crop_size} in the start model")
        raise OptionsError(
            f"{folder}: expected the modules of this network, found differences in {pluralise(len(mismatches), 'place')}:\n"
            + "".join(f"  {line}\n" for line in [*mismatches[:_SHOWN], *more])
            + "Give modelling.model the options of the start model, or let these modules start anew: "
            "modelling.initialise.allow_mismatch=true."
        )


def _describe(model: PoseModel, start: StoredModel, rows: Sequence[TransferRow], options: InitialiseOptions) -> dict[str, Any]:
    """Return the JSON-like record of the start: the model, and what was taken of it."""
    about, here = start.description, model.skeleton.joints
    there, known = about.skeleton.joints, about.provenance
    return {
        "model": start.fingerprint,
        "architecture": about.architecture.name,
        "crop_size": list(about.crop_size),
        **{name: known[name] for name in _SUMMARY if name in known},
        "head": options.head,
        "joints_taken": [name for name in here if name in there] if options.head == "auto" else [],
        "joints_new": [name for name in here if name not in there or options.head == "new"],
        "numbers": {
            status: sum(row.numbers for row in rows if row.status == status)
            for status in STATUSES
            if status != "pretrained" or any(row.status == status for row in rows)
        },
        "modules": [{"module": row.module, "status": row.status, "tensors": row.tensors, "reason": row.reason} for row in rows],
    }


def _log(model: PoseModel, start: StoredModel, rows: Sequence[TransferRow], record: Mapping[str, Any]) -> None:
    about = start.description
    log.info("Initial weights from the model %s (%s).", start.fingerprint, about.folder)
    for what, here, there in (
        ("crop size", model.crop_size, about.crop_size),
        ("codec", model.codec_spec.name, about.codec.name),
        ("crop rule", model.crop.rule.name, about.crop.rule.name),
    ):
        if here != there:
            log.info("  %s: %s here, %s in the start model", what, here, there)
    for row in rows:
        log.info("  %s", row.describe())
    if record["joints_new"]:
        taken, new = (", ".join(record[name]) or "none" for name in ("joints_taken", "joints_new"))
        log.info("  joints: taken %s; new %s", taken, new)
