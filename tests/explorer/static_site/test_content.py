"""Data of a page without a server: packed arrays give back the table."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.explorer.hand_made_table import table_of, thumbnails_of

from posescope.explorer.opened_run import OpenedRun, open_run
from posescope.explorer.person_columns import CategoryColumn, RangeColumn, columns_of
from posescope.explorer.static_site.content import UNKNOWN_JOINT, site_content
from posescope.explorer.static_site.shown_persons import ShownPersons
from posescope.explorer.static_site.traversals import Traversal, TraversalPicture, Traversals
from posescope.explorer.table_file import ExplorerStore

ROWS, FEATURED = np.array([0, 1, 3, 4]), np.array([True, True, False, True])


def unpack(packed: dict[str, str]) -> NDArray[Any]:
    return np.frombuffer(base64.b64decode(packed["bdata"]), dtype=f"<{packed['dtype']}")


def run_of(folder: Path, **about: object) -> OpenedRun:
    ExplorerStore(folder / "08_reporting" / "explorer").write(table_of(6, **about), thumbnails_of)
    return open_run(folder)


def content_of(opened: OpenedRun, traversals: Traversals | None = None) -> dict[str, Any]:
    shown = ShownPersons(ROWS, FEATURED)
    return site_content(opened, columns_of(opened.persons, opened.about), shown, traversals or Traversals(note="none"))


@pytest.fixture
def opened(tmp_path: Path) -> OpenedRun:
    return run_of(tmp_path)


def test_ids_names_and_places_are_those_of_the_shown_persons(opened: OpenedRun) -> None:
    content = content_of(opened)
    assert content["person_ids"] == [10, 11, 13, 14]
    persons = opened.persons.iloc[[0, 1, 3, 4]]  # as text: JavaScript rounds numbers above 2^53
    assert content["image_ids"] == [str(one) for one in persons["image_id"]]
    assert content["annotation_ids"] == [str(one) for one in persons["annotation_id"]]
    assert content["file_names"] == ["0.jpg", "1.jpg", "3.jpg", "4.jpg"]
    assert [content["splits"][one] for one in unpack(content["split_of"])] == ["train2017"] * 4
    assert unpack(content["map"]["x"]).tolist() == [0, 1, 3, 4]
    assert content["slices"][0]["words"] == "persons in dark images (1 person, PCK 0.50, all others 0.90)"


def test_columns_are_packed_without_loss(opened: OpenedRun) -> None:
    columns = columns_of(opened.persons, opened.about)
    for packed in content_of(opened)["columns"]:
        column = columns[packed["name"]]
        if isinstance(column, RangeColumn):
            assert np.array_equal(unpack(packed["values"]), column.values[ROWS].astype(np.float32), equal_nan=True)
            assert packed["limits"] == list(column.limits)
        else:
            assert isinstance(column, CategoryColumn)
            bits = unpack(packed["members"]).reshape(len(column.labels), -1)
            found = np.unpackbits(bits, axis=1, bitorder="little")[:, : len(ROWS)]
            assert np.array_equal(found.T.astype(bool), column.members[ROWS])
    assert {packed["name"] for packed in content_of(opened)["columns"]} == set(columns)


def test_joints_are_tenths_of_a_pixel_and_unlabelled_ones_unknown(opened: OpenedRun) -> None:
    content = content_of(opened)
    true = unpack(content["joints_true"]).reshape(len(ROWS), 2, 2)
    assert true[0].tolist() == [[0, 0], [0, 0]]
    assert (true[1] == UNKNOWN_JOINT).all()
    assert true[2].tolist() == [[30, 30], [30, 30]]
    assert (unpack(content["joints_predicted"]) == 5).all()
    assert (unpack(content["scores"]) == 0.5).all()
    assert content["skeleton"]["limbs"] == [[0, 1, "#00b978"]]  # between left and right: the middle's colour


def test_thumbnails_are_those_of_the_featured_persons(opened: OpenedRun) -> None:
    assert [base64.b64decode(one) for one in content_of(opened)["thumbnails"]] == [b"jpeg 0", b"jpeg 1", b"", b"jpeg 4"]


def test_similar_persons_are_featured_ones_in_other_photographs(opened: OpenedRun) -> None:
    similar = unpack(content_of(opened)["similar"]).reshape(len(ROWS), -1)
    # Persons 10 and 11 share a photograph, as do 12 and 13; component 1 is the row.
    assert similar[:, :2].tolist() == [[3, -1], [3, -1], [3, 1], [1, 0]]


def test_nothing_of_a_photograph_is_in_a_page_without_photographs(tmp_path: Path) -> None:
    hidden = run_of(tmp_path, photographs="none")
    hidden.persons["file_name"] = ""
    content = content_of(hidden)
    assert content["thumbnails"] == [""] * 4
    assert content["file_names"] == []


def test_traversals_have_the_components_that_were_decoded(opened: OpenedRun) -> None:
    picture = TraversalPicture(np.array([[1.25, 2], [np.nan, np.nan]], np.float32), b"heat", "It moved.", (10, 13))
    traversals = Traversals((Traversal(None, b"", (picture,), np.zeros((1, 7), np.int64)),))
    made = content_of(opened, traversals)["traversals"]
    assert [one["title"] for one in made["components"]] == ["component 1: small ↔ large"]
    assert unpack(made["starts"][0]["pictures"][0]["joints"]).tolist() == [12, 20, UNKNOWN_JOINT, UNKNOWN_JOINT]
    assert made["starts"][0]["places"] == [[0] * 7]
    assert content_of(opened)["traversals"]["components"] == []


def test_content_is_plain_json(opened: OpenedRun) -> None:
    assert json.loads(json.dumps(content_of(opened), allow_nan=False)) == content_of(opened)
