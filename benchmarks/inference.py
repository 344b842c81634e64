"""How fast a trained model answers: PyTorch against onnxruntime, the share of preprocessing, and the command line's first line.

    (a) one person an image, batches of one: JPEG file -> joints, by PyTorch and by onnxruntime     64 channels, crops of 96 px
    (b) the network alone (crop -> joints), the same two                                            likewise
    (c) share of reading, cutting and resizing in (a)                                               256 channels, crops of 256 px
    (d) `posescope predict photo.jpg --model <onnx>`: from the start of the process to its first line

Weights are untrained: they take as long as trained ones. Rounds of both are taken in turn; figures are medians, and the ratio is
the median of the rounds' ratios. The last line is JSON: `torch_images_per_s` and `onnx_images_per_s` of (a), `onnx_speedup` of
(b), `onnx_speedup_whole` of (a), `preprocessing_share` of (c) with onnxruntime, `cli_first_result_s` of (d).
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
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

SMALL = ({"channels": 64, "depth": 3, "stem_channels": 32, "skip": "identity"}, 96)  # conf/base
LARGE = ({"channels": 256}, 256)


def make_models(root: Path, options: dict, size_px: int) -> tuple[Path, Path]:
    """An untrained model folder and its export."""
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
    """Smooth noise of 640 x 480 px: as large as a JPEG of COCO."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        noise = cv2.resize(rng.integers(0, 256, (96, 128, 3)).astype(np.uint8), (640, 480), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{number}.jpg"), noise, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return sorted(folder.iterdir())


def seconds_of(work: Callable[[], object]) -> float:
    """Seconds of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def time_both(first: Callable[[], object], second: Callable[[], object], rounds: int) -> list[tuple[float, float]]:
    """Seconds of both, in turn, after a round that does not count."""
    pairs = [(seconds_of(first), seconds_of(second)) for _ in range(rounds + 1)]
    return pairs[1:]


def time_preprocessing(estimator: PoseEstimator, photos: list[Path], rounds: int) -> float:
    """Share of reading, cutting and resizing in the whole."""
    description = estimator.description

    def preprocess() -> None:
        for photo in photos:
            image = ImageFolder(photo).read(photo.name)
            box = np.array([[-0.5, -0.5, image.shape[1], image.shape[0]]])
            crop_persons(image, box, description.crop, description.crop_size)

    pairs = time_both(preprocess, lambda: list(estimator.predict(photos, batch_size=1)), rounds)
    return median(part / whole for part, whole in pairs)


def time_command(photo: Path, model: Path) -> float:
    """Seconds from the start of the process to its first line."""
    words = [sys.executable, "-c", "from posescope.cli import cli; cli()", "predict", str(photo), "--model", str(model)]
    started = time.perf_counter()
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        if process.stdout is None or not process.stdout.readline():
            raise SystemExit("the command line printed nothing")
        return time.perf_counter() - started


def main() -> None:
    """Measure all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="rounds of each comparison")
    parser.add_argument("--photos", type=int, default=40, help="images a round")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        photos = make_photos(root / "photos", arguments.photos)
        small_torch, small_onnx = make_models(root / "small", *SMALL)
        _, large_onnx = make_models(root / "large", *LARGE)
        slow, fast = PoseEstimator.load(small_torch, device="cpu"), PoseEstimator.load(small_onnx)
        whole = time_both(
            lambda: list(slow.predict(photos, batch_size=1)), lambda: list(fast.predict(photos, batch_size=1)), arguments.rounds
        )
        crop = np.random.default_rng(0).integers(0, 256, (1, SMALL[1], SMALL[1], 3)).astype(np.uint8)
        alone = time_both(
            lambda: [slow.backend.run(crop) for _ in photos], lambda: [fast.backend.run(crop) for _ in photos], arguments.rounds
        )
        share = time_preprocessing(PoseEstimator.load(large_onnx), photos[:10], arguments.rounds)
        first_s = median(time_command(photos[0], small_onnx) for _ in range(arguments.rounds))
    figures = {
        "torch_images_per_s": len(photos) / median(one for one, _ in whole),
        "onnx_images_per_s": len(photos) / median(two for _, two in whole),
        "onnx_speedup": median(one / two for one, two in alone),
        "onnx_speedup_whole": median(one / two for one, two in whole),
        "preprocessing_share": share,
        "cli_first_result_s": first_s,
    }
    print(json.dumps({name: round(value, 4) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
