"""`model.json`: what a model folder says of itself. Read without torch, so that an exported model is used without it."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, StrictFloat, StrictInt, ValidationError, field_validator, model_validator

from posescope.core.errors import DataError, OptionsError
from posescope.core.files import canonical_sha256, fingerprint, read_json, sha256_of
from posescope.core.plugins import Options, StoredComponent, describe_validation_error, is_dotted_path
from posescope.core.skeleton import Skeleton
from posescope.geometry.crop_recipe import CropRecipe, read_crop_recipe

__all__ = [
    "DESCRIPTION",
    "FIELDS",
    "FORMAT_VERSION",
    "ModelDescription",
    "ModelFolderError",
    "check_file",
    "read_description",
    "model_fingerprint",
    "read_description_content",
    "add_description_checksum",
    "DescriptionFields",
]

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


def read_description_content(folder: Path) -> dict[str, Any]:
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
        return read_crop_recipe({"crop_rule": content["crop_rule"]}).model_dump(mode="json")
    except ValidationError as error:
        raise ModelFolderError(f"{path}: crop_rule: expected the name of a rule, found {content['crop_rule']!r}.") from error


def model_fingerprint(folder: Path) -> str:
    """16 hexadecimal digits that change when what the model computes changes; its provenance does not count.

    Raises:
        ModelFolderError: as `read_description_content` does.
    """
    content = read_description_content(folder)
    return fingerprint({name: content[name] for name in FIELDS})


def add_description_checksum(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content with the checksum of what it says of the model, by which `read_description_content` sees a later change."""
    return {**content, _SEAL: _checksum_of(content)}


def _checksum_of(content: Mapping[str, Any]) -> str:
    return canonical_sha256({name: content[name] for name in FIELDS})


def read_description(folder: Path) -> ModelDescription:
    """Read the description of a model folder, exported or not.

    Raises:
        ModelFolderError: as `read_description_content` does, and if a field is malformed.
    """
    content = read_description_content(folder)
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
            crop=read_crop_recipe(content),
            weights_sha256=fields.weights_sha256,
            provenance=fields.provenance,
            onnx=fields.onnx,
        )
    except ValidationError as error:
        faults = "; ".join(describe_validation_error(error))
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


# MERGED from description_fields: What the fields of `model.json` may hold: types and bounds, checked before anything is
# built from them.

_MOST_JOINTS, _MOST_NAME_LETTERS = 1000, 200
_MOST_SIDE_PX = 2048

Side = Annotated[StrictInt, Field(ge=8, le=_MOST_SIDE_PX)]
Share = Annotated[StrictFloat | StrictInt, Field(ge=0, le=1)]
JointName = Annotated[str, Field(min_length=1, max_length=_MOST_NAME_LETTERS)]
JointNumber = Annotated[StrictInt, Field(ge=0, lt=_MOST_JOINTS)]
Sigma = Annotated[StrictFloat | StrictInt, Field(gt=0, le=10)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _SkeletonFields(Options):
    joints: tuple[JointName, ...] = Field(min_length=1, max_length=_MOST_JOINTS)
    limbs: tuple[tuple[JointNumber, JointNumber], ...] = Field(max_length=10 * _MOST_JOINTS)
    oks_sigmas: tuple[Sigma, ...]
    guessed_sigmas: tuple[JointName, ...] = ()
    category_id: Annotated[StrictInt, Field(ge=-(2**63), lt=2**63)] = 1

    @model_validator(mode="after")
    def _belong_together(self) -> "_SkeletonFields":
        doubled = sorted({name for name in self.joints if self.joints.count(name) > 1})
        if doubled:
            raise ValueError(f"joints: expected each name once, found {doubled[0]!r} more than once")
        if len(self.oks_sigmas) != len(self.joints):
            raise ValueError(f"oks_sigmas: expected {len(self.joints)}, one per joint, found {len(self.oks_sigmas)}")
        beyond = [limb for limb in self.limbs if max(limb) >= len(self.joints)]
        if beyond:
            raise ValueError(f"limbs: expected joint numbers below {len(self.joints)}, found {list(beyond[0])}")
        unknown = [name for name in self.guessed_sigmas if name not in self.joints]
        if unknown:
            raise ValueError(f"guessed_sigmas: expected names of joints, found {unknown[0]!r}")
        return self


class DescriptionFields(Options):
    """The fields that hold numbers and names; components are checked where they are built."""

    skeleton: _SkeletonFields = Field(description="names of joints, limbs, OKS sigmas")
    crop_size: tuple[Side, Side] = Field(description="(height, width) px of the input")
    mean_rgb: tuple[Share, Share, Share] = Field(description="0..1, subtracted from the input")
    weights_sha256: Sha256 = Field(description="of model.safetensors")
    provenance: dict[str, Any] = Field(default_factory=dict, description="how the model was trained")
    onnx: dict[str, Any] = Field(default_factory=dict, description="of an exported model: checksums and differences")

    @field_validator("provenance", "onnx")
    @classmethod
    def _is_finite(cls, content: dict[str, Any]) -> dict[str, Any]:
        if not _all_finite(content):
            raise ValueError("expected finite numbers, found NaN or an infinite number")
        return content

    def to_skeleton(self) -> Skeleton:
        """Return the skeleton that they describe."""
        return Skeleton.from_dict(self.skeleton.model_dump())


def _all_finite(content: Any) -> bool:
    if isinstance(content, float):
        return math.isfinite(content)
    if isinstance(content, Mapping):
        return all(map(_all_finite, content.values()))
    return all(map(_all_finite, content)) if isinstance(content, list) else True
