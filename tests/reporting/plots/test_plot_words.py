"""Tests of posescope.reporting.plots.plot_words."""

import numpy as np
import plotly.graph_objects as go

from posescope.reporting.plots.plot_words import map_plot_texts, use_words_in_plot


def test_texts_have_words_and_keywords_stay():
    figure = go.Figure(
        go.Scatter(x=np.array(["left_eye", "nose"], dtype=object), y=[1, 2], name="pck_thesis", mode="lines+markers"),
        layout={"title": {"text": "of pck_thesis"}, "xaxis": {"title": {"text": "joint_name"}}, "hovermode": "x unified"},
    )
    changed = use_words_in_plot(figure)
    trace = changed.data[0]
    assert (list(trace.x), trace.name, trace.mode) == (["left eye", "nose"], "pck thesis", "lines+markers")
    assert changed.layout.title.text == "of pck thesis"
    assert changed.layout.xaxis.title.text == "joint name"
    assert changed.layout.hovermode == "x unified"
    assert figure.data[0].name == "pck_thesis"


def test_frames_of_sliders_keep_their_steps():
    step = {"label": "step_1", "method": "animate", "args": [["frame_1"], {"mode": "immediate"}]}
    figure = go.Figure(go.Scatter(x=[1], y=[1]), layout={"sliders": [{"steps": [step]}]}, frames=[go.Frame(name="frame_1")])
    changed = use_words_in_plot(figure)
    assert changed.frames[0].name == changed.layout.sliders[0].steps[0].args[0][0] == "frame 1"
    assert changed.layout.sliders[0].steps[0].method == "animate"


def test_numbers_are_not_changed():
    figure = go.Figure(go.Scatter(x=np.array([1.5, 2.5]), y=[None, 3]))
    changed = map_plot_texts(figure, str.upper)
    assert changed.to_dict()["data"][0]["x"] == figure.to_dict()["data"][0]["x"]
