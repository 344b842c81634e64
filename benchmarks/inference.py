"""Speed of a trained model: PyTorch against ONNX Runtime, preprocessing, the command line, and the pipeline `inference`.

    (a) one person per image, batches of one: JPEG file -> joints, by PyTorch and by ONNX Runtime   64 channels, crops of 96 px
    (b) the network alone (crop -> joints), the same two                                            as (a)
    (c) fraction of reading, cropping and resizing in (a)                                           256 channels, crops of 256 px
    (d) `posescope predict photo.jpg --model <onnx>`: from the start of the process to its first line
    (e) a folder of images of one person each -> COCO results and overlays, in batches of 64, by PyTorch on the CPU: the pipeline
        `inference`, the same pipeline at an older commit, and `posescope predict --draw`          64 channels, crops of 96 px

Weights are untrained: they take as long as trained ones. Rounds are taken in turn after one that does not count; rates are
medians, and a ratio is the median of the rounds' ratios. In (e) each side runs in a process of its own. The start-up of Python
and of Kedro and the imports are not measured on any side; reading the model and writing the files are. The older commit is
exported with `git archive` and run with its own source, configuration and model folder (same seed, same weights).

The last line is JSON: `torch_images_per_s` and `onnx_images_per_s` of (a), `onnx_speedup` of (b), `onnx_speedup_whole` of (a),
`preprocessing_fraction` of (c) with ONNX Runtime, `cli_first_result_s` of (d). Of (e): `pipeline_persons_per_s`,
`predict_persons_per_s`, `pipeline_to_predict` (expected 0.9 to 1.1), `pipeline_speedup` (expected at least 2), and
`largest_difference_px` between the joints of the two
commits: convolutions of one crop (the older commit) and of 64 round differently, and heatmaps of an untrained network have no
clear peak, so this is some 1e-3 px; with the default run's trained model it is below 5e-4 px.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import torch

from posescope.artifacts.model_folder import save_model
from posescope.artifacts.onnx_export import export_onnx
from posescope.artifacts.pose_model import PoseModel
from posescope.core.plugins import ComponentSpec, build
from posescope.core.skeleton import COCO_PERSON
from posescope.geometry.crop_recipe import CropRecipe
from posescope.prediction.estimator import PoseEstimator
from posescope.prediction.image_io.image_folder import ImageFolder
from posescope.prediction.person_crops import crop_persons

PROJECT = Path(__file__).resolve().parents[1]
SMALL = ({"channels": 64, "depth": 3, "stem_channels": 32, "skip": "identity"}, 96)  # conf/base
LARGE = ({"channels": 256}, 256)


def make_models(root: Path, options: dict, size_px: int) -> tuple[Path, Path]:
    """Write an untrained model folder and its export."""
    model, codec = ComponentSpec(name="hourglass", options=options), ComponentSpec(name="gaussian")
    context = {"crop_size": (size_px, size_px), "joint_count": len(COCO_PERSON)}
    torch.manual_seed(0)
    made = PoseModel(
        network=build("models", model, **context),
        codec=build("codecs", codec, **context),
        skeleton=COCO_PERSON,
        crop_size=(size_px, size_px),
        mean_rgb=(0.4, 0.4, 0.4),
        model_spec=model,
        codec_spec=codec,
        crop=CropRecipe(rule=ComponentSpec(name="padded_square")),
    )
    save_model(root / "torch", made)
    crops = np.random.default_rng(0).integers(0, 256, (2, size_px, size_px, 3)).astype(np.uint8)
    export_onnx(root / "torch", root / "onnx", crops)
    return root / "torch", root / "onnx"


def make_photos(folder: Path, count: int) -> list[Path]:
    """Write smooth noise of 640 x 480 px: as large as a JPEG of COCO."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        noise = cv2.resize(rng.integers(0, 256, (96, 128, 3)).astype(np.uint8), (640, 480), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{number}.jpg"), noise, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return sorted(folder.iterdir())


def seconds_of(work: Callable[[], object]) -> float:
    """Return the seconds of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def time_both(first: Callable[[], object], second: Callable[[], object], rounds: int) -> list[tuple[float, float]]:
    """Return the seconds of both, in turn, after a round that does not count."""
    pairs = [(seconds_of(first), seconds_of(second)) for _ in range(rounds + 1)]
    return pairs[1:]


def time_preprocessing(estimator: PoseEstimator, photos: list[Path], rounds: int) -> float:
    """Return the fraction of reading, cropping and resizing in the whole."""
    description = estimator.description

    def preprocess() -> None:
        for photo in photos:
            image = ImageFolder(photo).read(photo.name)
            box = np.array([[-0.5, -0.5, image.shape[1], image.shape[0]]])
            crop_persons(image, box, description.crop, description.crop_size)

    pairs = time_both(preprocess, lambda: list(estimator.predict(photos, batch_size=1)), rounds)
    return median(part / whole for part, whole in pairs)


def time_command(photo: Path, model: Path) -> float:
    """Return the seconds from the start of the process to its first line."""
    words = [sys.executable, "-c", "from posescope.cli import cli; cli()", "predict", str(photo), "--model", str(model)]
    started = time.perf_counter()
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        if process.stdout is None or not process.stdout.readline():
            raise SystemExit("the command line printed nothing")
        return time.perf_counter() - started


# Runs the pipeline once for each line on its standard input, and prints the seconds.
PIPELINE_WORKER = """
import os, sys, time
from pathlib import Path
project, images, model, data_dir = sys.argv[1:]
os.chdir(project)
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.runner import SequentialRunner
bootstrap_project(Path(project))
places = {"images": images, "model": model, "data_dir": data_dir, "inference": {"prediction": {"device": "cpu"}}}
with KedroSession.create(project, runtime_params=places) as session:
    catalog, flow = session.load_context().catalog, pipelines["inference"]
    for _ in sys.stdin:
        started = time.perf_counter()
        SequentialRunner().run(flow, catalog)
        print("SECONDS", time.perf_counter() - started, flush=True)
"""
COMMAND_WORKER = """
import contextlib, os, sys, time
from posescope.core.hardware import configure_thread_pools
configure_thread_pools()  # as the command `posescope` does
import posescope.prediction.backends.torch_backend
from posescope.cli.predict import predict
for _ in sys.stdin:
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        started = time.perf_counter()
        predict.main(sys.argv[1:], standalone_mode=False)
        seconds = time.perf_counter() - started
    print("SECONDS", seconds, flush=True)
"""
MODEL_WORKER = (
    "import sys; from pathlib import Path; from inference import SMALL, make_models; make_models(Path(sys.argv[1]), *SMALL)"
)


class Worker:
    """A process that does the same work again whenever it is asked to."""

    def __init__(self, script: str, *words: object, source: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", script, *map(str, words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONPATH": str(source)},
        )

    def seconds(self) -> float:
        """Run once."""
        if self._process.stdin is None or self._process.stdout is None:
            raise SystemExit("the worker has no pipes")
        print(file=self._process.stdin, flush=True)
        for line in self._process.stdout:
            if line.startswith("SECONDS "):
                return float(line.split()[1])
        raise SystemExit("a worker ended early")

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def export_commit(commit: str, folder: Path) -> None:
    """Write the files of a commit of this repository."""
    folder.mkdir()
    archive = subprocess.run(["git", "archive", commit], cwd=PROJECT, capture_output=True, check=True).stdout
    subprocess.run(["tar", "x", "-C", str(folder)], input=archive, check=True)
    # Components are found by the metadata of the installed package: the commit gets its own, which comes first on the path.
    about = folder / "src" / "posescope-0.dist-info"
    about.mkdir()
    groups = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["entry-points"]
    lines = [f"[{group}]\n" + "".join(f"{name} = {path}\n" for name, path in parts.items()) for group, parts in groups.items()]
    (about / "entry_points.txt").write_text("\n".join(lines))
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: posescope\nVersion: 0\n")


def largest_difference(first: Path, second: Path) -> float:
    """Largest absolute difference of a coordinate of two files of COCO results."""
    one, two = (json.loads(path.read_text()) for path in (first, second))
    keypoints = [np.array([record["keypoints"] for record in records]).reshape(len(records), -1, 3) for records in (one, two)]
    return float(np.abs(keypoints[0][..., :2] - keypoints[1][..., :2]).max())


def time_folders(root: Path, model: Path, commit: str, count: int, rounds: int) -> dict[str, float]:
    """Measure (e)."""
    photos, old = root / "folder", root / "old"
    make_photos(photos, count)
    export_commit(commit, old)
    environment = {**os.environ, "PYTHONPATH": f"{old / 'src'}{os.pathsep}{old / 'benchmarks'}"}
    subprocess.run(
        [sys.executable, "-c", MODEL_WORKER, str(root / "old_model")], env=environment, check=True, capture_output=True
    )
    words = [photos, "--model", model, "--out", root / "poses", "--draw", "--batch-size", "64", "--device", "cpu"]
    workers = {
        "new": Worker(PIPELINE_WORKER, PROJECT, photos, model, root / "new_data", source=PROJECT / "src"),
        "old": Worker(PIPELINE_WORKER, old, photos, root / "old_model" / "torch", root / "old_data", source=old / "src"),
        "command": Worker(COMMAND_WORKER, *words, source=PROJECT / "src"),
    }
    seconds = [{name: worker.seconds() for name, worker in workers.items()} for _ in range(rounds + 1)][1:]
    for worker in workers.values():
        worker.close()
    results = [root / name / "07_model_output" / "inference" / "coco_results.json" for name in ("new_data", "old_data")]
    return {
        "pipeline_persons_per_s": count / median(one["new"] for one in seconds),
        "predict_persons_per_s": count / median(one["command"] for one in seconds),
        "pipeline_to_predict": median(one["command"] / one["new"] for one in seconds),
        "pipeline_speedup": median(one["old"] / one["new"] for one in seconds),
        "largest_difference_px": largest_difference(*results),
    }


def time_images(root: Path, small_torch: Path, small_onnx: Path, count: int, rounds: int) -> dict[str, float]:
    """Measure (a) to (d)."""
    photos = make_photos(root / "photos", count)
    _, large_onnx = make_models(root / "large", *LARGE)
    slow, fast = PoseEstimator.load(small_torch, device="cpu"), PoseEstimator.load(small_onnx)
    whole = time_both(lambda: list(slow.predict(photos, batch_size=1)), lambda: list(fast.predict(photos, batch_size=1)), rounds)
    crop = np.random.default_rng(0).integers(0, 256, (1, SMALL[1], SMALL[1], 3)).astype(np.uint8)
    network = time_both(
        lambda: [slow.backend.run(crop) for _ in photos], lambda: [fast.backend.run(crop) for _ in photos], rounds
    )
    return {
        "torch_images_per_s": count / median(one for one, _ in whole),
        "onnx_images_per_s": count / median(two for _, two in whole),
        "onnx_speedup": median(one / two for one, two in network),
        "onnx_speedup_whole": median(one / two for one, two in whole),
        "preprocessing_fraction": time_preprocessing(PoseEstimator.load(large_onnx), photos[:10], rounds),
        "cli_first_result_s": median(time_command(photos[0], small_onnx) for _ in range(rounds)),
    }


def main() -> None:
    """Measure all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="rounds of each comparison")
    parser.add_argument("--photos", type=int, default=40, help="images a round")
    parser.add_argument("--folder-photos", type=int, default=100, help="images of (e)")
    parser.add_argument("--before", default="81dd04e", help="commit that the pipeline is compared with in (e)")
    parser.add_argument("--only-folders", action="store_true", help="measure (e) alone")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        small_torch, small_onnx = make_models(root / "small", *SMALL)
        metrics = {} if arguments.only_folders else time_images(root, small_torch, small_onnx, arguments.photos, arguments.rounds)
        metrics |= time_folders(root, small_torch, arguments.before, arguments.folder_photos, arguments.rounds)
    print(json.dumps({name: round(value, 6) for name, value in metrics.items()}))


if __name__ == "__main__":
    main()
