"""The columns that rules read: attributes of the judged persons, magnitudes of signed attributes, and component scores."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.explainability.base import AnalysisInputs, StudyPersons
from posescope.explainability.components.component_titles import name_components
from posescope.explainability.failure_slices.slice_words import COMPONENT, MAGNITUDES

__all__ = ["PROPERTIES", "JudgedColumns", "gather_columns"]

# Facts that are known before any network runs.
PROPERTIES = ("size", "truncated", "crowding", "labelled", "occluded")


@dataclass(frozen=True, eq=False)
class JudgedColumns:
    """N judged persons whose PCK is known, and the columns that rules read.

    Attributes:
        persons: the persons.
        table: N rows, a float column per attribute, magnitude (`MAGNITUDES`) and component (`component_1`, in standard
            deviations of the fitted persons); NaN where unknown.
        components: words for the low and high end by number of the component, those with a name only.
        missed, labelled: (N,) number of missed and of labelled joints.
    """

    persons: StudyPersons
    table: pd.DataFrame
    components: Mapping[int, tuple[str, str]]
    missed: NDArray[np.float64]
    labelled: NDArray[np.float64]

    @property
    def properties(self) -> pd.DataFrame:
        """The columns of the known properties."""
        return self.table[[name for name in PROPERTIES if name in self.table]]


def gather_columns(inputs: AnalysisInputs, components: int) -> JudgedColumns:
    """Gather the columns of the judged persons whose PCK is known.

    Args:
        inputs: inputs of the analysis.
        components: maximum number of components.
    """
    rows = np.flatnonzero(np.isfinite(inputs.judged.per_person_pck)).astype(np.int64)
    persons = inputs.judged.subset(rows)
    count = min(components, len(inputs.components))
    scores = inputs.components.project(persons.features.values, count)
    # The variance of components beyond the rank of the features is 0.
    deviations = np.sqrt(np.maximum(inputs.components.variances[:count], np.finfo(np.float32).tiny))
    names = [f"{COMPONENT}{number}" for number in range(1, count + 1)]
    attributes = persons.attributes.drop(columns="person_id", errors="ignore").select_dtypes("number").astype(np.float64)
    magnitudes = {name: attributes[signed].abs() for name, signed in MAGNITUDES.items() if signed in attributes}
    attributes = attributes.assign(**magnitudes)
    table = pd.concat(
        [attributes.reset_index(drop=True), pd.DataFrame(scores / deviations, columns=names, index=range(len(rows)))], axis=1
    )
    labelled = (persons.crops.targets.visibility > 0).sum(axis=1).astype(np.float64)
    named = {one.number: (one.low, one.high) for one in name_components(inputs) if one.is_named}
    missed = np.rint((1 - persons.per_person_pck) * labelled)
    return JudgedColumns(persons, table, named, missed, labelled)
