"""Parameters of the pipeline `data_engineering`."""

from typing import Annotated

from pydantic import Field, model_validator

from posescope.core.plugins import ComponentSpec, Options, component_validator
from posescope.data.coco.failure_limits import FailureLimits
from posescope.data.coco.folder import SourceOptions
from posescope.data.coco.sources import SourceList
from posescope.data.crops.options import CropOptions, SplitOptions
from posescope.reporting.image_grids.average_crops import PreviewOptions
from posescope.sample.options import SampleOptions

FilterSpec = Annotated[ComponentSpec, component_validator("filters")]
CodecSpec = Annotated[ComponentSpec, component_validator("codecs")]

__all__ = ["DataEngineeringOptions", "FilterOptions"]


class FilterOptions(Options):
    """Filters of persons, besides those that reject crowds and persons without labelled joints."""

    filters: tuple[FilterSpec, ...] = Field((), description="components of posescope.filters, in order")


class DataEngineeringOptions(Options):
    """Parameters of the pipeline `data_engineering`."""

    source: SourceOptions = Field(
        default_factory=SourceOptions, description="names of the splits, folders and files of the data set"
    )
    sources: SourceList = Field(
        default_factory=SourceList,
        description="several data sets that train one network, each with name, raw_dir and the options of `source`; empty: "
        "`source` alone",
    )
    failures: FailureLimits = Field(default_factory=FailureLimits, description="limits of malformed and unreadable records")
    sample: SampleOptions | None = Field(None, description="generate the sample if it is absent; null: real data")
    filter: FilterOptions = Field(default_factory=FilterOptions, description="filters of persons")
    crop: CropOptions = Field(default_factory=CropOptions, description="crop rule, size and workers")
    split: SplitOptions = Field(default_factory=SplitOptions, description="sizes and seed of the test and the calibration set")
    codec: CodecSpec = Field(
        ComponentSpec(name="thesis"), description="encoding of joints as heatmaps: a component of posescope.codecs"
    )
    preview: PreviewOptions = Field(default_factory=PreviewOptions, description="size of the previews")

    @model_validator(mode="after")
    def _sample_is_one_data_set(self) -> "DataEngineeringOptions":
        if self.sources and self.sample is not None:
            raise ValueError(
                "sample: expected null with several sources, found options of the generated sample; set sample: null"
            )
        return self
