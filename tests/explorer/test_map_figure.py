"""The figure of the map: packed arrays, colours, marks and sentences."""

import base64
from typing import Any

import numpy as np

from posescope.explorer.map_figure import CATEGORY_COLOURS, MapPlaces, describe_shown, draw_map, pack_array, step_scale
from posescope.explorer.person_columns import CategoryColumn, RangeColumn

PLACES = MapPlaces(np.array([[0, 0], [1, 2], [2, 4], [3, 6]], dtype=np.float32), np.array([10, 11, 12, 13]), ("<b>one", "two"))
ERROR = RangeColumn("error", "Error", "%", np.array([1.0, 2.0, np.nan, 4.0]))
GROUP = CategoryColumn(
    "cluster", "Cluster", ("1", "2"), ("small <i>", "large"), np.array([[1, 0], [0, 1], [0, 0], [0, 1]], dtype=bool)
)
ALL, NONE = np.ones(4, dtype=bool), np.empty(0, dtype=np.int64)


def unpack(packed: dict[str, str]) -> list[float]:
    return np.frombuffer(base64.b64decode(packed["bdata"]), dtype=f"<{packed['dtype']}").tolist()


def traces(figure: dict[str, Any]) -> dict[str, list[int]]:
    """Return the persons of each trace."""
    return {trace["name"]: trace["customdata"] for trace in figure["data"]}


def test_arrays_are_packed_without_loss() -> None:
    assert unpack(pack_array(np.array([1.5, np.inf]))) == [1.5, np.inf]
    assert unpack(pack_array(np.array([2**31 - 1, -1]))) == [2**31 - 1, -1]
    assert unpack(pack_array(np.array([True, False]))) == [1, 0]


def test_persons_without_value_are_grey_and_below() -> None:
    figure, shown = draw_map(PLACES, ALL, ERROR, NONE, None)
    assert shown == 4
    assert traces(figure) == {"unknown": [12], "Error, %": [10, 11, 13]}
    assert unpack(figure["data"][1]["marker"]["color"]) == [1, 2, 4]


def test_each_label_has_a_colour_and_names_are_no_tags() -> None:
    figure, _ = draw_map(PLACES, ALL, GROUP, NONE, None)
    assert traces(figure) == {"none": [12], "small &lt;i&gt;": [10], "large": [11, 13]}
    assert [trace["marker"]["color"] for trace in figure["data"]][1:] == list(CATEGORY_COLOURS[:2])
    assert "<i>" not in figure["data"][1]["hovertemplate"]
    assert figure["layout"]["xaxis"]["title"]["text"] == "&lt;b&gt;one"
    assert figure["layout"]["showlegend"]
    hostile = RangeColumn("error", '<a href="https://example.org">', "", ERROR.values)
    points = draw_map(PLACES, ALL, hostile, NONE, None)[0]["data"][1]
    assert "<a" not in points["hovertemplate"] + points["marker"]["colorbar"]["title"]["text"] + points["name"]


def test_filters_selection_and_person() -> None:
    figure, shown = draw_map(PLACES, np.array([True, True, False, True]), ERROR, np.array([1, 2]), 3)
    assert shown == 3
    assert traces(figure) == {"Error, %": [10, 11, 13], "Behind the selected": [11], "Selected": [11], "This person": [13]}


def test_map_is_thinned_with_the_selection_kept() -> None:
    count = 1000
    places = MapPlaces(np.random.default_rng(0).normal(size=(count, 2)).astype(np.float32), np.arange(count), ("", ""))
    error = RangeColumn("error", "Error", "", np.linspace(0, 1, count))
    figure, shown = draw_map(places, np.ones(count, dtype=bool), error, np.array([5, 6]), None, limit=100)
    assert shown == 100
    assert traces(figure)["Selected"] == [5, 6]
    assert describe_shown(shown, count, count)[1].startswith("The map shows 100 of them")
    assert describe_shown(10, 10, 20) == ["10 of 20 persons pass the filters."]
    assert describe_shown(1, 1, 1) == ["1 of 1 person passes the filters."]


def test_no_person_gives_an_empty_map() -> None:
    empty = MapPlaces(np.empty((0, 2), dtype=np.float32), np.empty(0, dtype=np.int64), ("", ""))
    figure, shown = draw_map(empty, np.empty(0, dtype=bool), RangeColumn("a", "A", "", np.empty(0)), NONE, None)
    assert shown == 0
    assert figure["layout"]["xaxis"]["range"] == [0, 1]


def test_ranges_do_not_depend_on_filters() -> None:
    first, second = (draw_map(PLACES, passing, ERROR, NONE, None)[0]["layout"] for passing in (ALL, ~ALL))
    assert first["xaxis"]["range"] == second["xaxis"]["range"]
    assert first["uirevision"] == second["uirevision"]


def test_a_map_has_fewer_colours_than_the_palette_of_the_drawing_library() -> None:
    """More than 255 colours on one map turn all points grey."""
    colours = {colour for _, colour in step_scale(("#3f6fb5", "#c75a8b", "#f2b134"))}
    assert len(colours) == 64
    scales = [trace["marker"]["colorscale"] for trace in draw_map(PLACES, ALL, ERROR, NONE, None)[0]["data"][1:]]
    assert [len({colour for _, colour in scale}) for scale in scales] == [64]
    assert step_scale(("#000000", "#ffffff"), 3)[2:4] == [[1 / 3, "#808080"], [2 / 3, "#808080"]]
