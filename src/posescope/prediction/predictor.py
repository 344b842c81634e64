"""The prediction engine: runs persons through a trained model, in batches.

    images with boxes -> crops -+
                                +-> batches -> backend -> joints and scores
    crops of a data set --------+

The command line, the pipeline `inference`, evaluation and explainability all predict persons through this module. It does not
import PyTorch; the backends do (see `prediction.backends`).
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from posescope.artifacts.description import ModelDescription
from posescope.artifacts.uncertainty import Uncertainty
from posescope.core.errors import PosescopeError
from posescope.core.records import CropJoints
from posescope.core.skeleton import warn_about_unpaired_joints
from posescope.prediction.backends.backend import Backend
from posescope.prediction.image_io.image_source import NamedImage
from posescope.prediction.person_crops import PersonCrops, crop_persons
from posescope.prediction.poses import DetectedPerson, ImageInfo, ImagePoses, PersonPose

if TYPE_CHECKING:
    from posescope.artifacts.pose_model import PoseModel
    from posescope.data.crops.crop_set import CropSet

__all__ = ["ImagePersons", "PosedImage", "Predictor", "person_poses"]

# A batch is run before it is full when the images kept for it reach this size: 64 large photographs would take gigabytes.
_MAX_KEPT_BYTES = 256 * 1024**2


@dataclass(frozen=True, eq=False)
class ImagePersons:
    """An image and its persons, before prediction.

    Attributes:
        image: upright, with a name and an id.
        persons: in the order in which they are returned; may be empty.
        keep_pixels: whether the image is returned with its poses. Otherwise its pixels are freed as soon as its persons are
            cropped.
    """

    image: NamedImage
    persons: Sequence[DetectedPerson]
    keep_pixels: bool = False


@dataclass(frozen=True, eq=False)
class PosedImage:
    """The poses of one image, and the image itself if it was kept."""

    poses: ImagePoses
    image: NamedImage | None


@dataclass(frozen=True)
class Predictor:
    """A model, the backend that runs it, and how persons are batched.

    Attributes:
        model: crop recipe, crop size and skeleton.
        backend: runs the network and its decoder.
        batch_size: persons per forward pass.
        flip_test: whether predictions are averaged with those of the mirrored crop.
        uncertainty: calibrated radii of the model; None: poses have none.
    """

    model: "ModelDescription | PoseModel"
    backend: Backend
    batch_size: int = 64
    flip_test: bool = False
    uncertainty: Uncertainty | None = None

    def predict_images(self, images: Iterable[ImagePersons]) -> Iterator[PosedImage]:
        """Predict the persons of a stream of images.

        Batches are filled across images. At most `batch_size` crops and `batch_size` images wait at a time, so a stream of any
        length takes bounded memory.

        Args:
            images: read lazily, one at a time.

        Yields:
            The poses of each image, in the order of `images`.

        Raises:
            PosescopeError: whatever `images` or the backend raises, after the poses of the images before it.
        """
        if self.flip_test:
            warn_about_unpaired_joints(self.model.skeleton, "flip_test")
        queue = _Queue(self)
        try:
            for image in images:
                yield from queue.add(image)
        except PosescopeError:
            yield from queue.flush()
            raise
        yield from queue.flush()

    def predict_crops(self, crops: "CropSet", label: str = "predicting") -> CropJoints:
        """Predict N persons whose crops exist already.

        Args:
            crops: crops of the model's crop size.
            label: label of the progress bar.

        Returns:
            Joints in crop px and scores, in the order of the crops.
        """
        shape = (len(crops), len(self.model.skeleton))
        joints, scores = np.empty((*shape, 2), dtype=np.float32), np.empty(shape, dtype=np.float32)
        for rows, images in self.read_batches(crops, label):
            found = self.backend.run(images, self.flip_test)
            joints[rows], scores[rows] = found.joints, found.scores
        return CropJoints(joints, scores)

    def read_batches(self, crops: "CropSet", label: str) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
        """Yield the rows and the pixels (n, H, W, 3) uint8 RGB of one batch after the other.

        Args:
            crops: N crops.
            label: label of the progress bar, which is shown for more than one batch.
        """
        starts = range(0, len(crops), self.batch_size)
        for start in tqdm(starts, desc=label, unit="batch", disable=len(starts) < 2):
            rows = np.arange(start, min(start + self.batch_size, len(crops)))
            yield rows, crops.read_images(rows)


@dataclass(eq=False)
class _Open:
    """An image that waits for the poses of its persons."""

    info: ImageInfo
    persons: Sequence[DetectedPerson]
    image: NamedImage | None
    poses: list[PersonPose] = field(default_factory=list)

    @property
    def is_done(self) -> bool:
        return len(self.poses) == len(self.persons)

    def add(self, crops: PersonCrops, found: CropJoints, uncertainty: Uncertainty | None, flip_test: bool) -> None:
        first = len(self.poses)
        self.poses += person_poses(self.persons[first : first + len(crops)], crops, found, uncertainty, flip_test)


def person_poses(
    persons: Sequence[DetectedPerson],
    crops: PersonCrops,
    found: CropJoints,
    uncertainty: Uncertainty | None = None,
    flip_test: bool = False,
) -> list[PersonPose]:
    """Return the poses of n persons of one image, mapped from their crops to the image.

    Args:
        persons: boxes and scores, in the order of the crops.
        crops: the n crops.
        found: joints and scores in crop px.
        uncertainty: calibrated radii of the model; None: poses have none.
        flip_test: whether the joints are those of a flip test, for which other radii hold.
    """
    columns = (persons, crops.to_image(found.joints), found.scores, found.joints)
    if uncertainty is None:
        return list(map(PersonPose, *columns))
    radii = uncertainty.radii(found.scores, flip_test)
    in_image = radii * crops.image_px_per_crop_px[:, None]
    return list(map(PersonPose, *columns, in_image, uncertainty.distrust(radii)))


class _Queue:
    """Images in order until all their persons are predicted, and the crops that wait for the next forward pass."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._images: deque[_Open] = deque()
        self._batch: list[tuple[_Open, PersonCrops]] = []

    def add(self, entry: ImagePersons) -> Iterator[PosedImage]:
        """Crop the persons of an image; yield what a full batch completes."""
        model, batch_size, image = self._predictor.model, self._predictor.batch_size, entry.image
        opened = _Open(image.info, entry.persons, image if entry.keep_pixels else None)
        self._images.append(opened)
        boxes = np.array([person.box for person in entry.persons], dtype=np.float64).reshape(-1, 4)
        while len(boxes):
            room = batch_size - sum(len(crops) for _, crops in self._batch)
            self._batch.append((opened, crop_persons(image.pixels, boxes[:room], model.crop, model.crop_size)))
            if len(boxes) >= room:
                self._run()
            boxes = boxes[room:]
        if len(self._images) >= batch_size or self._kept_bytes() >= _MAX_KEPT_BYTES:
            self._run()
        yield from self._finished()

    def flush(self) -> Iterator[PosedImage]:
        """Predict what waits, and yield every image that is complete."""
        self._run()
        yield from self._finished()

    def _run(self) -> None:
        batch, self._batch = self._batch, []
        if not batch:
            return
        predictor = self._predictor
        found = predictor.backend.run(np.concatenate([crops.crops for _, crops in batch]), predictor.flip_test)
        first = 0
        for opened, crops in batch:
            rows = slice(first, first + len(crops))
            part = CropJoints(found.joints[rows], found.scores[rows])
            opened.add(crops, part, predictor.uncertainty, predictor.flip_test)
            first = rows.stop

    def _finished(self) -> Iterator[PosedImage]:
        while self._images and self._images[0].is_done:
            opened = self._images.popleft()
            yield PosedImage(ImagePoses(opened.info, tuple(opened.poses), self._predictor.model.skeleton), opened.image)

    def _kept_bytes(self) -> int:
        return sum(opened.image.pixels.nbytes for opened in self._images if opened.image is not None)
