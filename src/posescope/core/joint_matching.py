"""Matching of the joints of a data set to those of a model, by name and never by number.

Two data sets may have equally many joints in different orders (COCO lists left before right, MPII and LSP right before left).
`match_joints` matches them by name and refuses lists with different names.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.core.errors import DataError
from posescope.core.skeleton import Skeleton

__all__ = ["JointMap", "JointMismatchError", "joint_names_of", "match_joints", "name_joints", "reorder_skeleton"]

Scalar = TypeVar("Scalar", bound=np.generic)

_BLOCK_ROWS = 2**20


class JointMismatchError(DataError):
    """A model and a data set have different joints.

    Attributes:
        only_in_model, only_in_data: Names that the other list lacks.
    """

    def __init__(self, message: str, only_in_model: Sequence[str] = (), only_in_data: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.only_in_model, self.only_in_data = tuple(only_in_model), tuple(only_in_data)


@dataclass(frozen=True)
class JointMap:
    """K joints in the order of a model and in the order of a data set.

    Attributes:
        model: (K,) names in the order of the model.
        data: (K,) names in the order of the data.
    """

    model: tuple[str, ...]
    data: tuple[str, ...]

    @property
    def is_identity(self) -> bool:
        """Whether both orders are equal."""
        return self.model == self.data

    @cached_property
    def _data_rows(self) -> list[int]:
        """Index in the data of each joint of the model."""
        return [self.data.index(name) for name in self.model]

    @cached_property
    def _model_rows(self) -> list[int]:
        """Index in the model of each joint of the data."""
        return [self.model.index(name) for name in self.data]

    def to_model_order(self, values: NDArray[Scalar], axis: int = 1) -> NDArray[Scalar]:
        """Reorder joints from the order of the data to that of the model.

        Args:
            values: Array with K joints along `axis`; returned unchanged if the orders are equal.
            axis: Axis of the joints.
        """
        return values if self.is_identity else np.take(values, self._data_rows, axis=axis)

    def to_data_order(self, values: NDArray[Scalar], axis: int = 1) -> NDArray[Scalar]:
        """Reorder joints from the order of the model to that of the data: the inverse of `to_model_order`.

        Args:
            values: Array with K joints along `axis`; returned unchanged if the orders are equal.
            axis: Axis of the joints.
        """
        return values if self.is_identity else np.take(values, self._model_rows, axis=axis)


def match_joints(
    model: Sequence[str], data: Sequence[str], *, model_name: str = "the model", data_name: str = "the data"
) -> JointMap:
    """Match the joints of a model and of a data set by name.

    Args:
        model, data: Names in the order of the joint numbers; case-sensitive.
        model_name, data_name: Names of the two sides, for the error message.

    Raises:
        JointMismatchError: if a list is empty, repeats a name, or has a name that the other one lacks.

    Example:
        >>> match_joints(["nose", "left_eye"], ["left_eye", "nose"]).is_identity
        False
    """
    for name, joints in ((model_name, model), (data_name, data)):
        if not joints:
            raise JointMismatchError(
                f"{name} has no joint names, so its joints cannot be matched. It was written by an older version: run the "
                "pipeline data_engineering again."
            )
        repeated = sorted({joint for joint in joints if list(joints).count(joint) > 1})
        if repeated:
            raise JointMismatchError(
                f"{name} has several joints of one name ({', '.join(map(repr, repeated))}), which cannot be matched by name. "
                f"{_describe(name, joints)} Rename them in the annotations (categories: keypoints) and run the pipelines "
                "data_engineering and modelling."
            )
    only_in_model = [name for name in model if name not in set(data)]
    only_in_data = [name for name in data if name not in set(model)]
    if only_in_model or only_in_data:
        raise JointMismatchError(
            f"The joints of {model_name} and of {data_name} cannot be matched by name. {_describe(model_name, model)} "
            f"{_describe(data_name, data)} Only in {model_name}: {', '.join(only_in_model) or 'none'}. Only in {data_name}: "
            f"{', '.join(only_in_data) or 'none'}. {_describe_spellings(only_in_model, only_in_data)}"
            "Train a model on this data (pipeline modelling) or use a model with these joints. If only the names differ, rename "
            "the joints in the annotations (categories: keypoints) and run the pipeline data_engineering.",
            only_in_model,
            only_in_data,
        )
    return JointMap(tuple(model), tuple(data))


def _describe_spellings(first: Sequence[str], second: Sequence[str]) -> str:
    """List pairs of names that differ only in case, spaces, separators or Unicode form."""
    known = {_plain(name): name for name in second}
    pairs = [f"{name!a} and {known[_plain(name)]!a}" for name in first if _plain(name) in known]
    return f"Names that differ only in spelling: {'; '.join(pairs)}. " if pairs else ""


def _plain(name: str) -> str:
    return "".join(sign for sign in unicodedata.normalize("NFKC", name).casefold() if sign.isalnum())


def _describe(name: str, joints: Sequence[str]) -> str:
    return f"{name[:1].upper()}{name[1:]} ({len(joints)}): {', '.join(joints)}."


def reorder_skeleton(skeleton: Skeleton, joints: Sequence[str]) -> Skeleton:
    """Return the skeleton with its joints in another order; limbs, sigmas and flip pairs follow.

    Args:
        skeleton: The skeleton.
        joints: All of its joint names in the new order.

    Raises:
        JointMismatchError: if the names differ.
    """
    order = match_joints(skeleton.joints, joints, model_name="the skeleton", data_name="the new order")
    place: dict[int, int] = {skeleton.joints.index(name): row for row, name in enumerate(order.data)}
    changed: dict[str, Any] = {
        "joints": order.data,
        "limbs": tuple((place[a], place[b]) for a, b in skeleton.limbs),
        "oks_sigmas": tuple(skeleton.oks_sigmas[skeleton.joints.index(name)] for name in order.data),
    }
    return skeleton if order.is_identity else replace(skeleton, **changed)


def name_joints(table: pd.DataFrame, joints: Sequence[str]) -> pd.DataFrame:
    """Add the column `joint_name` to a table of joints.

    Args:
        table: A `Keypoints` table.
        joints: (K,) names; the column `joint` holds indices into this list.
    """
    names = pd.Categorical.from_codes(table["joint"].to_numpy(), categories=pd.Index(list(joints)))
    return table.assign(joint_name=names)


def joint_names_of(keypoints: pd.DataFrame) -> tuple[str, ...]:
    """Return the K joint names of a `Keypoints` table in the order of the joint numbers; empty if it has none.

    Raises:
        DataError: if a number has two names, since tables of different data were joined.
    """
    if "joint_name" not in keypoints:
        return ()
    starts = range(0, max(len(keypoints), 1), _BLOCK_ROWS)  # duplicates of all rows at once would take twice the table's memory
    blocks = [keypoints[["joint", "joint_name"]].iloc[start : start + _BLOCK_ROWS].drop_duplicates() for start in starts]
    pairs = pd.concat(blocks).drop_duplicates().sort_values("joint")
    if pairs["joint"].duplicated().any() or pairs["joint_name"].duplicated().any():
        raise DataError(
            f"The table of joints has several names for a joint, or several joints of a name: {pairs.to_numpy().tolist()}. It "
            "was joined from different data. Run the pipeline data_engineering."
        )
    return tuple(pairs["joint_name"].astype(str))
