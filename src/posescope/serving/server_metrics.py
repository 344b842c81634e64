"""Metrics of the server in the text format of Prometheus."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from posescope.artifacts.description import model_fingerprint
from posescope.prediction.estimator import PoseEstimator

__all__ = ["ServerMetrics", "metrics_of_model"]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_PERSONS = (1, 2, 4, 8, 16, 32, 64, 128)


class ServerMetrics:
    """Counters of one server, with those of the process: memory, CPU time, open files.

    Args:
        model: facts of the model, each of which becomes a label of `posescope_model_info`.
    """

    def __init__(self, model: dict[str, str]) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        Info("posescope_model", "The served model", registry=registry).info(model)
        labels = ("path", "status")
        self._requests = Counter("posescope_requests", "Answered requests", labels, registry=registry)
        self._seconds = Histogram(
            "posescope_request_seconds",
            "Time from the header of a request to its answer, s",
            ("path",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._images = Counter("posescope_images", "Images of which persons were cropped", registry=registry)
        self._persons = Counter("posescope_persons", "Persons that were cropped", registry=registry)
        self._batches = Histogram("posescope_batch_persons", "Persons per forward pass", buckets=_PERSONS, registry=registry)
        self._inference = Histogram(
            "posescope_inference_seconds", "Time of a batch in the network, s", buckets=_SECONDS, registry=registry
        )
        self._unanswered = Gauge("posescope_unanswered_requests", "Requests for predictions in progress", registry=registry)
        self._waiting = Gauge("posescope_waiting_persons", "Persons that wait for a forward pass", registry=registry)

    def read_gauges_from(self, requests: Callable[[], float], waiting: Callable[[], float]) -> None:
        """Read the gauges by functions, whenever the metrics are asked for.

        Args:
            requests: returns the number of unanswered requests.
            waiting: returns the number of waiting persons.
        """
        self._unanswered.set_function(requests)
        self._waiting.set_function(waiting)

    def count_request(self, path: str, status: int, seconds: float) -> None:
        """Count an answered request.

        Args:
            path: a path of the server; never one that a client made up, since each value is kept.
            status: the HTTP status.
            seconds: time from its header to its answer.
        """
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def count_images(self, images: int, persons: int) -> None:
        """Count images and their persons."""
        self._images.inc(images)
        self._persons.inc(persons)

    def observe_batch(self, persons: int, seconds: float) -> None:
        """Count a batch and its time in the network."""
        self._batches.observe(persons)
        self._inference.observe(seconds)

    def as_text(self) -> bytes:
        """Return all metrics."""
        text: bytes = generate_latest(self._registry)
        return text


def metrics_of_model(estimator: PoseEstimator) -> ServerMetrics:
    """Return the metrics of a server of this model."""
    about = estimator.description
    names = {"fingerprint": model_fingerprint(about.folder), "network": about.architecture.name}
    return ServerMetrics({**names, "backend": estimator.backend.name})
