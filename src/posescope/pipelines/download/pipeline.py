"""The flow of the download."""

from kedro.pipeline import Pipeline, pipeline

from posescope.pipelines.download import nodes
from posescope.pipelines.steps import step

__all__ = ["create_pipeline"]

OPTIONS = "params:download"


def create_pipeline() -> Pipeline:
    """Official addresses -> the folder of raw data.

    What was fetched stays in memory, and is recorded beside the data itself: a dry run is to
    write nothing but the record of the run.
    """
    return pipeline(
        [
            step(nodes.plan_download, ["raw_workspace", OPTIONS, "params:data_engineering.sample"], "download_plan"),
            step(nodes.fetch_archives, ["download_plan", OPTIONS], "fetched_archives"),
        ],
        tags="download",
    )
