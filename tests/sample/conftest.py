"""Fixture of a small generated sample, which tests only read."""

from pathlib import Path

import pytest

from posescope.sample import SampleOptions, generate_sample

OPTIONS = SampleOptions(train_persons=40, val_persons=8, seed=3, workers=1)


@pytest.fixture(scope="session")
def options() -> SampleOptions:
    return OPTIONS


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "sample"
    generate_sample(folder, OPTIONS)
    return folder
