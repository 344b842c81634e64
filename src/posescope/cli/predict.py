"""`posescope predict`: the poses of people in images, without a pipeline."""

import json
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import click
import cv2
import numpy as np
import yaml
from numpy.typing import NDArray
from tqdm import tqdm

from posescope.cli.base import LocalPathType, PosescopeCommand, allow_component, echo
from posescope.core.errors import DataError, pluralise
from posescope.core.files import write_json
from posescope.core.plugins import ComponentSpec, build
from posescope.core.text_escaping import escape_control
from posescope.data.images.decoding import ImageError
from posescope.data.images.headers import ImageLimits
from posescope.drawing.skeletons import DRAW_THRESHOLD
from posescope.prediction.detectors.detector import Detections, Detector, ImageIndexedDetector, MatchedImages
from posescope.prediction.estimator import PoseEstimator
from posescope.prediction.image_io.folder_listing import UNREADABLE, SkippedFile, count_reasons
from posescope.prediction.image_io.image_source import ImageSource, NamedImage
from posescope.prediction.overlays import OverlayWriter, describe_undrawn
from posescope.prediction.poses import ImageInfo, ImagePoses
from posescope.prediction.prediction_run import PoseSummary, describe_image_ids, describe_outside_boxes
from posescope.runs.project_models import find_model

__all__ = ["predict"]

_WITHOUT_FILE = ("full_image", "onnx")  # of others, which a plug-in brings, nobody knows here
_SOME_SKIPPED, _ALL_SKIPPED = 3, 1


@click.command(cls=PosescopeCommand)
@click.argument("images", nargs=-1, required=True, type=LocalPathType(exists=True))
@click.option("--model", type=LocalPathType(), help="Model folder, or a data_dir; default: the project's newest.")
@click.option("--boxes", type=LocalPathType(exists=True, dir_okay=False), help="COCO results or annotations.")
@click.option(
    "--detector",
    help="A component of posescope.detectors; default: full_image, or boxes_file with --boxes.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="An option of the detector, such as path=yolox.onnx or input_size=[640,640].",
)
@click.option("--out", type=LocalPathType(file_okay=False), help="Folder for poses.json (COCO results), summary.json, overlays.")
@click.option("--draw", is_flag=True, help="Draw the skeletons on the images, into OUT/overlays.")
@click.option(
    "--draw-threshold",
    type=float,
    default=DRAW_THRESHOLD,
    show_default=True,
    help="Joints with a lower score are not drawn; poses.json keeps them all.",
)
@click.option("--flip-test", is_flag=True, help="Average with the mirrored image: better, and twice the time.")
@click.option("--batch-size", type=click.IntRange(min=1), default=1, show_default=True, help="People a pass of the network.")
@click.option("--backend", type=click.Choice(["auto", "onnx", "torch"]), default="auto", show_default=True, help="What runs it.")
@click.option("--device", default="auto", show_default=True, help="For torch: auto, cpu, cuda or cuda:1.")
@allow_component
@click.option(
    "--max-megapixels",
    type=click.FloatRange(min=0, min_open=True, max=1000),
    default=ImageLimits().max_megapixels,
    show_default=True,
    help="Larger pictures are left out before they are decoded.",
)
@click.option("--json", "as_json", is_flag=True, help="Print COCO results, a JSON list a line for each image.")
def predict(images: tuple[Path, ...], **options: Any) -> None:
    """Find the joints of the people in images.

    IMAGES: image files, videos, folders of them. A line an image (or frame) is printed as soon as its people are posed. A file
    that cannot be read is named and left out; the rest goes on. Hidden and system files, and what posescope has written itself,
    are not posed. OUT/summary.json lists every file that was left out, with the reason, and says where the image ids come from.

    \b
    Exit codes:
      0  everything was posed
      1  nothing was posed (no image could be read, no box fits an image), or an error
      2  a wrong command line
      3  some images were left out

    \b
    Examples:
      posescope predict photo.jpg
      posescope predict photos --out poses --draw
      posescope predict photos --boxes boxes.json --model model_onnx --json
      posescope predict clip.mp4 --out poses --draw
      posescope predict photos --detector onnx --set path=yolox_s.onnx --out poses
    """  # noqa: D301 (\b keeps click from filling the lines)
    if options["draw"] and options["out"] is None:
        raise click.UsageError("--draw needs --out: the folder for the overlays.")
    if options["out"] is not None:
        _check_writable(options["out"])  # before the work, not after it
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # what cannot be read is told in our words
    folder = find_model(options["model"])
    estimator = PoseEstimator.load(folder, backend=options["backend"], device=options["device"], allow=options["allow"])
    _say_model(estimator, named=options["model"] is not None)
    job = _Job(
        ImageSource(images, ImageLimits(max_megapixels=options["max_megapixels"])),
        _find_detector(options),
        Detections(options["boxes"] or Path()),
        options,
    )
    with OverlayWriter((options["out"] or Path()) / "overlays", options["draw_threshold"]) as overlays:
        job.run(estimator, overlays)
    job.tell(overlays)
    if job.skipped or (options["boxes"] and not job.persons):
        sys.exit(_SOME_SKIPPED if job.posed and (job.persons or not options["boxes"]) else _ALL_SKIPPED)


@dataclass
class _Job:
    """Everything that one command does, picture by picture."""

    source: ImageSource
    detector: Detector
    detections: Detections
    options: dict[str, Any]
    skipped: list[SkippedFile] = field(default_factory=list)
    posed: int = 0
    persons: int = 0
    known: MatchedImages = field(default_factory=MatchedImages)
    alone: list[str] = field(default_factory=list)  # pictures with nobody in them
    waiting: deque[NamedImage | None] = field(default_factory=deque)  # until their people are posed; none: no need to keep it
    boxes: deque[NDArray[np.float64]] = field(default_factory=deque)  # of pictures that are handed over, until they are asked for

    def run(self, estimator: PoseEstimator, overlays: OverlayWriter) -> None:
        """Pose all, print as they come, write what was asked for."""
        if isinstance(self.detector, ImageIndexedDetector):
            self.known = self.detector.prepare(self.source.names(), self.detections)
            for note in self.known.notes:
                echo(note, err=True)
        found = estimator.predict(
            self._photos(),
            self._boxes(),
            batch_size=self.options["batch_size"],
            flip_test=self.options["flip_test"],
        )
        out: Path | None = self.options["out"]
        records: list[dict[str, Any]] = []
        finished = False
        try:
            for poses in found:
                self.posed, self.persons = self.posed + 1, self.persons + len(poses)
                photo = self.waiting.popleft()
                records += poses.to_coco() if out else []
                with tqdm.external_write_mode():  # the bar steps aside
                    _print(poses, self.options["as_json"])
                if photo is not None:
                    overlays.draw(photo, poses)
            finished = True
        finally:
            if out and (finished or self.posed):  # what is posed is not lost, whatever ends the rest
                write_json(out / "poses.json", records)
                write_json(out / "summary.json", self.summary().to_dict())
            if out and self.posed and not finished:
                echo(f"{out / 'poses.json'}: the {pluralise(self.posed, 'image')} until then.", err=True)

    def summary(self) -> PoseSummary:
        """An account of all that was asked for, as far as it has come."""
        ids = describe_image_ids(str(self.detections.root), len(self.known.ids), len(self.source.names()))
        return PoseSummary(self.posed, self.persons, ids, (*self.skipped, *self.source.skipped_files), self.known.notes)

    def tell(self, overlays: OverlayWriter) -> None:
        """Say what is not as somebody may expect."""
        if self.alone:
            echo(
                f"No box for {len(self.alone)} of {pluralise(self.posed, 'image')}, {escape_control(self.alone[0])} for one.",
                err=True,
            )
        if overlays.undrawn:
            echo(
                describe_undrawn(overlays.undrawn, self.persons, self.options["draw_threshold"], "--draw-threshold") + ".",
                err=True,
            )
        if self.source.skipped_files:
            others = self.source.skipped_files
            echo(f"Not posed: {pluralise(len(others), 'other file')} ({count_reasons(others)}).", err=True)
        if self.skipped:
            echo(f"Left out: {len(self.skipped)} of {len(self.skipped) + self.posed} images.", err=True)
        if self.options["boxes"] and not self.persons:
            echo(f"Nobody was posed: no box of {self.detections.root} lies in one of these images.", err=True)

    def _photos(self) -> Iterator[NamedImage]:
        """Every picture whose people are known; their boxes wait in `boxes`. Only what is drawn on is kept."""
        photos = self.source.read(self._leave_out, self.known.ids)
        for photo in tqdm(photos, unit="image", total=self.source.count(), disable=None, leave=False):
            info = ImageInfo(photo.name, photo.image_id, (photo.pixels.shape[0], photo.pixels.shape[1]))
            try:
                persons = self.detector(photo.pixels, info, self.detections)
            except ImageError as error:  # of this picture alone; any other error means that none can go on
                self._leave_out(photo.name, error)
                continue
            if outside := [person for person in persons if not person.is_in_image]:
                with tqdm.external_write_mode():
                    echo(describe_outside_boxes(outside), err=True)
            persons = [person for person in persons if person.is_in_image]
            if not persons:
                self.alone.append(photo.name)
            boxes = [[person.box[0] + 0.5, person.box[1] + 0.5, *person.box[2:], person.score] for person in persons]
            self.waiting.append(photo if self.options["draw"] else None)
            self.boxes.append(np.array(boxes, dtype=np.float64).reshape(-1, 5))
            yield photo

    def _boxes(self) -> Iterator[NDArray[np.float64]]:
        while self.boxes:
            yield self.boxes.popleft()

    def _leave_out(self, name: str, error: DataError) -> None:
        with tqdm.external_write_mode():
            echo(f"left out: {escape_control(error)}", err=True)
        self.skipped.append(SkippedFile(name, getattr(error, "kind", UNREADABLE), str(error)))


def _check_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise DataError(f"--out {folder}: nothing can be written there ({error.strerror}).") from error


def _find_detector(options: dict[str, Any]) -> Detector:
    name = options["detector"] or ("boxes_file" if options["boxes"] else "full_image")
    if options["boxes"] and name in _WITHOUT_FILE:
        raise click.UsageError(f"--boxes: the detector {name} reads no file of boxes; boxes_file does.")
    if name == "boxes_file" and not options["boxes"]:
        raise click.UsageError("--detector boxes_file needs --boxes: the file.")
    pairs = [setting.partition("=") for setting in options["settings"]]
    wrong = [key for key, equals, _ in pairs if not equals]
    if wrong:
        raise click.UsageError(f"--set {wrong[0]}: expected KEY=VALUE.")
    detector: Detector = build("detectors", ComponentSpec(name=name, options={key: _parse(value) for key, _, value in pairs}))
    return detector


def _parse(text: str) -> Any:
    """Lists, mappings and null as YAML has them; anything else stays as it stands, for the options to read (a path may be 12)."""
    if not text:
        return text
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):  # ValueError: a date that does not exist
        return text
    return value if value is None or isinstance(value, list | dict) else text


def _say_model(estimator: PoseEstimator, *, named: bool) -> None:
    description = estimator.description
    if not named:
        echo(f"Model: {description.folder} ({description.architecture.name}, {len(description.skeleton)} joints)", err=True)
    if description.provenance.get("generated_sample"):
        echo("This model was trained on the generated sample: it is not for photographs.", err=True)


def _print(poses: ImagePoses, as_json: bool) -> None:
    if as_json:
        echo(json.dumps(poses.to_coco()))
        return
    count = len(poses)
    scores = " ".join(f"{posed.score:.2f}" for posed in poses.persons)
    name = escape_control(poses.image.name)
    echo(f"{name}: {count} {'person' if count == 1 else 'persons'}{', score ' if count else ''}{scores}")
