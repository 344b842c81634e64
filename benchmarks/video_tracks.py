"""Tracks of persons who meet and cover one another: identity switches, MOTA and IDF1 of the tracker `byte_track`.

    python benchmarks/video_tracks.py [--videos N] [--peer-python PYTHON]

Videos without pixels: persons of the sample's generator walk to and fro (`synthetic_video`), 4 in each video of 12 s. A simulated
detector misses persons who are covered, scores half-covered ones low, moves edges by 3 % of the height, and reports a false box
in every tenth frame. Joints are wrong by 3 % of the height, and those of a covered person by 10 %.

Compared are similarities of poses (the default) and overlaps of boxes, detections in every frame and at 5 frames per second, and,
with `--peer-python`, an environment that has the package `trackers` (Roboflow, Apache-2.0), its ByteTrack and OC-SORT on the same
boxes.
The last line is JSON: mean of IDF1 and MOTA and the sum of switches for each; 95 % intervals over videos by the bootstrap for the
difference of IDF1 from the default.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from synthetic_video import boxes_of, make_walkers, visible_fractions

from posescope.core.skeleton import COCO_PERSON
from posescope.prediction.poses import DetectedPerson, ImageInfo, PersonPose
from posescope.prediction.video.byte_track import ByteTrack, ByteTrackOptions
from posescope.prediction.video.tracker import TrackedPerson
from posescope.prediction.video.tracking_metrics import LabelledBoxes, score_tracks

SIZE, FPS, SECONDS, PERSONS = (480, 640), 25, 12, 4
PEER = """
import json, sys
import numpy as np, supervision as sv
from trackers import ByteTrackTracker, OCSORTTracker
videos = json.load(open(sys.argv[1]))
fps = float(sys.argv[2])
kinds = {"ByteTrack": lambda: ByteTrackTracker(frame_rate=fps, track_activation_threshold=0.5, high_conf_det_threshold=0.5),
         "OC-SORT": lambda: OCSORTTracker(frame_rate=fps, high_conf_det_threshold=0.5)}
found = {}
for name, make in kinds.items():
    found[name] = []
    for video in videos:
        tracker, frames = make(), []
        for boxes, scores in video:
            rows = np.array(boxes, dtype=float).reshape(-1, 4)
            rows[:, 2:] += rows[:, :2]
            detections = sv.Detections(xyxy=rows, confidence=np.array(scores, dtype=float), class_id=np.zeros(len(rows), int))
            out = tracker.update(detections)
            rows = [(*box[:2].tolist(), *(box[2:] - box[:2]).tolist(), int(i)) for box, i in zip(out.xyxy, out.tracker_id)]
            frames.append([row for row in rows if row[4] >= 0])
        found[name].append(frames)
json.dump(found, open(sys.argv[3], "w"))
"""


def simulate(seed: int, fps: int) -> list:
    """Return for each frame the boxes of the persons, and boxes, scores and joints of the detections."""
    rng, walkers = np.random.default_rng(seed), make_walkers(seed, PERSONS, SIZE)
    frames = []
    for index in range(SECONDS * fps):
        joints = np.stack([walker.joints(index / fps) for walker in walkers])
        boxes = boxes_of(joints)
        visible = visible_fractions(boxes)
        scores = np.clip(0.92 * visible**0.7 + rng.normal(0, 0.05, PERSONS), 0.05, 1)
        seen = (rng.random(PERSONS) < np.clip(3 * visible - 0.6, 0, 0.99)) & (scores > 0.1)
        heights = boxes[:, 3:4]
        moved = boxes + rng.normal(0, 0.03, boxes.shape) * heights
        wrong = np.where(visible < 0.5, 0.1, 0.03)[:, None, None] * heights[:, :, None]
        found = [
            (moved[i], scores[i], joints[i] + rng.normal(size=(17, 2)) * wrong[i]) for i in rng.permutation(PERSONS) if seen[i]
        ]
        if rng.random() < 0.1:
            box = np.array([rng.uniform(0, 560), rng.uniform(150, 300), 80, 160])
            found.append((box, rng.uniform(0.2, 0.6), box[:2] + rng.random((17, 2)) * box[2:]))
        frames.append((boxes, found))
    return frames


def track(frames: list, fps: int, **options: object) -> list:
    """Return the tracked boxes of each frame, by our tracker."""
    tracker, info = ByteTrack(ByteTrackOptions(**options), COCO_PERSON), ImageInfo("a", 0, SIZE, 0, 0.0)
    tracked = []
    for index, (_, found) in enumerate(frames):
        scores = np.ones(17, np.float32)
        persons = [
            TrackedPerson(PersonPose(DetectedPerson(info, tuple(box), score), joints, scores, joints.astype(np.float32)))
            for box, score, joints in found
        ]
        tracks = tracker.update(persons, index / fps)
        tracked.append(
            [[*box, one.track_id] for (box, _, _), one in zip(found, tracks, strict=True) if one is not None and one.track_id]
        )
    return tracked


def track_by_peers(python: str, videos: list, fps: int) -> dict:
    """Return the tracked boxes by the trackers of the package `trackers`."""
    with tempfile.TemporaryDirectory() as name:
        given, found = Path(name) / "given.json", Path(name) / "found.json"
        content = [[[[list(b) for b, _, _ in f], [float(s) for _, s, _ in f]] for _, f in frames] for frames in videos]
        given.write_text(json.dumps(content))
        subprocess.run([python, "-c", PEER, given, str(fps), found], check=True)
        return json.loads(found.read_text())


def score(frames: list, tracked: list) -> tuple[float, float, int]:
    """Return IDF1, MOTA and switches; a person without detection in a frame does not count as missed."""
    pairs = []
    for (boxes, _), rows in zip(frames, tracked, strict=True):
        array = np.array(rows, dtype=float).reshape(-1, 5)
        pairs.append((LabelledBoxes(boxes, list(range(PERSONS))), LabelledBoxes(array[:, :4], array[:, 4].astype(int).tolist())))
    scores = score_tracks(pairs)
    return scores.idf1, scores.mota, scores.switches


def main() -> None:
    """Compare the trackers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=40)
    parser.add_argument("--peer-python", help="python of an environment with the package trackers")
    arguments = parser.parse_args()
    rng, report = np.random.default_rng(0), {}
    for fps in (FPS, 5):
        videos = [simulate(1000 + seed, fps) for seed in range(arguments.videos)]
        found = {
            "poses": [track(frames, fps) for frames in videos],
            "boxes": [track(frames, fps, similarity="boxes") for frames in videos],
            "boxes, thresholds of the paper": [
                track(frames, fps, similarity="boxes", high_score=0.6, new_track_score=0.7) for frames in videos
            ],
        }
        if arguments.peer_python:
            found |= {f"trackers {name}": one for name, one in track_by_peers(arguments.peer_python, videos, fps).items()}
        scores = {name: np.array([score(f, t) for f, t in zip(videos, all_of, strict=True)]) for name, all_of in found.items()}
        picks = rng.integers(0, len(videos), (2000, len(videos)))
        for name, rows in scores.items():
            low, high = np.percentile((rows - scores["poses"])[picks, 0].mean(axis=1), (2.5, 97.5))
            report[f"{name}, {fps} fps"] = {
                "idf1": round(float(rows[:, 0].mean()), 4),
                "mota": round(float(rows[:, 1].mean()), 4),
                "switches": int(rows[:, 2].sum()),
                "idf1_minus_default": [round(float(low), 4), round(float(high), 4)],
            }
            print(f"{name}, {fps} fps:", report[f"{name}, {fps} fps"])
    print(json.dumps(report))


if __name__ == "__main__":
    main()
