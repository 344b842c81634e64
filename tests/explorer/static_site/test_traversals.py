"""Traversals that are computed beforehand."""

import logging
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.explorer.hand_made_table import table_of, thumbnails_of
from tests.explorer.latent_runs import HOURGLASS, PERSONS, SIDE, latent_run, model_of

from posescope.explorer import latent_pictures
from posescope.explorer.latent_requests import LatentRequest
from posescope.explorer.latent_space import LatentSpace
from posescope.explorer.opened_run import OpenedRun, RunPlaces, open_run
from posescope.explorer.static_site.traversals import compute_traversals
from posescope.explorer.table_file import ExplorerStore

POSITIONS = (-2.0, 0.0, 2.0)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> OpenedRun:
    run = latent_run(tmp_path_factory.mktemp("run"), model_of(HOURGLASS))
    few = run.about.model_copy(update={"components": run.about.components[:2]})
    scores = {"component_1": np.arange(PERSONS) - 9.0, "component_2": np.zeros(PERSONS)}
    errors = np.where(np.arange(PERSONS) == 9, 50.0, 2.5)  # the person at the mean is predicted badly
    shown = replace(run, about=few, persons=run.persons.assign(error=errors, **scores))
    vars(shown).update({name: vars(run)[name] for name in ("_model", "_crops", "_features", "_components")})
    vars(shown)["thumbnails"] = lambda rows: [f"jpeg {row}".encode() for row in rows]
    return shown


def test_each_position_is_the_answer_of_the_latent_space(opened: OpenedRun) -> None:
    mean, typical = compute_traversals(opened, POSITIONS).starts
    space = LatentSpace(opened)
    assert mean.places.shape == (space.component_count, 3)
    assert (mean.places[:, 1] == 0).all()  # without offset: one picture for all components
    assert len(mean.pictures) == 1 + 2 * space.component_count
    answer = space.answer(LatentRequest(person_id=typical.person_id, offsets=(0, 0, 2)))
    picture = typical.pictures[typical.places[2, 2]]
    found = np.isfinite(picture.joints[:, 0])
    assert np.array_equal(picture.joints[found], answer.joints[found])
    assert picture.nearest == answer.nearest[:3]
    assert cv2.imdecode(np.frombuffer(picture.heatmap, np.uint8), cv2.IMREAD_COLOR).shape == (176, 176, 3)


def test_typical_person_is_near_the_mean_and_predicted_well(opened: OpenedRun) -> None:
    mean, typical = compute_traversals(opened, (0.0,)).starts
    assert (mean.person_id, mean.background) == (None, b"")
    assert typical.person_id == opened.person_ids[8]
    assert typical.background == b"jpeg 8"


def test_named_persons_are_nearest_ones_and_the_typical_one(opened: OpenedRun) -> None:
    traversals = compute_traversals(opened, (0.0,))
    named = traversals.named_persons()
    assert set(named) == {int(opened.person_ids[8]), *(one for start in traversals.starts for one in start.pictures[0].nearest)}
    assert named == sorted(named)


def test_hidden_photographs_stay_hidden(opened: OpenedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = replace(opened, about=opened.about.model_copy(update={"photographs": "none"}))
    vars(hidden).update({name: value for name, value in vars(opened).items() if name.startswith("_")})
    grounds = []
    draw = latent_pictures.draw_heatmap_panel
    monkeypatch.setattr(
        latent_pictures, "draw_heatmap_panel", lambda crop, *rest, **more: grounds.append(crop) or draw(crop, *rest, **more)
    )
    starts = compute_traversals(hidden, (0.0,)).starts
    assert [start.background for start in starts] == [b"", b""]
    assert [ground.shape for ground in grounds] == [(SIDE, SIDE, 3)] * 2
    assert all(np.ptp(ground) == 0 for ground in grounds)


def test_run_without_its_inputs_has_a_note_without_a_path(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    table = table_of(3)
    opened = OpenedRun(tmp_path, table.columns, table.about, RunPlaces.of_explanation(tmp_path))
    with caplog.at_level(logging.WARNING):
        found = compute_traversals(opened)
    assert not found.starts
    assert found.named_persons() == []
    assert "--keep-inputs" in found.note
    assert str(tmp_path) not in found.note
    assert str(tmp_path) in caplog.text


@pytest.mark.parametrize("photographs", ["blurred", "none"])
def test_explanation_without_full_photographs_has_the_reason(tmp_path: Path, photographs: str) -> None:
    """`posescope explain` refuses `--keep-inputs` with these modes."""
    ExplorerStore(tmp_path / "results" / "explorer").write(table_of(3, photographs=photographs), thumbnails_of)
    note = compute_traversals(open_run(tmp_path)).note
    assert f"--photographs {photographs}" in note
    assert "--photographs full --keep-inputs" in note
    assert str(tmp_path) not in note


def test_pooled_features_and_missing_components_have_a_note(tmp_path: Path) -> None:
    pooled = latent_run(tmp_path, model_of(HOURGLASS), pooling="mean")
    assert "pooled" in compute_traversals(pooled).note
    bare = table_of(3, components=())
    opened = OpenedRun(tmp_path, bare.columns, bare.about, RunPlaces.of_data_dir(tmp_path))
    assert compute_traversals(opened).note
