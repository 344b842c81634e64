"""Tests of posescope.drawing.rgb_images."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from posescope.core.errors import DataError
from posescope.drawing.rgb_images import DrawingError, read_png, write_png

IMAGE = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)


def test_round_trip(tmp_path: Path) -> None:
    write_png(tmp_path / "new" / "a.png", IMAGE)
    np.testing.assert_array_equal(read_png(tmp_path / "new" / "a.png").image, IMAGE)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.png"]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere file names are Unicode")
def test_file_names_that_are_not_utf_8(tmp_path: Path) -> None:
    """A subprocess is used because OpenCV ends with a segmentation fault for such a name."""
    code = (
        "import sys, os, numpy as np\nfrom pathlib import Path\nfrom posescope.drawing.rgb_images import read_png, write_png\n"
        "path = Path(sys.argv[1], os.fsdecode(b'caf\\xe9.png'))\n"
        "write_png(path, np.full((2, 3, 3), 9, np.uint8))\nprint(read_png(path).image.sum())"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "162\n"), done.stderr
    assert [os.fsencode(path.name) for path in tmp_path.iterdir()] == [b"caf\xe9.png"]


def test_invalid_image_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"text"):
        (tmp_path / "a.png").write_bytes(content)
        with pytest.raises(DataError, match=r"a\.png"):
            read_png(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"b\.png"):
        read_png(tmp_path / "b.png")
    with pytest.raises(DrawingError, match="expected a non-empty"):
        write_png(tmp_path / "c.png", IMAGE[:0])
