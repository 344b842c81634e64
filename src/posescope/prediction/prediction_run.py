"""Prediction for all images of a source: detect, predict, draw, and account for every file."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tqdm import tqdm

from posescope.core.errors import DataError, pluralise
from posescope.core.files import atomic_folder
from posescope.data.images.limits import ImageError
from posescope.drawing.skeletons import DRAW_THRESHOLD
from posescope.prediction.detectors.detector import Detections, Detector, ImageIndexedDetector, MatchedImages
from posescope.prediction.estimator import PoseEstimator
from posescope.prediction.image_io.folder_listing import UNREADABLE, SkippedFile, count_reasons, mark_output
from posescope.prediction.image_io.image_folder import ImageFolder
from posescope.prediction.image_io.image_source import ImageSource, NamedImage
from posescope.prediction.options import PredictionOptions
from posescope.prediction.overlays import OverlayFolder, OverlayWriter
from posescope.prediction.poses import DetectedPerson, ImagePoses
from posescope.prediction.predictor import ImagePersons, PosedImage, Predictor
from posescope.prediction.video.frame_follower import FrameFollower, VideoOptions

__all__ = ["GENERATED_IDS", "PredictionRun", "predict_folder"]

_log = logging.getLogger(__name__)

GENERATED_IDS = (
    "numbers of posescope's own: the number that is the image's name, else the next free one; file_name tells the images apart"
)


@dataclass
class PredictionRun:
    """One pass over a source of images.

    Attributes:
        source: images and videos.
        detector: gives each image the boxes of its persons.
        detections: the file of boxes, for a detector that reads one.
        warn: receives every message for the user.
        video: how persons are followed over the frames of videos; None: each frame is predicted as an image of its own.
        skipped: images that could not be read, or that the detector rejected.
        images, persons: number of images and persons that were predicted.
        images_without_persons: number of images for which the detector has no box.
        matched: what a file of boxes says of the images.
        notes: messages on videos that are damaged.
    """

    source: ImageSource
    detector: Detector
    detections: Detections
    warn: Callable[[str], None]
    video: VideoOptions | None = None
    skipped: list[SkippedFile] = field(default_factory=list)
    images: int = 0
    persons: int = 0
    images_without_persons: int = 0
    matched: MatchedImages = field(default_factory=MatchedImages)
    notes: list[str] = field(default_factory=list)
    _first_without: str = ""

    def predict(self, predictor: Predictor, overlays: OverlayWriter | None = None) -> Iterator[ImagePoses]:
        """Predict all images, one after the other; each is decoded once.

        Args:
            predictor: runs the model.
            overlays: writes each image with its skeletons, if given.

        Yields:
            The poses of each image that can be read.

        Raises:
            DataError: if the detector cannot work for any image.
        """
        if isinstance(self.detector, ImageIndexedDetector):
            self.matched = self.detector.prepare(self.source.names(), self.detections)
            for note in self.matched.notes:
                self.warn(note)
        for posed in self._predict_all(predictor, keep_pixels=overlays is not None):
            self.images, self.persons = self.images + 1, self.persons + len(posed.poses)
            yield posed.poses
            if overlays is not None and posed.image is not None:
                overlays.draw(posed.image, posed.poses)

    def summary(self) -> dict[str, Any]:
        """Return the account of the run so far, as written to `summary.json`.

        It has the number of images (those without persons included) and of persons, the source of the image ids, every file that
        was not predicted with its reason (a hidden folder, or one of earlier output, counts once), and other messages.
        """
        known, count = len(self.matched.ids), len(self.source.names())
        ids = GENERATED_IDS
        if known:
            ids = f"those of {self.detections.root}" + ("" if known >= count else f" for {known} of {count} images, else {ids}")
        skipped = [one.to_dict() for one in (*self.skipped, *self.source.skipped_files)]
        notes = [*self.matched.notes, *self.notes]
        return {"images": self.images, "persons": self.persons, "image_ids": ids, "skipped_files": skipped, "notes": notes}

    def warn_about_images_without_persons(self) -> None:
        """Warn if the detector has no box for some images."""
        if self.images_without_persons:
            count, first = self.images_without_persons, self._first_without
            self.warn(f"No box for {count} of {pluralise(self.images, 'image')}, such as {first}.")

    def _predict_all(self, predictor: Predictor, *, keep_pixels: bool) -> Iterator[PosedImage]:
        if self.video is None:
            yield from predictor.predict_images(self._detect(keep_pixels=keep_pixels))
            return
        follower = FrameFollower(predictor, self._find_persons, self.video)
        for image in self._read():
            try:
                if image.video is None:
                    yield from predictor.predict_images([ImagePersons(image, self._find_persons(image), keep_pixels)])
                else:
                    yield follower.predict(image)
            except ImageError as error:  # concerns this image only; any other error ends the run
                self._skip(image.name, error)

    def _detect(self, *, keep_pixels: bool) -> Iterator[ImagePersons]:
        for image in self._read():
            try:
                persons = self._find_persons(image)
            except ImageError as error:
                self._skip(image.name, error)
                continue
            yield ImagePersons(image, persons, keep_pixels)

    def _read(self) -> Iterator[NamedImage]:
        images = self.source.read(self._skip, self.matched.ids, self._note)
        yield from tqdm(images, desc="predicting", unit="image", total=self.source.count(), disable=None, leave=False)

    def _find_persons(self, image: NamedImage) -> list[DetectedPerson]:
        persons = self.detector(image.pixels, image.info, self.detections)
        inside = [person for person in persons if person.is_in_image]
        if len(inside) < len(persons):
            self.warn(_describe_outside_boxes([person for person in persons if not person.is_in_image]))
        if not inside:
            self.images_without_persons += 1
            self._first_without = self._first_without or image.name
        return inside

    def _note(self, text: str) -> None:
        self.warn(text)
        self.notes.append(text)

    def _skip(self, name: str, error: DataError) -> None:
        self.warn(f"skipped: {error}")
        self.skipped.append(SkippedFile(name, getattr(error, "kind", UNREADABLE), str(error)))


def predict_folder(
    estimator: PoseEstimator,
    images: ImageFolder,
    detector: Detector,
    detections: Detections,
    overlays: OverlayFolder,
    options: PredictionOptions,
    draw_threshold: float = DRAW_THRESHOLD,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Predict all images of a folder and write their overlays; videos are skipped.

    Args:
        estimator: the trained model.
        images: the folder.
        detector: a component of `posescope.detectors`.
        detections: the file of boxes, for a detector that reads one.
        overlays: the folder for the drawn images; earlier ones are replaced when the run ends well.
        options: batch size and flip test.
        draw_threshold: joints with a lower score are not drawn.

    Returns:
        COCO keypoint results, and the account of the run (`PredictionRun.summary`).

    Raises:
        DataError: if there is no image, none that can be read, or no box of a file lies in its image.
    """
    source = ImageSource([images.root], images.limits, videos=False)
    if source.skipped_files:
        _log.info("%s: skipped: %s", images.root, count_reasons(source.skipped_files))
    run = PredictionRun(source, detector, detections, lambda text: _log.warning("%s", text))
    results: list[dict[str, Any]] = []
    with atomic_folder(overlays.root) as folder:
        mark_output(folder)
        with OverlayWriter(folder, draw_threshold, empty_images=False) as writer:
            for poses in run.predict(estimator.predictor(options.batch_size, options.flip_test), writer):
                results += poses.to_coco()
        if not run.images:
            raise DataError(f"{images.root}: none of the {len(source.names())} images can be read.")
        if isinstance(detector, ImageIndexedDetector) and not run.persons:
            raise DataError(f"{images.root}: found no person: no box of {detections.root} is in a readable image.")
    run.warn_about_images_without_persons()
    writer.warn_about_undrawn(run.persons, "inference.overlays.draw_threshold", run.warn)
    return results, run.summary()


def _describe_outside_boxes(persons: Sequence[DetectedPerson]) -> str:
    """Name the boxes of one image that lie outside it or are far larger; there is at least one."""
    x, y, width, height = persons[0].box
    first, image = f"[{x + 0.5:g}, {y + 0.5:g}, {width:g}, {height:g}]", persons[0].image
    count = pluralise(len(persons), "person")
    return f"{image.name}: skipped {count} whose box is outside the image of {image.size} px or far larger, such as {first}."
