"""The command `posescope info`: describe a model folder."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import click

from posescope.artifacts.description import ModelDescription, model_fingerprint, read_description
from posescope.artifacts.uncertainty import read_uncertainty
from posescope.cli.base import LocalPathType, PosescopeCommand, allow_component
from posescope.core.mirrors import OF_NO_MODEL
from posescope.core.text_escaping import escape_control
from posescope.reporting.start_text import describe_start
from posescope.runs.project_models import find_model

__all__ = ["info"]

# Of an address only the descriptions of the models are fetched.
_NOT_PRINTED = (*OF_NO_MODEL, "*.safetensors", "*.onnx", "*.npy", "*.png")


@click.command(cls=PosescopeCommand)
@click.argument("model", required=False, type=LocalPathType(takes_addresses=True, leave_out=_NOT_PRINTED))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@allow_component
def info(model: Path | None, as_json: bool, allow: tuple[str, ...]) -> None:
    """Describe a model folder.

    Prints the architecture, the input, the joints, the training configuration and the validation PCK. The weights are not loaded.
    Components that are given by a dotted path are not imported; they are listed as components_to_allow.

    MODEL: model folder, or a data_dir, whose newest model is used (default: the newest model of the project).

    \b
    Examples:
      posescope info
      posescope info data/06_models/model --json
    """  # noqa: D301 (\b keeps click from filling the lines)
    about = read_description(find_model(model, _NOT_PRINTED))
    facts = _facts(about, allow)
    click.echo(
        json.dumps(facts, indent=2)
        if as_json
        else "\n".join(f"{name}: {escape_control(_format(value))}" for name, value in facts.items())
    )


def _facts(about: ModelDescription, allow: Collection[str]) -> dict[str, Any]:
    known, to_allow = about.provenance, [path for path in about.dotted_paths if path not in allow]
    return {
        "folder": str(about.folder),
        "fingerprint": model_fingerprint(about.folder),
        "kind": about.export.get("format", "torch"),
        "architecture": about.architecture.model_dump(mode="json"),
        "codec": about.codec.model_dump(mode="json"),
        "crop_rule": about.crop.rule.model_dump(mode="json"),
        **({"components_to_allow": to_allow} if to_allow else {}),
        "crop_size": list(about.crop_size),
        "joints": list(about.skeleton.joints),
        "trained_on_generated_sample": bool(known.get("generated_sample", False)),
        **{
            name: known[name]
            for name in ("data_fingerprint", "train_persons", "epochs", "epoch", "val_pck_thesis", "posescope")
            if name in known
        },
        **({"initial_weights": start} if (start := describe_start(known)) else {}),
        **_uncertainty_facts(about),
        "weights_sha256": about.weights_sha256,
        **_export_facts(about),
    }


def _export_facts(about: ModelDescription) -> dict[str, Any]:
    export = about.export
    if not export:
        return {}
    stated: dict[str, Any] = {name: export[name] for name in ("precision", "source") if name in export}
    accuracy = export.get("accuracy")
    if isinstance(accuracy, dict):
        metric = str(accuracy.get("name"))
        stated[f"{metric}_of_the_original"], stated[metric] = accuracy.get("a"), accuracy.get("b")
        stated[f"{metric}_difference"] = [accuracy.get(key) for key in ("difference", "low", "high")]
    return {**stated, "largest_difference": export.get("largest_difference")}


def _uncertainty_facts(about: ModelDescription) -> dict[str, Any]:
    found = read_uncertainty(about.folder, model_fingerprint(about.folder), about.skeleton.joints)
    if found is None:
        return {}
    with_radius = len(found.joints) - len(found.reasons())
    place = {"radii_hold_for": found.numerics} if found.numerics else {}
    return {"joints_with_radius": with_radius, "radius_level": found.level, "calibration_persons": found.persons, **place}


def _format(value: Any) -> str:
    if isinstance(value, dict) and "name" in value:
        options = ", ".join(f"{key} {option}" for key, option in value.get("options", {}).items())
        return f"{value['name']} ({options})" if options else str(value["name"])
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)
