"""What every analysis reads and returns."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.artifacts.model_folder import fingerprint_of_model
from posescope.artifacts.pose_model import PoseModel
from posescope.data.crops.crop_set import CropSet
from posescope.explainability.components.pca import Components
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.feature_store import FeatureSet
from posescope.explainability.findings import Finding

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["AnalysisInputs", "AnalysisResult"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AnalysisInputs:
    """A model, N persons, and what is known of them.

    Attributes:
        model: the network under study.
        crops: N persons, with their joints in the model's order (`match_crops`).
        features: of this model, of the same persons in the same order. Features that do not say their model are warned of.
        components: of features read at the same tap (of these persons or of others).
        per_person_pck: (N,) float64, NaN where unknown; none if nobody was scored.
        per_person_oks: likewise.
        image_groups: (N,) int64, the same number for persons of one photograph: what intervals and held-out halves are drawn
            by; none: everybody has a photograph of their own.
        attributes: measured pose attributes, a row a person in the same order, a float column an attribute (`ATTRIBUTES`),
            NaN where a person's joints do not tell; none: unknown.
        seed: of every random choice.
        batch_size: persons a forward pass.
    """

    model: PoseModel
    crops: CropSet
    features: FeatureSet
    components: Components
    per_person_pck: NDArray[np.float64] | None = None
    per_person_oks: NDArray[np.float64] | None = None
    image_groups: NDArray[np.int64] | None = None
    attributes: pd.DataFrame | None = None
    seed: int = 0
    batch_size: int = 64

    def __post_init__(self) -> None:
        if not np.array_equal(self.crops.targets.person_ids, self.features.person_ids):
            raise ExplainabilityError(
                f"Analysis: the {len(self.crops)} crops and the {len(self.features)} features must be of the same persons in "
                "the same order. Extract the features from these crops."
            )
        if self.crops.targets.joint_names != self.model.skeleton.joints:
            raise ExplainabilityError(
                f"Analysis: expected crops with the joints in the model's order ({', '.join(self.model.skeleton.joints)}), found "
                f"{', '.join(self.crops.targets.joint_names) or 'no names'}. Bring them together by match_crops(model, crops)."
            )
        if not self.features.model:
            _log.warning(
                "Analysis: the features at '%s' do not say which model they were read from. What is found in them is marked as "
                "of no model, and no report shows it. Read them by extract_features.",
                self.features.layer,
            )
        elif self.features.model != (own := fingerprint_of_model(self.model)):
            raise ExplainabilityError(
                f"Analysis: the features were read from another model ({self.features.model}) than the one at hand ({own}). Run "
                "the pipeline explainability whole, not one of its nodes alone."
            )
        if self.components.layer != self.features.layer or self.components.shape != self.features.shape:
            raise ExplainabilityError(
                f"Analysis: the components are of tap '{self.components.layer}' {self.components.shape}, the features of "
                f"'{self.features.layer}' {self.features.shape}. Compute the components from features of the same tap."
            )
        marks = (self.components.features_fingerprint, self.features.fingerprint)
        if all(marks) and marks[0] != marks[1]:
            raise ExplainabilityError(
                f"Analysis: the components were found in other features ({marks[0]}) than these ({marks[1]}): those of another "
                "network, or of other persons. Run the pipeline explainability whole, not one of its nodes alone."
            )
        for name, values in (
            ("PCK", self.per_person_pck),
            ("OKS", self.per_person_oks),
            ("image", self.image_groups),
            ("row of attributes", self.attributes),
        ):
            if values is not None and len(values) != len(self.crops):
                raise ExplainabilityError(f"Analysis: expected one {name} a person ({len(self.crops)}), found {len(values)}.")

    @property
    def groups(self) -> NDArray[np.int64]:
        """(N,) the photograph of each person, as a number; a photograph each where none is known."""
        return np.arange(len(self.crops), dtype=np.int64) if self.image_groups is None else self.image_groups


@dataclass(frozen=True)
class AnalysisResult:
    """What an analysis found.

    Attributes:
        facts: numbers by name, none where there is no answer; JSON-like (never NaN).
        tables: by name.
        images: by name, uint8 (H, W, 3) RGB.
        note: one paragraph in plain words, made from the numbers.
        findings: what the analysis claims, each with its control.
        plots: interactive ones (plotly), by name; no name is that of a picture too.
        model: fingerprint of the network under study; empty: unknown. Whoever runs the analysis says so.
        data: fingerprint of the crops, joints and splits, likewise.
    """

    facts: Mapping[str, float | int | str | None]
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    images: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)
    note: str = ""
    findings: tuple[Finding, ...] = ()
    plots: "Mapping[str, go.Figure]" = field(default_factory=dict)
    model: str = ""
    data: str = ""

    def __post_init__(self) -> None:
        shown = {*self.images, *self.plots}
        lost = [finding.shown_in for finding in self.findings if finding.shown_in is not None and finding.shown_in not in shown]
        if lost or set(self.images) & set(self.plots):
            raise ExplainabilityError(
                "Result of an analysis: pictures and figures have names of their own, and findings point to them; found pictures "
                f"{sorted(self.images)}, figures {sorted(self.plots)}, and findings that point to {lost}."
            )

    @property
    def is_empty(self) -> bool:
        """Whether it has nothing to show but its note: not run, of another model, or nothing to say of these features."""
        return not (self.facts or self.tables or self.images or self.plots or self.findings)
