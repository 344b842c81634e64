"""Tests of posescope.prediction.image_io.video."""

import logging
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from posescope.core.errors import DataError
from posescope.data.images.limits import ImageLimits
from posescope.prediction.image_io import video as video_module
from posescope.prediction.image_io.video import VideoFile, choose_video_suffix, open_video_writer

SIZE = (48, 64)


def colour(index: int) -> tuple[int, int, int]:
    return (200, 100, 40 * index)


def frame_pixels(index: int) -> NDArray[np.uint8]:
    return np.full((*SIZE, 3), colour(index), np.uint8)


def write(path: Path, count: int = 5, fps: float = 10) -> VideoFile:
    with open_video_writer(path, fps, SIZE) as append:
        for index in range(count):
            append(frame_pixels(index))
    return VideoFile(path)


@pytest.mark.parametrize("suffix", ["webm", "mp4", "avi"])
def test_odd_frame_size_is_cropped_by_one_px(suffix: str, tmp_path: Path) -> None:
    with open_video_writer(tmp_path / f"a.{suffix}", 10, (47, 63)) as append:
        append(np.full((47, 63, 3), colour(1), np.uint8))
    (frame,) = VideoFile(tmp_path / f"a.{suffix}").frames()
    assert frame.pixels.shape == (46, 62, 3)


@pytest.mark.parametrize("suffix", ["webm", "mp4", "avi"])
def test_written_video_is_read_frame_by_frame(suffix: str, tmp_path: Path) -> None:
    video = write(tmp_path / f"a.{suffix}")
    frames = list(video.frames())
    assert (len(frames), video.fps, video.frame_count) == (5, 10, 5)
    for index, frame in enumerate(frames):
        assert (frame.pixels.shape, frame.pixels.dtype) == ((*SIZE, 3), np.uint8)
        assert (frame.index, frame.time_s) == (index, pytest.approx(index / 10, abs=0.001))
        np.testing.assert_allclose(frame.pixels.reshape(-1, 3).mean(axis=0), colour(index), atol=6)  # the channel order is RGB


def test_video_of_opencv_is_read_as_rgb(tmp_path: Path) -> None:
    writer = cv2.VideoWriter(str(tmp_path / "a.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 30, SIZE[::-1])
    writer.write(np.full((*SIZE, 3), (0, 0, 250), np.uint8))
    writer.release()
    (frame,) = VideoFile(tmp_path / "a.avi").frames()
    np.testing.assert_allclose(frame.pixels[20, 20], (250, 0, 0), atol=6)


def test_frames_are_read_lazily(tmp_path: Path) -> None:
    frames = write(tmp_path / "a.avi").frames()
    first = next(frames)
    assert first.pixels.shape == (*SIZE, 3)
    (tmp_path / "a.avi").unlink()
    assert len(list(frames)) == 4, "the file is still open"


def test_missing_video_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.mp4"):
        next(VideoFile(tmp_path / "none.mp4").frames())


@pytest.mark.parametrize("content", [b"", b"text, and no video"])
def test_file_that_is_no_video_is_an_error(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.mp4"):
        next(VideoFile(path).frames())
    with pytest.raises(DataError, match="video"):
        _ = VideoFile(path).fps


def test_video_that_ends_early_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    raw = bytearray(write(tmp_path / "a.avi", count=20).path.read_bytes())
    middle = raw.index(b"movi") + (raw.index(b"idx1") - raw.index(b"movi")) // 2
    raw[middle : raw.index(b"idx1")] = bytes(raw.index(b"idx1") - middle)
    (tmp_path / "a.avi").write_bytes(raw)
    with caplog.at_level(logging.WARNING, logger="posescope"):
        count = len(list(VideoFile(tmp_path / "a.avi").frames()))
    assert 0 < count < 20
    assert f"{count} of 20 frames" in caplog.text


def test_frames_after_damaged_ones_are_read(tmp_path: Path) -> None:
    rng, path, messages = np.random.default_rng(0), tmp_path / "a.mp4", list[str]()
    pattern = cv2.resize(rng.integers(0, 256, (12, 16, 3)).astype(np.uint8), (320, 240))
    with open_video_writer(path, 25, (240, 320)) as append:
        for index in range(60):
            append(np.roll(pattern, 2 * index, axis=1))
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 3 : len(raw) // 3 + len(raw) // 12] = bytes(len(raw) // 12)
    path.write_bytes(raw)
    frames = list(VideoFile(path).frames(messages.append))
    times_s = [frame.time_s for frame in frames]
    assert 40 < len(frames) < 60
    assert max(np.diff(times_s)) > 0.2
    assert times_s[-1] == pytest.approx(59 / 25)
    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert len(messages) == 1
    assert f"{len(frames)} of 60" in messages[0]


def find_box(raw: bytes, name: bytes) -> tuple[int, int]:
    """Return place and length of a box of an MP4 file."""
    place = raw.rindex(name) - 4
    return place, int.from_bytes(raw[place : place + 4])


def set_durations(path: Path, runs: list[tuple[int, int]]) -> None:
    """Give the frames of an MP4 file other durations: (frames, multiple of the present duration) each."""
    raw = bytearray(path.read_bytes())
    place, length = find_box(raw, b"stts")
    one = int.from_bytes(raw[place + 20 : place + 24])
    table = b"".join(count.to_bytes(4) + (factor * one).to_bytes(4) for count, factor in runs)
    longer = len(table) - (length - 16)
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stts"):
        outer, size = find_box(raw, name)
        raw[outer : outer + 4] = (size + longer).to_bytes(4)
    raw[place + 12 : place + length] = len(runs).to_bytes(4) + table
    edits, _ = find_box(raw, b"edts")
    raw[edits + 4 : edits + 8] = b"free"  # it would end the video at its former duration
    path.write_bytes(raw)


def test_frames_of_a_variable_rate_have_their_own_times(tmp_path: Path) -> None:
    video = write(tmp_path / "a.mp4", count=6)
    set_durations(video.path, [(2, 1), (2, 3), (2, 1)])
    frames = list(video.frames())
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.1, 0.2, 0.5, 0.8, 0.9])
    with open_video_writer(tmp_path / "b.webm", 10, SIZE) as append:
        for frame in frames:
            append(frame.pixels, frame.time_s)
    levels = [round(float(frame.pixels[..., 2].mean()) / 40) for frame in VideoFile(tmp_path / "b.webm").frames()]
    assert levels == [0, 1, 2, 2, 2, 3, 3, 3, 4, 5], "each frame is shown until the next one"


def test_frames_of_a_faster_rate_are_left_out(tmp_path: Path) -> None:
    with open_video_writer(tmp_path / "a.avi", 10, SIZE) as append:
        for index in range(6):
            append(frame_pixels(index), index / 20)
    assert len(list(VideoFile(tmp_path / "a.avi").frames())) == 3


def test_wrong_time_stamp_does_not_fill_the_disk(tmp_path: Path) -> None:
    with open_video_writer(tmp_path / "a.avi", 10, SIZE) as append:
        for time_s in (0, 1e6, 1e6 + 0.1):
            append(frame_pixels(1), time_s)
    assert len(list(VideoFile(tmp_path / "a.avi").frames())) == 3


def test_rotation_of_a_phone_is_applied(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with open_video_writer(path, 10, SIZE) as append:
        image = np.zeros((*SIZE, 3), np.uint8)
        image[:, : SIZE[1] // 2] = 255
        append(image)
    raw = bytearray(path.read_bytes())
    place, _ = find_box(raw, b"tkhd")
    one, none, minus = (value.to_bytes(4, signed=True) for value in (1 << 16, 0, -(1 << 16)))
    matrix = (none, one, none, minus, none, none, none, none, (1 << 30).to_bytes(4))  # a quarter turn clockwise
    raw[place + 48 : place + 84] = b"".join(matrix)
    path.write_bytes(raw)
    (frame,) = VideoFile(path).frames()
    assert frame.pixels.shape == (SIZE[1], SIZE[0], 3)
    assert frame.pixels[:30].mean() > 240, "the left half is above after a turn to the right"
    assert frame.pixels[34:].mean() < 15


def test_frame_of_another_size_is_an_error_and_leaves_no_file(tmp_path: Path) -> None:
    def write_both() -> None:
        with open_video_writer(tmp_path / "a.mp4", 10, SIZE) as append:
            append(frame_pixels(0))
            append(np.zeros((64, 48, 3), np.uint8))

    with pytest.raises(DataError, match=r"\(64, 48\)"):
        write_both()
    assert list(tmp_path.iterdir()) == []


def test_unsupported_suffix_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(DataError, match=r"\.gif"),
        open_video_writer(tmp_path / "a.gif", 10, SIZE),
    ):
        pytest.fail("the writer must not open")


def read_fourcc(path: Path) -> str:
    capture = cv2.VideoCapture(str(path))
    code = int(capture.get(cv2.CAP_PROP_FOURCC))
    capture.release()
    return code.to_bytes(4, "little").decode()


@pytest.fixture
def clear_suffix_cache() -> Iterator[None]:
    choose_video_suffix.cache_clear()
    yield
    choose_video_suffix.cache_clear()


@pytest.mark.usefixtures("clear_suffix_cache")
def test_videos_are_webm_with_vp8(tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    assert choose_video_suffix() == ".webm"
    video = write(tmp_path / "a.webm", count=40, fps=29.97)
    assert (caplog.text, capfd.readouterr().err) == ("", "")
    raw = video.path.read_bytes()
    assert (read_fourcc(video.path), video.frame_count, len(list(video.frames()))) == ("VP80", 40, 40)
    assert video.fps == pytest.approx(29.97, abs=0.03)
    assert raw.startswith(b"\x1a\x45\xdf\xa3"), "the signature of Matroska files"
    assert b"webm" in raw[:64]
    assert b"V_VP8" in raw[:1000]


@pytest.mark.usefixtures("clear_suffix_cache")
def test_missing_webm_encoder_is_logged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(video_module._ENCODERS, ".webm", ("NONE",))
    assert [choose_video_suffix(), choose_video_suffix()] == [".mp4"] * 2
    assert caplog.text.count("browsers do not play") == 1
    with (
        pytest.raises(DataError, match=r"a\.webm"),
        open_video_writer(tmp_path / "a.webm", 10, SIZE),
    ):
        pytest.fail("the writer must not open")


def test_video_with_frames_above_the_image_limits_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video = write(tmp_path / "a.avi")
    monkeypatch.setattr(video_module, "_LIMITS", ImageLimits(max_side_px=63))
    with pytest.raises(DataError, match="48 x 64"):
        next(video.frames())
