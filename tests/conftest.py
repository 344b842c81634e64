"""What all tests share: the folder of real data, quiet threads."""

import os
from pathlib import Path

import pytest
import torch

os.environ.setdefault("DO_NOT_TRACK", "1")
torch.set_num_threads(int(os.environ.get("POSESCOPE_TEST_THREADS", "2")))

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real images and labels (`POSESCOPE_REAL_DATA`, default `../shared/data`); skips where it is absent."""
    folder = Path(os.environ.get("POSESCOPE_REAL_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data: the folder {folder} (POSESCOPE_REAL_DATA) does not exist")
    return folder
