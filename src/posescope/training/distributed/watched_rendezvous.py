"""Rendezvous of the nodes by torch elastic, with signs of life: a node that falls silent counts as lost.

torch's static rendezvous gives each node the rank that it brings, over a TCP store of node 0. It sends no signs of life, so a
machine that loses its power or its network would be noticed only by a timeout of 10 or 30 minutes. Here each agent writes a
counter into the store while it watches its processes; node 0 reads those of the others, they read that of node 0.

The static rendezvous unpickles nothing, unlike `c10d` of torch (docs/decisions/0044-several-nodes.md).
"""

import threading
import time
from datetime import timedelta

from torch.distributed import DistError
from torch.distributed.elastic.rendezvous import RendezvousHandler, RendezvousParameters, rendezvous_handler_registry
from torch.distributed.elastic.rendezvous.static_tcp_rendezvous import StaticTCPRendezvous
from torch.distributed.elastic.rendezvous.utils import parse_rendezvous_endpoint

from posescope.training.distributed.worker import LostProcessError

__all__ = ["BACKEND", "WatchedRendezvous", "register_backend"]

BACKEND = "posescope"
INTERVAL_S = 1.0
# If node 0 ends because of an error, its store is gone before the processes here have reported the same error.
_GRACE_S = 5.0
_ANSWER_S = 0.5


class WatchedRendezvous(StaticTCPRendezvous):
    """Static rendezvous in which the agents exchange signs of life.

    Attributes:
        lost_after_s: time without a sign of life after which a node counts as lost.
    """

    def __init__(self, address: str, rank: int, nodes: int, run_id: str, timeout_s: int, lost_after_s: float) -> None:
        """Args: address: host:port of node 0; rank: of this node; nodes: number of nodes; the others are in s."""
        host, port = parse_rendezvous_endpoint(address, -1)
        super().__init__(host, port, rank, nodes, run_id, timeout_s)
        self.lost_after_s = lost_after_s
        self._watched = range(1, nodes) if rank == 0 else range(1)
        self._sent, self._sent_at = 0, 0.0
        self._seen: dict[int, tuple[bytes, float]] = {}
        self._broken_at: float | None = None
        self._exchanging: threading.Thread | None = None
        self._failure: LostProcessError | None = None

    def get_backend(self) -> str:
        """Return the name under which this class is registered."""
        return BACKEND

    def num_nodes_waiting(self) -> int:
        """Exchange signs of life and return 0; the agent asks this several times per second while its processes run.

        Raises:
            LostProcessError: Another node is silent.
        """
        now = time.monotonic()
        if self._exchanging and self._exchanging.is_alive():
            if now - self._sent_at > self.lost_after_s:
                raise self._lost(0, f"no sign of life for {self.lost_after_s:g} s")
        elif self._broken_at is not None:
            if now - self._broken_at > _GRACE_S:
                raise self._lost(0, "its store does not answer")
        elif now - self._sent_at >= INTERVAL_S:
            self._sent_at = now
            # A request to a store that falls silent never returns, so it has a thread of its own, which ends with the process.
            self._exchanging = threading.Thread(target=self._try_to_exchange, args=(now,), daemon=True)
            self._exchanging.start()
            self._exchanging.join(_ANSWER_S)
        if self._failure:
            raise self._failure
        return 0

    def _try_to_exchange(self, now: float) -> None:
        """Exchange signs of life, and keep what was found out for the main thread."""
        try:
            self._exchange(now)
        except LostProcessError as error:
            self._failure = error
        except DistError:
            self._broken_at = now

    def _exchange(self, now: float) -> None:
        store = self._store
        if store is None:
            return
        if not self._sent:
            store.set_timeout(timedelta(seconds=self.lost_after_s))
        self._sent += 1
        store.set(_key(self.rank), str(self._sent))
        for node in self._watched:
            found = store.get(_key(node)) if store.check([_key(node)]) else b""
            before, since = self._seen.get(node, (None, now))
            if found != before:
                self._seen[node] = (found, now)
            elif now - since > self.lost_after_s:
                raise self._lost(node, f"no sign of life for {self.lost_after_s:g} s")

    def _lost(self, node: int, reason: str) -> LostProcessError:
        return LostProcessError(
            f"Node {node} of the training is lost ({reason}). Run the same command again on all nodes to resume the run."
        )


def register_backend() -> None:
    """Make the rendezvous known to torch elastic under the name `BACKEND`; a second call changes nothing."""
    rendezvous_handler_registry.register(BACKEND, _create)


def _create(parameters: RendezvousParameters) -> RendezvousHandler:
    config = parameters.config
    return WatchedRendezvous(
        parameters.endpoint, config["rank"], parameters.max_nodes, parameters.run_id, config["timeout"], config["lost_after_s"]
    )


def _key(node: int) -> str:
    return f"posescope/alive/{node}"
