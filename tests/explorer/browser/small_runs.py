"""The runs that the browser tests open: a finished one of conf/test with a failing group, and another one to compare it with."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from posescope.explorer.opened_run import OpenedRun, open_run
from posescope.explorer.table_file import JOINT_COLUMNS, ExplorerStore, PersonTable
from posescope.explorer.table_metadata import SliceAbout

__all__ = ["PLANTED", "PLANTED_PERSONS", "make_other_run", "make_run", "serve"]

REPOSITORY = Path(__file__).resolve().parents[3]
PLANTED, PLANTED_PERSONS = "slice-1", 7


def make_run(root: Path) -> None:
    """Run the default pipelines with the parameters of conf/test into `root/data` and `root/raw`, and plant a failing group.

    A network of two epochs fails everywhere, so the group is planted: the persons with the largest errors.
    """
    parameters = f"data_dir={root / 'data'},raw_dir={root / 'raw'}"
    done = subprocess.run(
        [sys.executable, "-m", "kedro", "run", "--env", "test", "--params", parameters],
        cwd=REPOSITORY, env={**os.environ, "DO_NOT_TRACK": "1", "OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    opened = open_run(root / "data")
    members = np.argsort(-opened.persons["error"].to_numpy(dtype=np.float64))[:PLANTED_PERSONS]
    slices = np.empty(len(opened), dtype=object)
    slices[:] = [[PLANTED] if row in members else [] for row in range(len(opened))]
    group = SliceAbout(
        id=PLANTED, name="persons of the planted group", persons=len(members), photographs=len(members), score=0.25, others=0.75,
        claimed=True,
    )  # fmt: skip
    _write(opened, root / "data", {"slices": slices}, opened.joints_predicted, {"slices": (group,)})


def make_other_run(data_dir: Path, folder: Path) -> None:
    """Write the table of a run that predicts every second person of another one without an error, and the others far off.

    Args:
        data_dir: the run with the persons.
        folder: data_dir of the new run; it has no model and no crops.
    """
    opened = open_run(data_dir)
    predicted = opened.joints_predicted.copy()
    predicted[::2, :, :2] = np.nan_to_num(opened.joints_true[::2, :, :2])
    predicted[1::2, :, :2] = -1000
    _write(opened, folder, {}, predicted, {"model": "f" * 16})


@contextmanager
def serve(log: Path, *arguments: str | Path) -> Iterator[str]:
    """Run `posescope explore` with some arguments, and yield the address of its page.

    Args:
        log: file for its messages.
        *arguments: arguments and options of the command.
    """
    command = [Path(sys.executable).with_name("posescope"), "explore", *arguments, "--port", "0", "--no-browser"]
    with (
        log.open("w") as stderr,
        subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=stderr, text=True) as process,
    ):
        assert process.stdout is not None
        url = process.stdout.readline().strip()  # printed when the page can be opened
        assert url.startswith("http://127.0.0.1:"), log.read_text()
        yield url
        process.terminate()
        assert process.wait(timeout=60) == 0, log.read_text()
    assert "Traceback" not in log.read_text(), log.read_text()


def _write(opened: OpenedRun, data_dir: Path, columns: dict[str, Any], predicted: Any, about: dict[str, Any]) -> None:
    """Write the table of a run with changes."""
    pictures = opened.thumbnails(np.arange(len(opened)))
    plain = opened.persons.drop(columns=[name for name in JOINT_COLUMNS if name in opened.persons])
    table = PersonTable(plain.assign(**columns), opened.joints_true, predicted, opened.about.model_copy(update=about))
    ExplorerStore(data_dir / "08_reporting" / "explorer").write(table, lambda rows: [pictures[row] for row in rows])
