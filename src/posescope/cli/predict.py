"""`posescope predict`: predict the poses of persons in images, without a pipeline."""

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import click
import cv2
from pydantic import ValidationError
from tqdm import tqdm

from posescope.cli.base import LocalPathType, PosescopeCommand, allow_component, echo, read_settings
from posescope.core.errors import DataError, pluralise
from posescope.core.files import write_json
from posescope.core.json_records import JsonRecords
from posescope.core.mirrors import OF_NO_MODEL
from posescope.core.option_faults import describe_validation_error
from posescope.core.plugins import ComponentSpec, build, check_options
from posescope.core.text_escaping import escape_control
from posescope.data.images.limits import ImageLimits
from posescope.drawing.skeletons import DRAW_THRESHOLD
from posescope.prediction.detectors.detector import Detections, Detector
from posescope.prediction.estimator import PoseEstimator
from posescope.prediction.image_io.folder_listing import count_reasons
from posescope.prediction.image_io.image_source import ImageSource
from posescope.prediction.overlays import OverlayWriter
from posescope.prediction.poses import ImagePoses
from posescope.prediction.prediction_run import PredictionRun
from posescope.prediction.video.frame_follower import VideoOptions
from posescope.prediction.video.joint_angles import AngleTable, AngleWriter, read_angle_definitions
from posescope.prediction.video.one_euro import SmoothingOptions
from posescope.runs.project_models import find_model

__all__ = ["predict"]

_DETECTORS_WITHOUT_FILE = ("full_image", "onnx")  # detectors of plug-ins may read a file
_SOME_SKIPPED, _ALL_SKIPPED = 3, 1


@click.command(cls=PosescopeCommand)
@click.argument("images", nargs=-1, required=True, type=LocalPathType(exists=True, takes_addresses=True))
@click.option(
    "--model",
    type=LocalPathType(takes_addresses=True, leave_out=OF_NO_MODEL),
    help="Model folder, or a data_dir; default: the project's newest.",
)
@click.option(
    "--boxes", type=LocalPathType(exists=True, dir_okay=False, takes_addresses=True), help="COCO results or annotations."
)
@click.option("--detector", help="A component of posescope.detectors; default: full_image, or boxes_file with --boxes.")
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
    help="Joints with a lower score are not drawn and have no angles; poses.json keeps them all.",
)
@click.option(
    "--draw-video",
    type=click.Choice(["webm", "mp4"]),
    help="Format of drawn videos: webm (default) plays in browsers; mp4 (MPEG-4) is encoded many times faster.",
)
@click.option("--track", is_flag=True, help="Follow persons over the frames of a video: each has a track_id.")
@click.option("--tracker", default="byte_track", show_default=True, help="A component of posescope.trackers.")
@click.option("--tracker-set", multiple=True, metavar="KEY=VALUE", help="An option of the tracker, such as max_lost_s=2.")
@click.option(
    "--detect-every",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Run the detector on every n-th frame of a video; between them boxes follow the joints. Implies --track.",
)
@click.option("--smooth", is_flag=True, help="Smooth the joints of each track over time (One-Euro filter). Implies --track.")
@click.option("--smooth-set", multiple=True, metavar="KEY=VALUE", help="An option of the smoothing, such as min_cutoff_hz=1.")
@click.option("--angles", is_flag=True, help="Write the angles of elbows, shoulders, hips and knees to OUT/angles.csv.")
@click.option(
    "--angle-definitions",
    type=LocalPathType(exists=True, dir_okay=False),
    help='Other angles, JSON: {"left_elbow": ["left_shoulder", "left_elbow", "left_wrist"]}. Implies --angles.',
)
@click.option("--flip-test", is_flag=True, help="Average with the mirrored crop: more accurate, takes twice the time.")
@click.option("--batch-size", type=click.IntRange(min=1), default=1, show_default=True, help="Persons per forward pass.")
@click.option(
    "--backend",
    default="auto",
    show_default=True,
    help="A component of posescope.backends: torch, onnx, openvino. auto: that of the model's format.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:1.")
@allow_component
@click.option(
    "--max-megapixels",
    type=click.FloatRange(min=0, min_open=True, max=1000),
    default=ImageLimits().max_megapixels,
    show_default=True,
    help="Larger images are skipped before they are decoded.",
)
@click.option("--json", "as_json", is_flag=True, help="Print COCO results, a JSON list a line for each image.")
def predict(images: tuple[Path, ...], **options: Any) -> None:
    """Predict the joints of the persons in images.

    IMAGES: image files, videos, and folders of them, or their addresses in an object store (s3://bucket/photos), of which this
    machine keeps copies. One line per image (or frame) is printed as soon as its persons are predicted. A file that cannot be
    read is reported and skipped. Hidden files, system files and output of posescope are skipped, too. OUT/summary.json lists
    every skipped file with the reason, and the source of the image ids.

    \b
    Exit codes:
      0  all images were predicted
      1  no image was predicted (none could be read, or no box lies in an image), or an error
      2  invalid command line
      3  some images were skipped
      75 an object store could not be reached: the same command may succeed later

    \b
    Examples:
      posescope predict photo.jpg
      posescope predict photos --out poses --draw
      posescope predict photos --boxes boxes.json --model model_onnx --json
      posescope predict clip.mp4 --out poses --draw
      posescope predict clip.mp4 --track --smooth --angles --detect-every 5 --draw --out poses
      posescope predict photos --detector onnx --set path=yolox_s.onnx --out poses
    """  # noqa: D301 (\b keeps click from filling the lines)
    has_angles = options["angles"] or options["angle_definitions"] is not None
    if options["out"] is None and (options["draw"] or has_angles):
        raise click.UsageError(f"--{'draw' if options['draw'] else 'angles'} needs --out: the folder for the results.")
    if options["out"] is not None:
        _check_writable(options["out"])  # before the work, not after it
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # the command reports unreadable files itself
    folder = find_model(options["model"])
    estimator = PoseEstimator.load(folder, backend=options["backend"], device=options["device"], allow=options["allow"])
    _report_model(estimator, named=options["model"] is not None)
    source = ImageSource(images, ImageLimits(max_megapixels=options["max_megapixels"]))
    detections = Detections(options["boxes"] or Path())
    run = PredictionRun(source, _find_detector(options), detections, _warn, _video_options(options))
    with ExitStack() as stack:
        suffix, folder = options["draw_video"] and f".{options['draw_video']}", (options["out"] or Path()) / "overlays"
        overlays = stack.enter_context(OverlayWriter(folder, options["draw_threshold"], video_suffix=suffix))
        angles = stack.enter_context(_angle_writer(estimator, options)) if has_angles else None
        predictor = estimator.predictor(options["batch_size"], options["flip_test"])
        _predict(run, run.predict(predictor, overlays if options["draw"] else None), options, angles)
    _report_end(run, overlays, options)
    if run.skipped or (options["boxes"] and not run.persons):
        sys.exit(_SOME_SKIPPED if run.images and (run.persons or not options["boxes"]) else _ALL_SKIPPED)


def _video_options(options: dict[str, Any]) -> VideoOptions | None:
    """Return how persons are followed; None: not at all."""
    smooths = options["smooth"] or bool(options["smooth_set"])
    if not (options["track"] or smooths or options["detect_every"] > 1):
        return None
    try:
        smoothing = SmoothingOptions.model_validate(read_settings(options["smooth_set"])) if smooths else None
    except ValidationError as error:
        raise click.UsageError(f"--smooth-set: {'; '.join(describe_validation_error(error))}") from error
    tracker = ComponentSpec(name=options["tracker"], options=read_settings(options["tracker_set"]))
    check_options("trackers", tracker)
    return VideoOptions(tracker=tracker, detect_every=options["detect_every"], smoothing=smoothing)


def _angle_writer(estimator: PoseEstimator, options: dict[str, Any]) -> AngleWriter:
    definitions = options["angle_definitions"]
    table = AngleTable(estimator.skeleton, None if definitions is None else read_angle_definitions(definitions))
    return AngleWriter(options["out"] / "angles.csv", table, options["draw_threshold"])


def _predict(run: PredictionRun, found: Iterator[ImagePoses], options: dict[str, Any], angles: AngleWriter | None = None) -> None:
    """Print the poses of each image as they come, and write them at the end, also where an error ends the run early."""
    out: Path | None = options["out"]
    records = JsonRecords()
    finished = False
    try:
        for poses in found:
            for record in poses.to_coco() if out else ():
                records.append(record)
            if angles is not None:
                angles.append(poses)
            with tqdm.external_write_mode():  # the progress bar is not in the way
                _print(poses, options["as_json"])
        finished = True
    finally:
        if out and (finished or run.images):
            records.write(out / "poses.json")
            write_json(out / "summary.json", run.summary())
        records.close()
        if out and run.images and not finished:
            echo(f"{out / 'poses.json'}: the {pluralise(run.images, 'image')} until then.", err=True)


def _report_end(run: PredictionRun, overlays: OverlayWriter, options: dict[str, Any]) -> None:
    run.warn_about_images_without_persons()
    overlays.warn_about_undrawn(run.persons, "--draw-threshold", _warn)
    if others := run.source.skipped_files:
        _warn(f"Skipped: {pluralise(len(others), 'other file')} ({count_reasons(others)}).")
    if run.skipped:
        _warn(f"Skipped: {len(run.skipped)} of {len(run.skipped) + run.images} images.")
    if options["boxes"] and not run.persons:
        _warn(f"No person was predicted: no box of {run.detections.root} lies in one of these images.")


def _warn(text: str) -> None:
    with tqdm.external_write_mode():  # the progress bar is not in the way
        echo(escape_control(text), err=True)


def _check_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise DataError(f"--out {folder}: nothing can be written there ({error.strerror}).") from error


def _find_detector(options: dict[str, Any]) -> Detector:
    name = options["detector"] or ("boxes_file" if options["boxes"] else "full_image")
    if options["boxes"] and name in _DETECTORS_WITHOUT_FILE:
        raise click.UsageError(f"--boxes: the detector {name} reads no file of boxes; boxes_file does.")
    if name == "boxes_file" and not options["boxes"]:
        raise click.UsageError("--detector boxes_file needs --boxes: the file.")
    detector: Detector = build("detectors", ComponentSpec(name=name, options=read_settings(options["settings"])))
    return detector


def _report_model(estimator: PoseEstimator, *, named: bool) -> None:
    description = estimator.description
    if not named:
        echo(f"Model: {description.folder} ({description.architecture.name}, {len(description.skeleton)} joints)", err=True)
    if description.provenance.get("generated_sample"):
        echo("This model was trained on the generated sample; it does not work on photographs.", err=True)


def _print(poses: ImagePoses, as_json: bool) -> None:
    if as_json:
        echo(json.dumps(poses.to_coco()))
        return
    count = len(poses)
    scores = " ".join(f"{posed.score:.2f}" for posed in poses.persons)
    name = escape_control(poses.image.name)
    echo(f"{name}: {count} {'person' if count == 1 else 'persons'}{', score ' if count else ''}{scores}")
