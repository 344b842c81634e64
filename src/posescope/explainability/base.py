"""Inputs and result of an analysis."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from posescope.artifacts.model_folder import fingerprint_of_model
from posescope.artifacts.pose_model import PoseModel
from posescope.core.errors import pluralise
from posescope.core.records import PosePredictions
from posescope.data.crops.crop_set import CropSet
from posescope.drawing.photographs import PhotographMode
from posescope.explainability.components.pca import Components
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.feature_store import FeatureSet
from posescope.explainability.findings import Finding

__all__ = ["AnalysisInputs", "AnalysisResult", "Facts", "StudyPersons"]

_log = logging.getLogger(__name__)

Facts: TypeAlias = dict[str, float | int | str | None]  # numbers of an analysis by name, none where there is no value


@dataclass(frozen=True)
class StudyPersons:
    """N persons and what was measured of them.

    Attributes:
        crops: crops of N persons, with the joints in the model's order (`match_crops`).
        features: features of the same persons, in the same order.
        predictions: predictions of the model for these persons, crop px, joints in the model's order.
        per_person_pck, per_person_oks: (N,) float64 each, NaN where unknown.
        groups: (N,) int64, the same number for persons of one image: the unit of bootstrap resampling and of held-out splits.
        attributes: a row per person in the same order, a float column per attribute (`ATTRIBUTES`, `IMAGE_ATTRIBUTES`), NaN where
            the labelled joints do not define it.
        split: name of their split.
        error_types: (N, K) index into `ERROR_TYPES` of each joint, -1 where unlabelled; none: unknown.
    """

    crops: CropSet
    features: FeatureSet
    predictions: PosePredictions
    per_person_pck: NDArray[np.float64]
    per_person_oks: NDArray[np.float64]
    groups: NDArray[np.int64]
    attributes: pd.DataFrame
    split: str = ""
    error_types: NDArray[np.int8] | None = None

    def __post_init__(self) -> None:
        for name, ids in (("features", self.features.person_ids), ("predictions", self.predictions.person_ids)):
            if not np.array_equal(self.crops.targets.person_ids, ids):
                raise ExplainabilityError(
                    f"Analysis: expected crops and {name} of the same persons in the same order, found {len(self.crops)} crops "
                    f"and {len(ids)} {name} of other persons or in another order. Compute the {name} from these crops."
                )
        for name, values in (
            ("PCK", self.per_person_pck),
            ("OKS", self.per_person_oks),
            ("image", self.groups),
            ("row of attributes", self.attributes),
        ):
            if len(values) != len(self.crops):
                raise ExplainabilityError(f"Analysis: expected one {name} per person ({len(self.crops)}), found {len(values)}.")

    def __len__(self) -> int:
        return len(self.crops)

    @property
    def person_ids(self) -> NDArray[np.int64]:
        """(N,) ids of the persons."""
        return self.crops.targets.person_ids

    def shown_crops(self, rows: NDArray[np.int64], photographs: PhotographMode) -> NDArray[np.uint8]:
        """Return the crops of persons for pictures; the network gets `crops.read_images`.

        Args:
            rows: (n,) rows of the persons.
            photographs: how they are shown (`AnalysisInputs.photographs`).

        Returns:
            (n, H, W, 3) uint8 RGB.
        """
        return self.crops.read_shown_images(rows, photographs)

    def found_joints(self, row: int) -> str:
        """Return how many labelled joints of a person count as correct in its PCK, such as `15 of 17 joints`; empty if unknown.

        Args:
            row: row of the person.
        """
        pck, labelled = self.per_person_pck[row], int((self.crops.targets.visibility[row] > 0).sum())
        return "" if np.isnan(pck) or not labelled else f"{round(pck * labelled)} of {pluralise(labelled, 'joint')}"

    def subset(self, rows: NDArray[np.int64]) -> "StudyPersons":
        """Return the persons at `rows` (n,), in this order."""
        found = self.predictions
        return replace(
            self,
            crops=self.crops.subset(rows),
            features=self.features.subset(rows),
            predictions=PosePredictions(found.person_ids[rows], found.joints[rows], found.scores[rows]),
            per_person_pck=self.per_person_pck[rows],
            per_person_oks=self.per_person_oks[rows],
            groups=self.groups[rows],
            attributes=self.attributes.iloc[rows].reset_index(drop=True),
            error_types=None if self.error_types is None else self.error_types[rows],
        )


@dataclass(frozen=True)
class AnalysisInputs:
    """A model, the persons from which everything is fitted, and the persons on which everything is judged.

    Components, clusters, probes and rules are chosen and fitted on `fitted`; effects, PCK and gaps are measured on `judged`. The
    two share no image.

    Attributes:
        model: the network under study.
        components: components of the features of `fitted`.
        fitted: usually training persons.
        judged: usually validation persons.
        seed: random seed.
        batch_size: persons per forward pass.
        photographs: how pictures show photographs (`StudyPersons.shown_crops`).
    """

    model: PoseModel
    components: Components
    fitted: StudyPersons
    judged: StudyPersons
    seed: int = 0
    batch_size: int = 64
    photographs: PhotographMode = "full"

    def __post_init__(self) -> None:
        for persons in (self.fitted, self.judged):
            self._check_model(persons)
            self._check_layer(persons.features)
        if np.intersect1d(self.fitted.groups, self.judged.groups).size:
            raise ExplainabilityError(
                "Analysis: expected fitted and judged persons of different images, found images with both. Choose the persons "
                "with choose_persons."
            )

    def _check_model(self, persons: StudyPersons) -> None:
        if persons.crops.targets.joint_names != self.model.skeleton.joints:
            raise ExplainabilityError(
                f"Analysis: expected crops with the joints in the model's order ({', '.join(self.model.skeleton.joints)}), found "
                f"{', '.join(persons.crops.targets.joint_names) or 'no names'}. Call match_crops(model, crops) first."
            )
        features = persons.features
        if not features.model:
            _log.warning(
                "Analysis: the features of '%s' do not name their model. Their results are marked as of no model, and no report "
                "shows them. Read features with extract_features.",
                features.layer,
            )
        elif features.model != (own := fingerprint_of_model(self.model)):
            raise ExplainabilityError(
                f"Analysis: expected features of this model ({own}), found features of another one ({features.model}). Run "
                "the whole pipeline explainability, not only one of its nodes."
            )

    def _check_layer(self, features: FeatureSet) -> None:
        path = self.model.network.module_path
        if path(self.components.layer) != path(features.layer) or self.components.shape != features.shape:
            raise ExplainabilityError(
                f"Analysis: expected components of the features' layer '{features.layer}' {features.shape}, found "
                f"components of '{self.components.layer}' {self.components.shape}. Compute them from features of the same layer."
            )
        source, own = self.components.features_fingerprint, features.fingerprint
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
        captions: a caption by name of an image, plot or table: one or two sentences that say what to see.
        model: fingerprint of the network under study, set by `run_analysis`; empty: unknown.
        data: fingerprint of the crops, joints and splits; empty if unknown.
        photographs: how the images show photographs. An analysis that draws them by `StudyPersons.shown_crops` gives that of its
            inputs; a report in a stricter mode leaves the images out.
    """

    facts: Facts
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    images: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)
    note: str = ""
    findings: tuple[Finding, ...] = ()
    plots: Mapping[str, go.Figure] = field(default_factory=dict)
    captions: Mapping[str, str] = field(default_factory=dict)
    model: str = ""
    data: str = ""
    photographs: PhotographMode = "full"

    def __post_init__(self) -> None:
        shown = {*self.images, *self.plots}
        missing = [finding.picture for finding in self.findings if finding.picture not in {None, *shown}]
        if missing or set(self.images) & set(self.plots):
            raise ExplainabilityError(
                "Result of an analysis: expected different names for images and plots, and findings that name one of them; found "
                f"images {sorted(self.images)}, plots {sorted(self.plots)}, and findings that name {missing}."
            )
        unknown = set(self.captions) - shown - set(self.tables)
        ids = [finding.id for finding in self.findings]
        twice = sorted({one for one in ids if ids.count(one) > 1})
        if unknown or twice:
            raise ExplainabilityError(
                "Result of an analysis: expected captions of its images, plots and tables, and findings with different ids; "
                f"found captions of {sorted(unknown)} and the ids {twice} more than once."
            )

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing but the note: not run, of another model, or no result for these features."""
        return not (self.facts or self.tables or self.images or self.plots or self.findings)
