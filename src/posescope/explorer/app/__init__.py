"""The page: a Dash application on the loopback address. Only the modules below import Dash."""

import sys

# Dash imports IPython where it is installed, for applications inside notebooks: half of the time of the import.
_is_notebook = "IPython" in sys.modules
if not _is_notebook:
    sys.modules["IPython"] = None  # type: ignore[assignment]
import dash  # noqa: E402, F401

if not _is_notebook:
    del sys.modules["IPython"]
