"""Hook that opens the cluster of a run (parameters `compute`) and runs every node with it."""

import atexit
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from posescope.core.compute import ComputeOptions, use_cluster
from posescope.core.dask_cluster import DaskCluster, open_cluster
from posescope.core.mirrors import ensure_mirror, opened_mirrors
from posescope.core.paths import LEASES_VARIABLE
from posescope.core.reader_locks import LOCK
from posescope.core.worker_folders import share_folders
from posescope.data.coco.sources import SourceList

__all__ = ["ClusterConnection"]

_PARAMETERS = "params:compute"
_SOURCES = "params:data_engineering.sources"


class ClusterConnection:
    """Connects to the cluster before the first node of a run, and closes the connection at its end.

    With Kedro's ParallelRunner a node runs in another process, which opens a connection of its own.
    """

    def __init__(self) -> None:
        self._open: dict[str, DaskCluster] = {}  # by the id of the run; Kedro's HTTP server may have several
        self._thread = threading.local()  # what is undone after the node of this thread

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Connect after all checks.

        Raises:
            ClusterError: if the scheduler does not answer.
            WorkerVersionError: if its workers have other versions.
        """
        if pipeline.nodes:
            self._cluster_of(str(run_params["run_id"]), catalog)

    @hook_impl
    def before_node_run(self, catalog: DataCatalog, run_id: str) -> None:
        """Run the node, which is called in this thread, with the cluster."""
        self._end_node()
        self._thread.node = ExitStack()
        cluster = self._cluster_of(str(run_id), catalog)
        if cluster is not None:
            # A worker on another machine gets paths below mirrors, and below folders of a shared file system.
            mirrors = (partial(ensure_mirror, remote) for remote in opened_mirrors())
            cluster.preparations = (*mirrors, *_joined_leases(), share_folders(_folders_of(catalog)))
        self._thread.node.enter_context(use_cluster(cluster))

    @hook_impl
    def after_node_run(self) -> None:
        """Run what follows without the cluster."""
        self._end_node()

    @hook_impl
    def on_node_error(self) -> None:
        """Run what follows without the cluster."""
        self._end_node()

    @hook_impl
    def after_pipeline_run(self, run_params: dict[str, Any]) -> None:
        """Close the connection."""
        self._close(str(run_params["run_id"]))

    @hook_impl
    def on_pipeline_error(self, run_params: dict[str, Any]) -> None:
        """Close the connection."""
        self._close(str(run_params["run_id"]))

    def close_all(self) -> None:
        """Close all connections at the end of the process."""
        for run_id in list(self._open):
            self._close(run_id)

    def _cluster_of(self, run_id: str, catalog: DataCatalog) -> DaskCluster | None:
        if run_id not in self._open:
            options = _options_of(catalog)
            if options.backend == "processes":
                return None
            if not self._open:
                atexit.register(self.close_all)
            self._open[run_id] = open_cluster(options)
        return self._open[run_id]

    def _close(self, run_id: str) -> None:
        cluster = self._open.pop(run_id, None)
        if cluster is not None:
            cluster.close()

    def _end_node(self) -> None:
        node = getattr(self._thread, "node", None)
        if node is not None:
            self._thread.node = None
            node.close()


def _joined_leases() -> Iterator[Callable[[], None]]:
    """Yield the preparation by which a worker writes to object storage only while this run holds the lease of the folder."""
    if LEASES_VARIABLE in os.environ:
        from posescope.core.remote_lease import held_leases, join_leases  # noqa: PLC0415  (imports fsspec)

        yield partial(join_leases, held_leases())


def _folders_of(catalog: DataCatalog) -> Iterator[Path]:
    """Yield the folders that workers read and write; the lock stands for the data folder, whose mount point may be empty."""
    if "data_folder" in catalog:
        root = Path(catalog.load("data_folder").root)
        yield root / LOCK if (root / LOCK).exists() else root
    if "raw_workspace" in catalog:
        folder = catalog.load("raw_workspace")
        yield Path(folder.root)
        if _SOURCES in catalog:
            found = catalog.load(_SOURCES)
            sources = found if isinstance(found, SourceList) else SourceList.model_validate(found or ())
            yield from (Path(folder.root) / source.raw_dir for source in sources.root)


def _options_of(catalog: DataCatalog) -> ComputeOptions:
    if _PARAMETERS not in catalog:
        return ComputeOptions()
    found = catalog.load(_PARAMETERS)
    return found if isinstance(found, ComputeOptions) else ComputeOptions.model_validate(found)
