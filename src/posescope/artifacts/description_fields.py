"""What the fields of `model.json` may hold: types and bounds, checked before anything is built from them."""

import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, StrictFloat, StrictInt, field_validator, model_validator

from posescope.plugins import Options
from posescope.skeleton import Skeleton

__all__ = ["DescriptionFields"]

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
