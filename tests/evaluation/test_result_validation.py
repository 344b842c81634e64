"""Tests of posescope.evaluation.result_validation: external results are validated by record; damaged files score no better."""

import contextlib
import copy
import io
import json
import math
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from posescope.core.errors import PosescopeError
from posescope.core.skeleton import Skeleton
from posescope.core.tables import Keypoints, Persons, join_joints, required_columns
from posescope.evaluation.external_results import match_results, read_results
from posescope.evaluation.metrics.average_precision import evaluate_coco
from posescope.evaluation.metrics.base import MetricError
from posescope.evaluation.metrics.oks import person_oks
from posescope.evaluation.result_validation import check_results

IMAGES = [{"id": 4, "file_name": "a.jpg"}, {"id": 5, "file_name": "sub/b.jpg"}, {"id": -7, "file_name": "c.jpg"}]


def record(**changes: Any) -> dict[str, Any]:
    return {"image_id": 4, "category_id": 3, "keypoints": [1, 2.5, 0.5, 3, 4, 0], "score": 0.5, **changes}


def check(*records: Any, images: Any = IMAGES, **options: Any) -> list[dict[str, Any]]:
    return check_results(records, 2, 3, images, **options)


def test_valid_record_is_returned_with_the_scored_fields() -> None:
    more = {"bbox": [1, 2, 3, 4], "caption": "", "idx": None}
    assert check(record(**more), record(image_id=-7, score=-3)) == [record(), record(image_id=-7, score=-3)]
    assert check() == []
    assert check(record(image_id=5.0, category_id=3.0)) == [record(image_id=5)]


def test_other_categories_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    assert check(record(), record(category_id=1, keypoints=[])) == [record()]
    assert "1 of 2 records are of other categories" in caplog.text
    with pytest.raises(MetricError, match="category"):
        check(record(category_id=1), record(category_id=0))


@pytest.mark.parametrize(
    ("broken", "field"),
    [
        ("record", "object"),
        (None, "object"),
        ({"image_id": 4}, "missing"),
        *((record(score=value), "score") for value in (None, "0.5", True, math.nan)),
        *((record(keypoints=value), "keypoints") for value in (None, "1 2 3", {}, [1, 2, 0], [[1, 2, 0], [3, 4, 0]])),
        (record(keypoints=[1, 2, 0, 3, 4, math.nan]), "place 5"),
        (record(keypoints=[1, 2, 0, -math.inf, 4, 0]), "place 3"),
        (record(keypoints=[1, 2, 0, 10**400, 4, 0]), "place 3"),
        (record(keypoints=[1, 2, 0, False, 4, 0]), "place 3"),
        (record(keypoints=[0, 0, 0, 2e5, 1e5, 0]), "px"),
        *((record(category_id=value), "category_id") for value in (True, "3")),
        *((record(image_id=value), "image_id") for value in (None, True, 4.5, [4], 2**70, 9, "d.jpg")),
        *((record(file_name=value), "file_name") for value in ("d.jpg", 4)),
    ],
    ids=repr,
)
def test_invalid_record_is_one_line_with_its_number_and_field(broken: Any, field: str) -> None:
    with pytest.raises(MetricError, match=rf"\n  record 1: .*{field}") as caught:
        check(record(), broken, record(), source="theirs")
    assert len(str(caught.value).splitlines()) == 2


def test_list_of_errors_is_bounded() -> None:
    with pytest.raises(MetricError, match="40 of 40") as caught:
        check(*[record(score=None)] * 40)
    lines = str(caught.value).splitlines()
    assert len(lines) == 12
    assert lines[-1] == "  and 30 more"


def test_file_names_override_image_ids(caplog: pytest.LogCaptureFixture) -> None:
    named = (
        record(image_id=5, file_name="/photos/a.jpg"),
        record(image_id="b.jpg"),
        record(image_id="c"),
        record(file_name=None),
    )
    assert [one["image_id"] for one in check(*named)] == [4, 5, -7, 4]
    assert "1 of 4 records have another image_id than the annotation file for their file_name" in caplog.text
    # Without names in the annotation file the image_id is used.
    assert check(record(file_name="a.jpg", image_id=5), images=[{"id": 5}])[0]["image_id"] == 5


def test_ambiguous_names_are_an_error() -> None:
    images = [{"id": 1, "file_name": "x/a.jpg"}, {"id": 2, "file_name": "y/a.jpg"}, {"id": 3, "file_name": "z.jpg"}]
    with pytest.raises(MetricError, match="ambiguous"):
        check(record(file_name="a.jpg"), images=images)
    twice = [*images, {"id": 9, "file_name": "z.jpg"}]
    with pytest.raises(MetricError, match="ambiguous"):
        check(record(file_name="z.jpg"), images=twice)
    assert check(record(file_name="z.jpg", image_id=9), images=twice)[0]["image_id"] == 9


# --- fuzzing: 400 seeded mutations of a results file ---------------------------------------------------------------------------

JOINTS, MUTATIONS = 5, 400
SKELETON = Skeleton(tuple("abcde"), ((0, 1),), (0.08,) * JOINTS, category_id=1)
Mutation = Callable[[random.Random, list[Any]], Any]
BAD_NUMBERS = (math.nan, math.inf, -math.inf, None, "12", "", True, [1], {}, 1e300, 10**400, -(10**30))


class ScoredWorld:
    """Ten images with two persons each, and results ranked by their OKS, which is the order with the highest AP."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        corner = rng.uniform(0, 200, (20, 1, 2))
        points = corner + rng.uniform(0, 100, (20, JOINTS, 2))
        visibility = np.full((20, JOINTS), 2, np.uint8)
        noise = rng.normal(0, 1, points.shape) * np.linspace(0.2, 12, 20)[:, None, None]
        oks = person_oks(points + noise, points, visibility, np.full(20, 5000.0), SKELETON.oks_sigmas)
        self.truth = {
            "images": [{"id": 1 + i, "file_name": f"im{i}.jpg"} for i in range(10)],
            "categories": [{"id": 1, "name": "person", "keypoints": list(SKELETON.joints)}],
            "annotations": [
                {"id": 1 + i, "image_id": 1 + i // 2, "category_id": 1, "iscrowd": 0, "area": 5000.0, "num_keypoints": JOINTS}
                | {"bbox": [0, 0, 100, 100], "keypoints": np.c_[points[i], visibility[i]].ravel().tolist()}
                for i in range(20)
            ],
        }
        self.results = [
            {"image_id": 1 + i // 2, "category_id": 1, "score": float(oks[i])}
            | {"keypoints": np.c_[points[i] + noise[i], np.ones(JOINTS)].ravel().tolist()}
            for i in range(20)
        ]
        ids = np.arange(1, 21)
        table = pd.DataFrame({"person_id": ids, "annotation_id": ids, "image_id": 1 + (ids - 1) // 2, "split": "val"})
        table = table.assign(source_split="val", file_name=[f"im{(i - 1) // 2}.jpg" for i in ids], image_h=400, image_w=400)
        table = table.assign(bbox_x=0, bbox_y=0, bbox_w=100, bbox_h=100, area=5000, is_crowd=False)
        self.persons = Persons.validate(table[required_columns(Persons)])
        self.keypoints = Keypoints.validate(join_joints(ids, points, visibility, "visibility"))
        self.points, self.visibility = points, visibility

    def metric_values(self, results: list[Any]) -> dict[str, float]:
        """Average precision and recall, and the mean over persons of the OKS of each one's best result."""
        found = evaluate_coco(self.truth, results, SKELETON.oks_sigmas, category_id=1).metric_values
        checked = check_results(results, JOINTS, 1, self.truth["images"])
        table = match_results(checked, self.persons, self.keypoints, SKELETON)
        rows = table["person_id"].to_numpy()[::JOINTS] - 1
        own = table[["x", "y"]].to_numpy().reshape(-1, JOINTS, 2).astype(float)
        oks = person_oks(own, self.points[rows], self.visibility[rows], np.full(len(rows), 5000.0), SKELETON.oks_sigmas)
        return {name: found[name] for name in ("AP", "AP50", "AP75", "AR")} | {"oks": float(oks.sum()) / len(self.persons)}


@pytest.fixture(scope="module")
def world() -> ScoredWorld:
    return ScoredWorld()


def _pick(rng: random.Random, content: list[Any]) -> dict[str, Any]:
    picked: dict[str, Any] = rng.choice(content)
    return picked


def _bad_number(rng: random.Random, content: list[Any]) -> None:
    _pick(rng, content)["keypoints"][rng.randrange(3 * JOINTS)] = rng.choice(BAD_NUMBERS)


def _bad_field(rng: random.Random, content: list[Any]) -> None:
    field = rng.choice(["image_id", "category_id", "score", "keypoints"])
    _pick(rng, content)[field] = rng.choice([*BAD_NUMBERS, "im3.jpg", "val/im4.jpg", -1, 0, 99, 3.0, 2.5, [], [None] * 15])


def _missing_field(rng: random.Random, content: list[Any]) -> None:
    del _pick(rng, content)[rng.choice(["image_id", "category_id", "score", "keypoints"])]


def _more_fields(rng: random.Random, content: list[Any]) -> None:
    for one in content if rng.random() < 0.5 else content[:1]:
        one |= {rng.choice(["bbox", "caption", "segmentation", "id", "area"]): rng.choice([None, "", [], [0, 0, 1, 1], 10**400])}


def _names(rng: random.Random, content: list[Any]) -> None:
    wrong = rng.random() < 0.5
    for one in content:
        one["file_name"] = f"{rng.choice(['', 'val/', './'])}im{rng.randrange(12) if wrong else one['image_id'] - 1}.jpg"


def _swapped_images(rng: random.Random, content: list[Any]) -> None:
    one, other = rng.sample(content, 2)
    one["image_id"], other["image_id"] = other["image_id"], one["image_id"]


def _other_scores(rng: random.Random, content: list[Any]) -> None:
    _pick(rng, content)["score"] = rng.choice([0, -5, 7.5, 1e8, -1e8])


def _duplicates(rng: random.Random, content: list[Any]) -> None:
    content += copy.deepcopy(rng.sample(content, rng.randrange(1, 5))) * rng.choice([1, 30])


def _far_joints(rng: random.Random, content: list[Any]) -> None:
    _pick(rng, content)["keypoints"][3 * rng.randrange(JOINTS)] = rng.choice([-1e3, 1e4, 9e8, -9e8])


def _other_lengths(rng: random.Random, content: list[Any]) -> None:
    one = _pick(rng, content)
    points = one["keypoints"]
    one["keypoints"] = rng.choice([points[:-1], [*points, 1.0], [], points[:3], [points], points * 2])


def _other_records(rng: random.Random, content: list[Any]) -> None:
    content.insert(rng.randrange(len(content)), rng.choice([None, 3, "record", [], {}, {"annotations": []}, True, math.nan]))


MUTATORS: tuple[Mutation, ...] = (
    *(_bad_number, _bad_field, _missing_field, _more_fields, _names, _swapped_images),
    *(_other_scores, _duplicates, _far_joints, _other_lengths, _other_records),
)


def test_valid_file_scores_as_in_pycocotools(world: ScoredWorld) -> None:
    """Control of the fuzzing: metric values that can increase and decrease."""
    metric_values = world.metric_values(world.results)
    expected = COCO()
    with contextlib.redirect_stdout(io.StringIO()):
        expected.dataset = copy.deepcopy(world.truth)
        expected.createIndex()
        evaluation = COCOeval(expected, expected.loadRes(copy.deepcopy(world.results)), "keypoints")
        evaluation.params.kpt_oks_sigmas = np.array(SKELETON.oks_sigmas)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    assert metric_values["AP"] == evaluation.stats[0]
    assert all(0.4 < value < 0.95 for value in metric_values.values()), metric_values
    assert metric_values == world.metric_values([{**one, "file_name": f"im{one['image_id'] - 1}.jpg"} for one in world.results])


def test_damaged_files_are_refused_or_score_no_better(world: ScoredWorld, tmp_path: Path) -> None:
    clean, ends = world.metric_values(world.results), Counter[str]()
    for number in range(MUTATIONS):
        rng = random.Random(number)
        content = copy.deepcopy(world.results)
        for mutate in rng.sample(MUTATORS, rng.choice([1, 1, 2])):
            with contextlib.suppress(KeyError, TypeError, IndexError):  # the first mutation removed the field of the second one
                mutate(rng, content)
        text = json.dumps(content)
        if rng.random() < 0.1:
            text = text[: rng.randrange(len(text))]
        path = tmp_path / "results.json"
        path.write_text(text)
        try:
            metric_values = world.metric_values(read_results(path))
        except PosescopeError:
            ends["refused"] += 1
            continue
        ends["scored"] += 1
        assert all(math.isfinite(value) and value <= clean[name] + 1e-9 for name, value in metric_values.items()), (
            number,
            metric_values,
        )
    assert ends.total() == MUTATIONS
    assert min(ends["refused"], ends["scored"]) > MUTATIONS / 10, ends
    print(f"{MUTATIONS} mutations of a results file: {dict(ends)}")  # noqa: T201
