"""Tests of posescope.reporting.photograph_filter: what may not be shown is left out."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from tests.findings import make_finding

from posescope.drawing.rgb_images import PngImage
from posescope.explainability.base import AnalysisResult
from posescope.reporting.photograph_filter import hide_file_names, hide_result, hide_table, is_covered

IMAGE = np.zeros((4, 4, 3), np.uint8)


def result(**fields) -> AnalysisResult:
    photograph = go.Figure(go.Image(z=IMAGE))
    background = go.Figure(go.Scatter(x=[1], y=[1])).add_layout_image(source="data:image/png;base64,AA==")
    return AnalysisResult(
        facts={},
        images={"faces": IMAGE},
        plots={
            "photograph": photograph,
            "background": background,
            "curve": go.Figure(go.Scatter(x=["me.jpg"], y=[2], name="a_b")),
        },
        tables={"persons": pd.DataFrame({"person": [1], "file_name": ["anna.jpg"], "why": ["in anna.jpg"]})},
        captions={"faces": "Faces of anna.jpg.", "curve": "A curve of anna.jpg."},
        note="Of anna.jpg.",
        findings=(make_finding(picture="faces"),),
        **fields,
    )


def test_full_mode_changes_nothing():
    own = result()
    assert hide_result(own, "full") is own
    table = own.tables["persons"]
    assert hide_table(table, "full") is table


@pytest.mark.parametrize("mode", ["blurred", "none"])
def test_pictures_of_a_less_strict_mode_and_file_names_are_left_out(mode):
    hidden = hide_result(result(), mode)
    assert hidden.images == {}
    assert hidden.plots.keys() == {"curve"}
    assert hidden.plots["curve"].data[0].x == ("(file)",)
    assert hidden.captions == {"curve": "A curve of (file)."}
    assert hidden.note == "Of (file)."
    assert hidden.findings[0].picture is None
    assert hidden.tables["persons"].to_dict("records") == [{"person": 1, "why": "in (file)"}]


def test_pictures_that_the_analysis_made_in_this_mode_stay():
    hidden = hide_result(result(photographs="blurred"), "blurred")
    assert hidden.images.keys() == {"faces"}
    assert hidden.plots.keys() == {"photograph", "background", "curve"}
    assert hidden.findings[0].picture == "faces"
    assert hide_result(result(photographs="blurred"), "none").images == {}


def test_stored_images_without_a_mode_count_as_full():
    assert is_covered(PngImage(IMAGE), "full")
    assert not is_covered(PngImage(IMAGE), "blurred")
    assert is_covered(PngImage(IMAGE, {"photographs": "none"}), "blurred")


def test_file_names_with_folders_and_quotes():
    assert hide_file_names("'a/b c.PNG', (x-1.jpeg): v1.2 of it") == "'a/b (file)', ((file)): v1.2 of it"
