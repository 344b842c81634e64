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
    assert frame.shape == (46, 62, 3)


@pytest.mark.parametrize("suffix", ["webm", "mp4", "avi"])
def test_written_video_is_read_frame_by_frame(suffix: str, tmp_path: Path) -> None:
    video = write(tmp_path / f"a.{suffix}")
    frames = list(video.frames())
    assert (len(frames), video.fps, video.frame_count) == (5, 10, 5)
    for index, frame in enumerate(frames):
        assert (frame.shape, frame.dtype) == ((*SIZE, 3), np.uint8)
        np.testing.assert_allclose(frame.reshape(-1, 3).mean(axis=0), colour(index), atol=6)  # the channel order is RGB


def test_video_of_opencv_is_read_as_rgb(tmp_path: Path) -> None:
    writer = cv2.VideoWriter(str(tmp_path / "a.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 30, SIZE[::-1])
    writer.write(np.full((*SIZE, 3), (0, 0, 250), np.uint8))
    writer.release()
    (frame,) = VideoFile(tmp_path / "a.avi").frames()
    np.testing.assert_allclose(frame[20, 20], (250, 0, 0), atol=6)


def test_frames_are_read_lazily(tmp_path: Path) -> None:
    frames = write(tmp_path / "a.avi").frames()
    first = next(frames)
    assert first.shape == (*SIZE, 3)
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
