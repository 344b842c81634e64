"""`uncertainty.json` of a model folder: the calibrated radius of every joint, by its score. It is read without torch.

The file is no part of the fingerprint of the model: calibration changes no prediction. It names the fingerprint of the model that
was calibrated, and is refused beside another one.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, StrictInt, ValidationError, model_validator

from posescope.artifacts.description import ModelFolderError
from posescope.core.errors import DataError
from posescope.core.files import read_json, write_json
from posescope.core.plugins import Options, describe_validation_error
from posescope.evaluation.conformal import JointRadii, RadiusTable

__all__ = ["UNCERTAINTY", "JointCalibration", "Uncertainty", "read_uncertainty", "write_uncertainty"]

UNCERTAINTY = "uncertainty.json"
_FORMAT_VERSION = 1
_MAX_BYTES = 2**24
_MAX_JOINTS, _MAX_BINS, _MAX_LEVELS = 1000, 20, 21

_Count = Annotated[StrictInt, Field(ge=0)]
_Level = Annotated[float, Field(gt=0, lt=1)]
_Radius = Annotated[float, Field(ge=0)]


class JointCalibration(Options):
    """Calibrated radii of one joint; the fields are those of `posescope.evaluation.conformal.JointRadii`."""

    joint: str = Field(min_length=1, max_length=200, description="name of the joint")
    labels: _Count = Field(description="number of calibration labels")
    photographs: _Count = Field(description="number of photographs of these labels")
    score_edges: tuple[float, ...] = Field(max_length=_MAX_BINS - 1, description="ascending borders of the ranges of scores")
    radii: tuple[tuple[_Radius | None, ...], ...] = Field(
        min_length=1, max_length=_MAX_BINS, description="px of the crop, per range of scores and level; null: none"
    )
    reason: str = Field("", max_length=500, description="why there is no radius at the main level")

    @model_validator(mode="after")
    def _check_ranges(self) -> "JointCalibration":
        if len(self.radii) != len(self.score_edges) + 1:
            raise ValueError(
                f"radii: expected {len(self.score_edges) + 1} rows, one per range of scores, found {len(self.radii)}"
            )
        if list(self.score_edges) != sorted(set(self.score_edges)):
            raise ValueError(f"score_edges: expected ascending numbers, found {list(self.score_edges)}")
        return self


class Uncertainty(Options):
    """Calibrated uncertainty of one model."""

    format_version: StrictInt = Field(_FORMAT_VERSION, ge=1, le=_FORMAT_VERSION, description="version of this file")
    model: str = Field(pattern="^[0-9a-f]{16}$", description="fingerprint of the calibrated model")
    data: str = Field(max_length=200, description="fingerprint of the data of the calibration persons")
    numerics: str = Field(
        "",
        max_length=500,
        description="`ExportedModel.numerics` of a model of lower precision, for which the radii hold",
    )
    persons: _Count = Field(description="number of calibration persons")
    photographs: _Count = Field(description="number of their photographs")
    level: _Level = Field(description="probability that the circle of a joint contains its true place")
    levels: tuple[_Level, ...] = Field(min_length=1, max_length=_MAX_LEVELS, description="all calibrated levels, ascending")
    max_radius_px: _Radius = Field(description="joints with a larger radius are flagged, px of the crop")
    plain: tuple[JointCalibration, ...] = Field(max_length=_MAX_JOINTS, description="radii without flip test, in joint order")
    flip_test: tuple[JointCalibration, ...] = Field(max_length=_MAX_JOINTS, description="radii with flip test, in joint order")

    @model_validator(mode="after")
    def _check_consistency(self) -> "Uncertainty":
        if self.level not in self.levels or list(self.levels) != sorted(set(self.levels)):
            raise ValueError(f"levels: expected ascending levels with {self.level:g}, found {list(self.levels)}")
        if [one.joint for one in self.plain] != [one.joint for one in self.flip_test]:
            raise ValueError("plain and flip_test: expected the same joints")
        widths = {len(row) for one in (*self.plain, *self.flip_test) for row in one.radii}
        if widths - {len(self.levels)}:
            raise ValueError(f"radii: expected {len(self.levels)} per range of scores, one per level, found {sorted(widths)}")
        return self

    @property
    def joints(self) -> tuple[str, ...]:
        """Names of the joints, in the order of the model."""
        return tuple(one.joint for one in self.plain)

    def reasons(self, flip_test: bool = False) -> dict[str, str]:
        """Return why a joint has no radius at the main level, for the joints that have none."""
        return {one.joint: one.reason for one in self._entries(flip_test) if one.reason}

    def radii(self, scores: NDArray[np.floating], flip_test: bool = False, level: float | None = None) -> NDArray[np.float64]:
        """Return the radius of the circle that contains a joint with the probability `level`.

        Args:
            scores: (N, K) in the joint order of the model; NaN where there is no prediction.
            flip_test: whether the scores are those of a flip test.
            level: one of `levels`. None: the main one.

        Returns:
            (N, K) px of the crop; NaN where the joint has no radius.
        """
        table = self.tables[bool(flip_test)]
        return table.radii(scores, self.level if level is None else level)

    def distrust(self, radii: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Return where a radius at the main level is too large for a joint to be trusted; False where there is no radius.

        Args:
            radii: px of the crop.
        """
        return np.asarray(radii > self.max_radius_px)

    @cached_property
    def tables(self) -> tuple[RadiusTable, RadiusTable]:
        """The radii without and with flip test."""
        return self._table(self.plain), self._table(self.flip_test)

    def radius_table(self, joints: Sequence[str], flip_test: bool = False) -> RadiusTable:
        """Return the radii in another order of the joints, such as that of a data set.

        Args:
            joints: names of the joints of the model, in any order.
            flip_test: whether the scores are those of a flip test.
        """
        own = self.joints
        places = [own.index(name) for name in joints]
        table = self.tables[bool(flip_test)]
        return RadiusTable(table.levels, tuple(table.joints[place] for place in places))

    def _entries(self, flip_test: bool) -> tuple[JointCalibration, ...]:
        return self.flip_test if flip_test else self.plain

    def _table(self, entries: tuple[JointCalibration, ...]) -> RadiusTable:
        joints = tuple(
            JointRadii(one.labels, one.photographs, np.array(one.score_edges), _as_array(one.radii), one.reason)
            for one in entries
        )
        return RadiusTable(self.levels, joints)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-like content; `numerics` only where it is stated."""
        return self.model_dump(mode="json", exclude=None if self.numerics else {"numerics"})

    @classmethod
    def from_dict(cls, content: Any) -> "Uncertainty":
        """Return the record from the content of `to_dict`.

        Raises:
            ValidationError: if a field is malformed.
        """
        return cls.model_validate(content)


def write_uncertainty(folder: Path, uncertainty: Uncertainty) -> None:
    """Write `uncertainty.json` into a model folder, atomically.

    Args:
        folder: The model folder.
        uncertainty: Calibrated uncertainty of this model.
    """
    write_json(folder / UNCERTAINTY, uncertainty.to_dict())


def read_uncertainty(folder: Path, fingerprint: str, joints: tuple[str, ...]) -> Uncertainty | None:
    """Read the uncertainty of a model.

    Args:
        folder: The model folder.
        fingerprint: Fingerprint of its model.
        joints: Names of its joints, in order.

    Returns:
        The uncertainty; None if the model was not calibrated.

    Raises:
        ModelFolderError: if the file is malformed, or of another model.
    """
    path = folder / UNCERTAINTY
    if not path.exists():
        return None
    try:
        found = Uncertainty.from_dict(read_json(path, max_bytes=_MAX_BYTES))
    except DataError as error:
        raise ModelFolderError(str(error)) from error
    except ValidationError as error:
        faults = "; ".join(describe_validation_error(error))
        raise ModelFolderError(f"{path}: {faults}. Calibrate the model again, or remove the file.") from error
    if found.model != fingerprint:
        raise ModelFolderError(
            f"{path}: expected the uncertainty of the model {fingerprint}, found that of {found.model}. Calibrate it again, or "
            "remove the file."
        )
    if found.joints != joints:
        raise ModelFolderError(f"{path}: expected the joints {', '.join(joints)}, found {', '.join(found.joints)}.")
    return found


def _as_array(radii: tuple[tuple[float | None, ...], ...]) -> NDArray[np.float64]:
    return np.array([[np.nan if value is None else value for value in row] for row in radii], dtype=np.float64)
