"""Speed of `posescope predict` for videos: frames per second end to end, and the time of each stage.

    python benchmarks/video.py [--model FOLDER] [--detector NETWORK.onnx] [--frames N] [--rounds N] [--size HEIGHT WIDTH]

One person in a video (VP8), its box given for every frame: decode, crop, predict (ONNX Runtime), track, smooth, angles, draw,
encode (VP8). Without `--model` the network is that of the default run (64 channels, crops of 96 px) with untrained weights, which
take as long as trained ones. `--detector` is a network for the detector `onnx`, such as YOLOX; it runs on every frame, every 5th
and every 10th, and persons are followed between.

Rounds are taken in turn after one that does not count; rates are medians over rounds. The last line is JSON: frames per second
and CPU seconds per frame of each kind, seconds per frame of each stage alone, and each stage's fraction of their sum.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import TypeVar

from synthetic_video import boxes_of, make_walkers, render

from posescope.core.hardware import available_cpus, configure_thread_pools
from posescope.core.plugins import ComponentSpec, build
from posescope.prediction.detectors.detector import Detections
from posescope.prediction.estimator import PoseEstimator
from posescope.prediction.image_io.image_source import ImageSource
from posescope.prediction.image_io.video import VideoFile, open_video_writer
from posescope.prediction.overlays import OverlayWriter
from posescope.prediction.prediction_run import PredictionRun
from posescope.prediction.video.frame_follower import VideoOptions
from posescope.prediction.video.joint_angles import AngleTable, AngleWriter
from posescope.prediction.video.one_euro import SmoothingOptions

FPS, RENDERED = 25, 12
Result = TypeVar("Result")


def make_video(root: Path, frames: int, size: tuple[int, int]) -> tuple[VideoFile, Path]:
    """Write a video of one person who walks, and the file of its boxes; after a while the frames repeat."""
    (walker,), video, boxes = make_walkers(21, 1, size), VideoFile(root / "clip.webm"), root / "boxes.json"
    times_s = [index / FPS for index in range(RENDERED)]
    images = list(render([walker], size, times_s, 5))
    records = []
    with open_video_writer(video.path, FPS, size) as append:
        for index in range(frames):
            place = abs((index + RENDERED - 1) % (2 * RENDERED - 2) - RENDERED + 1)  # to and fro
            append(images[place])
            (box,) = boxes_of(walker.joints(times_s[place])[None])
            records.append({"file_name": f"{video.path.name}#{index}", "bbox": box.tolist(), "score": 0.9, "category_id": 1})
    boxes.write_text(json.dumps(records))
    return video, boxes


def run_whole(
    estimator: PoseEstimator, video: VideoFile, detector: ComponentSpec, boxes: Path, every: int, out: Path, suffix: str = ""
) -> int:
    """Do what `posescope predict --track --smooth --angles --draw` does; return the number of poses.

    Drawn videos have this suffix; none are drawn without one.
    """
    options = VideoOptions(detect_every=every, smoothing=SmoothingOptions())
    run = PredictionRun(ImageSource([video.path]), build("detectors", detector), Detections(boxes), print, options)
    count = 0
    table = AngleTable(estimator.skeleton)
    with OverlayWriter(out / "overlays", video_suffix=suffix) as overlays, AngleWriter(out / "a.csv", table, 0.2) as angles:
        for poses in run.predict(estimator.predictor(1), overlays if suffix else None):
            angles.append(poses)
            count += len(poses)
    return count


def time_stages(estimator: PoseEstimator, video: VideoFile, boxes: Path, out: Path) -> dict[str, float]:
    """Return seconds per frame of each stage alone."""
    records = json.loads(boxes.read_text())
    frames, decode_s = timed(lambda: list(video.frames()))
    pixels = [frame.pixels for frame in frames]
    given = [[record["bbox"]] for record in records]
    found, predict_s = timed(lambda: list(estimator.predict(pixels, given, batch_size=1)))
    drawn, draw_s = timed(lambda: [poses.draw(image) for poses, image in zip(found, pixels, strict=True)])

    def encode() -> None:
        with open_video_writer(out / "stage.webm", FPS, pixels[0].shape[:2]) as append:
            for image in drawn:
                append(image)

    _, encode_s = timed(encode)
    seconds = {"decode": decode_s, "crop_and_predict": predict_s, "draw": draw_s, "encode": encode_s}
    return {name: value / len(frames) for name, value in seconds.items()}


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """Return the result of a call and its seconds."""
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="an exported model")
    parser.add_argument("--detector", type=Path, help="an ONNX network that detects persons")
    parser.add_argument("--output", default="yolox", help="format of the detector's output")
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, nargs=2, default=(480, 640))
    arguments = parser.parse_args()
    configure_thread_pools()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        folder = arguments.model
        if folder is None:
            from inference import SMALL, make_models  # noqa: PLC0415  (needs PyTorch)

            _, folder = make_models(root / "model", *SMALL)
        estimator = PoseEstimator.load(folder)
        video, boxes = make_video(root, arguments.frames, tuple(arguments.size))
        given = ComponentSpec(name="boxes_file")
        kinds: dict[str, Callable[[], int]] = {
            "given_boxes": lambda: run_whole(estimator, video, given, boxes, 1, root),
            "given_boxes_mp4": lambda: run_whole(estimator, video, given, boxes, 1, root, ".mp4"),
            "given_boxes_webm": lambda: run_whole(estimator, video, given, boxes, 1, root, ".webm"),
            "given_boxes_every_5": lambda: run_whole(estimator, video, given, boxes, 5, root),
        }
        if arguments.detector:
            detector = ComponentSpec(name="onnx", options={"path": str(arguments.detector), "output": arguments.output})
            for every in (1, 5, 10):
                kinds[f"detector_every_{every}"] = lambda every=every: run_whole(estimator, video, detector, boxes, every, root)
        seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
        cpu_seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
        stages = []
        for _ in range(arguments.rounds + 1):
            for kind, work in kinds.items():
                before = time.process_time()
                count, one = timed(work)
                seconds[kind].append(one)
                cpu_seconds[kind].append(time.process_time() - before)
                print(f"{kind}: {arguments.frames / one:.1f} frames/s, {count} poses", flush=True)
            stages.append(time_stages(estimator, video, boxes, root))
    per_frame = {stage: median(one[stage] for one in stages[1:]) for stage in stages[0]}
    report = {
        "cpus": available_cpus(),
        "frames_per_s": {kind: round(arguments.frames / median(values[1:]), 1) for kind, values in seconds.items()},
        "cpu_s_per_frame": {kind: round(median(values[1:]) / arguments.frames, 5) for kind, values in cpu_seconds.items()},
        "stage_s": {stage: round(value, 5) for stage, value in per_frame.items()},
        "stage_fraction": {stage: round(value / sum(per_frame.values()), 3) for stage, value in per_frame.items()},
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
