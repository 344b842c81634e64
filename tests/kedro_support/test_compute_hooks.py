from pathlib import Path
from typing import Any

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline, node

from posescope.core.compute import ComputeOptions, current_cluster
from posescope.core.dask_cluster import ClusterError
from posescope.core.worker_folders import SharedFolders
from posescope.data.coco.folder import CocoFolder
from posescope.kedro_support import compute_hooks
from posescope.kedro_support.compute_hooks import ClusterConnection

RUN = {"run_id": "one"}
PIPELINE = Pipeline([node(lambda number: f"{number}", "number", "text", name="write")])


class Connection:
    closed = 0
    preparations: tuple[object, ...] = ()

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Connection]:
    """The connections that were opened."""
    found: list[Connection] = []

    def open_cluster(options: ComputeOptions) -> Connection:
        found.append(Connection())
        return found[-1]

    monkeypatch.setattr(compute_hooks, "open_cluster", open_cluster)
    return found


def catalog_of(**compute: Any) -> DataCatalog:
    return DataCatalog({"params:compute": MemoryDataset(compute)})


def test_a_run_on_this_machine_opens_no_connection(opened: list[Connection]) -> None:
    hook, catalog = ClusterConnection(), catalog_of(backend="processes")
    hook.before_pipeline_run(RUN, PIPELINE, catalog)
    hook.before_node_run(catalog, "one")
    assert current_cluster() is None
    hook.after_node_run()
    hook.after_pipeline_run(RUN)
    assert opened == []


def test_a_catalog_without_the_parameters_means_this_machine(opened: list[Connection]) -> None:
    ClusterConnection().before_pipeline_run(RUN, PIPELINE, DataCatalog({}))
    assert opened == []


def test_nodes_run_with_the_connection_of_their_run(opened: list[Connection]) -> None:
    hook, catalog = ClusterConnection(), catalog_of(backend="dask")
    hook.before_pipeline_run(RUN, PIPELINE, catalog)
    assert current_cluster() is None, "hooks and checks run without it"
    hook.before_node_run(catalog, "one")
    assert current_cluster() is opened[0]
    hook.after_node_run()
    assert current_cluster() is None
    hook.after_pipeline_run(RUN)
    assert (len(opened), opened[0].closed) == (1, 1)


def test_a_failed_node_leaves_neither_cluster_nor_connection(opened: list[Connection]) -> None:
    hook, catalog = ClusterConnection(), catalog_of(backend="dask")
    hook.before_pipeline_run(RUN, PIPELINE, catalog)
    hook.before_node_run(catalog, "one")
    hook.on_node_error()
    assert current_cluster() is None
    hook.on_pipeline_error(RUN)
    assert opened[0].closed == 1


def test_a_process_of_the_parallel_runner_opens_its_own_connection(opened: list[Connection]) -> None:
    hook, catalog = ClusterConnection(), catalog_of(backend="dask")
    hook.before_node_run(catalog, "one")
    assert current_cluster() is opened[0]
    hook.after_node_run()
    hook.close_all()
    assert opened[0].closed == 1


def test_two_runs_of_one_process_have_their_own_connections(opened: list[Connection]) -> None:
    hook, catalog = ClusterConnection(), catalog_of(backend="dask")
    hook.before_pipeline_run({"run_id": "one"}, PIPELINE, catalog)
    hook.before_pipeline_run({"run_id": "two"}, PIPELINE, catalog)
    hook.after_pipeline_run({"run_id": "two"})
    assert [connection.closed for connection in opened] == [0, 1]
    hook.close_all()


def test_a_run_without_nodes_needs_no_cluster(opened: list[Connection]) -> None:
    ClusterConnection().before_pipeline_run(RUN, Pipeline([]), catalog_of(backend="dask"))
    assert opened == []


def test_an_unreachable_scheduler_ends_the_run_before_its_first_node() -> None:
    catalog = catalog_of(backend="dask", scheduler="tcp://127.0.0.1:9", connect_timeout_s=0.3)
    with pytest.raises(ClusterError):
        ClusterConnection().before_pipeline_run(RUN, PIPELINE, catalog)


def test_a_worker_checks_the_folder_of_each_source(opened: list[Connection], tmp_path: Path) -> None:
    places = [tmp_path / "raw", tmp_path / "raw/inside", tmp_path / "elsewhere"]
    for place in places:
        place.mkdir()
    sources = [{"name": "a", "raw_dir": "inside"}, {"name": "b", "raw_dir": str(places[2])}]
    catalog = catalog_of(backend="dask")
    catalog["raw_workspace"] = MemoryDataset(CocoFolder(places[0]))
    catalog["params:data_engineering.sources"] = MemoryDataset(sources)
    hook = ClusterConnection()
    hook.before_pipeline_run(RUN, PIPELINE, catalog)
    hook.before_node_run(catalog, "one")
    hook.after_node_run()
    assert [prepare.present for prepare in opened[0].preparations if isinstance(prepare, SharedFolders)] == [tuple(places)]
    hook.close_all()
