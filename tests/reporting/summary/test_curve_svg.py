"""Tests of posescope.reporting.summary.curve_svg."""

import re
from xml.etree import ElementTree

from posescope.reporting.summary.curve_svg import draw_curve
from posescope.reporting.summary.summary_content import Curve


def test_positions_are_logarithmic_and_values_hundredths():
    svg = draw_curve(Curve((1.0, 10.0, 100.0), (0.0, 0.5, 1.0)))
    (points,) = re.findall(r'class="line" points="([^"]+)"', svg)
    (first, low), (middle, half), (last, high) = ([float(value) for value in point.split(",")] for point in points.split())
    assert abs(middle - (first + last) / 2) < 0.11
    assert abs(half - (low + high) / 2) < 0.11
    assert low > high  # y points down
    assert "polygon" not in svg


def test_mark_level_and_band_are_drawn_and_ticks_do_not_overlap():
    svg = draw_curve(
        Curve((1.0, 9.0, 90.0), (0.1, 0.5, 0.9), (0.0, 0.4, 0.8), (0.2, 0.6, 1.0), 9.0, 0.9, "a < b", "up", "Caption.")
    )
    root = ElementTree.fromstring(svg)
    assert {element.get("class") for element in root} >= {"band", "mark", "level", "line", "dot"}
    texts = [element.text for element in root.iter("text")]
    assert "a < b" in texts
    assert "9" in texts
    assert "10" not in texts  # too near to the mark


def test_wide_label_of_the_last_tick_stays_inside():
    root = ElementTree.fromstring(draw_curve(Curve((1.0, 100.0, 100000.0), (0.1, 0.5, 0.9))))
    (last,) = [element for element in root.iter("text") if element.text == "100,000"]
    width = float(root.get("viewBox").split()[2])
    assert float(last.get("x")) + len("100,000") * 6.5 / 2 <= width  # 6.5: a digit of the page's 11 px


def test_curve_of_one_point():
    assert "NaN" not in draw_curve(Curve((5.0,), (0.5,)))
