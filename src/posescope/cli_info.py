"""`posescope info MODEL`: what a model folder says of itself."""

import json
from pathlib import Path
from typing import Any

import click

from posescope.artifacts.description import ModelDescription, describe_folder, model_fingerprint
from posescope.cli_errors import OneLineErrors
from posescope.project_models import find_model

__all__ = ["info"]


@click.command(cls=OneLineErrors)
@click.argument("model", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the same as JSON.")
def info(model: Path | None, as_json: bool) -> None:
    """Say what a model is: architecture, input, joints, how it was trained, how good it was.

    MODEL: a model folder, or a data_dir (its newest model); without it, the project's newest.

    \b
    Examples:
      posescope info
      posescope info data/06_models/model --json
    """  # noqa: D301 (\b keeps click from filling the lines)
    about = describe_folder(find_model(model))
    facts = _facts(about)
    click.echo(json.dumps(facts, indent=2) if as_json else "\n".join(f"{name}: {_say(value)}" for name, value in facts.items()))


def _facts(about: ModelDescription) -> dict[str, Any]:
    known = about.provenance
    return {
        "folder": str(about.folder),
        "fingerprint": model_fingerprint(about.folder),
        "kind": "onnx" if about.onnx else "torch",
        "architecture": about.architecture.model_dump(mode="json"),
        "codec": about.codec.model_dump(mode="json"),
        "crop_size": list(about.crop_size),
        "joints": list(about.skeleton.joints),
        "trained_on_generated_sample": bool(known.get("generated_sample", False)),
        **{name: known[name] for name in ("train_persons", "epochs", "epoch", "val_pck_thesis", "posescope") if name in known},
        "weights_sha256": about.weights_sha256,
        **({"onnx_largest_difference": about.onnx.get("largest_difference")} if about.onnx else {}),
    }


def _say(value: Any) -> str:
    if isinstance(value, dict) and "name" in value:
        options = ", ".join(f"{key} {option}" for key, option in value.get("options", {}).items())
        return f"{value['name']} ({options})" if options else str(value["name"])
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)
