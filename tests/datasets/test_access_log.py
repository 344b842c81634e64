"""Tests of posescope.datasets.AccessLogDataset."""

from pathlib import Path

import pytest
from kedro.io import DataCatalog, DatasetError

from posescope.datasets import AccessLogDataset
from posescope.evaluation.access_log import AccessLog, FinalTest
from posescope.evaluation.metric_values import MetricValues

TEST = FinalTest("a" * 16, "d" * 16, "k1 k2", persons=2, images=1, flip_test=False)
NO_METRICS = MetricValues({})


@pytest.fixture
def catalog(tmp_path: Path) -> DataCatalog:
    paths = {"filepath": str(tmp_path / "access_log.json"), "data_dir": "data"}
    entry = {"type": "posescope.datasets.AccessLogDataset", "versioned": True, **paths}
    return DataCatalog.from_config({"workspace": {**entry, "role": "workspace"}, "result": entry}, save_version="the_run")


def test_round_trip(catalog: DataCatalog, tmp_path: Path) -> None:
    access_log = catalog.load("workspace")
    assert access_log == AccessLog(tmp_path / "access_log.json", run_id="the_run", data_dir="data")
    access_log.complete(access_log.open(TEST, allow_repeated_access=False), NO_METRICS, NO_METRICS)
    catalog.save("result", access_log)
    assert catalog.load("result").accesses()[0].run_id == "the_run"
    assert [path.name for path in tmp_path.iterdir()] == ["access_log.json"], "the file itself has no versions"


def test_workspace_always_exists_and_result_after_completion(catalog: DataCatalog) -> None:
    assert (catalog.exists("workspace"), catalog.exists("result")) == (True, False)
    access_log = catalog.load("workspace")
    access = access_log.open(TEST, allow_repeated_access=False)
    assert not catalog.exists("result")
    with pytest.raises(DatasetError, match="finished"):
        catalog.load("result")
    with pytest.raises(DatasetError, match="finished"):
        catalog.save("result", access_log)
    access_log.complete(access, NO_METRICS, NO_METRICS)
    assert catalog.exists("result")


def test_log_of_another_file_is_refused(catalog: DataCatalog, tmp_path: Path) -> None:
    other = AccessLog(tmp_path / "other.json")
    other.complete(other.open(TEST, allow_repeated_access=False), NO_METRICS, NO_METRICS)
    with pytest.raises(DatasetError, match="Log"):
        catalog.save("result", other)


def test_unknown_role_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="both"):
        AccessLogDataset(filepath=str(tmp_path / "access_log.json"), role="both")  # type: ignore[arg-type]


def test_run_is_unknown_without_a_version(tmp_path: Path) -> None:
    assert AccessLogDataset(filepath=str(tmp_path / "access_log.json"), role="workspace").load().run_id is None
