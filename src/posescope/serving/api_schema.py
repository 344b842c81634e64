"""The bodies of requests and answers, for the OpenAPI document."""

from typing import Any

from pydantic import BaseModel, Field

from posescope.artifacts.description import model_fingerprint
from posescope.serving.engine import ServingEngine
from posescope.serving.options import ServingOptions
from posescope.serving.request_body import BOXES_FORMAT

__all__ = ["PREDICT_BODY", "REFUSALS", "Health", "PersonResult", "Refusal", "ServedModel", "describe_model"]


class Refusal(BaseModel):
    """Why a request was not answered."""

    error: str = Field(description="one line: what was expected, what was found")


class Health(BaseModel):
    """State of the server."""

    status: str = Field(description="ready, not ready or live")


class PersonResult(BaseModel):
    """The pose of one person, a record of COCO keypoint results."""

    image_id: int = Field(description="the number that is the file name, else the next free one of this request")
    file_name: str = Field(description="name of the image")
    category_id: int = Field(description="category of the skeleton of the model")
    keypoints: list[float] = Field(description="x, y, score of each joint, px of the upright image")
    score: float = Field(description="mean score of the joints times the score of the box")
    bbox: list[float] = Field(description="x, y, w, h px; the upper left corner of the image is (0, 0)")
    radii: list[float | None] | None = Field(
        None, description="of a calibrated model: radius of each joint, px; null where unknown. Absent otherwise"
    )
    do_not_trust: list[bool] | None = Field(None, description="of a calibrated model: joints whose radius is too large")


class ServedModel(BaseModel):
    """The served model and the limits of a request."""

    fingerprint: str = Field(description="identifies the weights and how they are used")
    architecture: str = Field(description="name of the network")
    backend: str = Field(description="what runs the network, such as onnx, openvino or torch")
    joints: list[str] = Field(description="names, in the order of keypoints")
    limbs: list[list[int]] = Field(description="pairs of indices of joints, from 0")
    crop_size: list[int] = Field(description="(height, width) of the input of the network, px")
    flip_test: bool = Field(description="whether predictions are averaged with those of the mirrored crop")
    radius_level: float | None = Field(description="probability that a joint is within its radius; null: not calibrated")
    trained_on_generated_sample: bool = Field(description="such a model does not work on photographs")
    detector: str | None = Field(description="what finds the persons of images without boxes; null: one person fills the image")
    limits: ServingOptions = Field(description="batching and limits of the server")


REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Refusal, "description": "The body is empty or no valid form"},
    401: {"model": Refusal, "description": "The server has API keys, and the request has none of them"},
    403: {"model": Refusal, "description": "The request names another host, or comes from the page of another site"},
    408: {"model": Refusal, "description": "The body did not arrive in time"},
    413: {"model": Refusal, "description": "The body or an image is too large"},
    415: {"model": Refusal, "description": "The content type is neither a form nor an image"},
    422: {"model": Refusal, "description": "An image is damaged, or boxes are malformed or outside their image"},
    500: {"model": Refusal, "description": "The server failed"},
    503: {"model": Refusal, "description": "The server is busy or stops; Retry-After states when to repeat the request"},
    504: {"model": Refusal, "description": "The answer took too long"},
}

_FILE = {"type": "string", "contentMediaType": "application/octet-stream", "format": "binary"}
_FORM = {
    "type": "object",
    "required": ["images"],
    "properties": {
        "images": {"type": "array", "items": _FILE, "description": "image files: JPEG, PNG, WebP, TIFF, BMP, GIF or PNM"},
        "boxes": {
            "type": "array",
            "items": {"type": "string"},
            "description": f"JSON, once for each image in their order, or not at all: {BOXES_FORMAT}",
        },
    },
}
PREDICT_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": _FORM},
            "image/*": {"schema": _FILE},
            "application/octet-stream": {"schema": _FILE},
        },
    }
}


def describe_model(engine: ServingEngine) -> ServedModel:
    """Return what `/model` states; paths of the server are left out."""
    estimator = engine.estimator
    about, uncertainty = estimator.description, estimator.uncertainty
    return ServedModel(
        fingerprint=model_fingerprint(about.folder),
        architecture=about.architecture.name,
        backend=estimator.backend.name,
        joints=list(about.skeleton.joints),
        limbs=[list(limb) for limb in about.skeleton.limbs],
        crop_size=list(about.crop_size),
        flip_test=engine.options.flip_test,
        radius_level=None if uncertainty is None else uncertainty.level,
        trained_on_generated_sample=bool(about.provenance.get("generated_sample", False)),
        detector=None if engine.detector is None else type(engine.detector).__name__,
        limits=engine.options,
    )
