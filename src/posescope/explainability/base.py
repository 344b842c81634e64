"""Inputs and result of an analysis."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from posescope.artifacts.model_folder import fingerprint_of_model
from posescope.artifacts.pose_model import PoseModel
from posescope.data.crops.crop_set import CropSet
from posescope.explainability.components.pca import Components
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.feature_store import FeatureSet
from posescope.explainability.findings import Finding

__all__ = ["AnalysisInputs", "AnalysisResult", "Facts"]

_log = logging.getLogger(__name__)

Facts: TypeAlias = dict[str, float | int | str | None]  # numbers of an analysis by name, none where there is no value


@dataclass(frozen=True)
class AnalysisInputs:
    """A model, N persons, and what was measured of them.

    Attributes:
        model: the network under study.
        crops: crops of N persons, with the joints in the model's order (`match_crops`).
        features: features of this model and the same persons, in the same order. A warning is logged if they do not name their
            model.
        components: components of features of the same layer (of these persons or of others).
        per_person_pck, per_person_oks: (N,) float64 each, NaN where unknown.
        groups: (N,) int64, the same number for persons of one image: the unit of bootstrap resampling and of held-out splits.
        attributes: a row per person in the same order, a float column per attribute (`ATTRIBUTES`), NaN where the labelled joints
            do not define it.
        seed: random seed.
        batch_size: persons per forward pass.
    """

    model: PoseModel
    crops: CropSet
    features: FeatureSet
    components: Components
    per_person_pck: NDArray[np.float64]
    per_person_oks: NDArray[np.float64]
    groups: NDArray[np.int64]
    attributes: pd.DataFrame
    seed: int = 0
    batch_size: int = 64

    def __post_init__(self) -> None:
        self._check_persons()
        self._check_model()
        self._check_components()

    def _check_persons(self) -> None:
        if not np.array_equal(self.crops.targets.person_ids, self.features.person_ids):
            raise ExplainabilityError(
                f"Analysis: expected crops and features of the same persons in the same order, found {len(self.crops)} crops and "
                f"{len(self.features)} features of other persons or in another order. Extract the features from these crops."
            )
        for name, values in (
            ("PCK", self.per_person_pck),
            ("OKS", self.per_person_oks),
            ("image", self.groups),
            ("row of attributes", self.attributes),
        ):
            if len(values) != len(self.crops):
                raise ExplainabilityError(f"Analysis: expected one {name} per person ({len(self.crops)}), found {len(values)}.")

    def _check_model(self) -> None:
        if self.crops.targets.joint_names != self.model.skeleton.joints:
            raise ExplainabilityError(
                f"Analysis: expected crops with the joints in the model's order ({', '.join(self.model.skeleton.joints)}), found "
                f"{', '.join(self.crops.targets.joint_names) or 'no names'}. Call match_crops(model, crops) first."
            )
        if not self.features.model:
            _log.warning(
                "Analysis: the features of '%s' do not name their model. Their results are marked as of no model, and no report "
                "shows them. Read features with extract_features.",
                self.features.layer,
            )
        elif self.features.model != (own := fingerprint_of_model(self.model)):
            raise ExplainabilityError(
                f"Analysis: expected features of this model ({own}), found features of another one ({self.features.model}). Run "
                "the whole pipeline explainability, not only one of its nodes."
            )

    def _check_components(self) -> None:
        path = self.model.network.module_path
        if path(self.components.layer) != path(self.features.layer) or self.components.shape != self.features.shape:
            raise ExplainabilityError(
                f"Analysis: expected components of the features' layer '{self.features.layer}' {self.features.shape}, found "
                f"components of '{self.components.layer}' {self.components.shape}. Compute them from features of the same layer."
            )
        source, own = self.components.features_fingerprint, self.features.fingerprint
        if source and own and source != own:
            raise ExplainabilityError(
                f"Analysis: expected components of these features ({own}), found components of features of another network or of "
                f"other persons ({source}). Run the whole pipeline explainability, not only one of its nodes."
            )


@dataclass(frozen=True)
class AnalysisResult:
    """Result of an analysis.

    Attributes:
        facts: numbers by name, none where there is no value; JSON-like (never NaN).
        tables: tables by name.
        images: images by name, uint8 (H, W, 3) RGB.
        note: one paragraph of text, made from the numbers.
        findings: the claims of the analysis, each with its control.
        plots: interactive plots (plotly) by name; no name is also that of an image.
        model: fingerprint of the network under study, set by `run_analysis`; empty: unknown.
        data: fingerprint of the crops, joints and splits; empty if unknown.
    """

    facts: Facts
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    images: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)
    note: str = ""
    findings: tuple[Finding, ...] = ()
    plots: Mapping[str, go.Figure] = field(default_factory=dict)
    model: str = ""
    data: str = ""

    def __post_init__(self) -> None:
        shown = {*self.images, *self.plots}
        missing = [finding.shown_in for finding in self.findings if finding.shown_in not in {None, *shown}]
        if missing or set(self.images) & set(self.plots):
            raise ExplainabilityError(
                "Result of an analysis: expected different names for images and plots, and findings that name one of them; found "
                f"images {sorted(self.images)}, plots {sorted(self.plots)}, and findings that name {missing}."
            )

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing but the note: not run, of another model, or no result for these features."""
        return not (self.facts or self.tables or self.images or self.plots or self.findings)
