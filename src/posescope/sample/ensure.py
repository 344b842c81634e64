"""Make the sample only where it is not there already."""

import logging
from pathlib import Path

from posescope.sample.generate import generate_sample, is_current_sample
from posescope.sample.options import SampleOptions

__all__ = ["ensure_sample"]

logger = logging.getLogger(__name__)


def ensure_sample(folder: Path, options: SampleOptions) -> None:
    """Generate the sample in `folder` unless it is this very sample already.

    Raises:
        DataError: if the folder holds somebody's data: it is never overwritten.
    """
    if is_current_sample(folder, options):
        logger.info("The sample is there already: %s", folder)
        return
    generate_sample(folder, options)
