"""Tests of posescope.explorer.tried_photograph: the same crop as prediction, the place among persons, and evidence."""

import json
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from numpy.typing import NDArray
from tests.explorer.small_run import CROPS, PERSONS, small_run

from posescope.artifacts.model_folder import save_model
from posescope.artifacts.pose_model import normalise_images
from posescope.cli import cli
from posescope.core.errors import DataError
from posescope.explorer.person_boxes import PersonFinder
from posescope.explorer.tried_photograph import PhotographTrial, TriedPerson, describe_unusualness

PHOTOGRAPH = np.random.default_rng(2).integers(0, 256, (60, 90, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def opened(untrained_model: Any) -> Any:
    return small_run(untrained_model)


@pytest.fixture(scope="module")
def trial(opened: Any) -> PhotographTrial:
    return PhotographTrial(opened)


def whole(crop: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], tuple[float, ...]]:
    """Return a photograph and a box whose crop is exactly this one: the box grows by 10 %."""
    side = len(crop) / 1.1
    return crop, ((len(crop) - side) / 2, (len(crop) - side) / 2, side, side)


def test_crop_and_joints_are_those_of_the_command_predict(trial: PhotographTrial, untrained_model: Any, tmp_path: Path) -> None:
    save_model(tmp_path / "model", untrained_model)
    boxes = [[5.0, 8.0, 30.5, 45.25], [60.0, -10.0, 50.0, 30.0], [0.0, 0.0, 90.0, 60.0]]
    cv2.imwrite(str(tmp_path / "a.png"), PHOTOGRAPH[..., ::-1])
    (tmp_path / "boxes.json").write_text(json.dumps([{"file_name": "a.png", "bbox": box, "score": 1} for box in boxes]))
    options = [
        "--boxes",
        "boxes.json",
        "--out",
        "out",
        "--model",
        "model",
        "--backend",
        "torch",
        "--device",
        "cpu",
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        result = CliRunner().invoke(cli, ["predict", "a.png", *options])
    assert result.exit_code == 0, result.output
    written = json.loads((tmp_path / "out" / "poses.json").read_text())
    assert len(written) == len(boxes)
    for record in written:
        pose = trial.try_photograph(PHOTOGRAPH, record["bbox"]).pose
        expected = np.array(record["keypoints"]).reshape(-1, 3)
        np.testing.assert_array_equal(pose.joints.round(3), expected[:, :2])
        np.testing.assert_array_equal(pose.scores.astype(np.float64).round(4), expected[:, 2])
        assert pose.box == tuple(record["bbox"])


def test_a_person_of_the_run_is_at_its_own_place(trial: PhotographTrial, opened: Any) -> None:
    tried = trial.try_photograph(*whole(CROPS[7]))
    np.testing.assert_array_equal(tried.crop, CROPS[7])
    place = tried.place
    assert place.nearest[0] == 107
    assert len(place.nearest) == 8
    # The features of one crop differ from those of the crop in a batch by rounding.
    assert place.distances[0] < 0.05 * place.distances[1]
    assert place.quantile == 0
    np.testing.assert_allclose(place.map_position, opened.persons.loc[7, ["map_x", "map_y"]].to_numpy(float), atol=0.02)
    assert place.component_scores.shape == (3,)


def test_place_on_a_map_of_another_kind_is_between_the_nearest_persons(opened: Any) -> None:
    persons = opened.persons.assign(map_x=np.arange(PERSONS, dtype=float), map_y=-1.0)
    other = SimpleNamespace(**vars(opened) | {"persons": persons, "about": SimpleNamespace(map="tsne", components=(1, 2))})
    place = PhotographTrial(other).try_photograph(PHOTOGRAPH, (10, 10, 40, 40)).place
    rows, weights = place.nearest[:5] - 100, 1 / place.distances[:5]
    assert place.map_source == "nearest persons"
    np.testing.assert_allclose(place.map_position, [(rows * weights).sum() / weights.sum(), -1])


def test_without_a_box_the_first_found_person_is_tried(trial: PhotographTrial) -> None:
    tried = trial.try_photograph(PHOTOGRAPH)
    np.testing.assert_array_equal(tried.box, [0, 0, 90, 60])
    np.testing.assert_array_equal(tried.pose.joints, trial.try_photograph(PHOTOGRAPH, (0, 0, 90, 60)).pose.joints)


@pytest.mark.parametrize(
    "box", [(0, 0, 0, 10), (0, 0, 10, -1), (np.nan, 0, 1, 1), (0, 0, np.inf, 1), (91, 0, 5, 5), (1, 2, 3), "abcd", (1, 2, 3, 1e9)]
)
def test_malformed_boxes_are_refused(trial: PhotographTrial, box: Any) -> None:
    with pytest.raises(DataError, match="Box: expected"):
        trial.try_photograph(PHOTOGRAPH, box)


def test_evidence_sums_to_the_difference_from_the_mean_colour(trial: PhotographTrial, untrained_model: Any) -> None:
    """Completeness of integrated gradients (Sundararajan et al., 2017)."""
    pytest.importorskip("captum", reason="captum is not installed")
    tried = trial.try_photograph(PHOTOGRAPH, (10, 10, 40, 40))
    found = trial.evidence(tried, 1)
    assert found.shape == (32, 32)
    images = normalise_images(torch.from_numpy(tried.crop[None]), untrained_model.mean_rgb)
    with torch.no_grad():
        maps = [untrained_model.network(batch)[-1][0, 1].flatten() for batch in (images, torch.zeros_like(images))]
    peak = int(maps[0].argmax())
    assert found.sum() == pytest.approx(float(maps[0][peak] - maps[1][peak]), rel=0.05, abs=1e-4)


@pytest.mark.parametrize("joint", [-1, 3])
def test_evidence_of_an_unknown_joint_is_refused(trial: PhotographTrial, joint: int) -> None:
    with pytest.raises(DataError, match="from 0 to 2"):
        trial.evidence(trial.try_photograph(PHOTOGRAPH, (10, 10, 40, 40)), joint)


def test_threads_get_the_answers_of_one_call(trial: PhotographTrial) -> None:
    boxes = [(5.0 * step, 5, 30, 40) for step in range(6)]
    expected = [trial.try_photograph(PHOTOGRAPH, box).place.component_scores for box in boxes]
    found: dict[int, TriedPerson] = {}
    threads = [
        threading.Thread(target=lambda row=row: found.update({row: trial.try_photograph(PHOTOGRAPH, boxes[row])}))
        for row in range(len(boxes))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for row, scores in enumerate(expected):
        np.testing.assert_array_equal(found[row].place.component_scores, scores)


def test_the_model_of_the_run_is_not_changed(opened: Any, untrained_model: Any) -> None:
    needed = [parameter.requires_grad for parameter in untrained_model.network.parameters()]
    PhotographTrial(opened, PersonFinder()).try_photograph(PHOTOGRAPH)
    assert [parameter.requires_grad for parameter in untrained_model.network.parameters()] == needed


@pytest.mark.parametrize(
    ("quantile", "distance", "words"),
    [
        (0.995, 1.0, "Very unusual"),
        (0.92, 1.0, "Unusual"),
        (0.4, 1.0, "Usual"),
        (np.nan, 1.0, "cannot be said"),
        (0.0, 0.0, "same picture"),
    ],
)
def test_unusualness_in_words(trial: PhotographTrial, quantile: float, distance: float, words: str) -> None:
    place = replace(trial.try_photograph(PHOTOGRAPH).place, quantile=quantile, distances=np.array([distance]))
    text = describe_unusualness(place)
    assert words in text
    assert text.count("\n") == 0
