"""Metadata of the explorer table: what its columns are of. It is stored as JSON in the key-value metadata of the Parquet file."""

from typing import Annotated, Literal

from pydantic import Field, StrictInt, ValidationError

from posescope.core.errors import DataError
from posescope.core.plugins import Options, describe_validation_error
from posescope.drawing.photographs import PhotographMode

__all__ = [
    "SCHEMA_VERSION", "AttributeAbout", "ClusterAbout", "ComponentAbout", "ExplorerAbout", "MapName", "SkeletonAbout",
    "SliceAbout", "parse_about",
]  # fmt: skip

SCHEMA_VERSION = 1
MapName = Literal["components", "tsne", "umap"]

_Count = Annotated[int, Field(ge=0)]
_Fraction = Annotated[float, Field(ge=0, le=1)]


class SkeletonAbout(Options):
    """Joints of the model, in the order of the columns `joints_true` and `joints_predicted`."""

    joints: tuple[str, ...] = Field(min_length=1, description="names of the K joints")
    limbs: tuple[tuple[int, int], ...] = Field((), description="pairs of joint indices, 0-based")


class ComponentAbout(Options):
    """One component of the features."""

    number: int = Field(ge=1, description="1 is the first; its scores are the column component_<number>")
    title: str = Field(description="number and name")
    low: str = Field("", description="words for the low end; empty without a name")
    high: str = Field("", description="words for the high end; empty without a name")
    explained: _Fraction = Field(description="fraction of the variance of the features along the component, 0..1")


class ClusterAbout(Options):
    """One shown cluster."""

    number: int = Field(ge=1, description="value of the column cluster")
    name: str = Field(description="value of the column cluster_name")
    persons: _Count = Field(description="persons of the table in the cluster")


class SliceAbout(Options):
    """One failure slice; its persons are judged persons."""

    id: str = Field(description="value in the column slices; the id of the finding is failure_slices.<id>")
    name: str = Field(description="description of the group, such as: persons with legs out of view")
    rule: str = Field("", description="exact conditions of the rule, as a sentence")
    persons: _Count = Field(description="persons of the table in the slice")
    photographs: _Count = Field(description="their photographs")
    score: _Fraction | None = Field(description="mean PCK inside, 0..1")
    others: _Fraction | None = Field(description="mean PCK of the other judged persons, 0..1")
    share_of_error: _Fraction | None = Field(None, description="fraction of all missed joints of the judged persons, 0..1")
    claimed: bool = Field(description="whether the slice is claimed; False: such a difference may be by chance")


class AttributeAbout(Options):
    """One attribute of pose or image."""

    title: str = Field(description="name as pages show it")
    unit: str = Field(description="unit of the values")
    low: str = Field(description="words for low values")
    high: str = Field(description="words for high values")


class ExplorerAbout(Options):
    """Metadata of an explorer table."""

    schema_version: StrictInt = Field(SCHEMA_VERSION, ge=1, le=SCHEMA_VERSION, description="version of the columns")
    skeleton: SkeletonAbout = Field(description="joints of the model")
    model: str = Field(description="fingerprint of the model")
    data: str = Field(description="fingerprint of the crops, joints and splits")
    features: str = Field("", description="fingerprint of the features whose components are in the table")
    layer: str = Field(description="layer of the features")
    category: str = Field("person", description="name of the category in the annotation files")
    crop_size: tuple[int, int] = Field(description="(height, width) px of the crops")
    map: MapName = Field("components", description="how map_x and map_y were computed")
    scores: tuple[str, ...] = Field((), description="columns with a score per person, 0..1")
    components: tuple[ComponentAbout, ...] = Field((), description="components whose scores are in the table")
    clusters: tuple[ClusterAbout, ...] = Field((), description="shown clusters; empty: the analysis was not run")
    slices: tuple[SliceAbout, ...] = Field((), description="failure slices; empty: none, or the analysis was not run")
    attributes: dict[str, AttributeAbout] = Field(default_factory=dict, description="attributes by name: attribute_<name>")
    photographs: PhotographMode = Field("full", description="how thumbnails show photographs (reporting.photographs)")
    thumbnail_px: int = Field(ge=1, description="longest side of the thumbnails, px")
    generated: bool = Field(False, description="whether the images are those of the generated sample")
    note: str = Field("", description="why the table has no persons; empty if it has")

    def find_slice(self, slice_id: str) -> SliceAbout:
        """Return a failure slice.

        Raises:
            DataError: if there is none with this id.
        """
        found = next((one for one in self.slices if one.id == slice_id), None)
        if found is None:
            known = ", ".join(one.id for one in self.slices) or "none"
            raise DataError(f"Failing group {slice_id!r}: not found. This run has: {known}.")
        return found


def parse_about(content: str | bytes, source: str) -> ExplorerAbout:
    """Return the metadata of its JSON text.

    Args:
        content: JSON text.
        source: name of the file, for the message.

    Raises:
        DataError: if it is malformed, or of a newer version.
    """
    try:
        return ExplorerAbout.model_validate_json(content)
    except ValidationError as error:
        faults = "; ".join(describe_validation_error(error))
        raise DataError(
            f"{source}: expected metadata of version {SCHEMA_VERSION} or earlier of the explorer table, found {faults}. Run the "
            "pipeline reporting again, or install a newer posescope."
        ) from error
