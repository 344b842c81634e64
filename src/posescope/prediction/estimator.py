"""`PoseEstimator`: a trained model for Python programs, without pipelines.

    estimator = PoseEstimator.load("model")
    for poses in estimator.predict(["a.jpg", "b.jpg"]):
        print(poses.image.name, poses.joints.shape, poses.radii)

An exported model is run by the runtime of its format, and PyTorch is never imported; one with `model.safetensors` by PyTorch.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posescope.artifacts.description import ModelDescription, model_fingerprint, read_description
from posescope.artifacts.exported_model import ExportedModel
from posescope.artifacts.uncertainty import Uncertainty, read_uncertainty
from posescope.core.errors import DataError
from posescope.core.mirrors import fetch_address
from posescope.core.paths import is_address
from posescope.core.skeleton import Skeleton
from posescope.prediction.backends.backend import Backend, open_backend
from posescope.prediction.image_io.image_folder import ImageIdAllocator
from posescope.prediction.image_io.image_inputs import ImageLike, as_named_image, expected_image_ids, is_one_image
from posescope.prediction.image_io.image_source import NamedImage
from posescope.prediction.image_io.video import VideoFile
from posescope.prediction.poses import DetectedPerson, ImageInfo, ImagePoses
from posescope.prediction.predictor import ImagePersons, PosedImage, Predictor
from posescope.prediction.video.frame_follower import FrameFollower, VideoOptions

__all__ = ["ImageLike", "ModelFolder", "PoseEstimator", "given_persons"]

log = logging.getLogger(__name__)

_VIDEO = VideoOptions()


class PoseEstimator:
    """A trained model that predicts the poses of persons in images.

    Attributes:
        description: what the model folder says of the model.
        backend: runs the model.
        uncertainty: calibrated radii of its joints; None: the model was not calibrated, or its precision is lower and the radii
            were measured by another backend or on another kind of CPU.
    """

    def __init__(self, description: ModelDescription, backend: Backend, uncertainty: Uncertainty | None = None) -> None:
        self.description, self.backend, self.uncertainty = description, backend, uncertainty

    @classmethod
    def load(
        cls,
        folder: str | Path,
        *,
        backend: str = "auto",
        device: str = "auto",
        threads: int = 0,
        allow: Collection[str] = (),
    ) -> "PoseEstimator":
        """Read a model folder.

        Args:
            folder: with `model.json` beside `model.safetensors`, or the output of `posescope export`; or the URL of such a
                folder, which is downloaded to the mirror.
            backend: `torch`, `onnx`, `openvino` or another component of posescope.backends; `auto`: that of the format to which
                the model was exported, `torch` if it was not.
            device: `auto`, `cpu`, `cuda` or `cuda:<index>`.
            threads: number of threads of an exported model; 0: one per CPU that this process may use.
            allow: dotted paths (`package.module:attribute`) of components that the folder may name; loading one runs its code.

        Raises:
            ModelFolderError: if it is no model folder, incomplete, changed since it was written, or of a newer format, or names
                a component that is neither installed nor allowed; if its uncertainty is of another model.
            OptionsError: if the device does not exist, or the packages of the backend are not installed.
            DataError: if the object store cannot be read.
        """
        root = fetch_address(folder) if isinstance(folder, str) and is_address(folder) else Path(folder)
        description = read_description(root).trusted(allow)
        opened = open_backend(description, backend, device=device, threads=threads, allow=allow)
        return cls(description, opened, _read_radii_of(description, opened))

    @property
    def skeleton(self) -> Skeleton:
        """The skeleton, which names the joints."""
        return self.description.skeleton

    def predictor(self, batch_size: int = 32, flip_test: bool = False) -> Predictor:
        """Return the engine that runs this model, for images whose persons are known.

        Args:
            batch_size: persons per forward pass.
            flip_test: whether predictions are averaged with those of the mirrored crop.
        """
        return Predictor(self.description, self.backend, batch_size, flip_test, self.uncertainty)

    def predict(
        self,
        images: ImageLike | Iterable[ImageLike],
        boxes: Iterable[ArrayLike | None] | None = None,
        *,
        batch_size: int = 32,
        flip_test: bool = False,
    ) -> Iterator[ImagePoses]:
        """Predict the persons of images, in the order of the images. Pixels are freed as soon as the persons are cropped.

        Args:
            images: paths, bytes of image files, PIL images, arrays (H, W, 3) uint8 RGB, or `NamedImage`s: one, several, or an
                endless iterator.
            boxes: for each image the boxes of its persons, (n, 4): x, y, w, h px with the image's left and upper edges at 0, as
                in COCO and in detectors, or (n, 5) with the score of the box; None: one person who fills the image.
            batch_size: persons per forward pass, of several images together.
            flip_test: whether predictions are averaged with those of the mirrored crop.

        Yields:
            The poses of one image. Its id is the number in its name if there is one (as in COCO), else the next free number from
            0 on. Ids are unique: the names of a list are known beforehand; in a stream, a name whose number is in use gets a
            free one. A `NamedImage` keeps its own id.

        Raises:
            MissingImageError: if there is no file at a path.
            ImageError: if a file or bytes cannot be decoded.
            ImageInputError: if something else is no image, or an array of another type, shape or range.
            DataError: if a box is malformed or outside its image, or boxes are fewer than images; if the batch size is below 1.
                All but the last are raised after the poses of the images before.
        """
        if batch_size < 1:
            raise DataError(f"predict: batch_size: expected at least 1, found {batch_size}.")
        listed: Iterable[ImageLike] = [images] if is_one_image(images) else images  # type: ignore[assignment, list-item]
        for posed in self.predictor(batch_size, flip_test).predict_images(_with_persons(listed, boxes)):
            yield posed.poses

    def predict_video(
        self,
        video: str | Path,
        find_boxes: Callable[[NDArray[np.uint8]], ArrayLike | None] | None = None,
        options: VideoOptions = _VIDEO,
        *,
        flip_test: bool = False,
    ) -> Iterator[PosedImage]:
        """Predict the persons of a video, and follow them from frame to frame. One frame is in memory at a time.

        Args:
            video: path of the file.
            find_boxes: returns the boxes of the persons of a frame (H, W, 3) uint8 RGB, as an entry of `boxes` of `predict`; is
                called for every n-th frame (`options.detect_every`). None: one person who fills the frame.
            options: tracker, interval of detections and smoothing.
            flip_test: see `predict`.

        Yields:
            The poses of one frame, with track ids, and the frame. `poses.image` has its number and its time in s.

        Raises:
            DataError: if the video cannot be read, or a box is malformed or outside the frame.
            OptionsError: if the tracker is not installed, or its options are wrong.
        """

        def detect(frame: NamedImage) -> list[DetectedPerson]:
            return given_persons(frame.info, None if find_boxes is None else find_boxes(frame.pixels))

        file = VideoFile(Path(video))
        follower = FrameFollower(self.predictor(1, flip_test), detect, options)
        for frame in file.frames():
            name = f"{file.path.name}#{frame.index}"
            yield follower.predict(NamedImage(name, frame.pixels, frame.index, file, frame.index, frame.time_s))

    def predict_one(self, image: ImageLike, boxes: ArrayLike | None = None, *, flip_test: bool = False) -> ImagePoses:
        """Predict the persons of one image; errors as for `predict`.

        Args:
            image: one of the kinds that `predict` accepts.
            boxes: boxes of its persons, as an entry of `boxes` of `predict`.
            flip_test: see `predict`.
        """
        return next(self.predict(image, [boxes], flip_test=flip_test))


@dataclass(frozen=True)
class ModelFolder:
    """A model folder on disk, as the catalog hands it to a node.

    Attributes:
        path: path of the folder, with a trained or an exported model.
        allow: dotted paths of components that the folder may name.
    """

    path: Path
    allow: Collection[str] = ()

    def load(self, device: str = "auto") -> PoseEstimator:
        """Read the model; arguments and errors as for `PoseEstimator.load`."""
        return PoseEstimator.load(self.path, device=device, allow=self.allow)


def _with_persons(images: Iterable[ImageLike], boxes: Iterable[ArrayLike | None] | None) -> Iterator[ImagePersons]:
    given, ids = repeat(None) if boxes is None else iter(boxes), ImageIdAllocator(expected_image_ids(images))
    for index, image in enumerate(images):
        try:
            own = next(given)
        except StopIteration:
            raise DataError(f"predict: expected boxes for every image (or None), found boxes for {index} images.") from None
        named = as_named_image(image, index, ids)
        yield ImagePersons(named, given_persons(named.info, own))


def given_persons(info: ImageInfo, boxes: ArrayLike | None) -> list[DetectedPerson]:
    """Return the persons of an image whose boxes a caller gives; COCO's edges lose 0.5.

    Args:
        info: the image.
        boxes: as an entry of `boxes` of `PoseEstimator.predict`; None: one person who fills the image.

    Raises:
        DataError: if a box is malformed or outside its image.
    """
    height, width = info.size
    rows = np.array([[0.0, 0.0, width, height]]) if boxes is None else _box_rows(boxes, info.name)
    scored = rows if rows.shape[1] == 5 else np.column_stack([rows, np.ones(len(rows))])
    persons = [DetectedPerson(info, (x - 0.5, y - 0.5, w, h), score) for x, y, w, h, score in scored.tolist()]
    if outside := [row for row, person in zip(rows.tolist(), persons, strict=True) if not person.is_in_image]:
        raise DataError(
            f"{info.name}: a box is outside the image of {info.size} px (height, width) or is far larger: {outside[0]}."
        )
    return persons


def _box_rows(boxes: ArrayLike, name: str) -> NDArray[np.float64]:
    try:
        given = np.asarray(boxes)
    except ValueError:  # rows of different lengths
        given = np.empty(1, dtype=object)
    if not given.size:
        return np.empty((0, 4))
    # Text and booleans would become numbers.
    is_valid = given.dtype.kind in "iuf" and given.ndim == 2 and given.shape[1] in (4, 5)
    if not is_valid or not np.isfinite(given).all() or (given[:, 2:4] <= 0).any():
        raise DataError(f"{name}: expected boxes (n, 4) or (n, 5), finite numbers with w and h above 0, found {str(boxes)[:99]}.")
    return given.astype(np.float64)


def _read_radii_of(description: ModelDescription, backend: Backend) -> Uncertainty | None:
    """Return the uncertainty of a model; None, with a warning, if its radii were measured by other arithmetic than it runs by."""
    folder = description.folder
    found = read_uncertainty(folder, model_fingerprint(folder), description.skeleton.joints)
    own = backend.numerics if isinstance(backend, ExportedModel) else ""  # PyTorch, or a plug-in
    if found is None or found.numerics == own:
        return found
    log.warning(
        "%s: the calibrated radii are left out. They hold for '%s', and the model runs by '%s', with other errors. Export the "
        "model on this machine (posescope export), or use its own backend.",
        folder,
        found.numerics or "another machine",
        own or backend.name,
    )
    return None
