"""Pipeline `download`: official archives -> the folder of raw data."""

from kedro.pipeline import Pipeline

from posescope.data.download.archives import download_archives
from posescope.pipelines.download import nodes
from posescope.pipelines.steps import stage, step

__all__ = ["create_pipeline"]

OPTIONS = "params:download"


def create_pipeline() -> Pipeline:
    """Return the pipeline that downloads a data set.

    The list of fetched archives stays in memory, because a dry run writes only its run record.
    """
    return stage(
        "download",
        [
            step(nodes.plan_download, ["raw_workspace", OPTIONS, "params:data_engineering.sample"], "download_plan"),
            step(download_archives, ["download_plan", OPTIONS], "fetched_archives", "fetch_archives"),
        ],
    )
