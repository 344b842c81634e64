"""Options of the server: how requests are batched, and the limits of one request and of all together."""

from pydantic import Field

from posescope.core.plugins import Options

__all__ = ["ServingOptions"]


class ServingOptions(Options):
    """Batching and limits of a server."""

    flip_test: bool = Field(False, description="average with the heatmaps of the mirrored crop")
    max_batch: int = Field(16, ge=1, le=1024, description="maximum number of persons per forward pass")
    max_wait_ms: float = Field(
        20.0, ge=0, le=1000, description="maximum time for which a batch waits for requests that are being decoded, ms"
    )
    decoding_threads: int = Field(2, ge=1, le=64, description="number of threads that decode and crop images")
    max_body_mb: float = Field(32.0, gt=0, le=1024, description="maximum size of the body of a request, in units of 10^6 bytes")
    max_received_mb: float = Field(
        256.0, gt=0, le=65_536, description="maximum size of the bodies of all unanswered requests, in units of 10^6 bytes"
    )
    max_megapixels: float = Field(50.0, gt=0, le=1000, description="maximum number of pixels of an image, in millions")
    max_images: int = Field(16, ge=1, le=1000, description="maximum number of images in a request")
    max_persons: int = Field(100, ge=1, le=10_000, description="maximum number of persons in an image")
    max_requests: int = Field(64, ge=1, le=10_000, description="maximum number of unanswered requests; more are refused with 503")
    max_waiting_persons: int = Field(
        1024, ge=1, le=100_000, description="maximum number of cropped persons that wait for a forward pass"
    )
    max_connections: int = Field(256, ge=1, le=10_000, description="maximum number of open connections; others are closed")
    timeout_s: float = Field(30.0, gt=0, le=3600, description="maximum time from the header of a request to its answer, s")
    header_timeout_s: float = Field(10.0, gt=0, le=600, description="maximum time in which the header of a request arrives, s")

    @property
    def max_body_bytes(self) -> int:
        """Maximum size of a body, bytes."""
        return int(self.max_body_mb * 1e6)

    @property
    def max_received_bytes(self) -> int:
        """Maximum size of the bodies of all unanswered requests, bytes; one body of the maximum size always fits."""
        return max(self.max_body_bytes, int(self.max_received_mb * 1e6))
