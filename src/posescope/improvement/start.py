"""What stands for the data of a fine-tuning, and whether the model belongs to it."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from posescope.artifacts.pose_model import PoseModel
from posescope.crops.statistics import CropStatistics
from posescope.improvement.errors import ImprovementError
from posescope.tables import people_fingerprint

__all__ = ["describe_data"]


def describe_data(model: PoseModel, statistics: CropStatistics, persons: pd.DataFrame) -> dict[str, Any]:
    """JSON-like: the crops, the skeleton, and who is set aside for the test.

    Args:
        model: trained on these persons.
        statistics: of the crops.
        persons: a `Persons` table of all splits.

    Raises:
        ImprovementError: if other persons were set aside when the model was trained: it would pass for one that has seen none
            of those who are set aside now.
    """
    then, now = _set_aside(model.provenance), people_fingerprint(persons, "test")
    if then not in (None, now):
        raise ImprovementError(
            f"The model was trained beside another test set ({then}) than that of the split now ({now}): it may have learned "
            "from test persons. Train again (the pipeline modelling), or bring the split back."
        )
    return {"crop_statistics": statistics.to_dict(), "skeleton": model.skeleton.to_dict(), "test_people": then}


def _set_aside(provenance: Mapping[str, Any]) -> str | None:
    """The mark of the test persons; that of a model that was put together is its hourglass's."""
    found: str | None = provenance.get("parts", {}).get("hourglass", provenance).get("test_people")
    return found
