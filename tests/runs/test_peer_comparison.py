"""Tests of posescope.runs.peer_comparison, with a network whose joints are the brightest cells of red, green and blue."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.onnx_networks import save_channel_means
from tests.peer_runs import write_run

from posescope.core.errors import DataError
from posescope.prediction.peers.peer_networks import PeerNetwork, open_peer
from posescope.runs.finished_runs import FinishedRun, find_run
from posescope.runs.peer_comparison import compare_with_peer


def network(tmp_path: Path, *joints: str, **options: Any) -> PeerNetwork:
    settings = {
        "mean": [0, 0, 0],
        "std": [1, 1, 1],
        "first_cell_px": 1.5,
        "joints": joints or ("red", "green", "blue"),
        **options,
    }
    return open_peer(save_channel_means(tmp_path / "peer.onnx"), "heatmaps", settings | options)


def run_of(data_dir: Path) -> FinishedRun:
    return find_run(str(data_dir), data_dir)


def test_perfect_network_beats_a_run_with_errors(tmp_path: Path) -> None:
    found = compare_with_peer(run_of(write_run(tmp_path, error_px=12.0)), network(tmp_path), resamples=50)
    values = {metric.name: metric for metric in found.persons.metric_values}
    assert (found.persons.persons, found.persons.images, found.persons.missed_b) == (4, 4, 0)
    assert (values["pck_thesis"].a, values["pck_thesis"].b) == (0.0, 1.0)
    assert values["oks"].b == pytest.approx(1.0)
    assert 0 < values["oks"].a < 1
    assert [joint.joint for joint in found.joints] == ["red", "green", "blue"]
    assert all(joint.winner("oks") == "B" for joint in found.joints)
    assert (found.only_run, found.only_peer) == ((), ())


def test_equal_predictions_have_no_difference(tmp_path: Path) -> None:
    found = compare_with_peer(run_of(write_run(tmp_path, error_px=0.0)), network(tmp_path), resamples=50)
    for metric in found.persons.metric_values:
        assert metric.difference == pytest.approx(0, abs=1e-6)


def test_joints_are_matched_by_name_and_others_are_left_out(tmp_path: Path) -> None:
    """The run lacks the network's joint green; blue of the network is the run's second joint."""
    peer = network(tmp_path, "blue", "tail", "red")
    data_dir = write_run(tmp_path, joints=("red", "blue", "nose"), error_px=0.0)
    found = compare_with_peer(run_of(data_dir), peer, resamples=50)
    assert [joint.joint for joint in found.joints] == ["red", "blue"]
    assert (found.only_run, found.only_peer) == (("nose",), ("tail",))
    values = {metric.name: metric for metric in found.persons.metric_values}
    # The network calls the blue dot red and the red dot blue, which are other dots in the run.
    assert (values["pck_thesis"].a, values["pck_thesis"].b) == (1.0, 0.0)
    assert np.reshape(found.results[0]["keypoints"], (3, 3))[2, :2].tolist() == [0, 0]


def test_a_missing_joint_does_not_count_for_the_run(tmp_path: Path) -> None:
    """Only the joint that the network lacks is wrong in the run."""
    data_dir = write_run(tmp_path, joints=("red", "green", "nose"), error_px=0.0)
    path = data_dir / "02_intermediate" / "predictions_val.parquet"
    table = pd.read_parquet(path)
    table.loc[table["joint"] == 2, "x"] += 40
    table.to_parquet(path)
    found = compare_with_peer(run_of(data_dir), network(tmp_path, "red", "green", "tail"), resamples=50)
    values = {metric.name: metric for metric in found.persons.metric_values}
    assert (values["pck_thesis"].a, values["pck_thesis"].b) == (1.0, 1.0)
    assert values["pck_thesis"].count == 4


def test_box_kinds(tmp_path: Path) -> None:
    """The annotated box of the first person is a corner without dots; its square is the image."""
    data_dir = write_run(tmp_path, error_px=0.0)
    path = data_dir / "02_intermediate" / "persons_read.parquet"
    table = pd.read_parquet(path)
    table.loc[0, ["bbox_x", "bbox_y", "bbox_w", "bbox_h"]] = [59.5, 59.5, 4.0, 4.0]
    table.to_parquet(path)
    values = {
        boxes: {metric.name: metric.b for metric in found.persons.metric_values}
        for boxes in ("crops", "annotated")
        for found in [compare_with_peer(run_of(data_dir), network(tmp_path, box_scale=1.0), boxes, resamples=10)]  # type: ignore[arg-type]
    }
    assert values["crops"]["pck_thesis"] == 1.0
    assert values["annotated"]["pck_thesis"] == 0.75


def test_crops_that_are_not_square(tmp_path: Path) -> None:
    """The crop box of the first person is the upper left corner of its image: the red dot, but neither green nor blue."""
    data_dir = write_run(tmp_path, error_px=0.0)
    path = data_dir / "02_intermediate" / "crop_boxes.parquet"
    table = pd.read_parquet(path).assign(width=64, height=64)
    table.loc[0, ["width", "height"]] = [20, 26]
    table.to_parquet(path)
    found = compare_with_peer(run_of(data_dir), network(tmp_path), resamples=10)
    assert [joint.pck_thesis.b for joint in found.joints] == [1.0, 0.75, 0.75]


def test_no_common_joint_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="tail"):
        compare_with_peer(run_of(write_run(tmp_path)), network(tmp_path, "tail", "ear", "paw"))


def test_data_made_anew_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="e" * 16):
        compare_with_peer(run_of(write_run(tmp_path, data="e" * 16)), network(tmp_path))


def test_missing_table_is_an_error(tmp_path: Path) -> None:
    data_dir = write_run(tmp_path)
    (data_dir / "02_intermediate" / "crop_boxes.parquet").unlink()
    with pytest.raises(DataError, match="crop_boxes"):
        compare_with_peer(run_of(data_dir), network(tmp_path))


def test_replaced_predictions_are_an_error_only_where_they_are_needed(tmp_path: Path) -> None:
    data_dir = write_run(tmp_path, joints=("red", "green", "nose"))
    path = data_dir / "02_intermediate" / "predictions_val.parquet"
    pd.read_parquet(path).assign(model="n" * 16).to_parquet(path)
    with pytest.raises(DataError, match="predictions_val"):
        compare_with_peer(run_of(data_dir), network(tmp_path, "red", "green", "tail"))
    assert compare_with_peer(run_of(data_dir), network(tmp_path, "nose", "green", "red"), resamples=10).joints
