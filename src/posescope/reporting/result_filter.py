"""Filter results by origin: only results of the model and the data of this run are shown.

After another training, or with other data, files of earlier runs remain in their folders. Each file states its model and its
data (`posescope.core.origin`). Results of another origin, or without one, are left out and named.
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
from posescope.drawing.photographs import PhotographMode
from posescope.drawing.rgb_images import PngImage
from posescope.evaluation.metric_values import origin_of_metrics
from posescope.explainability.base import AnalysisResult
from posescope.explainability.components.pca import Components

__all__ = ["PHOTOGRAPHS_KEY", "ResultFilter", "add_image_origin", "origin_of", "origin_of_statistics"]

PHOTOGRAPHS_KEY = "photographs"  # keyword in the text of a PNG file: how it shows photographs

T = TypeVar("T")

_log = logging.getLogger(__name__)


def origin_of_statistics(statistics: CropStatistics) -> Origin:
    """Return the origin of results that depend on the data alone."""
    return Origin(data=statistics.data_fingerprint)


def add_image_origin(image: NDArray[np.uint8], origin: Origin | None, photographs: PhotographMode = "full") -> PngImage:
    """Return the image with its origin, and how it shows photographs, as PNG text.

    Args:
        image: (H, W, 3) uint8 RGB.
        origin: origin of the image. None: it has none.
        photographs: how photographs are shown in the image.
    """
    return PngImage(image, {**({} if origin is None else origin.to_dict()), PHOTOGRAPHS_KEY: photographs})


def origin_of(result: Any) -> Origin | None:
    """Return the origin of a result; None if it has none.

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
    """Filter of results by the model and the data of this run.

    Attributes:
        at_hand: fingerprints of model and data.
        trained_on_this_data: False if the model was trained on other data.
        left_out: one sentence per group of results that were left out; `keep` appends to it.
    """

    at_hand: Origin
    trained_on_this_data: bool = True
    left_out: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, model: PoseModel, statistics: CropStatistics) -> "ResultFilter":
        """Create a filter; a model that was trained on other data is added to `left_out`.

        Args:
            model: the model of this run.
            statistics: statistics of the data of this run.
        """
        at_hand = Origin(model=fingerprint_of_model(model), data=statistics.data_fingerprint, results="")
        trained_on = model.provenance.get("data_fingerprint")
        found = cls(at_hand, trained_on in (None, statistics.data_fingerprint))
        if not found.trained_on_this_data:
            found.name(
                f"The model {at_hand.model} was trained on other data ({trained_on}) than this run's data "
                f"({statistics.data_fingerprint}). Counts of persons are of this run's data. If both data sets "
                "share images, training persons of the model may be among the scored persons."
            )
        return found

    def keep(self, named: Mapping[str, T], pipeline: str, *, any_data: bool = False) -> dict[str, T]:
        """Return the results of the model and the data of this run; the others are logged and added to `left_out`.

        Args:
            named: results by name, as for `origin_of`. Empty tables are kept.
            pipeline: pipeline that recomputes the results.
            any_data: compare the model alone.
        """
        expected = replace(self.at_hand, data=None) if any_data else self.at_hand
        reasons = {name: _why_not(result, expected) for name, result in named.items()}
        for reason in dict.fromkeys(filter(None, reasons.values())):
            names = ", ".join(name for name, own in reasons.items() if own == reason)
            self.name(f"Left out ({reason}): {names}. Run the pipeline {pipeline}.")
        return {name: result for name, result in named.items() if not reasons[name]}

    def keep_all(self, named: Mapping[str, T], pipeline: str, *, any_data: bool = False) -> dict[str, T] | None:
        """Return the results if all of them are kept, else None.

        Args:
            named, pipeline, any_data: see `keep`.
        """
        kept = self.keep(named, pipeline, any_data=any_data)
        return kept if len(kept) == len(named) else None

    def name(self, sentence: str) -> None:
        """Record a sentence on what was left out, and log it as a warning."""
        _log.warning(sentence)
        self.left_out.append(sentence)


def _why_not(result: Any, expected: Origin) -> str:
    if isinstance(result, pd.DataFrame) and result.empty:
        return ""
    if isinstance(result, AnalysisResult) and result.is_empty and not (result.model or result.data):
        return ""  # not selected: nothing to compare
    found = origin_of(result)
    if found is None:
        return "has no origin"
    return " and ".join(expected.differences(found))
