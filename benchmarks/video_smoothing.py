"""Effect of the One-Euro filter on the joints of a person who walks: jitter, lag and error against the known joints.

    python benchmarks/video_smoothing.py --model FOLDER [--videos N] [--grid]

Videos of one person of the sample's generator (25 frames per second, 3 s) are predicted by an exported model of the default run
with exact boxes, without smoothing and with it.

    error    mean distance of a joint from its true place, % of the person's height
    jitter   root mean square of the change of that error from one frame to the next, % of the height
    lag      time by which joints are behind, ms: least squares of the error against the true velocity

Joints beyond 15 % of the height (mistakes such as left for right) count in none of them. Intervals are 95 %, by the bootstrap
over videos. The last line is JSON: each without smoothing, with the default options, and the difference. `--grid` prints other
options.
"""

import argparse
import json
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from synthetic_video import boxes_of, make_walkers, render

from posescope.prediction.estimator import PoseEstimator
from posescope.prediction.video.one_euro import OneEuroFilter, SmoothingOptions

SIZE, FPS, FRAMES = (240, 320), 25, 75
MAX_ERROR = 0.15  # of the height


def predict_video(estimator: PoseEstimator, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return true and predicted joints (T, 17, 2), px, and boxes (T, 4) of one video."""
    walkers, times_s = make_walkers(seed, 1, SIZE), [index / FPS for index in range(FRAMES)]
    truth = np.stack([walkers[0].joints(time_s) for time_s in times_s])
    boxes = boxes_of(truth)
    frames = render(walkers, SIZE, times_s, seed)
    found = np.concatenate([poses.joints for poses in estimator.predict(frames, ([box] for box in boxes), batch_size=15)])
    return truth, found, boxes


def smooth(found: NDArray[np.float64], boxes: NDArray[np.float64], options: SmoothingOptions) -> NDArray[np.float64]:
    """Return smoothed joints (T, 17, 2)."""
    one = OneEuroFilter(options)
    return np.stack(
        [one(joints, max(box[2:]), index / FPS) for index, (joints, box) in enumerate(zip(found, boxes, strict=True))]
    )


def measure(truth: NDArray[np.float64], raw: NDArray[np.float64], joints: NDArray[np.float64], height: float) -> list[float]:
    """Return error, jitter (% of the height) and lag (ms)."""
    fine = np.linalg.norm(raw - truth, axis=2) < MAX_ERROR * height
    error = (joints - truth) / height
    both = fine[1:] & fine[:-1]
    change = np.linalg.norm(np.diff(error, axis=0), axis=2)[both]
    velocity = np.gradient(truth, 1 / FPS, axis=0) / height
    centred = error - np.where(fine[..., None], error, 0).sum(axis=0) / np.maximum(fine.sum(axis=0), 1)[:, None]  # a joint's bias
    lag_s = -(centred * velocity)[fine].sum() / (velocity**2)[fine].sum()
    return [100 * np.linalg.norm(error, axis=2)[fine].mean(), 100 * np.sqrt((change**2).mean()), 1000 * lag_s]


def main() -> None:
    """Compare options of the filter."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--videos", type=int, default=16)
    parser.add_argument("--grid", action="store_true")
    arguments = parser.parse_args()
    estimator = PoseEstimator.load(arguments.model)
    videos = [predict_video(estimator, 300 + seed) for seed in range(arguments.videos)]

    def values_of(options: SmoothingOptions | None) -> NDArray[np.float64]:
        rows = [
            measure(truth, found, found if options is None else smooth(found, boxes, options), float(boxes[:, 3].mean()))
            for truth, found, boxes in videos
        ]
        return np.array(rows)

    raw, usual = values_of(None), values_of(SmoothingOptions())
    if arguments.grid:
        for cutoff, coefficient in product((0.5, 1, 1.5, 2, 3), (0, 2, 5, 10, 20, 40)):
            rows = values_of(SmoothingOptions(min_cutoff_hz=cutoff, speed_coefficient=coefficient))
            print(f"min_cutoff_hz={cutoff} speed_coefficient={coefficient}: error, jitter, lag", rows.mean(axis=0).round(2))
    picks, report = np.random.default_rng(0).integers(0, len(videos), (2000, len(videos))), {}
    for column, name in enumerate(("error_percent", "jitter_percent", "lag_ms")):
        difference = (usual - raw)[:, column]
        low, high = np.percentile(difference[picks].mean(axis=1), (2.5, 97.5))
        report[name] = {
            "without": round(float(raw[:, column].mean()), 3),
            "with": round(float(usual[:, column].mean()), 3),
            "difference": [round(float(value), 3) for value in (difference.mean(), low, high)],
        }
        print(name, report[name])
    print(json.dumps(report))


if __name__ == "__main__":
    main()
