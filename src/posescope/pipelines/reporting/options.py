"""Parameters of the pipeline `reporting`."""

from pydantic import Field

from posescope.core.plugins import Options
from posescope.drawing.photographs import PhotographMode
from posescope.explorer.person_table import ExplorerOptions

__all__ = ["PageOptions", "ReportingOptions"]


class PageOptions(Options):
    """Options of the report page."""

    title: str = Field("posescope report", min_length=1, description="title of the page")
    examples: int = Field(6, ge=1, le=50, description="persons shown from image to prediction")


class ReportingOptions(Options):
    """Parameters of the pipeline `reporting`."""

    photographs: PhotographMode = Field(
        "full",
        description="photographs in pictures that all pipelines draw: full; blurred, heads most, without file names; none: plain "
        "ground. Pictures of an earlier run in a less strict mode are left out",
    )
    page: PageOptions = Field(default_factory=PageOptions, description="options of the report page")
    explorer: ExplorerOptions = Field(default_factory=ExplorerOptions, description="options of the table of explained persons")
