"""The flow of conf/test with data_dir and raw_dir in object storage: killed, continued elsewhere, equal to a local run."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tests.cluster.killed_runs import REPOSITORY, StoredRun, contents_of
from tests.cluster.s3_servers import S3Server

from posescope.core.object_store import ObjectStore
from posescope.drawing.rgb_images import write_png

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Results of the flow in local folders."""
    folder = tmp_path_factory.mktemp("local")
    StoredRun(str(folder / "data"), str(folder / "raw"), folder).run()
    return contents_of(folder / "data")


def checkout_files() -> str:
    command = ["git", "status", "--porcelain", "--ignored=no"]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout


def test_a_flow_that_is_killed_three_times_ends_as_a_local_one(
    rclone_address: str, rclone: S3Server, local: dict[str, str], tmp_path: Path
) -> None:
    before, data = checkout_files(), ObjectStore(f"{rclone_address}/data")
    run = StoredRun(data.address, f"{rclone_address}/raw", tmp_path)
    # The run is killed while it crops, and continued on a machine that knows nothing of it.
    run.run_until(lambda: len([one for one in data.list("05_model_input/crops") if one.name.endswith(".json")]) >= 2)
    assert data.stat("05_model_input/crops/crops.json") is None
    run.change_machine()
    # It is killed between the epochs of the training.
    run.run_until(lambda: any("epoch_0001/state.json" in one.name for one in data.list("06_models/checkpoints")))
    kept = run.log.stat().st_size
    # The server is killed while features are extracted and analysed, and comes back.
    process = run.start()
    while not run.has_logged("Running node: extract", kept):
        assert process.poll() is None, run.log.read_text()[-3000:]
        time.sleep(0.02)
    assert run.count_kept_shards(kept) > 0
    rclone.kill()
    time.sleep(1.0)
    rclone.start()
    assert process.wait() == 0, run.log.read_text()[-3000:]
    assert contents_of(data) == local
    assert not [one.name for one in data.list() if ".tmp" in one.name or "lease" in one.name]
    assert checkout_files() == before


@pytest.mark.slow
def test_results_are_read_on_a_machine_that_has_nothing(moto_address: str, local: dict[str, str], tmp_path: Path) -> None:
    data = ObjectStore(f"{moto_address}/data")
    run = StoredRun(data.address, f"{moto_address}/raw", tmp_path)
    run.run()
    assert contents_of(data) == local
    run.change_machine()
    run.run("--pipelines", "evaluation")
    assert contents_of(data) == local
    check_commands(data.address, tmp_path / "commands", sorted((tmp_path / "machine-1").rglob("*.jpg")))


def check_commands(address: str, folder: Path, kept: list[Path]) -> None:
    """Run the commands that take an address, on a machine that has nothing."""
    assert kept == []  # photographs are read without a copy
    photograph = folder / "photograph.png"
    write_png(photograph, np.zeros((64, 64, 3), dtype=np.uint8))
    commands = {
        "info": [address],
        "predict": [str(photograph), "--model", address, "--out", str(folder / "poses")],
        "compare": [address, address],
        "explore": [address, "--export", str(folder / "site")],
    }
    for name, arguments in commands.items():
        variables = {**os.environ, "POSESCOPE_CACHE_DIR": str(folder / name)}
        command = [sys.executable, "-c", "from posescope.cli import cli; cli()", name, *arguments]
        found = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
        assert found.returncode == 0, f"{name}: {found.stderr[-2000:]}"
    assert (folder / "poses/poses.json").is_file()
    assert (folder / "site/index.html").stat().st_size > 100_000
