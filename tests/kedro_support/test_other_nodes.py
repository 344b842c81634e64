"""Tests of posescope.kedro_support.other_nodes; tests/cluster/test_nodes.py runs Kedro on two nodes."""

from types import SimpleNamespace
from typing import Any

import pytest
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog, MemoryDataset
from tests.kedro_sessions import configure_once

from posescope.core.errors import OptionsError
from posescope.kedro_support import other_nodes
from posescope.kedro_support.other_nodes import take_part
from posescope.pipelines.modelling.nodes import train_model
from posescope.training.distributed.placement import NoResultError


@pytest.fixture(autouse=True)
def project(monkeypatch: pytest.MonkeyPatch) -> None:
    configure_once()
    monkeypatch.delenv("SLURM_NODEID", raising=False)
    monkeypatch.setenv("POSESCOPE_NODE_RANK", "1")
    monkeypatch.setattr(other_nodes, "wait_for_main", lambda placement, options: None)


class Session:
    """A session with this `modelling.training`, whose catalog holds two datasets."""

    def __init__(self, **training: Any) -> None:
        datasets = {"crops": MemoryDataset("crops of this node"), "params:modelling.training": MemoryDataset(training)}
        catalog = DataCatalog(datasets)
        self.context = SimpleNamespace(params={"modelling": {"training": training}}, _get_catalog=lambda load_versions: catalog)

    def load_context(self) -> SimpleNamespace:
        return self.context


def part_of(session: Session, **request: Any) -> bool:
    return take_part(session, _create_hook_manager(), request)  # type: ignore[arg-type]


@pytest.mark.parametrize("rank", ["0", ""])
def test_main_process_runs_the_pipeline_itself(rank: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSESCOPE_NODE_RANK", rank)
    assert not part_of(Session(nodes=2, rendezvous="node0:29500"))


def test_node_of_a_run_on_one_node_runs_the_pipeline_itself() -> None:
    assert not part_of(Session())


def test_rank_that_does_not_exist_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSESCOPE_NODE_RANK", "2")
    with pytest.raises(OptionsError, match="POSESCOPE_NODE_RANK='2'"):
        part_of(Session(nodes=2, rendezvous="node0:29500"))


@pytest.mark.parametrize(
    ("names", "request_", "found"),
    [
        (["__default__"], {}, True),
        (["modelling"], {}, True),
        (["data_engineering", "modelling"], {"node_names": ["modelling.train_model"]}, True),
        (["modelling"], {"from_nodes": ["modelling.finish_training"]}, False),
        (["data_engineering"], {}, False),
    ],
)
def test_training_of_the_request_is_found(names: list[str], request_: dict[str, Any], found: bool) -> None:
    step = other_nodes._training_step(names, request_)
    assert (step is not None) == found
    assert step is None or step.func is train_model


def test_run_without_a_training_ends_at_once() -> None:
    assert part_of(Session(nodes=2, rendezvous="node0:29500"), pipeline_names=["data_engineering"])


def test_training_gets_the_inputs_of_this_node(monkeypatch: pytest.MonkeyPatch) -> None:
    received: list[Any] = []

    def train(*inputs: Any) -> None:
        received.extend(inputs)
        raise NoResultError("done")

    step = SimpleNamespace(inputs=["crops", "params:modelling.training"], func=train)
    monkeypatch.setattr(other_nodes, "_training_step", lambda names, request: step)
    options = {"nodes": 2, "rendezvous": "node0:29500"}
    assert part_of(Session(**options))
    assert received == ["crops of this node", options]


@pytest.mark.parametrize("is_trained", [True, False])
def test_repeated_run_of_missing_outputs_ends_at_once(is_trained: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    waited = list[int]()
    monkeypatch.setattr(other_nodes, "wait_for_main", lambda placement, options: waited.append(placement.node))
    step = SimpleNamespace(inputs=[], outputs=["model", "history"], func=lambda: None)
    monkeypatch.setattr(other_nodes, "_training_step", lambda names, request: step)
    session = Session(nodes=2, rendezvous="node0:29500")
    catalog = session.context._get_catalog(None)
    catalog["model"] = MemoryDataset("model")
    catalog["history"] = MemoryDataset("history") if is_trained else MemoryDataset()
    assert part_of(session, only_missing_outputs=True)
    assert waited == ([] if is_trained else [1])
