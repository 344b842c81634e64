"""Official addresses -> the folder of raw data."""

from posescope.data.download.options import DownloadOptions
from posescope.pipelines.download.pipeline import create_pipeline

__all__ = ["PARAMETERS", "create_pipeline"]

PARAMETERS = {"download": DownloadOptions}
