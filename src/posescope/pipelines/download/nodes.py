"""Nodes of the download: unpack, one call, return."""

from posescope.data.coco.folder import CocoFolder
from posescope.data.download.archives import FetchedArchive, download_archives
from posescope.data.download.options import DownloadOptions
from posescope.data.download.plan import DownloadPlan, make_plan
from posescope.sample.options import SampleOptions

__all__: list[str] = []


def plan_download(raw_workspace: CocoFolder, options: DownloadOptions, sample: SampleOptions | None) -> DownloadPlan:
    """Tell what would come, what of it is there, and whether it fits on the disk."""
    return make_plan(raw_workspace.root, options, is_generated=sample is not None)


def fetch_archives(download_plan: DownloadPlan, options: DownloadOptions) -> tuple[FetchedArchive, ...]:
    """Fetch, check and unpack what is missing; in a dry run, nothing of it."""
    return download_archives(download_plan, options)
