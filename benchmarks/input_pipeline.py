"""Compare the input pipeline with the usual way, as ratios from one run on the same crops.

    ours    uint8 crops from a memory map -> normalise, augment, render heatmaps, in batches as in the training loop
    usual   one person at a time: read a JPEG, change colours (NumPy), one warpAffine, normalise, 17 maps (NumPy); then stack

Both make float32 images of 256 px, 17 heatmaps of 64 px and weights, in batches of 32. The usual way warps in the plain run, too,
as public loaders do, and pastes Gaussians of 13 px, their fastest form. With `augmented`, both sample flip, half body, rotation,
scale, translation and colour for each person. One thread of ours is compared with one process of the usual way, two threads with
two processes; OpenCV has one thread per process. (Ours has one more thread in each case, which copies crops one batch ahead.) The
processes are warm and send no results. Rounds alternate; medians are reported.

A training step of the network of `conf/coco` (256 channels, two stacks) is timed as well, on the CPU with two threads: the
fraction of its input, all of it counted as waiting. On a GPU (bf16, channels last, CUDA graph): how much longer a step with its
input lasts than one with a batch in memory (`input_share`); without the GPU's own work on images and heatmaps
(`input_on_gpu_ms`) that is the fraction of waiting. `--compile` compiles it; `--rounds 0` measures only this.

    python benchmarks/input_pipeline.py [--crops FOLDER]

FOLDER contains images (.jpg, .png), possibly in subfolders; the central square of each is used. Without it, noisy colours are
generated. The last line is JSON; `speedup_*` use two cores, `*_1_core` one.
"""

import argparse
import itertools
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from posescope.artifacts.pose_model import normalise_images
from posescope.codecs.base import EncodedTargets
from posescope.codecs.gaussian import GaussianCodec, GaussianOptions
from posescope.core.plugins import ComponentSpec, build
from posescope.core.records import PoseTargets
from posescope.core.skeleton import COCO_PERSON
from posescope.data.crops.crop_set import CropSet
from posescope.models.hourglass import Hourglass, HourglassOptions
from posescope.training.acceleration import compile_parts, raise_recompile_limit
from posescope.training.augmentation.execution import AugmentedBatch, apply_plan
from posescope.training.augmentation.plan import start_plan
from posescope.training.batches import Batch, iterate_batches, shuffled_order
from posescope.training.gradients import CudaGraphGradients, EagerGradients
from posescope.training.loss_monitor import LossMonitor
from posescope.training.losses import MeanSquaredError, MeanSquaredErrorOptions
from posescope.training.reproducibility import reproducible, step_generator

SIZE, STRIDE, SIGMA, BATCH = 256, 4, 2.0, 32
MEAN = (0.41, 0.374, 0.354)
CPU = torch.device("cpu")
CODEC = GaussianCodec(GaussianOptions(stride=STRIDE, sigma_heatmap_px=SIGMA), (SIZE, SIZE), len(COCO_PERSON))
SPECS = [  # of conf/coco
    ComponentSpec(name="flip"),
    ComponentSpec(name="half_body"),
    ComponentSpec(name="rotate_scale", options={"rotation_deg": 40, "scale": 0.3}),
    ComponentSpec(name="translate"),
    ComponentSpec(name="colour_jitter"),
]
AUGMENTATIONS = [build("augmentations", spec) for spec in SPECS]
LOWER = np.array([name.endswith(("hip", "knee", "ankle")) for name in COCO_PERSON.joints])
FLIP = np.array(COCO_PERSON.flip_indices)
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


@dataclass(frozen=True)
class Cached:
    """The same crops in the files of both ways."""

    crop_set: CropSet
    jpegs: tuple[Path, ...]


def paint_crops(count: int) -> NDArray[np.uint8]:
    """Return smooth colours with noise, about as costly to decode as photographs."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, size=(count, 24, 24, 3), dtype=np.uint8)
    smooth = np.stack([cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC) for image in coarse])
    return (smooth.astype(np.int16) + rng.normal(0, 4, smooth.shape).astype(np.int16)).clip(0, 255).astype(np.uint8)


def load_crops(folder: Path, count: int) -> NDArray[np.uint8]:
    """Return the central squares of the images of a folder, repeated if there are too few."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg", ".png"})[:count]
    crops = [middle_square(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)) for path in paths]
    return np.stack([crops[index % len(crops)] for index in range(count)])


def middle_square(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the largest central square as a crop."""
    side = min(image.shape[:2])
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    return cv2.resize(image[top : top + side, left : left + side], (SIZE, SIZE), interpolation=cv2.INTER_AREA)


def cache_crops(crops: NDArray[np.uint8], folder: Path) -> Cached:
    """Write a memory map and JPEGs of quality 95."""
    np.save(folder / "shard.npy", crops)
    for row, crop in enumerate(crops):
        cv2.imwrite(str(folder / f"{row}.jpg"), cv2.cvtColor(crop, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 95])
    count = len(crops)
    joints = np.random.default_rng(1).uniform(30, SIZE - 30, size=(count, len(COCO_PERSON), 2)).astype(np.float32)
    visibility = np.full((count, len(COCO_PERSON)), 2, dtype=np.uint8)
    locations = np.stack([np.zeros(count, dtype=np.int64), np.arange(count)], axis=1)
    targets = PoseTargets(np.arange(count), joints, visibility, joint_names=COCO_PERSON.joints)
    shards = (np.load(folder / "shard.npy", mmap_mode="r"),)
    return Cached(CropSet(targets, shards, locations), tuple(folder / f"{row}.jpg" for row in range(count)))


def prepare_batch(batch: Batch, number: int, augmented: bool) -> tuple[torch.Tensor, ...]:
    """Prepare images, heatmaps and weights as the training loop does."""
    if augmented:
        generator, plan = step_generator(0, 1, number), start_plan(batch.targets, COCO_PERSON, (SIZE, SIZE))
        for augmentation in AUGMENTATIONS:
            plan = augmentation(generator, plan)
        ready = apply_plan(plan, batch.images, batch.joints, batch.visibility, MEAN)
    else:
        ready = AugmentedBatch(normalise_images(batch.images, MEAN), batch.joints, batch.visibility)
    targets = CODEC.encode(ready.joints, ready.visibility)
    return ready.images, targets.heatmaps, targets.weights


def run_ours(cached: Cached, augmented: bool, threads: int) -> float:
    """Return the seconds for all crops."""
    torch.set_num_threads(threads)
    started = time.perf_counter()
    order = shuffled_order(len(cached.crop_set), 0, 1)
    for number, batch in enumerate(iterate_batches(cached.crop_set, order, BATCH, CPU)):
        prepare_batch(batch, number, augmented)
    return time.perf_counter() - started


def draw_matrix(rng: np.random.Generator, joints: NDArray[np.float32], augmented: bool) -> tuple[NDArray[np.float64], bool]:
    """Return `augmented_from_crop` of one person (half body, rotation, scale, translation, flip) and whether it is flipped."""
    centre, zoom, middle = np.array([SIZE - 1, SIZE - 1]) / 2, 1.0, np.array([SIZE - 1, SIZE - 1]) / 2
    if not augmented:
        return np.eye(2, 3), False
    if rng.random() < 0.3:
        half = joints[(rng.random() > 0.7) == LOWER]
        low, high = half.min(axis=0), half.max(axis=0)
        zoom, centre = min(2.0, SIZE / (1.5 * float((high - low).max()))), (low + high) / 2
    angle = np.deg2rad(rng.uniform(-40, 40))
    zoom *= rng.uniform(0.7, 1.3)
    linear = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    flipped = rng.random() < 0.5
    if flipped:
        linear[:, 0] *= -1
    shift = rng.uniform(-0.16, 0.16, size=2) * SIZE if rng.random() < 0.3 else 0.0
    return np.concatenate([linear, (middle + shift - linear @ centre)[:, None]], axis=1), flipped


def change_colours(rng: np.random.Generator, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Change brightness, tint, saturation and contrast on float32."""
    values = image.astype(np.float32) * (rng.uniform(0.8, 1.2) * rng.uniform(0.9, 1.1, 3)).astype(np.float32)
    saturation, contrast = np.float32(rng.uniform(0.8, 1.2)), np.float32(rng.uniform(0.8, 1.2))
    values = values * saturation + (values @ LUMA)[..., None] * (1 - saturation)
    return np.clip((values - 127.5) * contrast + 127.5, 0, 255).astype(np.uint8)


def change_colours_quickly(rng: np.random.Generator, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Change colours by one linear map of OpenCV on bytes, faster than arithmetic on floats."""
    gains = rng.uniform(0.8, 1.2) * rng.uniform(0.9, 1.1, 3)
    saturation, contrast = rng.uniform(0.8, 1.2), rng.uniform(0.8, 1.2)
    linear = contrast * (saturation * np.eye(3) + (1 - saturation) * LUMA) * gains
    return cv2.transform(image, np.concatenate([linear, np.full((3, 1), 127.5 * (1 - contrast))], axis=1))


def render_maps(joints: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Paste 17 Gaussians into their heatmaps; weight 0 for a Gaussian outside."""
    side, reach = SIZE // STRIDE, int(3 * SIGMA)
    maps, weights = np.zeros((len(joints), side, side), dtype=np.float32), np.ones(len(joints), dtype=np.float32)
    for number, (x, y) in enumerate((joints + 0.5) / STRIDE - 0.5):
        left, top = int(x + 0.5) - reach, int(y + 0.5) - reach
        columns = np.arange(max(left, 0), min(left + 2 * reach + 1, side), dtype=np.float32)
        rows = np.arange(max(top, 0), min(top + 2 * reach + 1, side), dtype=np.float32)[:, None]
        if not (len(columns) and len(rows)):
            weights[number] = 0
            continue
        bell = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * SIGMA**2))
        maps[number, int(rows[0, 0]) : int(rows[-1, 0]) + 1, int(columns[0]) : int(columns[-1]) + 1] = bell
    return maps, weights


def usual_person(
    path: Path, joints: NDArray[np.float32], rng: np.random.Generator, colours: str
) -> tuple[NDArray[np.float32], ...]:
    """Prepare one person in the usual way; `colours` is '' (no augmentation), 'numpy' or 'opencv'."""
    image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    if colours and rng.random() < 0.8:
        image = (change_colours if colours == "numpy" else change_colours_quickly)(rng, image)
    matrix, flipped = draw_matrix(rng, joints, bool(colours))
    warped = cv2.warpAffine(image, matrix, (SIZE, SIZE), flags=cv2.INTER_LINEAR)
    moved = joints @ matrix[:, :2].T + matrix[:, 2]
    values = warped.astype(np.float32)
    values /= 255
    values -= np.array(MEAN, dtype=np.float32)
    maps, weights = render_maps(moved[FLIP] if flipped else moved)
    return values.transpose(2, 0, 1), maps, weights


def usual_batches(paths: tuple[Path, ...], joints: NDArray[np.float32], colours: str) -> int:
    """Prepare the persons of one process in batches; return their number."""
    cv2.setNumThreads(0)
    rng = np.random.default_rng(0)
    for first in range(0, len(paths), BATCH):
        rows = range(first, min(first + BATCH, len(paths)))
        persons = [usual_person(paths[row], joints[row], rng, colours) for row in rows]
        [np.stack(parts) for parts in zip(*persons, strict=True)]
    return len(paths)


def run_usual(cached: Cached, pool: ProcessPoolExecutor, colours: str, processes: int) -> float:
    """Return the seconds for all crops, divided equally among processes."""
    joints = cached.crop_set.targets.joints
    shares = [slice(part, None, processes) for part in range(processes)]
    started = time.perf_counter()
    waiting = [pool.submit(usual_batches, cached.jpegs[share], joints[share], colours) for share in shares]
    assert sum(future.result() for future in waiting) == len(cached.jpegs)
    return time.perf_counter() - started


def run_step(
    cached: Cached, network: Hourglass, optimiser: torch.optim.Optimizer, rows: NDArray[np.int64]
) -> tuple[float, float]:
    """Return the seconds of the input of one step, rendering included, and of the step without it."""
    started = time.perf_counter()
    (batch,) = iterate_batches(cached.crop_set, rows, len(rows), CPU)
    images, heatmaps, _ = prepare_batch(batch, 0, augmented=True)
    ready = time.perf_counter()
    optimiser.zero_grad(set_to_none=True)
    torch.stack([(maps - heatmaps).square().mean() for maps in network(images)]).sum().backward()
    optimiser.step()
    return ready - started, time.perf_counter() - ready


def measure_waiting(cached: Cached, persons: int, steps: int) -> float:
    """Return the median fraction of a training step that its input takes."""
    torch.set_num_threads(2)
    network = Hourglass(HourglassOptions(stacks=2, channels=256, depth=4), (SIZE, SIZE), len(COCO_PERSON))
    network = network.to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.RMSprop(network.parameters(), 5e-4)
    times = [run_step(cached, network, optimiser, np.arange(persons)) for _ in range(steps + 1)][1:]
    for name, values in zip(("input", "network"), zip(*times, strict=True), strict=True):
        print(f"step of {persons} persons, {name}: median {statistics.median(values):.3f} s")
    return statistics.median(ready / (ready + rest) for ready, rest in times)


class GpuStep:
    """Steps of the network of `conf/coco` on a GPU; the loss is read one step late, as in training."""

    def __init__(self, cached: Cached, batch: int, compiled: bool) -> None:
        self.cached, self.batch, self.device = cached, batch, torch.device("cuda")
        network: Any = Hourglass(HourglassOptions(stacks=2, channels=256, depth=4), (SIZE, SIZE), len(COCO_PERSON))
        self.network = network.to(self.device).to(memory_format=torch.channels_last).train()
        if compiled:
            compile_parts(self.network)
        self.optimiser = torch.optim.RMSprop(self.network.parameters(), 5e-4)
        direct = EagerGradients(self.network, MeanSquaredError(MeanSquaredErrorOptions()), True, torch.channels_last)
        self.gradients, self.watch = CudaGraphGradients(direct, self.network), LossMonitor()

    def batches(self) -> Iterator[Batch]:
        """Return the seconds of one epoch."""
        yield from iterate_batches(self.cached.crop_set, shuffled_order(len(self.cached.crop_set), 0, 1), self.batch, self.device)

    def step(self, batch: Batch, ready: tuple[torch.Tensor, ...]) -> None:
        """Run one step."""
        images, heatmaps, weights = ready
        self.optimiser.zero_grad(set_to_none=True)
        loss = self.gradients(images, EncodedTargets(heatmaps, weights), 1.0)
        norm = torch.nn.utils.get_total_norm([weight.grad for weight in self.network.parameters()])
        self.optimiser.step()
        self.watch.record(loss, norm, batch, 1, 1)

    def epoch_s(self, with_input: bool) -> float:
        """Return the seconds of an epoch, with its input or with one repeated batch."""
        batches = list(self.batches()) if not with_input else []
        fixed = prepare_batch(batches[0], 0, augmented=True) if batches else ()
        torch.cuda.synchronize()
        started = time.perf_counter()
        for number, batch in enumerate(batches or self.batches()):
            self.step(batch, fixed or prepare_batch(batch, number, augmented=True))
        torch.cuda.synchronize()
        return time.perf_counter() - started

    def input_on_gpu_ms(self) -> float:
        """Return the GPU time for the images and heatmaps of a batch, median of ten queued repeats."""
        batch = next(self.batches())
        events = [torch.cuda.Event(enable_timing=True) for _ in range(11)]
        torch.cuda._sleep(200_000_000)  # keep the GPU busy while the work is queued, so that no gap is measured
        for number, event in enumerate(events):
            if number:
                prepare_batch(batch, number, augmented=True)
            event.record()
        torch.cuda.synchronize()
        return statistics.median(before.elapsed_time(after) for before, after in itertools.pairwise(events))


def measure_on_gpu(cached: Cached, batch: int, rounds: int, compiled: bool) -> dict[str, float | int | bool]:
    """Return the medians over rounds."""
    step = GpuStep(cached, batch, compiled)
    with reproducible(0, step.device), raise_recompile_limit():
        times = [(step.epoch_s(with_input=True), step.epoch_s(with_input=False)) for _ in range(rounds + 1)][1:]
    for name, values in zip(("with input", "with one batch"), zip(*times, strict=True), strict=True):
        print(f"epoch of {len(cached.crop_set)} persons {name}: {', '.join(f'{value:.3f}' for value in values)} s")
    steps, inner_ms = -(-len(cached.crop_set) // batch), step.input_on_gpu_ms()
    share = statistics.median((full - bare) / full for full, bare in times)
    step_ms = statistics.median(full for full, _ in times) / steps * 1e3
    return {
        "waiting_share": round(max(0.0, share - inner_ms / step_ms), 5),
        "input_share": round(share, 5),
        "input_on_gpu_ms": round(inner_ms, 3),
        "step_ms": round(step_ms, 3),
        "batch": batch,
        "compiled": compiled,
    }


def main() -> None:
    """Measure and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crops", type=Path, help="folder of images; default: painted ones")
    parser.add_argument("--persons", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=3, help="training steps of the large network; 0: none")
    parser.add_argument("--step-persons", type=int, help="persons of such a step; default: 4 on the CPU, 32 on a GPU")
    parser.add_argument("--compile", action="store_true", help="on a GPU, compile the network")
    arguments = parser.parse_args()
    crops = load_crops(arguments.crops, arguments.persons) if arguments.crops else paint_crops(arguments.persons)
    with tempfile.TemporaryDirectory() as scratch, ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        cached = cache_crops(crops, Path(scratch))
        runs: dict[str, Callable[[], float]] = {}
        for cores in (1, 2):
            for name, colours in (("plain", ""), ("augmented", "numpy")):
                runs[f"ours_{name}_{cores}"] = lambda c=colours, n=cores: run_ours(cached, bool(c), n)
                runs[f"usual_{name}_{cores}"] = lambda c=colours, n=cores: run_usual(cached, pool, c, n)
            runs[f"usual_quick_colours_{cores}"] = lambda n=cores: run_usual(cached, pool, "opencv", n)
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        for turn in range(arguments.rounds + 1 if arguments.rounds else 0):
            for name, run in runs.items():
                elapsed = run()
                if turn:  # the first round warms up
                    seconds[name].append(elapsed)
        figures: dict[str, Any] = {"waiting_share": None}
        if arguments.steps and torch.cuda.is_available():
            figures = measure_on_gpu(cached, arguments.step_persons or 32, arguments.steps, arguments.compile)
        elif arguments.steps:
            figures = {"waiting_share": round(measure_waiting(cached, arguments.step_persons or 4, arguments.steps), 5)}
    report({name: times for name, times in seconds.items() if times}, arguments.persons, figures)


def report(seconds: dict[str, list[float]], persons: int, figures: dict[str, Any]) -> None:
    """Print one line per way, then the JSON with the medians of the ratios."""
    for name, values in seconds.items():
        rates = [persons / value for value in values]
        print(f"{name:<24} {statistics.median(rates):6.0f} persons/s ({min(rates):.0f} to {max(rates):.0f})")

    def ratio(usual: str, ours: str) -> float | None:
        if usual not in seconds:
            return None
        return round(statistics.median(a / b for a, b in zip(seconds[usual], seconds[ours], strict=True)), 2)

    result = {
        "speedup_plain": ratio("usual_plain_2", "ours_plain_2"),
        "speedup_augmented": ratio("usual_augmented_2", "ours_augmented_2"),
        **figures,
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "speedup_plain_1_core": ratio("usual_plain_1", "ours_plain_1"),
        "speedup_augmented_1_core": ratio("usual_augmented_1", "ours_augmented_1"),
        "speedup_over_quick_colours": ratio("usual_quick_colours_2", "ours_augmented_2"),
        "speedup_over_quick_colours_1_core": ratio("usual_quick_colours_1", "ours_augmented_1"),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
