"""Parameters of the pipeline `reporting`."""

from pydantic import Field

from posescope.core.plugins import Options

__all__ = ["PageOptions", "ReportingOptions"]


class PageOptions(Options):
    """Options of the report page."""

    title: str = Field("posescope report", min_length=1, description="title of the page")
    examples: int = Field(6, ge=1, le=50, description="persons shown from image to prediction")


class ReportingOptions(Options):
    """Parameters of the pipeline `reporting`."""

    page: PageOptions = Field(default_factory=PageOptions, description="options of the report page")
