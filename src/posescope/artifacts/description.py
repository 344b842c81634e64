"""`model.json`: what a model folder says of itself. Read without torch, so that an exported model is used without it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from posescope.artifacts.description_fields import DescriptionFields
from posescope.errors import DataError, OptionsError
from posescope.files import canonical_sha256, fingerprint, read_json, sha256_of
from posescope.geometry.recipe import CropRecipe, recipe_of
from posescope.plugins import StoredComponent, describe_invalid, is_dotted_path
from posescope.skeleton import Skeleton

__all__ = [
    "DESCRIPTION", "FIELDS", "FORMAT_VERSION", "ModelDescription", "ModelFolderError", "check_file", "describe_folder",
    "model_fingerprint", "read_content", "seal_content",
]  # fmt: skip

# 1: `crop_rule`, the name alone, in the place of `crop`; still read.
FORMAT_VERSION = 2
DESCRIPTION = "model.json"
FIELDS = ("architecture", "codec", "skeleton", "crop_size", "mean_rgb", "crop", "weights_sha256")
_MOST_BYTES = 2**24
_SEAL = "description_sha256"  # of these fields; folders of before it have none


class ModelFolderError(DataError):
    """A model folder is incomplete, damaged, too new, or needs a component that is not installed."""


@dataclass(frozen=True)
class ModelDescription:
    """What is known of a model before its weights are read.

    Attributes:
        folder: where it stands.
        architecture, codec: name and options of its parts, as the file has them.
        skeleton: names its joints.
        crop_size: (height, width) px of its input.
        mean_rgb: 0..1, subtracted from the input.
        crop: how the crops of its training were cut.
        weights_sha256: of `model.safetensors`, wherever that is.
        provenance: JSON-like: how it was trained.
        onnx: of an exported model: `files`, SHA-256 by name, and how far it differs from the original; empty: none.
    """

    folder: Path
    architecture: StoredComponent
    codec: StoredComponent
    skeleton: Skeleton
    crop_size: tuple[int, int]
    mean_rgb: tuple[float, float, float]
    crop: CropRecipe
    weights_sha256: str
    provenance: Mapping[str, Any]
    onnx: Mapping[str, Any]

    def trusted(self, allow: Collection[str]) -> "ModelDescription":
        """Return the description with a crop rule that may be loaded; network and codec are looked at where they are built.

        Args:
            allow: dotted paths of components that the caller allows.

        Raises:
            ModelFolderError: if the rule is a dotted path that `allow` lacks, is not installed, or its options are wrong.
        """
        try:
            return replace(self, crop=self.crop.trusted(allow))
        except OptionsError as error:
            raise ModelFolderError(f"{self.folder / DESCRIPTION}: cannot use this crop rule: {error}") from error

    @property
    def dotted_paths(self) -> tuple[str, ...]:
        """Dotted paths that stand as network, codec or crop rule; what loads the model has to allow them."""
        names = (self.architecture.name, self.codec.name, self.crop.rule.name)
        return tuple(dict.fromkeys(name for name in names if is_dotted_path(name)))


def read_content(folder: Path) -> dict[str, Any]:
    """The content of `model.json` in this version's format, all fields there.

    Raises:
        ModelFolderError: if it is missing, malformed, not whole, changed since it was written, or of a newer format.
    """
    path = folder / DESCRIPTION
    if not path.is_file():
        raise ModelFolderError(f"{folder} is no model folder: it has no {DESCRIPTION}.")
    try:
        content = read_json(path, max_bytes=_MOST_BYTES)
    except DataError as error:
        raise ModelFolderError(str(error)) from error
    version = content.get("format_version") if isinstance(content, dict) else None
    if type(version) is not int or version < 1:
        raise ModelFolderError(f"{path}: expected a model description with a format_version, found {version!r}.")
    if version > FORMAT_VERSION:
        raise ModelFolderError(
            f"{path}: format_version {version}, but this posescope reads up to {FORMAT_VERSION}. Install a newer posescope."
        )
    if version == 1 and "crop_rule" in content:
        content = {**content, "crop": _recipe_of_version_1(path, content)}
    missing = [name for name in FIELDS if name not in content]
    if missing:
        raise ModelFolderError(f"{path}: these fields are missing: {', '.join(missing)}.")
    try:
        changed = _SEAL in content and content[_SEAL] != _checksum_of(content)
    except RecursionError as error:
        raise ModelFolderError(f"{path}: its fields are nested too deeply.") from error
    if changed:
        raise ModelFolderError(f"{path}: changed since it was written: its fields do not fit their checksum, {_SEAL}.")
    return dict(content)


def _recipe_of_version_1(path: Path, content: Mapping[str, Any]) -> dict[str, Any]:
    """As a model of this version says it: whole, so that the fingerprint is that of the model once it is read."""
    try:
        return recipe_of({"crop_rule": content["crop_rule"]}).model_dump(mode="json")
    except ValidationError as error:
        raise ModelFolderError(f"{path}: crop_rule: expected the name of a rule, found {content['crop_rule']!r}.") from error


def model_fingerprint(folder: Path) -> str:
    """16 hexadecimal digits that change when what the model computes changes; its provenance does not count.

    Raises:
        ModelFolderError: as `read_content` does.
    """
    content = read_content(folder)
    return fingerprint({name: content[name] for name in FIELDS})


def seal_content(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content with the checksum of what it says of the model, by which `read_content` sees a later change."""
    return {**content, _SEAL: _checksum_of(content)}


def _checksum_of(content: Mapping[str, Any]) -> str:
    return canonical_sha256({name: content[name] for name in FIELDS})


def describe_folder(folder: Path) -> ModelDescription:
    """Read the description of a model folder, exported or not.

    Raises:
        ModelFolderError: as `read_content` does, and if a field is malformed.
    """
    content = read_content(folder)
    try:
        given = {name: content[name] for name in DescriptionFields.model_fields if name in content}
        fields = DescriptionFields.model_validate(given)
        red, green, blue = map(float, fields.mean_rgb)
        return ModelDescription(
            folder=folder,
            architecture=StoredComponent.model_validate(content["architecture"]),
            codec=StoredComponent.model_validate(content["codec"]),
            skeleton=fields.to_skeleton(),
            crop_size=fields.crop_size,
            mean_rgb=(red, green, blue),
            crop=recipe_of(content),
            weights_sha256=fields.weights_sha256,
            provenance=fields.provenance,
            onnx=fields.onnx,
        )
    except ValidationError as error:
        faults = "; ".join(describe_invalid(error))
        raise ModelFolderError(f"{folder / DESCRIPTION}: cannot build this model: {error.title}: {faults}") from error
    except RecursionError as error:
        raise ModelFolderError(f"{folder / DESCRIPTION}: its fields are nested too deeply.") from error
    except (OptionsError, KeyError, TypeError, ValueError) as error:
        raise ModelFolderError(f"{folder / DESCRIPTION}: cannot build this model: {error}") from error


def check_file(path: Path, expected_sha256: str) -> None:
    """Accept only a file with this checksum.

    Raises:
        ModelFolderError: if it is missing, damaged, or of another model.
    """
    if not path.is_file():
        raise ModelFolderError(f"{path.parent} is no model folder: it has no {path.name}.")
    found = sha256_of(path)
    if found != expected_sha256:
        raise ModelFolderError(
            f"{path}: SHA-256 {found}, but {DESCRIPTION} says {expected_sha256}. It is damaged or of another model."
        )
