"""`model.json`, the description of a model folder. It is read without torch, so that an exported model runs without it."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import AfterValidator, Field, JsonValue, StrictFloat, StrictInt, ValidationError, model_validator

from posescope.artifacts.migration import FORMAT_VERSION, codec_of_format_2, migrate_to_current
from posescope.core.errors import DataError, OptionsError
from posescope.core.files import canonical_sha256, fingerprint, read_json, sha256_of
from posescope.core.plugins import Options, StoredComponent, describe_validation_error, is_dotted_path
from posescope.core.skeleton import Skeleton
from posescope.geometry.crop_recipe import CropRecipe, read_crop_recipe

__all__ = [
    "DESCRIPTION", "FLOAT32", "FORMAT_VERSION", "ModelDescription", "ModelFolderError", "add_description_checksum", "check_file",
    "fingerprint_of_content", "model_fingerprint", "read_description", "read_description_content",
]  # fmt: skip

DESCRIPTION = "model.json"
FLOAT32 = "float32"
# The fields that define the outputs of the model.
_FIELDS = ("architecture", "codec", "skeleton", "crop_size", "mean_rgb", "crop", "weights_sha256")
_MAX_BYTES = 2**24
_CHECKSUM = "description_sha256"  # of these fields; the first folders have none

_MAX_JOINTS, _MAX_NAME_LENGTH = 1000, 200
_Side = Annotated[StrictInt, Field(ge=8, le=2048)]
_Fraction = Annotated[StrictFloat | StrictInt, Field(ge=0, le=1), AfterValidator(float)]
_JointName = Annotated[str, Field(min_length=1, max_length=_MAX_NAME_LENGTH)]
_JointNumber = Annotated[StrictInt, Field(ge=0, lt=_MAX_JOINTS)]
_Sigma = Annotated[StrictFloat | StrictInt, Field(gt=0, le=10)]
_Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class ModelFolderError(DataError):
    """A model folder is incomplete, damaged, too new, or needs a component that is not installed."""


class _SkeletonFields(Options):
    joints: tuple[_JointName, ...] = Field(min_length=1, max_length=_MAX_JOINTS)
    limbs: tuple[tuple[_JointNumber, _JointNumber], ...] = Field(max_length=10 * _MAX_JOINTS)
    oks_sigmas: tuple[_Sigma, ...]
    guessed_sigmas: tuple[_JointName, ...] = ()
    category_id: Annotated[StrictInt, Field(ge=-(2**63), lt=2**63)] = 1

    @model_validator(mode="after")
    def _check_consistency(self) -> "_SkeletonFields":
        repeated = sorted({name for name in self.joints if self.joints.count(name) > 1})
        if repeated:
            raise ValueError(f"joints: expected each name once, found {repeated[0]!r} more than once")
        if len(self.oks_sigmas) != len(self.joints):
            raise ValueError(f"oks_sigmas: expected {len(self.joints)}, one per joint, found {len(self.oks_sigmas)}")
        invalid = [limb for limb in self.limbs if max(limb) >= len(self.joints)]
        if invalid:
            raise ValueError(f"limbs: expected joint numbers below {len(self.joints)}, found {list(invalid[0])}")
        unknown = [name for name in self.guessed_sigmas if name not in self.joints]
        if unknown:
            raise ValueError(f"guessed_sigmas: expected names of joints, found {unknown[0]!r}")
        return self


if TYPE_CHECKING:
    _Skeleton: TypeAlias = Skeleton
else:
    _Skeleton = Annotated[_SkeletonFields, AfterValidator(lambda fields: Skeleton.from_dict(fields.model_dump()))]


class ModelDescription(Options):
    """Everything about a model except its weights. Components are validated when they are built."""

    folder: Path = Field(description="the model folder")
    architecture: StoredComponent = Field(description="name and options of the network, as stored in the file")
    codec: StoredComponent = Field(description="name and options of the codec, as stored in the file")
    skeleton: _Skeleton = Field(description="joints, in the order of the heatmaps")
    crop_size: tuple[_Side, _Side] = Field(description="(height, width) of the input, px")
    mean_rgb: tuple[_Fraction, _Fraction, _Fraction] = Field(description="0..1, subtracted from the input")
    crop: CropRecipe = Field(description="recipe of the crops that the model was trained on")
    weights_sha256: _Sha256 = Field(description="of model.safetensors, also for an exported model")
    provenance: dict[str, JsonValue] = Field(default_factory=dict, description="JSON-like: how the model was trained")
    export: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="of an exported model: `format`, `backend`, `precision`, `source` (fingerprint of the original), `files` "
        "(SHA-256 by name) and the largest differences from the original; else empty",
    )

    def trusted(self, allow: Collection[str]) -> "ModelDescription":
        """Return the description with a crop rule that may be loaded; architecture and codec are checked when they are built.

        Args:
            allow: Dotted paths of components that the caller allows.

        Raises:
            ModelFolderError: if the rule is a dotted path that is not in `allow`, is not installed, or its options are wrong.
        """
        try:
            return self.model_copy(update={"crop": self.crop.trusted(allow)})
        except OptionsError as error:
            raise ModelFolderError(f"{self.folder / DESCRIPTION}: cannot use this crop rule: {error}") from error

    @property
    def dotted_paths(self) -> tuple[str, ...]:
        """Dotted paths among architecture, codec, crop rule and backend, which the caller has to allow."""
        backend = self.export.get("backend")
        of_export = (backend.get("name"),) if isinstance(backend, dict) else ()
        names = (self.architecture.name, self.codec.name, self.crop.rule.name, *of_export)
        return tuple(dict.fromkeys(name for name in names if isinstance(name, str) and is_dotted_path(name)))


def read_description_content(folder: Path) -> dict[str, Any]:
    """Read `model.json` and migrate it to the current format.

    Raises:
        ModelFolderError: if it is missing, malformed, incomplete, changed since it was written, or of a newer format.
    """
    path = folder / DESCRIPTION
    if not path.is_file():
        raise ModelFolderError(f"{folder}: not a model folder, since it has no {DESCRIPTION}.")
    try:
        content = read_json(path, max_bytes=_MAX_BYTES)
    except DataError as error:
        raise ModelFolderError(str(error)) from error
    version = content.get("format_version") if isinstance(content, dict) else None
    if type(version) is not int or version < 1:
        raise ModelFolderError(f"{path}: expected a model description with a format_version, found {version!r}.")
    if version > FORMAT_VERSION:
        raise ModelFolderError(
            f"{path}: expected a format_version of at most {FORMAT_VERSION}, found {version}. Install a newer posescope."
        )
    if version == 1 and "crop_rule" in content:
        content["crop"] = _crop_of_format_1(path, content["crop_rule"])
    missing = [name for name in _FIELDS if name not in content]
    if missing:
        raise ModelFolderError(f"{path}: these fields are missing: {', '.join(missing)}.")
    try:
        if content.get(_CHECKSUM, checksum := _checksum_of(content)) != checksum:
            raise ModelFolderError(f"{path}: changed since it was written: {_CHECKSUM} does not match the fields.")
        return _name_export(migrate_to_current(content) if version < FORMAT_VERSION else dict(content))
    except RecursionError as error:
        raise ModelFolderError(f"{path}: its fields are nested too deeply.") from error


def _name_export(content: dict[str, Any]) -> dict[str, Any]:
    """Return the content with the section `export`; the first exports have `onnx`, without the format and the backend."""
    earlier = content.pop("onnx", None)
    if earlier is not None and "export" not in content:
        own = {"format": "onnx", "backend": {"name": "onnx", "options": {}}, "precision": FLOAT32}
        content["export"] = {**own, **earlier} if isinstance(earlier, dict) and earlier else earlier
    return content


def _crop_of_format_1(path: Path, crop_rule: Any) -> dict[str, Any]:
    """Return the whole recipe, so that the fingerprint equals that of the model once it is read."""
    try:
        return read_crop_recipe({"crop_rule": crop_rule}).model_dump(mode="json")
    except ValidationError as error:
        raise ModelFolderError(f"{path}: crop_rule: expected the name of a rule, found {crop_rule!r}.") from error


def model_fingerprint(folder: Path) -> str:
    """Return 16 hexadecimal digits that identify the outputs of a model; the provenance does not count.

    An exported model has the fingerprint of its original, unless its precision is lower: then its predictions differ.

    Raises:
        ModelFolderError: as `read_description_content`.
    """
    return fingerprint_of_content(read_description_content(folder))


def fingerprint_of_content(content: Mapping[str, Any]) -> str:
    """Return the fingerprint for the content of a `model.json` in the current format."""
    fields = {name: content[name] for name in _FIELDS}
    return fingerprint({**fields, "codec": codec_of_format_2(content["codec"]), **_reduction_of(content)})


def _reduction_of(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return precision and checksums of an export whose predictions differ from those of its original; else nothing."""
    export = content.get("export")
    if not isinstance(export, dict) or export.get("precision", FLOAT32) == FLOAT32:
        return {}
    return {"precision": export["precision"], "files": export.get("files")}


def add_description_checksum(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content with the checksum of its fields, by which `read_description_content` detects a later change."""
    return {**content, _CHECKSUM: _checksum_of(content)}


def _checksum_of(content: Mapping[str, Any]) -> str:
    return canonical_sha256({name: content[name] for name in _FIELDS})


def read_description(folder: Path) -> ModelDescription:
    """Read the description of a model folder, exported or not.

    Raises:
        ModelFolderError: as `read_description_content`, and if a field is malformed.
    """
    content = read_description_content(folder)
    try:
        given = {name: value for name, value in content.items() if name in ModelDescription.model_fields}
        return ModelDescription.model_validate({**given, "folder": folder})
    except ValidationError as error:
        faults = "; ".join(describe_validation_error(error))
        raise ModelFolderError(f"{folder / DESCRIPTION}: cannot build this model: {faults}") from error


def check_file(path: Path, expected_sha256: str) -> None:
    """Check the SHA-256 of a file of a model folder.

    Args:
        path: The file.
        expected_sha256: 64 hexadecimal digits.

    Raises:
        ModelFolderError: if the file is missing, damaged, or belongs to another model.
    """
    if not path.is_file():
        raise ModelFolderError(f"{path.parent}: not a model folder, since it has no {path.name}.")
    found = sha256_of(path)
    if found != expected_sha256:
        raise ModelFolderError(
            f"{path}: expected the SHA-256 {expected_sha256} of {DESCRIPTION}, found {found}. The file is damaged or belongs to "
            "another model."
        )
