"""Tests of posescope.data.coco.annotation_stream: pieces have the content of the whole file, and its errors."""

import gzip
import json

import pytest

from posescope.core.errors import DataError
from posescope.data.coco import annotation_stream
from posescope.data.coco.annotation_stream import load_annotation_file, read_in_pieces

IMAGES = [{"id": number, "file_name": f"größe {number}.jpg", "note": [1.5, None, {"a": "]}"}]} for number in range(5)]
ANNOTATIONS = [{"id": number, "keypoints": [number] * number, "bbox": [1e3, -0.5, 10**20, number]} for number in range(20)]
CATEGORIES = [{"id": 1, "name": "person", "keypoints": ["nose"]}]
CONTENT = {"info": {"year": 2017}, "images": IMAGES, "annotations": ANNOTATIONS, "categories": CATEGORIES}


class Collected:
    """Keeps what it receives."""

    def __init__(self):
        self.images, self.categories, self.pieces = [], [], []

    def begin(self, images, categories):
        self.images, self.categories = images, categories

    def add(self, annotations):
        self.pieces.append(list(annotations))

    @property
    def content(self):
        annotations = [record for piece in self.pieces for record in piece]
        return {"images": self.images, "annotations": annotations, "categories": self.categories}


@pytest.fixture(autouse=True)
def small_windows(monkeypatch):
    monkeypatch.setattr(annotation_stream, "_WINDOW_BYTES", 64)
    monkeypatch.setattr(annotation_stream, "PIECE_RECORDS", 7)


@pytest.fixture
def no_whole_reading(monkeypatch):
    def refuse(path):
        raise AssertionError(f"{path} was read as a whole")

    monkeypatch.setattr(annotation_stream, "load_annotation_file", refuse)


def write(tmp_path, content, encoding="utf-8", **options):
    path = tmp_path / "a.json"
    path.write_bytes(json.dumps(content, **options).encode(encoding))
    return path


@pytest.mark.parametrize(
    "order",
    [
        ("info", "images", "annotations", "categories"),
        ("categories", "images", "info", "annotations"),
        ("annotations", "images", "categories"),
        ("categories", "annotations", "images"),
    ],
)
def test_pieces_have_the_content_of_the_file_in_any_order_of_its_lists(tmp_path, order, no_whole_reading):
    path = write(tmp_path, {name: CONTENT[name] for name in order}, ensure_ascii=False)
    found = read_in_pieces(path, Collected)
    assert found.content == {name: CONTENT[name] for name in ("images", "annotations", "categories")}
    assert [len(piece) for piece in found.pieces] == [7, 7, 6]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32-le"])
def test_other_encodings_and_spaces_are_read(tmp_path, encoding, no_whole_reading):
    path = write(tmp_path, CONTENT, encoding, ensure_ascii=False, indent=3)
    assert read_in_pieces(path, Collected).content["annotations"] == ANNOTATIONS


def test_gzip_is_read(tmp_path, no_whole_reading):
    path = tmp_path / "a.json.gz"
    path.write_bytes(gzip.compress(json.dumps(CONTENT).encode()))
    assert read_in_pieces(path, Collected).content["annotations"] == ANNOTATIONS


def test_categories_that_the_end_of_the_file_does_not_have_are_read_again(tmp_path, no_whole_reading, monkeypatch):
    monkeypatch.setattr(annotation_stream, "_WINDOW_BYTES", 10_000)
    made = []

    def make():
        made.append(Collected())
        return made[-1]

    content = {**CONTENT, "about": {"categories": [{"name": "other"}]}}
    found = read_in_pieces(write(tmp_path, content), make)
    assert [one.categories for one in made] == [[{"name": "other"}], CATEGORIES]
    assert found is made[1]
    assert found.content["annotations"] == ANNOTATIONS


def test_file_without_records_has_no_piece(tmp_path, no_whole_reading):
    found = read_in_pieces(write(tmp_path, {"images": [], "annotations": [], "categories": []}), Collected)
    assert (found.pieces, found.images, found.categories) == ([], [], [])


TEXT = json.dumps(CONTENT)


@pytest.mark.parametrize(
    "text",
    [
        TEXT[:-1],
        TEXT[:300],
        TEXT + "]",
        TEXT.replace("{", "{,", 1),
        TEXT[:-1] + ",}",
        "",
        "[]",
        "{}",
        TEXT.replace('"year": 2017', '"year": 2017, "year": 1'),
        TEXT.replace('"id": 19', '"id": 19, "id": 20'),
        TEXT.replace('{"info"', '{"images": [], "info"'),
        TEXT.replace('"categories": [', '"categories": {"a": [').replace("}]}", "}]}}"),
        TEXT.replace("2017", "9" * 5000),
        TEXT.replace("2017", "[" * 100_000),
        TEXT.replace('"annotations"', '"boxes"'),
        TEXT.replace('}, {"id": 19', '} {"id": 19'),
        TEXT.replace('"id": 19', '"id": \x01'),
    ],
)
def test_damaged_file_gives_the_error_of_the_whole_file(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(DataError) as expected:
        load_annotation_file(path)
    with pytest.raises(DataError) as found:
        read_in_pieces(path, Collected)
    assert str(found.value) == str(expected.value)


def test_damaged_bytes_and_missing_files_are_refused(tmp_path):
    damaged = tmp_path / "a.json.gz"
    damaged.write_bytes(gzip.compress(TEXT.encode())[:-20])
    for path in (damaged, tmp_path / "gone.json"):
        with pytest.raises(DataError):
            read_in_pieces(path, Collected)


def test_fault_of_a_file_that_is_too_large_to_be_read_as_a_whole_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(annotation_stream, "MAX_JSON_BYTES", 100)
    with pytest.raises(DataError, match="expected"):
        read_in_pieces(write(tmp_path, {**CONTENT, "images": {}}), Collected)


def test_values_beyond_the_limits_are_read_as_a_whole(tmp_path, monkeypatch):
    whole = []
    monkeypatch.setattr(annotation_stream, "_MAX_WINDOW_CHARACTERS", 1000)
    monkeypatch.setattr(annotation_stream, "load_annotation_file", lambda path: whole.append(path) or load_annotation_file(path))
    path = write(tmp_path, {"note": "x" * 10_000, **CONTENT})
    assert read_in_pieces(path, Collected).content["annotations"] == ANNOTATIONS
    assert whole == [path]


def test_errors_of_the_consumer_are_raised(tmp_path):
    class Refusing(Collected):
        def add(self, annotations):
            raise DataError("refused")

    with pytest.raises(DataError, match="refused"):
        read_in_pieces(write(tmp_path, CONTENT), Refusing)
