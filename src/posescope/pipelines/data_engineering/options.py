"""The parameters of the namespace `data_engineering`."""

from typing import TYPE_CHECKING

from pydantic import Field

from posescope.core.plugins import ComponentSpec, Options, component_field
from posescope.data.coco.failure_limits import FailureLimits
from posescope.data.coco.folder import SourceOptions
from posescope.data.crops.options import CropOptions, SplitOptions
from posescope.reporting.image_grids.average_crops import PreviewOptions
from posescope.sample.options import SampleOptions

if TYPE_CHECKING:
    FilterSpec = ComponentSpec
    CodecSpec = ComponentSpec
else:
    FilterSpec = component_field("filters")
    CodecSpec = component_field("codecs")

__all__ = ["DataEngineeringOptions", "FilterOptions"]


class FilterOptions(Options):
    """Which filters people must pass, beyond having a labelled joint and being no crowd."""

    filters: tuple[FilterSpec, ...] = Field((), description="components of posescope.filters, in order")


class DataEngineeringOptions(Options):
    """All parameters of the pipeline."""

    source: SourceOptions = Field(default_factory=SourceOptions, description="how the data set's splits and files are called")
    failures: FailureLimits = Field(default_factory=FailureLimits, description="how much may be malformed or unreadable")
    sample: SampleOptions | None = Field(None, description="make the generated sample where it is absent; null: real data")
    filter: FilterOptions = Field(default_factory=FilterOptions, description="who stays")
    crop: CropOptions = Field(default_factory=CropOptions, description="how people are cut out")
    split: SplitOptions = Field(default_factory=SplitOptions, description="how the test set is drawn")
    codec: CodecSpec = Field(ComponentSpec(name="thesis"), description="how joints become heatmaps")
    preview: PreviewOptions = Field(default_factory=PreviewOptions, description="how much is read for a first look")
