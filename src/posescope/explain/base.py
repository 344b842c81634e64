"""What every analysis reads and returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.artifacts.pose_model import PoseModel
from posescope.crops.crop_set import CropSet
from posescope.explain.components import Components
from posescope.explain.errors import ExplainError
from posescope.explain.feature_store import FeatureSet

__all__ = ["AnalysisInputs", "AnalysisResult", "sample_rows"]


@dataclass(frozen=True)
class AnalysisInputs:
    """A model, N persons, and what is known of them.

    Attributes:
        model: the network under study.
        crops: N persons.
        features: of the same persons in the same order.
        components: of features read at the same tap (of these persons or of others).
        per_person_pck: (N,) float64, NaN where unknown; none if nobody was scored.
        seed: of every random choice.
        batch_size: persons a forward pass.
    """

    model: PoseModel
    crops: CropSet
    features: FeatureSet
    components: Components
    per_person_pck: NDArray[np.float64] | None = None
    seed: int = 0
    batch_size: int = 64

    def __post_init__(self) -> None:
        if not np.array_equal(self.crops.targets.person_ids, self.features.person_ids):
            raise ExplainError(
                f"Analysis: the {len(self.crops)} crops and the {len(self.features)} features must be of the same persons in "
                "the same order. Extract the features from these crops."
            )
        if self.components.tap != self.features.tap or self.components.shape != self.features.shape:
            raise ExplainError(
                f"Analysis: the components are of tap '{self.components.tap}' {self.components.shape}, the features of "
                f"'{self.features.tap}' {self.features.shape}. Compute the components from features of the same tap."
            )
        if self.per_person_pck is not None and self.per_person_pck.shape != (len(self.crops),):
            raise ExplainError(
                f"Analysis: expected one PCK a person ({len(self.crops)}), found shape {self.per_person_pck.shape}."
            )


@dataclass(frozen=True)
class AnalysisResult:
    """What an analysis found.

    Attributes:
        findings: figures by name, none where there is no answer; JSON-like (never NaN).
        tables: by name.
        pictures: by name, uint8 (H, W, 3) RGB.
        note: one paragraph in plain words, made from the numbers.
    """

    findings: Mapping[str, float | int | str | None]
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    pictures: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)
    note: str = ""


def sample_rows(count: int, most: int, seed: int) -> NDArray[np.int64]:
    """All rows 0..count-1, or, if there are more than `most`, that many of them drawn without replacement; ascending."""
    if count <= most:
        return np.arange(count, dtype=np.int64)
    return np.sort(np.random.default_rng(seed).choice(count, size=most, replace=False)).astype(np.int64)
