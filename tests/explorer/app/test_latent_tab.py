"""Tests of posescope.explorer.app.latent_tab."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("dash")

from dash import Dash
from dash.development.base_component import Component
from tests.explorer.hand_made_table import about_of, table_of
from tests.explorer.latent_runs import FIRST_ID, HOURGLASS, SKELETON, latent_run, model_of

from posescope.core.errors import DataError
from posescope.explorer.app.latent_tab import LatentTab
from posescope.explorer.errors import ExplorerError
from posescope.explorer.latent_requests import LatentRequest
from posescope.explorer.latent_words import describe_closeness, describe_moves
from posescope.explorer.opened_run import OpenedRun
from posescope.explorer.run_places import RunPlaces

PERSON, OTHER = FIRST_ID + 3, FIRST_ID + 8


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> LatentTab:
    return LatentTab(latent_run(tmp_path_factory.mktemp("run"), model_of(HOURGLASS)))


def picture(source: str) -> np.ndarray:
    kind, _, content = source.partition(",")
    assert kind == "data:image/jpeg;base64"
    return cv2.imdecode(np.frombuffer(base64.b64decode(content), np.uint8), cv2.IMREAD_COLOR)


def rows_of(tables: list[Component]) -> list[Component]:
    return [row for table in tables for row in table.children[1].children]


def numbers_of(tables: list[Component]) -> list[list[str]]:
    return [[cell.children for cell in row.children] for row in rows_of(tables)]


def components_in(part: Any) -> Iterator[Component]:
    if isinstance(part, Component):
        yield part
        yield from components_in(getattr(part, "children", None))
    elif isinstance(part, list | tuple):
        for one in part:
            yield from components_in(one)


def test_positions_become_the_request_that_they_show(tab: LatentTab) -> None:
    layers = tab.space.layers
    patches = ["zero" if layer == "stack2.skip1" else "own" for layer in layers]
    positions = {"person": PERSON, "offsets": [1, 0.5], "kept": 3, "patches": patches, "other": None, "joint": 1}
    shown = tab.respond(positions)
    request = LatentRequest(
        person_id=PERSON, offsets=(1.0, 0.5), kept_components=3, patches=({"layer": "stack2.skip1", "kind": "zero"},)
    )
    expected = tab.space.answer(request)
    assert [row[1] for row in numbers_of(shown.tables)] == [f"{moved:.1f}" for moved in expected.moved_px]
    assert [row[0] for row in numbers_of(shown.tables)] == ["left dot", "right dot"]
    assert [row.className for row in rows_of(shown.tables)] == ["", "chosen"]
    assert shown.nearest == list(expected.nearest)
    assert shown.summary == describe_moves(expected, SKELETON.joints)
    assert shown.closeness == describe_closeness(expected.distance_quantile, is_reduced=True)
    assert shown.changes.startswith(f"Person {PERSON} with component 1: +1.0 sd; component 2: +0.5 sd; first 3 components kept; ")
    assert shown.changes.endswith(": zero.")
    assert shown.kept.startswith("The first 3 of ")
    assert picture(shown.skeleton).shape == picture(shown.heatmap).shape == (384, 384, 3)


@pytest.mark.parametrize("more", [None, 0, 5])
def test_all_components_keep_the_features_as_they_are(tab: LatentTab, more: int | None) -> None:
    kept = None if more is None else len(tab._opened.components()) + more
    shown = tab.respond({"person": PERSON, "kept": kept})
    assert all(row[1] == "0.0" for row in numbers_of(shown.tables))
    assert shown.kept.startswith("All ")
    assert shown.changes == f"Person {PERSON} without changes."


def test_pictures_differ_between_joints_and_persons(tab: LatentTab) -> None:
    one, other = (tab.respond({"person": PERSON, "joint": joint})[1] for joint in (0, 1))
    assert one != other
    assert tab.respond({"person": None})[0] != tab.respond({"person": PERSON})[0]


@pytest.mark.parametrize(
    "positions",
    [None, [], "x", {"offsets": ["a"]}, {"offsets": [1e9]}, {"patches": ["noise"]}, {"person": "1; --"}, {"surprise": 1}],
)
def test_malformed_positions_are_refused(tab: LatentTab, positions: Any) -> None:
    with pytest.raises(ExplorerError):
        tab.respond(positions)


def test_unknown_persons_and_missing_other_person_are_refused(tab: LatentTab) -> None:
    with pytest.raises(DataError):
        tab.respond({"person": 1})
    with pytest.raises(ExplorerError):
        tab.respond({"person": PERSON, "patches": ["person"], "other": None})


def test_layout_needs_no_model_and_its_ids_begin_with_the_name() -> None:
    tab = LatentTab(_without_model())
    parts = [part for part in components_in(tab.layout()) if getattr(part, "id", None) is not None]
    ids = [part.id if isinstance(part.id, str) else part.id["type"] for part in parts]
    assert len(ids) > 20
    assert all(name.startswith("latent-") for name in ids)
    sliders = [part for part in parts if isinstance(part.id, dict) and part.id["type"] == "latent-offset"]
    assert len(sliders) == 1
    assert sliders[0].updatemode == "drag"


def test_callbacks_can_be_registered(tab: LatentTab) -> None:
    app = Dash(__name__, suppress_callback_exceptions=True)
    tab.register(app)
    outputs = " ".join(one["output"] for one in app._callback_list)
    for name in ("latent-request.data", "latent-skeleton.src", "latent-person.value", "person.data", "latent-ends.children"):
        assert name in outputs


def _without_model() -> OpenedRun:
    """Return a run of which there is only the table."""
    return OpenedRun(Path("nowhere"), table_of(2).columns, about_of(), RunPlaces.of_data_dir(Path("nowhere")))
