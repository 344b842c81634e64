"""`posescope serve`: answer images over HTTP with poses."""

import logging
import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from posescope.cli.base import LocalPathType, PosescopeCommand, allow_component, echo, read_settings
from posescope.core.extras import MissingPackageError
from posescope.core.mirrors import OF_NO_MODEL
from posescope.core.plugins import ComponentSpec, build
from posescope.core.text_escaping import EscapingFormatter
from posescope.serving.options import ServingOptions

__all__ = ["serve"]

_PACKAGES = ("fastapi", "uvicorn", "python_multipart", "prometheus_client")
_DEFAULTS = ServingOptions()


def _limit(flag: str, kind: "click.ParamType[Any]", text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return an option of the command for the field of `ServingOptions` with the same name."""
    field = flag.removeprefix("--").replace("-", "_")
    return click.option(flag, field, type=kind, default=getattr(_DEFAULTS, field), show_default=True, help=text)


@click.command(cls=PosescopeCommand)
@click.argument("model", required=False, type=LocalPathType(takes_addresses=True, leave_out=OF_NO_MODEL))
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on. Others than loopback are open to the network."
)
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="Port; 0: any free one.")
@click.option(
    "--allow-host",
    multiple=True,
    metavar="NAME",
    help="A name under which a proxy on this machine asks a server on a loopback address.",
)
@click.option(
    "--api-key-file",
    type=LocalPathType(exists=True, dir_okay=False),
    help="File with an API key per line; requests need one of them. Default: the variable POSESCOPE_API_KEY, else no key.",
)
@click.option(
    "--detector", help="Component of posescope.detectors for images without boxes; default: one person fills the image."
)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="An option of the detector, such as path=yolox.onnx.")
@click.option("--flip-test", is_flag=True, help="Average with the mirrored crop: more accurate, takes twice the time.")
@click.option(
    "--backend",
    default="auto",
    show_default=True,
    help="A component of posescope.backends: torch, onnx, openvino. auto: that of the model's format.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:1.")
@click.option(
    "--threads", type=click.IntRange(0, 1024), default=0, show_default=True, help="Threads of an exported model; 0: one per CPU."
)
@allow_component
@_limit("--max-batch", click.INT, "Maximum number of persons per forward pass.")
@_limit("--max-wait-ms", click.FLOAT, "Maximum time for which a batch waits for images that are being decoded, ms.")
@_limit("--decoding-threads", click.INT, "Threads that decode and crop images.")
@_limit("--max-requests", click.INT, "Maximum number of unanswered requests; more are refused with 503.")
@_limit("--max-waiting-persons", click.INT, "Maximum number of persons that wait for a forward pass.")
@_limit("--max-body-mb", click.FLOAT, "Maximum size of a request, in units of 10^6 bytes.")
@_limit("--max-received-mb", click.FLOAT, "Maximum size of all unanswered requests, in units of 10^6 bytes.")
@_limit("--max-megapixels", click.FLOAT, "Larger images are refused before they are decoded.")
@_limit("--max-images", click.INT, "Maximum number of images in a request.")
@_limit("--max-persons", click.INT, "Maximum number of persons in an image.")
@_limit("--max-connections", click.INT, "Maximum number of open connections.")
@_limit("--timeout-s", click.FLOAT, "Maximum time from the header of a request to its answer, s.")
@_limit("--header-timeout-s", click.FLOAT, "Maximum time in which the header of a request arrives, s.")
def serve(model: Path | None, **options: Any) -> None:
    """Answer images over HTTP with poses.

    POST /predict takes one or several images, with or without boxes, and answers with COCO results as posescope predict writes
    them. /docs describes all paths, /health and /metrics are for the tools that watch the server. Persons of concurrent requests
    are predicted together. Ctrl-C or SIGTERM ends the server after the requests in progress.

    MODEL: model folder, or a data_dir, whose newest model is used (default: the newest model of the project). An exported model
    needs no PyTorch.

    \b
    Examples:
      posescope serve model_onnx
      posescope serve model_onnx --detector onnx --set path=yolox_s.onnx
      POSESCOPE_API_KEY=$(openssl rand -hex 32) posescope serve model_onnx --host 0.0.0.0
      curl -F images=@photo.jpg http://127.0.0.1:8000/predict
    """  # noqa: D301 (\b keeps click from filling the lines)
    _check_packages()
    # Threads of a forward pass that wait for each other give way to those that decode the next images. With spinning ones the
    # server answered half as many requests (docs/decisions/0051-serving.md).
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from posescope.prediction.estimator import PoseEstimator  # noqa: PLC0415  (the help page needs none of them)
    from posescope.runs.project_models import find_model  # noqa: PLC0415
    from posescope.serving.api_keys import read_api_keys  # noqa: PLC0415
    from posescope.serving.application import make_application  # noqa: PLC0415
    from posescope.serving.engine import ServingEngine  # noqa: PLC0415
    from posescope.serving.request_guard import is_loopback  # noqa: PLC0415
    from posescope.serving.server import bind_port  # noqa: PLC0415
    from posescope.serving.server import serve as run_server  # noqa: PLC0415
    from posescope.serving.server_metrics import metrics_of_model  # noqa: PLC0415

    _log_to_stderr()
    limits = _read_limits(options)
    keys = read_api_keys(options["api_key_file"])
    detector = None
    if options["detector"] is not None:
        detector = build("detectors", ComponentSpec(name=options["detector"], options=read_settings(options["settings"])))
    elif options["settings"]:
        raise click.UsageError("--set: expected --detector, whose option it is.")
    with bind_port(options["host"], options["port"]) as bound:  # before the model is loaded
        estimator = PoseEstimator.load(
            find_model(model),
            backend=options["backend"],
            device=options["device"],
            threads=options["threads"],
            allow=options["allow"],
        )
        if estimator.description.provenance.get("generated_sample"):
            echo("This model was trained on the generated sample; it does not work on photographs.", err=True)
        is_local = is_loopback(options["host"])
        if not is_local:
            _warn_about_network(options["host"], has_keys=keys is not None)
        engine = ServingEngine(estimator, limits, metrics_of_model(estimator), detector)
        run_server(make_application(engine, keys, is_local=is_local, names=options["allow_host"]), bound, limits, _announce)


def _check_packages() -> None:
    for package in _PACKAGES:
        if find_spec(package) is None:
            raise MissingPackageError("The server", package)


def _read_limits(options: dict[str, Any]) -> ServingOptions:
    from pydantic import ValidationError  # noqa: PLC0415

    from posescope.core.plugins import describe_validation_error  # noqa: PLC0415

    try:
        return ServingOptions(**{name: options[name] for name in ServingOptions.model_fields})
    except ValidationError as error:
        raise click.UsageError("; ".join(describe_validation_error(error))) from error


def _warn_about_network(host: str, *, has_keys: bool) -> None:
    keys = "Requests need an API key" if has_keys else "Requests need no API key: set POSESCOPE_API_KEY or --api-key-file"
    echo(
        f"Warning: the server listens on {host}, so other machines of the network reach it. {keys}. The connection is not "
        "encrypted: put a proxy with TLS before it.",
        err=True,
    )


def _log_to_stderr() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(EscapingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # a malformed form is no fault of the server


def _announce(url: str) -> None:
    echo(f"{url}  (API: {url}/docs)")
    echo("Press Ctrl-C to end.", err=True)
