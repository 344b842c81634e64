"""Requests to the latent space and its answers, apart from the engine, so that a page reads them without loading the network."""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from posescope.core.plugins import Options

__all__ = ["MOST_COMPONENTS", "LatentAnswer", "LatentRequest", "Offset", "Patch", "PatchKind"]

MOST_COMPONENTS = 10  # with a slider

PatchKind = Literal["mean", "zero", "person"]
Offset = Annotated[float, Field(ge=-20, le=20)]


class Patch(Options):
    """Replacement of the activation of one layer (activation patching)."""

    layer: str = Field(min_length=1, description="short name or module path of the layer")
    kind: PatchKind = Field(description="mean: over persons of the run; zero: zeros; person: the activation of another person")
    person_id: int | None = Field(None, description="that other person; null for mean and zero")

    @model_validator(mode="after")
    def _check_person(self) -> "Patch":
        if (self.kind == "person") != (self.person_id is not None):
            raise ValueError("expected a person_id with the kind person, and none with the other kinds")
        return self


class LatentRequest(Options):
    """What is changed."""

    person_id: int | None = Field(None, description="the person; null: the mean person")
    offsets: tuple[Offset, ...] = Field(
        (), max_length=MOST_COMPONENTS, description="offset along component 1, 2, ..., in standard deviations"
    )
    kept_components: int | None = Field(None, ge=0, description="number of first components that are kept; null: all")
    patches: tuple[Patch, ...] = Field((), max_length=64, description="layers whose activation is replaced")


@dataclass(frozen=True, eq=False)
class LatentAnswer:
    """What the rest of the network makes of the changed features.

    Attributes:
        joints: (K, 2) float32 crop px.
        scores: (K,) float32.
        heatmaps: (K, h, w) float32.
        unchanged_joints: (K, 2) float32 crop px without any change.
        unchanged_scores: (K,) float32 without any change.
        unchanged_peak: highest value of the heatmaps without any change.
        moved_px: (K,) distance of each joint from its place without any change, crop px.
        nearest: ids of the persons with the nearest features, nearest first. Persons on the photograph of the person whose
            features are the start are left out.
        distance_quantile: fraction of persons whose own nearest neighbour on another photograph is nearer than the first of
            `nearest`; near 1, there are no such persons. NaN if it is unknown.
    """

    joints: NDArray[np.float32]
    scores: NDArray[np.float32]
    heatmaps: NDArray[np.float32]
    unchanged_joints: NDArray[np.float32]
    unchanged_scores: NDArray[np.float32]
    unchanged_peak: float
    moved_px: NDArray[np.float64]
    nearest: tuple[int, ...]
    distance_quantile: float
