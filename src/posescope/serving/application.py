"""The application: `/predict`, `/health`, `/metrics`, `/model` and `/docs`."""

import asyncio
import json
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

import posescope
from posescope.serving.admission import Admission
from posescope.serving.api_keys import ApiKeys
from posescope.serving.api_schema import PREDICT_BODY, REFUSALS, Health, PersonResult, ServedModel, describe_model
from posescope.serving.docs_page import render_docs_page
from posescope.serving.engine import ServingEngine
from posescope.serving.refusals import RequestRefusedError
from posescope.serving.request_body import Upload, check_body_size, read_body
from posescope.serving.request_guard import SERVER_FAILED, GuardedApplication, error_body

__all__ = ["make_application"]

_JSON = "application/json"


def make_application(
    engine: ServingEngine, keys: ApiKeys | None = None, *, is_local: bool = True, names: Collection[str] = ()
) -> GuardedApplication:
    """Return the application of a model. The engine is closed when the server stops.

    Args:
        engine: the loaded model.
        keys: the API keys; None: none is needed.
        is_local: whether the server listens on a loopback address.
        names: further names of a server on a loopback address.
    """

    @asynccontextmanager
    async def closing(_: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(engine.close)

    application = FastAPI(
        title="posescope",
        version=posescope.__version__,
        description="2D poses of persons in images, as COCO keypoint results.",
        docs_url=None,  # these pages of FastAPI load scripts from another address
        redoc_url=None,
        lifespan=closing,
    )
    _refuse_as_json(application)
    _add_prediction(application, engine)
    _add_facts(application, engine, has_keys=keys is not None)
    return GuardedApplication(application, engine.metrics, keys, is_local=is_local, names=names)


def _refuse_as_json(application: FastAPI) -> None:
    @application.exception_handler(RequestRefusedError)
    async def answer_refusal(_: Request, error: RequestRefusedError) -> Response:
        return Response(error_body(str(error)), error.status, error.headers, _JSON)

    @application.exception_handler(HTTPException)
    async def answer_http_error(_: Request, error: HTTPException) -> Response:
        return Response(error_body(f"{error.detail}. See /docs."), error.status_code, error.headers, _JSON)

    @application.exception_handler(RequestValidationError)
    async def answer_invalid_query(_: Request, error: RequestValidationError) -> Response:
        faults = "; ".join(f"{one['loc'][-1]}: {one['msg']}" for one in error.errors())
        return Response(error_body(f"The query is malformed: {faults}."), 422, media_type=_JSON)

    @application.exception_handler(Exception)  # Starlette answers with plain text, and then raises the exception for the log
    async def answer_failure(_: Request, __: Exception) -> Response:
        return Response(error_body(SERVER_FAILED), 500, media_type=_JSON)


def _add_prediction(application: FastAPI, engine: ServingEngine) -> None:
    options = engine.options
    admission = Admission(options.max_requests, options.max_received_bytes)
    engine.metrics.read_gauges_from(lambda: admission.requests, lambda: engine.batcher.waiting)

    @application.post(
        "/predict",
        response_model=list[PersonResult],
        responses=REFUSALS,
        openapi_extra=PREDICT_BODY,
        summary="Predict the poses of the persons in one or several images",
    )
    async def predict(
        request: Request,
        file_name: Annotated[str | None, Query(max_length=1000, description="name of a raw image, for the results")] = None,
        boxes: Annotated[str | None, Query(description="JSON: boxes of a raw image, [[x, y, w, h], ...] px")] = None,
    ) -> Response:
        """Return COCO keypoint results, a record per person, as `posescope predict` writes them.

        Without boxes each image has one person who fills it, unless the server was started with a detector. If one image
        cannot be decoded, the request is refused. The `image_id` is the number that is the file name (`139.jpg`), else the next
        free one.
        """
        is_received = False
        with admission.admit(check_body_size(request.headers, options.max_body_bytes)) as hold_until:
            try:
                async with asyncio.timeout(options.timeout_s):
                    body = await read_body(request.stream(), options.max_body_bytes)
                    is_received = True
                    upload = Upload(request.headers.get("content-type", ""), body, file_name, boxes)
                    poses = await engine.predict(upload, hold_until)
            except TimeoutError as error:
                status, what = (504, "answer") if is_received else (408, "whole request")
                raise RequestRefusedError(status, f"Expected the {what} within {options.timeout_s:g} s; repeat it.") from error
            except ClientDisconnect as error:
                raise RequestRefusedError(499, "The client has closed the connection.") from error
        return Response(json.dumps([record for image in poses for record in image.to_coco()]), media_type=_JSON)


def _add_facts(application: FastAPI, engine: ServingEngine, *, has_keys: bool) -> None:
    @application.get("/health", summary="Whether requests are answered")
    @application.get("/health/ready", summary="Whether requests are answered")
    async def health(response: Response) -> Health:
        """Return status 503 while the server starts or stops, or after its thread of the network has ended."""
        response.status_code = 200 if engine.is_ready else 503
        return Health(status="ready" if engine.is_ready else "not ready")

    @application.get("/health/live", summary="Whether the process answers")
    async def live() -> Health:
        """Return status 200."""
        return Health(status="live")

    @application.get("/model", summary="What is served")
    async def model() -> ServedModel:
        """Return the joints, the input and the origin of the model, and the limits of a request."""
        return served

    @application.get("/metrics", summary="Metrics for Prometheus", response_class=Response)
    async def metrics() -> Response:
        """Return the metrics in the text format of Prometheus."""
        return Response(engine.metrics.as_text(), media_type=CONTENT_TYPE_LATEST)

    @application.get("/docs", include_in_schema=False)
    @application.get("/", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(page)

    served = describe_model(engine)
    page = render_docs_page(application.openapi(), has_form=not has_keys)
