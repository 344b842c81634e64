"""Nodes of the pipeline `download`."""

from posescope.data.coco.folder import CocoFolder
from posescope.data.download.options import DownloadOptions
from posescope.data.download.plan import DownloadPlan, make_plan
from posescope.sample.options import SampleOptions

__all__: list[str] = []


def plan_download(raw_workspace: CocoFolder, options: DownloadOptions, sample: SampleOptions | None) -> DownloadPlan:
    """List the archives to fetch, those that are present, and the disk space they need.

    Args:
        raw_workspace: folder of the data set.
        options: options of the download.
        sample: options of the generated sample. None: real data.
    """
    return make_plan(raw_workspace.root, options, is_generated=sample is not None)
