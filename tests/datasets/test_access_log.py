"""Tests of posescope.datasets.LedgerDataset."""

from pathlib import Path

import pytest
from kedro.io import DataCatalog, DatasetError

from posescope.datasets import AccessLogDataset
from posescope.evaluation.access_log import AccessLog, FinalTest
from posescope.evaluation.metric_values import MetricValues

TEST = FinalTest("a" * 16, "d" * 16, "k1 k2", persons=2, images=1, flip_test=False)
NOTHING = MetricValues({})


@pytest.fixture
def catalog(tmp_path: Path) -> DataCatalog:
    places = {"filepath": str(tmp_path / "ledger.json"), "data_dir": "here"}
    entry = {"type": "posescope.datasets.AccessLogDataset", "versioned": True, **places}
    return DataCatalog.from_config({"workspace": {**entry, "role": "workspace"}, "result": entry}, save_version="the_run")


def test_round_trip(catalog: DataCatalog, tmp_path: Path) -> None:
    ledger = catalog.load("workspace")
    assert ledger == AccessLog(tmp_path / "ledger.json", run_id="the_run", data_dir="here")
    ledger.complete(ledger.open(TEST, allow_repeated_access=False), NOTHING, NOTHING)
    catalog.save("result", ledger)
    assert catalog.load("result").accesses()[0].run_id == "the_run"
    assert [path.name for path in tmp_path.iterdir()] == ["ledger.json"], "the file itself has no versions"


def test_a_workspace_is_always_there_and_a_result_once_it_is_completed(catalog: DataCatalog) -> None:
    assert (catalog.exists("workspace"), catalog.exists("result")) == (True, False)
    ledger = catalog.load("workspace")
    use = ledger.open(TEST, allow_repeated_access=False)
    assert not catalog.exists("result")
    with pytest.raises(DatasetError, match="finished"):
        catalog.load("result")
    with pytest.raises(DatasetError, match="finished"):
        catalog.save("result", ledger)
    ledger.complete(use, NOTHING, NOTHING)
    assert catalog.exists("result")


def test_the_ledger_of_another_file_is_refused(catalog: DataCatalog, tmp_path: Path) -> None:
    other = AccessLog(tmp_path / "other.json")
    other.complete(other.open(TEST, allow_repeated_access=False), NOTHING, NOTHING)
    with pytest.raises(DatasetError, match="Log"):
        catalog.save("result", other)


def test_an_unknown_role_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="both"):
        AccessLogDataset(filepath=str(tmp_path / "ledger.json"), role="both")  # type: ignore[arg-type]


def test_without_a_version_the_run_is_not_known(tmp_path: Path) -> None:
    assert AccessLogDataset(filepath=str(tmp_path / "ledger.json"), role="workspace").load().run_id is None
