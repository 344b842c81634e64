"""The engine of the server: images of a request -> poses, with one forward pass for several requests.

Decoding, detection and cropping of a request run in a small pool of threads. Only there an image is in memory; crops wait for the
network. So memory is bounded by the number of these threads, whatever number of requests waits. A request whose time is over is
dropped: while it waits at once, while it is decoded before its next image or crop.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posescope.core.errors import DataError, OptionsError, PosescopeError
from posescope.core.records import CropJoints
from posescope.data.images.decoding import decode_image
from posescope.data.images.limits import ImageError, ImageLimits
from posescope.prediction.detectors.detector import Detections, Detector, ImageIndexedDetector
from posescope.prediction.estimator import PoseEstimator, given_persons
from posescope.prediction.image_io.image_folder import assign_image_ids
from posescope.prediction.person_crops import PersonCrops, crop_persons
from posescope.prediction.poses import DetectedPerson, ImageInfo, ImagePoses, PersonPose
from posescope.prediction.predictor import person_poses
from posescope.serving.admission import Hold
from posescope.serving.batching import Batcher
from posescope.serving.decoding_pool import DecodingPool
from posescope.serving.options import ServingOptions
from posescope.serving.refusals import RequestRefusedError
from posescope.serving.request_body import Upload, UploadedImage, parse_upload
from posescope.serving.server_metrics import ServerMetrics

__all__ = ["ServingEngine"]

_log = logging.getLogger(__name__)

_GREY_SIZE = (480, 640)
# A crop costs time in proportion to its box, most of which would be padding.
_MAX_BOX_RATIO = 3
_CLOSE_S = 10.0
_LEAST_CLOSE_S = 1.0  # an idle thread needs a moment to end


@dataclass(frozen=True, eq=False)
class _PreparedImage:
    """An image whose persons are cropped; its pixels are freed."""

    info: ImageInfo
    persons: Sequence[DetectedPerson]
    crops: PersonCrops


class ServingEngine:
    """A loaded model, its threads and an optional detector.

    Args:
        estimator: the model.
        options: batching and limits.
        detector: finds the persons of images without boxes; None: one person who fills the image.
        metrics: counts what is done.

    Raises:
        OptionsError: if the detector needs the names of all images beforehand.
        PosescopeError: if the model or the detector fails for a grey image, with which each is run once.
    """

    def __init__(
        self, estimator: PoseEstimator, options: ServingOptions, metrics: ServerMetrics, detector: Detector | None = None
    ) -> None:
        if isinstance(detector, ImageIndexedDetector):
            raise OptionsError("--detector: expected a detector that looks at images; boxes of a file come with each request.")
        self.estimator, self.options, self.metrics, self.detector = estimator, options, metrics, detector
        self._limits = ImageLimits(max_megapixels=options.max_megapixels)
        self._one_at_a_time = threading.Lock()  # detectors need not be safe for threads
        if detector is not None:  # it may load its network at the first image
            grey = np.full((*_GREY_SIZE, 3), 128, dtype=np.uint8)
            detector(grey, ImageInfo("grey", 0, _GREY_SIZE), Detections(Path()))
        estimator.backend.run(np.full((1, *estimator.description.crop_size, 3), 128, dtype=np.uint8), options.flip_test)
        self._pool = DecodingPool(options.decoding_threads)
        self.batcher = Batcher(
            lambda crops: estimator.backend.run(crops, options.flip_test),
            options.max_batch,
            options.max_wait_ms / 1000,
            options.max_waiting_persons,
            metrics.observe_batch,
        )

    @property
    def is_ready(self) -> bool:
        """Whether requests are answered."""
        return self.batcher.is_running

    async def predict(self, upload: Upload, hold_until: Hold = lambda _: None) -> list[ImagePoses]:
        """Predict the persons of the images of a request, in their order.

        Args:
            upload: the request.
            hold_until: called with a future that is done as soon as the body of the request is no longer used, even if this
                coroutine is cancelled before.

        Raises:
            RequestRefusedError: if the request is malformed or has too many images, an image cannot be decoded, or its boxes are
                malformed, outside it, too large or too many (400, 413, 415, 422).
            BusyError: if too many persons wait.
        """
        with self.batcher.expect():
            job = self._pool.submit(partial(self._prepare, upload))
            hold_until(job.future)
            try:
                prepared, waiting = await asyncio.wrap_future(job.future)
            finally:
                job.drop()
        if waiting is None:  # no image has a person
            return self._poses_of(prepared, None)
        found = await asyncio.wrap_future(waiting)
        return self._poses_of(prepared, found)

    def close(self) -> None:
        """Let the threads end what they compute, for 10 s; after that they are left to themselves, with a warning."""
        deadline = time.monotonic() + _CLOSE_S
        self._pool.close(_CLOSE_S)
        self.batcher.close(max(_LEAST_CLOSE_S, deadline - time.monotonic()))

    def _prepare(self, upload: Upload, check: Callable[[], None]) -> "tuple[list[_PreparedImage], Future[CropJoints] | None]":
        """Return the images of a request without their pixels, and the joints that are being predicted; runs in the pool.

        `check` raises BusyError if the request was dropped.
        """
        images = parse_upload(upload, self.options.max_images)
        ids = assign_image_ids([image.name for image in images])
        try:
            prepared = [self._prepare_one(image, image_id, check) for image, image_id in zip(images, ids, strict=True)]
        except ImageError as error:
            status = 413 if error.kind == "image is too large" else 422
            raise RequestRefusedError(status, str(error)) from error
        except DataError as error:
            raise RequestRefusedError(422, str(error)) from error
        check()
        crops = np.concatenate([image.crops.crops for image in prepared])
        self.metrics.count_images(len(prepared), len(crops))
        return prepared, self.batcher.submit(crops) if len(crops) else None

    def _prepare_one(self, image: UploadedImage, image_id: int, check: Callable[[], None]) -> _PreparedImage:
        check()
        pixels = decode_image(image.raw, Path(image.name), frame="upright", limits=self._limits)
        info = ImageInfo(image.name, image_id, (pixels.shape[0], pixels.shape[1]))
        if image.boxes is not None and len(image.boxes) > self.options.max_persons:
            raise self._too_many(info, len(image.boxes))
        if image.boxes is not None or self.detector is None:
            persons = given_persons(info, image.boxes)
            _check_sizes(info, persons)
        else:
            persons = self._detect(self.detector, pixels, info)
        if len(persons) > self.options.max_persons:
            raise self._too_many(info, len(persons))
        boxes = np.array([person.box for person in persons], dtype=np.float64).reshape(-1, 4)
        model = self.estimator.description
        return _PreparedImage(info, persons, crop_persons(pixels, boxes, model.crop, model.crop_size, check))

    def _detect(self, detector: Detector, pixels: NDArray[np.uint8], info: ImageInfo) -> list[DetectedPerson]:
        try:
            with self._one_at_a_time:
                found = detector(pixels, info, Detections(Path()))
        except ImageError:  # concerns this image only
            raise
        except PosescopeError as error:  # its message may name files of this machine
            _log.exception("The detector failed for an image of %s px.", info.size)
            raise RequestRefusedError(500, "The detector failed; the log of the server has the reason.") from error
        return [person for person in found if person.is_in_image and not _is_too_large(person)]

    def _too_many(self, info: ImageInfo, count: int) -> RequestRefusedError:
        limit = self.options.max_persons
        return RequestRefusedError(
            422, f"{info.name}: expected at most {limit} persons (option --max-persons of the server), found {count}."
        )

    def _poses_of(self, prepared: Sequence[_PreparedImage], found: CropJoints | None) -> list[ImagePoses]:
        estimator, first, poses = self.estimator, 0, []
        for image in prepared:
            rows = slice(first, first + len(image.crops))
            persons = [] if found is None else self._persons_of(image, CropJoints(found.joints[rows], found.scores[rows]))
            poses.append(ImagePoses(image.info, tuple(persons), estimator.skeleton))
            first = rows.stop
        return poses

    def _persons_of(self, image: _PreparedImage, found: CropJoints) -> list[PersonPose]:
        return person_poses(image.persons, image.crops, found, self.estimator.uncertainty, self.options.flip_test)


def _is_too_large(person: DetectedPerson) -> bool:
    return max(person.box[2:]) > _MAX_BOX_RATIO * max(person.image.size)


def _check_sizes(info: ImageInfo, persons: Sequence[DetectedPerson]) -> None:
    if found := [person.box for person in persons if _is_too_large(person)]:
        raise RequestRefusedError(
            422,
            f"{info.name}: expected boxes whose sides are at most {_MAX_BOX_RATIO} times the longer side of the image of "
            f"{info.size} px (height, width), found a box of {found[0][2]:g} x {found[0][3]:g} px.",
        )
