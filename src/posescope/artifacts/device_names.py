"""What devices are called, in the parameters and on the command line. Read without torch."""

import re

from posescope.errors import OptionsError

__all__ = ["DEVICE_PATTERN", "check_device_name"]

DEVICE_PATTERN = r"^(auto|cpu|cuda(:\d+)?)$"


def check_device_name(name: str) -> None:
    """Accept `auto`, `cpu`, `cuda` and `cuda:1`.

    Raises:
        OptionsError: if it is another name.
    """
    if not re.fullmatch(DEVICE_PATTERN, name):
        raise OptionsError(f"device '{name}': expected auto, cpu, cuda or cuda:<index>.")
