"""What belongs to the model and the data at hand, and what is left out of the report and the model card because it does not.

After another training, or with other data, the files of an earlier run still lie in their folders. Each says which model and
data it is of (`posescope.core.origin`). A file that is of others, or does not say it, is left out and named.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from posescope.artifacts.model_folder import fingerprint_of_model
from posescope.artifacts.pose_model import PoseModel
from posescope.core.origin import Origin, origin_of_table
from posescope.data.crops.crop_statistics import CropStatistics
from posescope.drawing.rgb_images import PngImage
from posescope.evaluation.metric_values import origin_of_metrics
from posescope.explainability.base import AnalysisResult
from posescope.explainability.components.pca import Components

__all__ = ["ResultFilter", "add_image_origin", "origin_of", "origin_of_statistics"]

T = TypeVar("T")

_log = logging.getLogger(__name__)


def origin_of_statistics(statistics: CropStatistics) -> Origin:
    """Return the origin of what is made from the data alone."""
    return Origin(data=statistics.data_fingerprint)


def add_image_origin(image: NDArray[np.uint8], origin: Origin | None) -> PngImage:
    """Return the picture with its origin as text."""
    return PngImage(image, {} if origin is None else origin.to_dict())


def origin_of(result: Any) -> Origin | None:
    """Return what a result says of its origin, whatever kind it is; None if it does not say it.

    Args:
        result: a table, a plot, a `PngImage`, the content of metrics.json, `Components` or an `AnalysisResult`.
    """
    if isinstance(result, pd.DataFrame):
        return origin_of_table(result)
    if isinstance(result, go.Figure):
        return Origin.from_dict(result.layout.meta or {})
    if isinstance(result, PngImage):
        return Origin.from_dict(result.text)
    if isinstance(result, Components | AnalysisResult):
        return Origin(model=result.model, data=result.data) if result.model and result.data else None
    return origin_of_metrics(result) if isinstance(result, Mapping) else None


@dataclass(frozen=True)
class ResultFilter:
    """The model and the data at hand, and the sentences on what was left out so far.

    Attributes:
        at_hand: fingerprints of both.
        trained_on_this_data: False where the model says that it was trained on other data.
        left_out: one sentence each; `keep` adds to it.
    """

    at_hand: Origin
    trained_on_this_data: bool = True
    left_out: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, model: PoseModel, statistics: CropStatistics) -> "ResultFilter":
        """Begin with the model and the data at hand; a model that was trained on other data is named."""
        at_hand = Origin(model=fingerprint_of_model(model), data=statistics.data_fingerprint, results="")
        trained_on = model.provenance.get("data_fingerprint")
        found = cls(at_hand, trained_on in (None, statistics.data_fingerprint))
        if not found.trained_on_this_data:
            found.name(
                f"The model {at_hand.model} was trained on other data ({trained_on}) than the data at hand "
                f"({statistics.data_fingerprint}): counts of persons are those of the data at hand. If both "
                "share images, the model may have learned from persons that are scored here."
            )
        return found

    def keep(self, named: Mapping[str, T], pipeline: str, *, any_data: bool = False) -> dict[str, T]:
        """Return the results that belong to the model and the data at hand; the others are named, in the log too.

        Args:
            named: results by name, each as for `origin_of`. An empty table shows nothing, and is kept.
            pipeline: that makes them anew.
            any_data: compare the model alone.
        """
        expected = replace(self.at_hand, data=None) if any_data else self.at_hand
        reasons = {name: _why_not(result, expected) for name, result in named.items()}
        for reason in dict.fromkeys(filter(None, reasons.values())):
            names = ", ".join(name for name, own in reasons.items() if own == reason)
            self.name(f"Left out ({reason}): {names}. Run the pipeline {pipeline}.")
        return {name: result for name, result in named.items() if not reasons[name]}

    def keep_all(self, named: Mapping[str, T], pipeline: str, *, any_data: bool = False) -> dict[str, T] | None:
        """As `keep`, for results that are shown together: None if one of them does not belong."""
        kept = self.keep(named, pipeline, any_data=any_data)
        return kept if len(kept) == len(named) else None

    def name(self, sentence: str) -> None:
        """Add a sentence, and log it as a warning."""
        _log.warning(sentence)
        self.left_out.append(sentence)


def _why_not(result: Any, expected: Origin) -> str:
    if isinstance(result, pd.DataFrame) and result.empty:
        return ""
    if isinstance(result, AnalysisResult) and result.is_empty and not (result.model or result.data):
        return ""  # it was not selected: it says so, and shows nothing
    found = origin_of(result)
    if found is None:
        return "does not say of which model and data"
    return " and ".join(expected.differences(found))
