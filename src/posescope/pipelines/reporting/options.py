"""The parameters of the namespace `reporting`."""

from pydantic import Field

from posescope.core.plugins import Options

__all__ = ["PageOptions", "ReportingOptions"]


class PageOptions(Options):
    """What the report shows."""

    title: str = Field("posescope report", min_length=1, description="title of the page")
    examples: int = Field(6, ge=1, le=50, description="persons whose story is told")


class ReportingOptions(Options):
    """All parameters of the pipeline."""

    page: PageOptions = Field(default_factory=PageOptions, description="what the report shows")
