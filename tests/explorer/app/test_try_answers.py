"""Tests of posescope.explorer.app.try_answers: views, boxes, figures and what is refused."""

import base64
import json
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("dash", reason="dash is not installed")

from dash.development.base_component import Component
from tests.explorer.small_run import small_run

from posescope.core.errors import DataError
from posescope.explorer.app.try_answers import TryAnswers
from posescope.explorer.person_boxes import PersonFinder
from posescope.explorer.tried_photograph import PhotographTrial
from posescope.explorer.uploads import UploadError, UploadLimits
from posescope.prediction.poses import DetectedPerson


def contents_of(seed: int, size: tuple[int, int] = (60, 90)) -> str:
    """Return a photograph as `dcc.Upload` gives it."""
    image = np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype(np.uint8)
    return "data:image/png;base64," + base64.b64encode(cv2.imencode(".png", image)[1].tobytes()).decode()


def plain(content: Any) -> Any:
    """Return components as JSON content, which a page can receive."""
    return json.loads(json.dumps(content, default=lambda one: one.to_plotly_json()))


@pytest.fixture
def answers(untrained_model: Any) -> TryAnswers:
    return TryAnswers(small_run(untrained_model))


def test_photograph_is_opened_with_the_whole_of_it_as_box(answers: TryAnswers) -> None:
    view, options, note = answers.open_photograph(contents_of(0))
    assert view["box"] == [0, 0, 90, 60]
    assert options == []
    assert "no detector" in note


def test_generated_sample_is_named(untrained_model: Any) -> None:
    *_, note = TryAnswers(small_run(untrained_model, generated=True)).open_photograph(contents_of(0))
    assert "generated" in note


def test_found_persons_can_be_chosen(answers: TryAnswers, untrained_model: Any) -> None:
    finder = PersonFinder(
        lambda _, info, __: [DetectedPerson(info, (x - 0.5, 9.5, 20.0, 30.0), score) for x, score in ((10, 0.5), (40, 0.75))],
        "mine",
        "",
    )
    answers.__dict__["_trial"] = PhotographTrial(small_run(untrained_model), finder)
    view, options, _ = answers.open_photograph(contents_of(0))
    assert view["box"] == [40, 10, 20, 30]
    assert [option["value"] for option in options] == [0, 1]
    assert answers.choose_found(view, 1)["box"] == [10, 10, 20, 30]
    assert len(answers.photograph_figure(view)["layout"]["shapes"]) == 3
    for row in (2, -1, None, "0"):
        with pytest.raises(DataError):
            answers.choose_found(view, row)


def test_figure_is_in_px_of_the_photograph(answers: TryAnswers) -> None:
    view = answers.open_photograph(contents_of(0))[0]
    figure = plain(answers.photograph_figure(answers.choose_box(view, [10, 5, 40, 50])))
    image, shape = figure["layout"]["images"][0], figure["layout"]["shapes"][-1]
    assert (image["sizex"], image["sizey"]) == (90, 60)
    assert image["source"].startswith("data:image/jpeg;base64,")
    assert [shape[name] for name in ("x0", "y0", "x1", "y1")] == [10, 5, 50, 55]
    assert len(figure["data"][0]["x"]) == 3


def test_results_and_map(answers: TryAnswers) -> None:
    view = answers.open_photograph(contents_of(0))[0]
    results = answers.results(view)
    assert all(isinstance(part, Component) for part in results)
    text = json.dumps(plain(results))
    assert "for this network" in text
    assert text.count('"try-person"') == 8
    assert "right hand" in text
    assert "32 x 32 px" in json.dumps(plain(answers.crop(view)))
    figure = plain(answers.map_figure(view))
    assert [len(trace["x"]) for trace in figure["data"]] == [12, 8, 1]
    assert "Star: this photograph" in answers.place_words(view)


def test_evidence_of_a_joint(answers: TryAnswers) -> None:
    pytest.importorskip("captum", reason="captum is not installed")
    view = answers.open_photograph(contents_of(0))[0]
    assert answers.evidence(view, None) == []
    assert "right hand" in json.dumps(plain(answers.evidence(view, 2)))
    for joint in (3, -1, "1"):
        with pytest.raises(DataError):
            answers.evidence(view, joint)


@pytest.mark.parametrize("box", [[1, 2, 3], [1, 2, 3, None], ["1", 2, 3, 4], None, [1, 2, 3, True], {"x": 1}])
def test_malformed_boxes_are_refused(answers: TryAnswers, box: Any) -> None:
    view = answers.open_photograph(contents_of(0))[0]
    with pytest.raises(DataError):
        answers.choose_box(view, box)


@pytest.mark.parametrize("box", [[0, 0, -5, 10], [0, 0, float("nan"), 1], [500, 500, 10, 10], [0, 0, 1e9, 1e9]])
def test_boxes_outside_the_photograph_are_refused_when_they_are_tried(answers: TryAnswers, box: Any) -> None:
    view = answers.open_photograph(contents_of(0))[0]
    with pytest.raises(DataError):
        answers.results(view | {"box": box})


@pytest.mark.parametrize(
    "view", [None, [], "x", {}, {"photograph": "../../etc/passwd", "box": [0, 0, 1, 1]}, {"photograph": "0" * 16, "box": "abcd"}]
)
def test_malformed_views_are_refused(answers: TryAnswers, view: Any) -> None:
    with pytest.raises(DataError):
        answers.results(view)


def test_the_last_three_photographs_are_kept(answers: TryAnswers) -> None:
    views = [answers.open_photograph(contents_of(seed))[0] for seed in range(4)]
    with pytest.raises(UploadError) as caught:
        answers.results(views[0])
    assert caught.value.kind == "dropped"
    for view in views[1:]:
        answers.results(view)


def test_limits_hold(untrained_model: Any) -> None:
    answers = TryAnswers(small_run(untrained_model), UploadLimits(max_megapixels=0.005))
    with pytest.raises(UploadError) as caught:
        answers.open_photograph(contents_of(0))
    assert caught.value.kind == "image is too large"
