"""A pipeline with its own namespace of parameters: counts the persons of large enough boxes."""

import logging

import pandas as pd
from kedro.pipeline import Pipeline, node, pipeline
from pydantic import Field

from posescope.core.plugins import Options

__all__ = ["PARAMETERS", "CountOptions", "ExtensionOptions", "count_large", "create_pipeline"]

logger = logging.getLogger("posescope.extension")


class CountOptions(Options):
    """Options of the count."""

    min_side_px: float = Field(10.0, ge=0, description="persons whose box is at least so wide and so high, px")


class ExtensionOptions(Options):
    """All parameters of the pipeline."""

    count: CountOptions = Field(default_factory=CountOptions, description="who is counted")


PARAMETERS = {"extension": ExtensionOptions}


def count_large(persons: pd.DataFrame, count: CountOptions) -> int:
    """Count the persons whose box is large enough."""
    large = int((persons[["bbox_w", "bbox_h"]].min(axis=1) >= count.min_side_px).sum())
    logger.info("%d of %d persons are at least %g px wide and high", large, len(persons), count.min_side_px)
    return large


def create_pipeline() -> Pipeline:
    """Create the pipeline from `persons` to their number."""
    return pipeline(
        [node(count_large, ["persons", "params:extension.count"], "large_persons", name="count_large")], tags="extension"
    )
