"""Tests of posescope.evaluation.precision_by_source."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from posescope.core.files import write_json
from posescope.core.tables import Predictions, join_joints, joints_of
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.joined_annotations import join_truths, load_source_truths, read_sources
from posescope.data.coco.project_split import ProjectSplit
from posescope.data.coco.reader import read_annotations
from posescope.data.coco.results_writer import coco_results
from posescope.data.coco.sources import ID_STRIDE, SourceList, combine_folders
from posescope.evaluation.metric_evaluation import evaluate_precision
from posescope.evaluation.precision_by_source import evaluate_sources, results_of_source
from posescope.evaluation.scoring_options import ScoringOptions

UNREAD, SCORING = SourceOptions(train_split="none", val_split="none"), ScoringOptions(resamples=50)
NAMES = ("oks_ap", "oks_ap50", "oks_ap75", "oks_ar")
STREET: dict[str, Any] = {"name": "street", "raw_dir": "street", "images": None}
SPORT: dict[str, Any] = {
    "name": "sport",
    "raw_dir": "sport",
    "images": None,
    "joints": {"hand": "left_hand", "tail": None},
    # Different from the sigma that is guessed for the street's left hand.
    "oks_sigmas": {"hand": 0.3, "neck": 0.2},
}


def write_data_set(root: Path, joints: list[str], persons: list[list[list[float]]]) -> None:
    """Write val and train files with one person per image, from the joints (x, y, v) of each person."""
    images = [{"id": i, "file_name": f"{i}.jpg", "height": 100, "width": 100} for i in range(1, len(persons) + 2)]
    annotations = [
        {
            "id": number, "image_id": number, "category_id": 4, "iscrowd": 0, "bbox": [10, 10, 80, 80], "area": 2500,
            "keypoints": np.ravel(person).tolist(),
        }
        for number, person in enumerate(persons, start=1)
    ]  # fmt: skip
    content = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 4, "name": "person", "keypoints": joints, "skeleton": []}],
    }
    for split in ("train", "val"):
        write_json(root / "annotations" / f"person_keypoints_{split}2017.json", content)


def evaluate(root: Path, sources: SourceList, joints, scores, missed=(), scoring=SCORING):
    """Score predictions (N, K, 2), (N, K) for the validation persons in their order, without those at the places `missed`."""
    folder = combine_folders(CocoFolder(root), sources)
    read = read_sources(folder, UNREAD)
    persons = read.persons[read.persons["split"] == "val"].reset_index(drop=True)
    kept = np.setdiff1d(np.arange(len(persons)), missed)
    table = join_joints(persons["person_id"].to_numpy()[kept], joints[kept], np.float32(scores[kept]), "score")
    predictions = Predictions.validate(table)
    results = coco_results(predictions, persons, read.skeleton.category_id)
    truths = load_source_truths(folder, "val", read.skeleton.category_id)
    values, images = evaluate_sources(truths, results, predictions, read.persons, persons, read.skeleton, "val", scoring)
    return values.by_name, images, predictions, persons, read, truths


@pytest.fixture
def two(tmp_path) -> SourceList:
    """Return three persons with nose and left hand, and two with left hand, neck and a joint that is left out."""
    write_data_set(tmp_path / "street", ["nose", "left_hand"], [[[50, 20, 2], [30, 50, 2]]] * 3)
    write_data_set(tmp_path / "sport", ["hand", "tail", "neck"], [[[30, 50, 2], [9, 9, 2], [50, 30, 2]]] * 2)
    return SourceList.model_validate([STREET, SPORT])


def test_average_precision_of_each_source_by_hand(tmp_path, two) -> None:
    # Joints of the network: nose, left_hand, neck. One of three persons of the street is missed; the second person of the sport
    # is wrong, and has the highest score of all by its nose, which its data set does not annotate.
    joints = np.array([[[50, 20], [30, 50], [0, 0]]] * 3 + [[[90, 90], [30, 50], [50, 30]], [[50, 20], [900, 900], [900, 900]]])
    scores = np.array([[0.8, 0.8, 0.8]] * 3 + [[0.1, 0.6, 0.6], [9.0, 0.5, 0.5]])
    found, images, *_ = evaluate(tmp_path, two, joints.astype(float), scores, missed=[1])
    assert list(found) == [*NAMES, *(f"{name}/{source}" for source in ("street", "sport") for name in NAMES)]
    # 67 of COCO's 101 recalls are at most 2/3, 51 are at most 1/2.
    assert [found[f"{name}/street"].value for name in NAMES] == pytest.approx([67 / 101] * 3 + [2 / 3])
    assert [found[f"{name}/sport"].value for name in NAMES] == pytest.approx([51 / 101] * 3 + [1 / 2])
    # Together: a false alarm, then 3 hits of 5 persons, at precision 3/4.
    assert found["oks_ap"].value == pytest.approx(61 / 101 * 3 / 4)
    assert found["oks_ar"].value == pytest.approx(3 / 5)
    assert [found[name].persons for name in ("oks_ap", "oks_ap/street", "oks_ap/sport")] == [5, 3, 2]
    assert [found[name].source for name in ("oks_ap", "oks_ap/street", "oks_ap/sport")] == [None, "street", "sport"]
    assert {one.protocol for one in found.values()} == {"coco"}
    assert images == [1, 2, 3, 4, *(ID_STRIDE + number for number in (1, 2, 3))]


@pytest.fixture
def noisy(tmp_path):
    """Return two data sets of 20 persons with random labels, and predictions near them."""
    rng = np.random.default_rng(0)

    def persons(count: int) -> list[Any]:
        visible = rng.integers(0, 3, (20, count, 1))
        return np.concatenate([rng.uniform(20, 80, (20, count, 2)).round(1) * (visible > 0), visible], axis=2).tolist()

    write_data_set(tmp_path / "street", ["nose", "left_hand"], persons(2))
    write_data_set(tmp_path / "sport", ["hand", "tail", "neck"], persons(3))
    sources = SourceList.model_validate([STREET, SPORT])
    read = read_sources(combine_folders(CocoFolder(tmp_path), sources), UNREAD)
    ids = read.persons.loc[read.persons["split"] == "val", "person_id"].to_numpy()
    truth = np.nan_to_num(joints_of(read.keypoints, ids)[..., :2], nan=50.0)
    joints, scores = (
        truth + rng.normal(size=truth.shape) * np.repeat([3, 20], 20)[:, None, None],
        rng.uniform(0, 1, truth.shape[:2]),
    )
    return sources, joints, scores


@pytest.mark.parametrize("protocol", ["coco", "crops"])
def test_each_source_scores_as_in_a_run_of_its_own(tmp_path, noisy, protocol) -> None:
    sources, joints, scores = noisy
    scoring = ScoringOptions(resamples=50, protocol=protocol)
    found, *_ = evaluate(tmp_path, sources, joints, scores, scoring=scoring)
    assert 0.1 < found["oks_ap/street"].value < 0.9
    assert 0.1 < found["oks_ap/sport"].value < 0.9
    # Each data set alone, as a list of one, with a network of its joints: nose and left_hand, left_hand and neck.
    for place, (name, own) in enumerate((("street", [0, 1]), ("sport", [1, 2]))):
        rows = np.arange(20 * place, 20 * place + 20)
        alone, *_ = evaluate(
            tmp_path, SourceList((sources.root[place],)), joints[rows][:, own], scores[rows][:, own], scoring=scoring
        )
        assert list(alone) == list(NAMES)
        for metric in NAMES:
            mine, theirs = found[f"{metric}/{name}"], alone[metric]
            assert (mine.value, mine.low, mine.high, mine.persons) == (theirs.value, theirs.low, theirs.high, theirs.persons)


def test_source_without_renamed_joints_scores_as_a_single_data_set(tmp_path, noisy) -> None:
    sources, joints, scores = noisy
    found, *_ = evaluate(tmp_path, sources, joints, scores)
    folder, source = CocoFolder(tmp_path / "street"), SourceOptions(images=None)
    read = read_annotations(folder, source)
    persons = read.persons[read.persons["split"] == "val"]
    table = join_joints(persons["person_id"].to_numpy(), joints[:20, :2], np.float32(scores[:20, :2]), "score")
    results = coco_results(Predictions.validate(table), persons, 4)
    alone, _ = evaluate_precision(folder.annotation_file(source, "val2017"), results, read.skeleton, 0, 50)
    for metric in NAMES:
        assert found[f"{metric}/street"].to_dict() == alone.by_name[metric].to_dict() | {"source": "street"}


def test_results_of_a_source_have_its_joints_and_their_score(tmp_path, two) -> None:
    joints, scores = np.zeros((5, 3, 2)), np.array([[1.0, 0.5, 0.25]] * 5)
    joints[4] = [[1, 2], [3, 4], [5, 6]]
    _, _, predictions, persons, read, (street, sport) = evaluate(tmp_path, two, joints, scores)
    own = persons[persons["source"] == "sport"]
    found = results_of_source(sport, predictions, own, read.skeleton)
    assert [record["image_id"] for record in found] == [1 + ID_STRIDE, 2 + ID_STRIDE]
    assert found[1]["keypoints"] == [3, 4, 1, 5, 6, 1]
    assert found[1]["score"] == pytest.approx(0.375)
    assert sport.skeleton.joints == ("left_hand", "neck")
    assert sport.skeleton.oks_sigmas == (0.3, 0.2)
    assert street.skeleton.oks_sigmas[1] != read.skeleton.oks_sigmas[1] == 0.3
    assert results_of_source(sport, predictions.iloc[:0], own, read.skeleton) == []
    assert [len(record["keypoints"]) for record in join_truths((street, sport), read.skeleton)["annotations"]] == [9] * 5


def test_source_without_persons_that_count_has_no_value(tmp_path, caplog) -> None:
    write_data_set(tmp_path / "street", ["nose", "left_hand"], [[[50, 20, 2], [30, 50, 2]]])
    # The only labelled joint is left out, so no person counts.
    write_data_set(tmp_path / "sport", ["hand", "tail", "neck"], [[[0, 0, 0], [9, 9, 2], [0, 0, 0]]])
    sources = SourceList.model_validate([STREET, SPORT])
    joints = np.array([[[50.0, 20.0], [30.0, 50.0], [0.0, 0.0]]] * 2)
    found, *_ = evaluate(tmp_path, sources, joints, np.ones((2, 3)))
    assert found["oks_ap/street"].value == pytest.approx(1)
    assert np.isnan(found["oks_ap/sport"].value)
    assert (found["oks_ap/sport"].persons, found["oks_ap/sport"].low) == (0, None)
    assert "data set sport is unknown" in caplog.text


def test_images_of_a_source_are_those_of_a_run_of_its_own(tmp_path, two) -> None:
    """The sport has one annotation file, whose validation persons count only; the street's last image has no person."""
    street, sport = two.root
    split = ProjectSplit(val=0.5, test=0.0)
    mixed = SourceList((street, sport.model_copy(update={"split": split})))
    read = read_sources(combine_folders(CocoFolder(tmp_path), mixed), UNREAD)
    validation = read.persons[read.persons["split"] == "val"]
    assert validation["source"].tolist() == ["street"] * 3 + ["sport"]
    joints = np.array([[[50.0, 20.0], [30.0, 50.0], [50.0, 30.0]]] * 4)
    found, images, *_ = evaluate(tmp_path, mixed, joints, np.ones((4, 3)))
    assert images == [1, 2, 3, 4, int(validation["image_id"].iloc[-1])]
    assert [found[f"oks_ap{end}"].persons for end in ("", "/street", "/sport")] == [4, 3, 1]
    # A person of the street without crop: missed, also if it is alone in its image.
    kept = validation.iloc[1:]
    accepted = pd.concat([read.persons[read.persons["split"] == "train"], kept])
    truths = load_source_truths(combine_folders(CocoFolder(tmp_path), mixed), "val", read.skeleton.category_id)
    table = join_joints(kept["person_id"].to_numpy(), joints[1:], np.ones((3, 3), np.float32), "score")
    results = coco_results(Predictions.validate(table), kept, read.skeleton.category_id)
    values, _ = evaluate_sources(truths, results, table, accepted, kept, read.skeleton, "val", SCORING)
    assert values.by_name["oks_ar/street"].value == pytest.approx(2 / 3)
    assert values.by_name["oks_ar"].value == pytest.approx(3 / 4)
