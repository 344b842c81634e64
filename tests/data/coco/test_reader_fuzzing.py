"""Fuzzing of the annotation reader: 1,500 damaged files give a named error or consistent persons, boxes and splits."""

import copy
import gzip
import io
import json
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandera.config import config_context

from posescope.core.errors import PosescopeError
from posescope.core.tables import CropBoxes, Issues, Keypoints, Persons
from posescope.data.coco import annotation_validation as checks
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.person_filters import MAX_BOX_DISTANCE, filter_persons
from posescope.data.coco.reader import Annotations, read_annotations
from posescope.data.coco.repair import parse_int64, repair_ids
from posescope.data.crops.crop_boxes import BoxedPersons, box_persons, targets_in_crops
from posescope.data.crops.dataset_split import sample_splits
from posescope.data.crops.options import CropOptions, SplitOptions

ROUNDS, CASES = 15, 100
CROPS = tuple(CropOptions(rule=rule, size_px=64) for rule in ("centred_square", "padded_square"))
SCHEMAS = {"persons": Persons, "keypoints": Keypoints, "issues": Issues, "boxes": CropBoxes}
TOKENS = (
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"9" * 5000,
    b"null",
    b'"',
    b"{",
    b"]",
    b",",
    b"\\u0000",
    b"\\ud800",
    b"\xff",
    b"[" * 3000,
)

# Unexpected values that JSON can contain. Python's reader also accepts NaN, infinities and integers of any size.
UNEXPECTED_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 7, 51, 0.5, -0.0, 1.0, 7.0, 2**31, 2**63, -(2**63) - 1, 10**30, 10**400,
    1e9, 1e300, 1e-320, float("nan"), float("inf"), float("-inf"),
    "", "1", "7", "person", "one.png", "a b.png", "größe ü 図.png", "../one.png", "/etc/passwd", "a\\b.png", "a\0b.png",
    "\ud800.png", "x" * 300, [], {}, [[]], [1, 2, 3, 4], [1, 2, "3", 4], [1, 2, None, 4], [float("nan")] * 4, {"nose": [1, 2, 2]},
    [0] * 9, [1, 2, 2] * 3, [5, 5, 3] * 3, [2, 2, 2, [1], 1, 2, 1, 1, 0], [True] * 9, [10**400] * 9, [1e8, 1e8, 2] * 3,
)  # fmt: skip

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def no_images():
    """Return a source without images, so that file names can be damaged too."""
    return SourceOptions(images=None)


def damage_tree(random: Random, content: Any) -> Any:
    """Return a copy with one node replaced, deleted, doubled or swapped with a sibling."""
    content = copy.deepcopy(content)
    container, key = random.choice(list_nodes(content))
    action = random.choice(("replace", "replace", "replace", "delete", "double", "swap"))
    if action == "replace":
        container[key] = copy.deepcopy(random.choice(UNEXPECTED_VALUES))
    elif action == "delete":
        del container[key]
    elif action == "double" and isinstance(container, list):
        container.insert(random.randrange(len(container) + 1), copy.deepcopy(container[key]))
    else:
        other = random.choice(list(container) if isinstance(container, dict) else range(len(container)))
        container[key], container[other] = container[other], container[key]
    return content


def list_nodes(content: Any) -> list[tuple[Any, Any]]:
    """List all nodes below the root, as container and key."""
    if not isinstance(content, dict | list):
        return []
    keys = list(content) if isinstance(content, dict) else range(len(content))
    return [(content, key) for key in keys] + [node for key in keys for node in list_nodes(content[key])]


def damage_bytes(random: Random, raw: bytes) -> bytes:
    """Return the bytes truncated, with a flipped bit, or with an insertion, deletion or swap."""
    first, second = sorted(random.randrange(len(raw) + 1) for _ in range(2))
    variants = {
        "cut": raw[:first],
        "flip": raw[:first] + bytes(byte ^ 1 << random.randrange(8) for byte in raw[first : first + 1]) + raw[first + 1 :],
        "insert": raw[:first] + random.choice(TOKENS) + raw[first:],
        "replace": raw[:first] + random.choice(TOKENS) + raw[first + 1 :],
        "delete": raw[:first] + raw[first + random.randrange(1, 20) :],
        "swap": raw[:first] + raw[second : second + 8] + raw[first + 8 : second] + raw[first : first + 8] + raw[second + 8 :],
    }
    return variants[random.choice(sorted(variants))]


def damage_digits(random: Random, raw: bytes) -> bytes:
    """Replace one to three digits; the result is mostly valid JSON with other numbers."""
    positions = [position for position, byte in enumerate(raw) if chr(byte).isdigit()]
    damaged = bytearray(raw)
    for position in random.sample(positions, random.randrange(1, 4)):
        damaged[position] = ord(random.choice("0123456789-.e"))
    return bytes(damaged)


def write_case(random: Random, root: Path, content: dict[str, Any]) -> Path:
    """Write a damaged annotation file of the split train2017, plain or gzipped."""
    kind = random.choice(("tree", "tree", "bytes", "digits", "zip"))
    for _ in range(random.choice((1, 1, 2, 5)) if kind == "tree" else 0):
        content = damage_tree(random, content) if content else content
    raw = json.dumps(content, ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass")
    if kind in ("bytes", "digits"):
        raw = (damage_bytes if kind == "bytes" else damage_digits)(random, raw)
    folder = root / "annotations"
    plain, zipped = folder / "person_keypoints_train2017.json", folder / "person_keypoints_train2017.json.gz"
    for path in (plain, zipped):
        path.unlink(missing_ok=True)
    if kind == "zip":
        zipped.write_bytes(damage_bytes(random, gzip.compress(raw)))
        return zipped
    plain.write_bytes(raw)
    return plain


def run_case(random: Random, root: Path, source: SourceOptions, path: Path, made: dict[str, list[pd.DataFrame]]) -> str:
    """Return the name of the error, or "splits" if all steps succeed with consistent results."""
    options = random.choice(CROPS)
    try:
        read = read_annotations(CocoFolder(root), source)
        filtered = filter_persons(read.persons, read.keypoints, ())
        boxed = box_persons(filtered.persons, read.keypoints, options)
        check_reading(read, path)
        assert_accepted_or_rejected(read.persons, filtered.persons, filtered.issues)
        assert_accepted_or_rejected(filtered.persons, boxed.persons, boxed.issues)
        check_crop_boxes(boxed, read.keypoints, options)
        issues = pd.concat([read.issues, filtered.issues, boxed.issues])
        for name, table in {
            "persons": read.persons,
            "keypoints": read.keypoints,
            "issues": issues,
            "boxes": boxed.crop_boxes,
        }.items():
            made[name].append(table)
        persons = sample_splits(boxed.persons, SplitOptions(max_test_fraction=0.5))
    except PosescopeError as error:
        return type(error).__name__ if len(str(error)) > 20 else f"no clear message: {error}"
    check_splits(boxed.persons, persons)
    return "splits"


def check_reading(read: Annotations, path: Path) -> None:
    raw = path.read_bytes()
    content = json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)
    category = read.skeleton.category_id
    others = sum(
        isinstance(record, dict) and (found := parse_int64(record.get("category_id", category))) is not None and found != category
        for record in content["annotations"]
    )  # fmt: skip
    persons, issues = (table[table["source_split"] == "train2017"] for table in (read.persons, read.issues))
    assert set(issues["outcome"]) <= {"rejected", "repaired", "warned"}
    # Repaired records and records with a warning are persons or images.
    accepted = issues[(issues["outcome"] != "rejected") & (issues["annotation_id"] != -1)]
    assert accepted["annotation_id"].isin(persons["annotation_id"]).all()
    issues = issues[issues["outcome"] == "rejected"]
    of_images = issues["reason"].str.startswith(("image ", "file_name "))
    assert len(persons) + (~of_images).sum() + others == len(content["annotations"])
    assert (issues["reason"] != "").all()
    assert persons["annotation_id"].is_unique
    assert (persons[["bbox_w", "bbox_h", "area"]] > 0).all(axis=None)
    assert np.isfinite(persons[["bbox_x", "bbox_y", "bbox_w", "bbox_h", "area"]].to_numpy()).all()
    if not of_images.any():
        check_average_precision(read, persons, content)
    labelled = read.keypoints["visibility"] > 0
    assert (read.keypoints.loc[labelled, ["x", "y"]].notna()).all(axis=None)
    assert (read.keypoints.loc[~labelled, ["x", "y"]].isna()).all(axis=None)


def check_average_precision(read: Annotations, persons: pd.DataFrame, content: dict[str, Any]) -> None:
    """Check that the records for average precision are the persons of PCK and OKS, with the same areas."""
    images = [image["id"] for image in map(repair_image, content["images"])]
    records = checks.validate_annotations(content["annotations"], images, len(read.skeleton), read.skeleton.category_id).records
    expected = persons.set_index("annotation_id")["area"]
    assert {record["id"]: np.float32(record["area"]) for record in records} == expected.to_dict()
    labelled = read.keypoints[read.keypoints["visibility"] > 0].groupby("person_id").size()
    counts = persons["person_id"].map(labelled).fillna(0).astype(int).tolist()
    stated = [record.get("num_keypoints") for record in records]
    assert [count if number is None else number for number, count in zip(stated, counts, strict=True)] == counts


def repair_image(image: Any) -> dict[str, Any]:
    return repair_ids(image, ("id",))[0]


def assert_accepted_or_rejected(before: pd.DataFrame, after: pd.DataFrame, issues: pd.DataFrame) -> None:
    """Assert that every person is either accepted or listed with a reason."""
    keys = ["source_split", "annotation_id"]
    both = pd.concat([after[keys], issues[keys]])
    assert sorted(map(tuple, both.to_numpy().tolist())) == sorted(map(tuple, before[keys].to_numpy().tolist()))


def check_crop_boxes(boxed: BoxedPersons, keypoints: pd.DataFrame, options: CropOptions) -> None:
    sizes = boxed.persons[["image_w", "image_h"]].to_numpy(np.int64)
    first, side = boxed.crop_boxes[["left", "top"]].to_numpy(), boxed.crop_boxes[["side"]].to_numpy()
    if options.rule == "centred_square":
        assert ((first >= 0) & (first + side <= sizes)).all()
    else:
        assert ((first + side > 0) & (first < sizes)).all()
        assert (side <= np.ceil(1.1 * (1 + 2 * MAX_BOX_DISTANCE) * sizes.max(axis=1, initial=1, keepdims=True))).all()
    targets = targets_in_crops(boxed.crop_boxes, keypoints)
    joints, labelled = targets.joints, targets.visibility > 0
    assert np.isfinite(joints[labelled]).all()
    assert np.isnan(joints[~labelled]).all()
    assert labelled.any(axis=1).all()
    # Snapping may move a border by 1.5 image px (see `targets_in_crops`); float32 is inexact for integers beyond 2^24.
    slack = np.broadcast_to(1.5 * options.size_px / side[..., None] + 1e-3, joints.shape)[labelled]
    inside = (joints[labelled] > -0.5 - slack) & (joints[labelled] < options.size_px - 0.5 + slack)
    assert inside.all()


def check_tables(made: dict[str, list[pd.DataFrame]]) -> None:
    """Check that the tables of many cases fit their schemas and are unchanged by files."""
    for name, schema in SCHEMAS.items():
        shifts = range(0, 100 * len(made[name]), 100)  # person ids are unique over all cases
        frames = [
            table.assign(person_id=table["person_id"] + shift) if "person_id" in table else table
            for table, shift in zip(made[name], shifts, strict=True)
        ]
        table = schema.validate(pd.concat(frames, ignore_index=True))
        stream = io.BytesIO()
        table.to_parquet(stream)
        pd.testing.assert_frame_equal(pd.read_parquet(stream), table)
        assert len(pd.read_csv(io.StringIO(table.to_csv(index=False)), keep_default_na=False)) == len(table)


def check_splits(before: pd.DataFrame, after: pd.DataFrame) -> None:
    assert after["person_id"].tolist() == before["person_id"].tolist()
    assert (after["split"] == "test").sum() <= (after["split"] == "val").sum()
    assert (after.groupby(["source_split", "file_name"])["split"].nunique() == 1).all()


@pytest.mark.parametrize("round_", [*range(3), *(pytest.param(number, marks=pytest.mark.slow) for number in range(3, ROUNDS))])
def test_damaged_file_gives_a_named_error_or_a_consistent_result(tiny_coco, no_images, round_):
    content = tiny_coco.read("train2017")
    ends: dict[str, int] = {}
    made: dict[str, list[pd.DataFrame]] = {name: [] for name in SCHEMAS}
    for case in range(CASES):
        seed = round_ * CASES + case
        random = Random(seed)
        path = write_case(random, tiny_coco.root, content)
        source = no_images if random.random() < 0.5 else SourceOptions()
        try:
            # Schema validation dominates the time for small tables: one case in 25 is validated here, and all at the end.
            with config_context(validation_enabled=case % 25 == 0):
                end = run_case(random, tiny_coco.root, source, path, made)
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise
        ends[end] = ends.get(end, 0) + 1
    check_tables(made)
    # The damage is useful only if some files are refused and others are read.
    assert set(ends) == {"DataError", "splits"}
    assert min(ends.values()) > CASES // 10
