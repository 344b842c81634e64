"""`PoseEstimator`: a trained model for people who never see the pipelines.

    estimator = PoseEstimator.load("model")
    for poses in estimator.predict(["a.jpg", "b.jpg"]):
        print(poses.image.name, poses.joints.shape)

A folder with `model.onnx` is run by onnxruntime, and torch is never imported; one with `model.safetensors` by PyTorch.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posescope.artifacts.description import ModelDescription, ModelFolderError, read_description
from posescope.artifacts.onnx_model import NETWORK, CropJoints, OnnxModel
from posescope.core.errors import DataError, PosescopeError
from posescope.core.skeleton import Skeleton, warn_about_unpaired_joints
from posescope.prediction.image_io.image_folder import ImageIdAllocator
from posescope.prediction.image_io.image_inputs import ImageLike, as_named_image, expected_image_ids, is_one_image
from posescope.prediction.image_io.image_source import NamedImage
from posescope.prediction.person_crops import PersonCrops, crop_persons
from posescope.prediction.poses import DetectedPerson, ImageInfo, ImagePoses, PersonPose

__all__ = ["Backend", "BackendName", "ImageLike", "PoseEstimator"]


BackendName: TypeAlias = Literal["auto", "onnx", "torch"]


class Backend(Protocol):
    """What runs the network: crops (N, H, W, 3) uint8 RGB -> joints in crop px, and scores."""

    name: str

    def run(self, crops: NDArray[np.uint8], flip_test: bool = False) -> CropJoints:
        """Joints and scores of N crops."""
        ...


class PoseEstimator:
    """A trained model, ready for images.

    Attributes:
        description: what the model says of itself.
        backend: what runs it.
    """

    def __init__(self, description: ModelDescription, backend: Backend) -> None:
        self.description, self.backend = description, backend

    @classmethod
    def load(
        cls,
        folder: str | Path,
        *,
        backend: BackendName = "auto",
        device: str = "auto",
        threads: int = 0,
        allow: Collection[str] = (),
    ) -> "PoseEstimator":
        """Read a model folder.

        Args:
            folder: with `model.json` beside `model.safetensors`, or beside what `posescope export` wrote.
            backend: `onnx`, `torch`, or whichever the folder holds (`auto`: onnx before torch).
            device: `auto`, `cpu`, `cuda` or `cuda:<index>`.
            threads: of onnxruntime; 0: one per CPU that this process may use.
            allow: dotted paths (`package.module:attribute`) of components that the folder may name; loading one runs its code.

        Raises:
            ModelFolderError: if it is no model folder, incomplete, changed since it was written, or of a newer format, or names
                a component that is neither installed nor allowed.
            OptionsError: if the device does not exist, or the packages that run it are not installed.
        """
        description = read_description(Path(folder)).trusted(allow)
        has_onnx = bool(description.onnx) or (description.folder / NETWORK).is_file()
        if backend == "onnx" and not has_onnx:
            raise ModelFolderError(f"{folder}: this model is not exported; posescope export --model {folder} --out <folder>.")
        if backend == "onnx" or (backend == "auto" and has_onnx):
            return cls(description, OnnxModel(description, threads, device))
        from posescope.prediction.backends.torch_backend import TorchBackend  # noqa: PLC0415  (torch takes seconds to import)

        return cls(description, TorchBackend(description.folder, device, allow))

    @property
    def skeleton(self) -> Skeleton:
        """Names the joints."""
        return self.description.skeleton

    def predict(
        self,
        images: ImageLike | Iterable[ImageLike],
        boxes: Iterable[ArrayLike | None] | None = None,
        *,
        batch_size: int = 32,
        flip_test: bool = False,
    ) -> Iterator[ImagePoses]:
        """Pose the people of images, in the order of the images; nothing is kept of an image when its people are cut out.

        Args:
            images: paths, bytes of image files, PIL images, arrays (H, W, 3) uint8 RGB, or photos (arrays with a name): one,
                several, or an iterator without end.
            boxes: for each image its people, (n, 4): x, y, w, h px with the image's left and upper edges at 0, as COCO and
                detectors have it, or (n, 5) with the box's score; None: one person who fills the image.
            batch_size: people a pass of the network, of several images together.
            flip_test: average with the mirrored image.

        Yields:
            Everybody of one image. An image is numbered by its name where that is a number (COCO's way), else by the next
            number that is free, from 0 on. No number is given twice: of a list the names are known beforehand; in a stream, a
            name whose number another image already has gets a free one. Photos keep their own.

        Raises:
            MissingImageError: if there is no file at a path.
            ImageError: if a file or bytes cannot be decoded.
            ImageInputError: if something else is no image, or an array of another type, shape or range.
            DataError: if a box is malformed or outside its picture, or boxes are fewer than images; if the batch size is below 1.
                All but the last come after the poses of the images before.
        """
        if flip_test:
            warn_about_unpaired_joints(self.skeleton, "flip_test")
        listed: Iterable[ImageLike] = [images] if is_one_image(images) else images  # type: ignore[assignment, list-item]
        if batch_size < 1:
            raise DataError(f"predict: batch_size: expected at least 1, found {batch_size}.")
        waiting, numbers = _Batch(), ImageIdAllocator(expected_image_ids(listed))
        try:
            for place, (image, own) in enumerate(_pairs(listed, boxes)):
                waiting.add(*self._cut(as_named_image(image, place, numbers), own))
                if waiting.persons >= batch_size or len(waiting.images) >= batch_size:
                    full, waiting = waiting, _Batch()
                    yield from self._run(full, batch_size, flip_test)
        except PosescopeError:  # those that were read before are not lost
            yield from self._run(waiting, batch_size, flip_test)
            raise
        yield from self._run(waiting, batch_size, flip_test)

    def predict_one(self, image: ImageLike, boxes: ArrayLike | None = None, *, flip_test: bool = False) -> ImagePoses:
        """As `predict`, of one image."""
        return next(self.predict(image, [boxes], flip_test=flip_test))

    def _cut(self, photo: NamedImage, boxes: ArrayLike | None) -> tuple[ImageInfo, list[DetectedPerson], PersonCrops]:
        pixels = photo.pixels
        info = ImageInfo(photo.name, photo.image_id, (pixels.shape[0], pixels.shape[1]))
        persons = _people(info, boxes)
        own = np.array([person.box for person in persons], dtype=np.float64).reshape(-1, 4)
        return info, persons, crop_persons(pixels, own, self.description.crop, self.description.crop_size)

    def _run(self, waiting: "_Batch", batch_size: int, flip_test: bool) -> Iterator[ImagePoses]:
        found = [self.backend.run(crops, flip_test) for crops in waiting.crops(batch_size)]
        joints = np.concatenate([one.joints for one in found]) if found else np.empty((0, len(self.skeleton), 2), np.float32)
        scores = np.concatenate([one.scores for one in found]) if found else np.empty((0, len(self.skeleton)), np.float32)
        first = 0
        for info, persons, cut in zip(waiting.images, waiting.boxes, waiting.cuts, strict=True):
            rows = slice(first, first + len(persons))
            placed = zip(persons, cut.place(joints[rows]), scores[rows], strict=True)
            yield ImagePoses(info, tuple(PersonPose(*one) for one in placed), self.skeleton)
            first += len(persons)


@dataclass
class _Batch:
    """Images whose people wait for the network."""

    images: list[ImageInfo] = field(default_factory=list)
    boxes: list[list[DetectedPerson]] = field(default_factory=list)
    cuts: list[PersonCrops] = field(default_factory=list)
    persons: int = 0

    def add(self, image: ImageInfo, persons: list[DetectedPerson], cut: PersonCrops) -> None:
        self.images.append(image)
        self.boxes.append(persons)
        self.cuts.append(cut)
        self.persons += len(persons)

    def crops(self, batch_size: int) -> Iterator[NDArray[np.uint8]]:
        """All crops, at most `batch_size` at a time."""
        if self.persons:
            every = np.concatenate([cut.crops for cut in self.cuts])
            yield from (every[start : start + batch_size] for start in range(0, len(every), batch_size))


def _pairs(images: Iterable[ImageLike], boxes: Iterable[ArrayLike | None] | None) -> Iterator[tuple[ImageLike, ArrayLike | None]]:
    own = repeat(None) if boxes is None else iter(boxes)
    for number, image in enumerate(images):
        try:
            yield image, next(own)
        except StopIteration:
            raise DataError(f"predict: expected boxes for every image (or None), found boxes for {number} images.") from None


def _people(info: ImageInfo, boxes: ArrayLike | None) -> list[DetectedPerson]:
    """Our convention: COCO's edges lose 0.5."""
    height, width = info.size
    rows = np.array([[0.0, 0.0, width, height]]) if boxes is None else _rows(boxes, info.name)
    persons = [DetectedPerson(info, (x - 0.5, y - 0.5, w, h), score) for x, y, w, h, score in _with_scores(rows).tolist()]
    if outside := [row for row, person in zip(rows.tolist(), persons, strict=True) if not person.is_in_image]:
        raise DataError(
            f"{info.name}: a box lies outside the picture of {info.size} px (height, width) or is far larger: {outside[0]}."
        )
    return persons


def _rows(boxes: ArrayLike, name: str) -> NDArray[np.float64]:
    try:
        given = np.asarray(boxes)
    except ValueError:  # rows of different lengths
        given = np.empty(1, dtype=object)
    if not given.size:
        return np.empty((0, 4))
    # Text and booleans would become numbers.
    well = given.dtype.kind in "iuf" and given.ndim == 2 and given.shape[1] in (4, 5)
    if not well or not np.isfinite(given).all() or (given[:, 2:4] <= 0).any():
        raise DataError(f"{name}: expected boxes (n, 4) or (n, 5), finite numbers with w and h above 0, found {str(boxes)[:99]}.")
    return given.astype(np.float64)


def _with_scores(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return rows if rows.shape[1] == 5 else np.column_stack([rows, np.ones(len(rows))])
