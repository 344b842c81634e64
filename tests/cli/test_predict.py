"""Tests of `posescope predict`, `info` and `export`: output and exit codes."""

import json
import zlib
from io import StringIO
from pathlib import Path
from typing import Any
from weakref import WeakSet

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from posescope.cli import cli
from posescope.core.errors import DataError
from posescope.core.object_store import ObjectStore
from posescope.prediction.detectors.onnx_detector import OnnxDetector
from posescope.prediction.image_io.image_source import ImageSource, NamedImage
from posescope.prediction.image_io.video import VideoFile, open_video_writer
from posescope.prediction.overlays import OverlayWriter


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run outside any project, so that models are searched in `data`."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return a folder of two images and a text file with the suffix of an image."""
    rng = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for name in ("a.png", "000139.png"):
        assert cv2.imwrite(str(tmp_path / "photos" / name), rng.integers(0, 256, (50, 70, 3)).astype(np.uint8))
    (tmp_path / "photos" / "text.jpg").write_text("no image")
    return tmp_path / "photos"


def call(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def test_output_has_one_line_per_image_and_the_skipped_files(photos: Path, model_folders: Any) -> None:
    result = call("predict", photos, "--model", model_folders.onnx)
    assert result.exit_code == 3
    first, second = result.stdout.splitlines()
    assert first.startswith("000139.png: 1 person, score ")
    assert second.startswith("a.png: 1 person, score ")
    assert "skipped: " in result.stderr
    assert "text.jpg" in result.stderr
    assert "Skipped: 1 of 3 images." in result.stderr
    assert "generated sample" in result.stderr


def test_images_of_an_object_store(photos: Path, model_folders: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSESCOPE_CACHE_DIR", str(tmp_path / "cache"))
    store = ObjectStore(f"memory://{tmp_path.name}/photos")
    for path in photos.iterdir():
        store.upload(path, path.name)
    result = call("predict", store.address, "--model", model_folders.onnx)
    assert result.stdout == call("predict", photos, "--model", model_folders.onnx).stdout
    assert result.exit_code == 3
    missing = call("predict", f"{store.address}-none", "--model", model_folders.onnx)
    assert missing.exit_code == 1


def test_results_and_overlays_are_written(photos: Path, model_folders: Any, tmp_path: Path) -> None:
    (photos / "text.jpg").unlink()
    boxes = [{"image_id": 139, "category_id": 1, "bbox": [x, 5, 20, 30], "score": 0.5} for x in (5, 30)]
    (tmp_path / "boxes.json").write_text(json.dumps([*boxes, {"file_name": "a.png", "bbox": [1, 2, 30, 40], "score": 1}]))
    options = ("--boxes", tmp_path / "boxes.json", "--out", tmp_path / "out", "--draw", "--json", "--draw-threshold", "-1")
    result = call("predict", photos, "--model", model_folders.onnx, *options)
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [[record["file_name"] for record in line] for line in lines] == [["000139.png"] * 2, ["a.png"]]
    written = json.loads((tmp_path / "out" / "poses.json").read_text())
    assert written == [record for line in lines for record in line]
    assert [record["bbox"] for record in written] == [[5, 5, 20, 30], [30, 5, 20, 30], [1, 2, 30, 40]]
    drawn = cv2.imread(str(tmp_path / "out" / "overlays" / "a.png.png"))
    assert drawn.shape == (50, 70, 3)
    assert (drawn != cv2.imread(str(photos / "a.png"))).any()


def test_ids_of_frames_follow_those_of_images(photos: Path, model_folders: Any, tmp_path: Path) -> None:
    (photos / "text.jpg").unlink()
    for name in ("one.avi", "two.avi"):
        with open_video_writer(tmp_path / name, 10, (48, 64)) as append:
            for _ in range(2):
                append(np.zeros((48, 64, 3), np.uint8))
    result = call("predict", photos, "one.avi", "two.avi", "--model", model_folders.onnx, "--out", "out")
    assert result.exit_code == 0, result.output
    written = json.loads((tmp_path / "out" / "poses.json").read_text())
    assert [(record["file_name"], record["image_id"]) for record in written] == [
        *(("000139.png", 139), ("a.png", 140), ("one.avi#0", 141), ("one.avi#1", 142), ("two.avi#0", 143), ("two.avi#1", 144))
    ]


def test_progress_bar_and_lines_share_a_terminal(photos: Path, model_folders: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setattr("sys.stderr", terminal)
    with pytest.raises(SystemExit):
        cli(["predict", str(photos), "--model", str(model_folders.onnx)])
    assert "0/3 [" in terminal.getvalue()  # the progress bar
    shown = [line.rpartition("\r")[2] for line in terminal.getvalue().split("\n")]
    assert [line.partition(":")[0] for line in shown[1:5]] == ["000139.png", "a.png", "skipped", "Skipped"]


def test_unreadable_paths_are_skipped(photos: Path, model_folders: Any, tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_text("no video")
    (tmp_path / "empty").mkdir()
    (tmp_path / "phone").mkdir()
    (tmp_path / "phone" / "IMG_1.HEIC").write_text("")
    phone = call("predict", "phone", "--model", model_folders.onnx)
    assert (phone.exit_code, phone.stderr.splitlines()[-1]) == (
        1, "Error: IMG_1.HEIC: image of a kind that cannot be read; convert it to JPEG or PNG."
    )  # fmt: skip
    result = call("predict", "empty", "broken.mp4", photos / "a.png", "--model", model_folders.onnx)
    assert result.exit_code == 3, result.output
    assert result.stdout.startswith("a.png: 1 person")
    assert "skipped: empty: no images here, and no videos." in result.stderr
    assert "skipped: broken.mp4: cannot be read as a video." in result.stderr
    assert "Skipped: 2 of 3 images." in result.stderr
    again = call("predict", "empty", "--model", model_folders.onnx)
    assert (again.exit_code, again.stderr.splitlines()[-1]) == (1, "Error: empty: no images here, and no videos.")


def test_image_that_declares_too_large_a_size_is_skipped(photos: Path, model_folders: Any) -> None:
    raw = bytearray((photos / "a.png").read_bytes())
    raw[16:24] = (60_000).to_bytes(4, "big") * 2
    raw[29:33] = zlib.crc32(raw[12:29]).to_bytes(4, "big")
    (photos / "text.jpg").write_bytes(raw)
    result = call("predict", photos, "--model", model_folders.onnx)
    assert (result.exit_code, len(result.stdout.splitlines())) == (3, 2), result.output
    assert "text.jpg: the file declares an image of 60000 x 60000 px" in result.stderr
    small = call("predict", photos, "--model", model_folders.onnx, "--max-megapixels", "0.003")
    assert (small.exit_code, small.stdout) == (1, "")
    assert "a.png: the file declares an image of 50 x 70 px" in small.stderr


def test_videos_of_a_folder_are_predicted(model_folders: Any, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "clips" / name).mkdir(parents=True)
        with open_video_writer(tmp_path / "clips" / name / "clip.avi", 10, (48, 64)) as append:
            append(np.zeros((48, 64, 3), np.uint8))
    result = call("predict", "clips", "--model", model_folders.onnx, "--out", "out", "--draw")
    assert result.exit_code == 0, result.output
    assert [line.partition(":")[0] for line in result.stdout.splitlines()] == ["a/clip.avi#0", "b/clip.avi#0"]
    for name in ("a", "b"):
        assert len(list(VideoFile(tmp_path / "out" / "overlays" / name / "clip.avi.webm").frames())) == 1


def test_images_are_freed_after_prediction(model_folders: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_video_writer(tmp_path / "clip.avi", 10, (48, 64)) as append:
        for grey in range(12):
            append(np.full((48, 64, 3), grey * 20, np.uint8))
    alive: WeakSet[NamedImage] = WeakSet()
    counts: list[int] = []

    def read(source: ImageSource, *arguments: Any, read: Any = ImageSource.read) -> Any:
        for image in read(source, *arguments):
            alive.add(image)
            counts.append(len(alive))
            yield image

    monkeypatch.setattr(ImageSource, "read", read)
    for options in ((), ("--out", "out", "--draw"), ("--batch-size", "6")):
        counts.clear()
        assert call("predict", "clip.avi", "--model", model_folders.onnx, *options).exit_code == 0
        assert len(counts) == 12
        assert max(counts) <= 3


def test_video_is_predicted_frame_by_frame(model_folders: Any, tmp_path: Path) -> None:
    with open_video_writer(tmp_path / "clip.avi", 10, (48, 64)) as append:
        for grey in (20, 120, 220):
            append(np.full((48, 64, 3), grey, np.uint8))
    result = call("predict", "clip.avi", "--model", model_folders.onnx, "--out", "out", "--draw")
    assert result.exit_code == 0, result.output
    assert [line.partition(":")[0] for line in result.stdout.splitlines()] == ["clip.avi#0", "clip.avi#1", "clip.avi#2"]
    assert [record["image_id"] for record in json.loads((tmp_path / "out" / "poses.json").read_text())] == [0, 1, 2]
    drawn = VideoFile(tmp_path / "out" / "overlays" / "clip.avi.webm")
    assert [frame.pixels.shape for frame in drawn.frames()] == [(48, 64, 3)] * 3


def test_persons_of_a_video_are_tracked_smoothed_and_measured(model_folders: Any, tmp_path: Path) -> None:
    with open_video_writer(tmp_path / "clip.avi", 10, (48, 64)) as append:
        for _ in range(3):
            append(np.full((48, 64, 3), 120, np.uint8))
    arguments = ("predict", "clip.avi", "--model", model_folders.onnx, "--detect-every", 2, "--smooth-set", "min_cutoff_hz=1")
    (tmp_path / "angles.json").write_text(json.dumps({"hands": ["left_hand", "nose", "right_hand"]}))
    drawing = ("--draw", "--draw-video", "mp4", "--draw-threshold", -1)
    result = call(*arguments, "--angle-definitions", "angles.json", *drawing, "--out", "out")
    assert result.exit_code == 0, result.output
    records = json.loads((tmp_path / "out" / "poses.json").read_text())
    assert [(one["frame"], one["time_s"], one["track_id"]) for one in records] == [(0, 0, 1), (1, 0.1, 1), (2, 0.2, 1)]
    rows = (tmp_path / "out" / "angles.csv").read_text().splitlines()
    assert rows[0].startswith("file_name,frame,time_s,person,track_id,hands_deg")
    assert [row.split(",")[:5] for row in rows[1:]] == [[f"clip.avi#{i}", f"{i}", f"0.{i}00000", "0", "1"] for i in range(3)]
    assert len(list(VideoFile(tmp_path / "out" / "overlays" / "clip.avi.mp4").frames())) == 3


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--angles",), 2, "--angles needs --out"),
        (("--smooth-set", "cutoff=1"), 2, "cutoff"),
        (("--track", "--tracker", "none"), 1, "byte_track"),
        (("--track", "--tracker-set", "max_lost_s=-1"), 1, "max_lost_s"),
        (("--detect-every", 0), 2, "--detect-every"),
    ],
)
def test_wrong_options_of_videos(options: tuple[Any, ...], code: int, message: str, photos: Path, model_folders: Any) -> None:
    result = call("predict", photos, "--model", model_folders.onnx, *options)
    assert result.exit_code == code, result.output
    assert message in result.stderr


def test_image_of_another_size_than_its_boxes_state_is_skipped(photos: Path, model_folders: Any, tmp_path: Path) -> None:
    images = [{"id": 1, "file_name": "a.png", "height": 500, "width": 70}]
    content = {"images": images, "annotations": [{"image_id": 1, "category_id": 1, "bbox": [1, 2, 30, 40]}]}
    (tmp_path / "boxes.json").write_text(json.dumps(content))
    result = call("predict", photos, "--model", model_folders.onnx, "--boxes", tmp_path / "boxes.json")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == ["000139.png: 0 persons"]
    assert "Skipped: 2 of 3 images." in result.stderr
    assert "No person was predicted: no box of " in result.stderr


def test_boxes_outside_all_images_are_an_error(photos: Path, model_folders: Any, tmp_path: Path) -> None:
    (photos / "text.jpg").unlink()
    (tmp_path / "boxes.json").write_text(
        json.dumps([{"file_name": "a.png", "bbox": box} for box in ([70, 5, 20, 30], [-40, 0, 20, 30])])
    )
    result = call("predict", photos, "--model", model_folders.onnx, "--boxes", tmp_path / "boxes.json")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == ["000139.png: 0 persons", "a.png: 0 persons"]
    outside, without_box, no_person = result.stderr.splitlines()[-3:]
    assert outside.startswith("a.png: skipped 2 persons")
    assert without_box.startswith("No box for 2 of 2 images")
    assert "boxes.json" in no_person


@pytest.mark.parametrize(
    ("assignments", "expected"),
    [
        (["input_size=[640, 480]", "pixels=null", "path=12"], {"input_size": (640, 480), "pixels": None, "path": Path("12")}),
        (["path=[a.onnx", "min_score=0.5", "person_class=2"], {"path": Path("[a.onnx"), "min_score": 0.5, "person_class": 2}),
    ],
    ids=["lists", "text"],
)
def test_detector_options_are_parsed(
    photos: Path, model_folders: Any, monkeypatch: pytest.MonkeyPatch, assignments: list[str], expected: dict[str, Any]
) -> None:
    detector_options: list[Any] = []

    def find(detector: OnnxDetector, image: Any, info: Any, detections: Any) -> list[Any]:
        detector_options.append(detector.options)
        return []

    monkeypatch.setattr(OnnxDetector, "__call__", find)
    settings = [part for assignment in assignments for part in ("--set", assignment)]
    result = call("predict", photos / "a.png", "--model", model_folders.onnx, "--detector", "onnx", *settings)
    assert result.exit_code == 0, result.output
    assert {name: getattr(detector_options[0], name) for name in expected} == expected


def test_category_null_takes_all_categories(photos: Path, model_folders: Any, tmp_path: Path) -> None:
    (tmp_path / "boxes.json").write_text(json.dumps([{"file_name": "a.png", "bbox": [1, 2, 30, 40], "category_id": 7}]))
    arguments = ("predict", photos / "a.png", "--model", model_folders.onnx, "--boxes", tmp_path / "boxes.json")
    again = call(*arguments)
    assert (again.exit_code, again.stdout) == (1, "")
    assert "1 of category_id 7, not 1" in again.stderr
    assert call(*arguments, "--set", "category_id=null").stdout.startswith("a.png: 1 person")


def test_poses_have_the_image_ids_of_the_boxes_file(photos: Path, model_folders: Any, tmp_path: Path) -> None:
    """The ids of the file are not in the order of the names, and one image is missing in the file."""
    (photos / "text.jpg").unlink()
    (photos / "b.png").write_bytes((photos / "a.png").read_bytes())
    images = [{"id": 0, "file_name": "val/b.png"}, {"id": 2, "file_name": "000139.png"}]
    boxes = [{"image_id": image, "category_id": 1, "bbox": [1, 2, 30, 40]} for image in (0, 2)]
    (tmp_path / "boxes.json").write_text(json.dumps({"images": images, "annotations": boxes}))
    arguments = ("predict", photos, "--model", model_folders.onnx, "--out", tmp_path / "out")
    result = call(*arguments, "--boxes", tmp_path / "boxes.json")
    assert result.exit_code == 0, result.output
    assert "No box for 1 of 3 images" in result.stderr
    written = json.loads((tmp_path / "out" / "poses.json").read_text())
    assert {record["file_name"]: record["image_id"] for record in written} == {"000139.png": 2, "b.png": 0}
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert (summary["images"], summary["persons"]) == (3, 2)
    assert summary["image_ids"].startswith(
        f"those of {tmp_path / 'boxes.json'} for 2 of 3 images, else numbers of posescope's own"
    )
    assert call(*arguments).exit_code == 0
    written = json.loads((tmp_path / "out" / "poses.json").read_text())
    assert {record["file_name"]: record["image_id"] for record in written} == {"000139.png": 139, "a.png": 140, "b.png": 141}
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["image_ids"].startswith("numbers of posescope's own")


def test_output_of_posescope_is_skipped(photos: Path, model_folders: Any) -> None:
    """Output of an earlier run under another name is skipped too, and the summary lists all skipped files."""
    (photos / ".DS_Store").write_text("")
    (photos / "notes.txt").write_text("no image")
    for name in ("poses", "poses", "again"):
        result = call(
            "predict", photos, "--model", model_folders.onnx, "--out", photos / name, "--draw", "--draw-threshold", "-1"
        )
        assert result.exit_code == 3
        assert [line.partition(":")[0] for line in result.stdout.splitlines()] == ["000139.png", "a.png"]
    summary = json.loads((photos / "again" / "summary.json").read_text())
    assert {file["file_name"]: file["reason"] for file in summary["skipped_files"]} == {
        "text.jpg": "image cannot be decoded",
        ".DS_Store": "hidden or system file",
        "notes.txt": "no image or video by its suffix",
        "poses/poses.json": "no image or video by its suffix",
        "poses/summary.json": "no image or video by its suffix",
        "poses/overlays": "written by posescope",
    }
    assert "5 other files (3 no image or video by its suffix, 1 hidden or system file, 1 written by" in result.stderr
    overlays = photos / "again" / "overlays"
    again = call("predict", overlays, "--model", model_folders.onnx)
    assert (again.exit_code, again.stderr.splitlines()[-1]) == (
        1, f"Error: {overlays}: no images here, and no videos (1 written by posescope)."
    )  # fmt: skip


def test_joints_below_the_draw_threshold_are_written_and_not_drawn(photos: Path, model_folders: Any, tmp_path: Path) -> None:
    arguments = ("predict", photos / "a.png", "--model", model_folders.onnx, "--out", tmp_path / "out", "--draw")
    original, drawn = cv2.imread(str(photos / "a.png")), tmp_path / "out" / "overlays" / "a.png.png"
    result = call(*arguments, "--draw-threshold", "2")
    assert result.exit_code == 0
    assert (cv2.imread(str(drawn)) == original).all()
    assert len(json.loads((tmp_path / "out" / "poses.json").read_text())[0]["keypoints"]) == 9
    assert "1 of 1 person have no joint with a score of 2" in result.stderr
    result = call(*arguments, "--draw-threshold", "-1")
    assert (cv2.imread(str(drawn)) != original).any()
    assert "not drawn" not in result.stderr


def test_file_name_that_is_not_utf_8_is_printed(photos: Path, model_folders: Any, tmp_path: Path) -> None:
    """File systems may contain names that are not UTF-8."""
    name = b"caf\xe9.png".decode("utf-8", "surrogateescape")
    (photos / name).write_bytes((photos / "a.png").read_bytes())
    result = call("predict", photos / name, "--model", model_folders.onnx, "--out", tmp_path / "out", "--draw")
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "out" / "poses.json").read_text())[0]["file_name"] == name


def test_predicting_no_image_is_an_error(photos: Path, model_folders: Any) -> None:
    result = call("predict", photos / "text.jpg", "--model", model_folders.onnx)
    assert (result.exit_code, result.stdout) == (1, "")


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (["nowhere"], 2, "does not exist"),
        (["photos", "--draw"], 2, "--draw needs --out"),
        (["photos", "--detector", "boxes_file"], 2, "needs --boxes"),
        (["photos", "--detector", "onnx", "--boxes", "photos/text.jpg"], 2, "onnx reads no file"),
        (["photos", "--set", "path"], 2, "--set path: expected KEY=VALUE"),
        (
            ["photos", "--detector", "unknown"],
            1,
            "Installed: boxes_file, full_image",
        ),
        (["photos", "photos"], 1, "000139.png"),
    ],
    ids=["missing path", "draw", "boxes_file", "boxes", "set", "detector", "twice"],
)
def test_invalid_command_line_is_reported_without_traceback(
    photos: Path, model_folders: Any, arguments: list[str], code: int, expected: str
) -> None:
    result = call("predict", *arguments, "--model", model_folders.onnx)
    assert result.exit_code == code
    assert expected in result.stderr
    assert "Traceback" not in result.output


def test_unwritable_folder_is_an_error_before_prediction(photos: Path, model_folders: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = call("predict", photos, "--model", model_folders.onnx, "--out", tmp_path / "file" / "out")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        f"Error: --out {tmp_path / 'file' / 'out'}: nothing can be written there (Not a directory)."
    ]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(28, "No space left on device", "out/a.png"), "Error: out/a.png: No space left on device"),
        (cv2.error("too\nlarge"), "Error: OpenCV: too large"),
        (MemoryError(), "Error: There is not enough memory."),
        (DataError("the network failed."), "Error: the network failed."),
    ],
    ids=["disk", "opencv", "memory", "data error"],
)
def test_poses_before_an_error_are_written(
    photos: Path, model_folders: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    def draw(writer: OverlayWriter, image: NamedImage, poses: Any) -> None:
        if image.name == "a.png":
            raise error

    monkeypatch.setattr(OverlayWriter, "draw", draw)
    result = call("predict", photos, "--model", model_folders.onnx, "--out", "out", "--draw")
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)  # no traceback
    assert result.stderr.splitlines()[-2:] == ["out/poses.json: the 2 images until then.", message]
    written = json.loads((tmp_path / "out" / "poses.json").read_text())
    assert [record["file_name"] for record in written] == ["000139.png", "a.png"]


def test_malformed_globals_are_an_error(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "conf" / "base").mkdir(parents=True)
    (tmp_path / "conf" / "base" / "globals.yml").write_text("data_dir: [\n")
    result = call("predict", photos)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: conf/base/globals.yml: not a YAML file (")
    assert len(result.stderr.splitlines()) == 1


def test_newest_model_of_the_project_is_used_and_printed(photos: Path, model_folders: Any, tmp_path: Path) -> None:
    assert "data: no trained model" in call("predict", photos).stderr
    (tmp_path / "conf" / "base").mkdir(parents=True)
    (tmp_path / "conf" / "base" / "globals.yml").write_text("data_dir: results\n")
    for version in ("2026-01-01T00.00.00.000Z", "2026-02-01T00.00.00.000Z"):
        folder = tmp_path / "results" / "06_models" / "model" / version / "model"
        folder.mkdir(parents=True)
        for path in model_folders.onnx.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
    result = call("predict", photos / "a.png")
    assert result.exit_code == 0
    assert "Model: results/06_models/model/2026-02-01T00.00.00.000Z/model (hourglass, 3 joints)" in result.stderr
    # For a data_dir or a folder of versions, the newest model is used.
    for path in ("results", "results/06_models/model"):
        assert json.loads(call("info", path, "--json").stdout)["folder"].endswith("2026-02-01T00.00.00.000Z/model")


def test_info_describes_a_model(model_folders: Any) -> None:
    lines = call("info", model_folders.onnx).stdout.splitlines()
    assert "kind: onnx" in lines
    assert "joints: nose, left_hand, right_hand" in lines
    assert "trained_on_generated_sample: True" in lines
    assert any(line.startswith("architecture: hourglass (bottleneck_residuals 1, channels 8, depth 1)") for line in lines)
    assert "no trained model" in call("info", "nowhere").stderr


def test_info_of_an_address_fetches_no_weights_and_no_results(
    model_folders: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSESCOPE_CACHE_DIR", str(tmp_path / "cache"))
    store = ObjectStore(f"memory://{tmp_path.name}/run")
    for path in model_folders.onnx.iterdir():
        store.upload(path, f"06_models/model/v/model/{path.name}")
    store.write("07_model_output/features/info.json", b"{}")
    lines = call("info", store.address).stdout.splitlines()
    assert lines[1:] == call("info", model_folders.onnx).stdout.splitlines()[1:]
    fetched = {path.name for path in (tmp_path / "cache").rglob("*") if path.is_file() and ".remote" not in path.parts}
    assert fetched <= {"model.json", "uncertainty.json", "predictions.json", ".remote.json", ".lock.readers"}
    assert "model.json" in fetched


def test_export_compares_on_images(model_folders: Any, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (photos / "text.jpg").unlink()
    seen: list[np.ndarray] = []

    def export(source: Path, out: Path, crops: np.ndarray, tolerance: float, allow: tuple[str, ...]) -> Any:
        seen.append(crops)
        return model_folders.check

    monkeypatch.setattr("posescope.prediction.exporters.onnx_exporter.export_onnx", export)
    result = call("export", "--model", model_folders.torch, "--out", "out", "--images", photos)
    assert result.exit_code == 0, result.output
    assert seen[0].shape == (2, 32, 32, 3)
    assert "differences from PyTorch are" in result.stdout
    assert "There are no crops of 32x32 px near" in call("export", "--model", model_folders.torch, "--out", "out").stderr


def test_every_command_has_a_short_help_and_examples() -> None:
    assert all(name in call("--help").stdout for name in ("compare", "export", "info", "plugins", "predict", "run"))
    for name in ("predict", "export", "info"):
        assert "Examples:\n    posescope " in call(name, "--help").stdout
