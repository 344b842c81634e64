"""Tests of posescope.reporting.subject_texts."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from posescope.reporting.report_content import Fact, Headline, ReportImage, ReportPlot, ReportTable, Section
from posescope.reporting.subject_texts import adapt_section
from posescope.reporting.subject_words import PERSONS, SubjectWords


def section() -> Section:
    figure = go.Figure(go.Bar(x=[1], y=["persons"]), layout={"title": {"text": "3 persons"}})
    return Section(
        "Metrics",
        "Each person.",
        headlines=(Headline("PCK", 0.5, note="Of persons."),),
        facts=(Fact("Persons", "2 persons"),),
        numbers="One person.",
        tables=(ReportTable("Persons", pd.DataFrame({"persons": [1]}), caption="Of persons."),),
        images=(ReportImage(np.zeros((2, 2, 3), np.uint8), "A person.", "persons"),),
        plots=(ReportPlot(figure, "Persons.", "persons"),),
    )


def test_section_on_persons_is_not_changed():
    own = section()
    assert adapt_section(own, PERSONS) is own


def test_all_texts_are_on_mice_and_columns_keep_their_names():
    mice = adapt_section(section(), SubjectWords("mouse", "mice"))
    assert (mice.title, mice.text, mice.numbers) == ("Metrics", "Each mouse.", "One mouse.")
    assert mice.headlines[0].note == "Of mice."
    assert mice.facts == (Fact("Mice", "2 mice"),)
    assert (mice.tables[0].title, mice.tables[0].caption, list(mice.tables[0].frame)) == ("Mice", "Of mice.", ["persons"])
    assert (mice.images[0].caption, mice.images[0].alt) == ("A mouse.", "mice")
    assert (mice.plots[0].caption, mice.plots[0].figure.layout.title.text) == ("Mice.", "3 mice")
    assert mice.plots[0].figure.data[0].y == ("mice",)
