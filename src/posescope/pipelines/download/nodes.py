"""Nodes of the pipeline `download`."""

from posescope.data.coco.folder import CocoFolder
from posescope.data.download.archives import FetchedArchive, download_archives
from posescope.data.download.options import DownloadOptions
from posescope.data.download.plan import DownloadPlan, make_plan
from posescope.sample.options import SampleOptions

__all__: list[str] = []


def plan_download(raw_workspace: CocoFolder, options: DownloadOptions, sample: SampleOptions | None) -> DownloadPlan:
    """Plan the download: what is missing, and whether it fits on the disk."""
    return make_plan(raw_workspace.root, options, is_generated=sample is not None)


def fetch_archives(download_plan: DownloadPlan, options: DownloadOptions) -> tuple[FetchedArchive, ...]:
    """Download, check and unpack the missing archives; a dry run does nothing."""
    return download_archives(download_plan, options)
