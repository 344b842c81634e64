"""What the callbacks of the tab Compare return. Values that a page sends are checked here."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from dash import html
from dash.development.base_component import Component
from numpy.typing import NDArray

from posescope.core.errors import OptionsError, pluralise
from posescope.evaluation.paired_comparison import PairedMetric
from posescope.explorer.app.tabs import aria, read_person_ids
from posescope.explorer.comparison_figures import PersonScatter, draw_histogram
from posescope.explorer.comparison_pictures import picture_of_run, thumbnails_of_both
from posescope.explorer.comparison_words import (
    ScoreWords,
    describe_groups,
    describe_joints,
    describe_persons,
    headline,
    words_of,
)  # fmt: skip
from posescope.explorer.map_outline import parse_outline
from posescope.explorer.pictures import data_uri
from posescope.explorer.run_comparison import ERROR, PCK, PairComparison, RunPair

__all__ = ["CHOOSE", "CompareAnswers", "CompareSummary"]

CHOOSE = "compare-choose"
_SHOWN = 12  # thumbnails in each list
_THUMBNAIL_PX, _PICTURE_PX = 240, 512


@dataclass(frozen=True)
class CompareSummary:
    """The parts of the page that depend on the score and on the persons that count."""

    headline: str
    notes: list[Component]
    histogram: dict[str, Any]
    improved: list[Component]
    worsened: list[Component]
    joints: list[Component]
    groups: list[Component]


class CompareAnswers:
    """Answers of two runs."""

    def __init__(self, pair: RunPair) -> None:
        """Args:
        pair: the runs.
        """
        self.pair = pair
        self._scatter = lru_cache(maxsize=8)(self._make_scatter)

    def summary(self, score: Any, trained: Any) -> CompareSummary:
        """Return all results of one score.

        Args:
            score: name of the score.
            trained: not empty if persons count that a model was trained on.
        """
        found = self._found(score, trained)
        return CompareSummary(
            headline=headline(found),
            notes=[html.Li(line) for line in describe_persons(self.pair, bool(trained))],
            histogram=draw_histogram(found),
            improved=self._buttons(found, found.most_improved(_SHOWN), "improved"),
            worsened=self._buttons(found, found.most_worsened(_SHOWN), "worsened"),
            joints=[html.P(describe_joints(found), className="more"), _joint_table(found)],
            groups=[html.P(describe_groups(found), className="more"), *([_group_table(found)] if found.groups else [])],
        )

    def scatter(self, score: Any, trained: Any, selection: Any, person: Any) -> tuple[dict[str, Any], list[Component]]:
        """Return the figure of the persons and the sentences above it."""
        scatter = self._scatter_of(score, trained)
        selected = np.isin(scatter.person_ids, read_person_ids(selection))
        this = np.isin(scatter.person_ids, read_person_ids([] if person is None else [person]))
        figure, lines = scatter.draw(selected, this)
        return figure, [html.Span(line) for line in lines]

    def outlined(self, outline: Any, score: Any, trained: Any) -> list[int]:
        """Return the ids of the persons inside an outline."""
        scatter = self._scatter_of(score, trained)
        return _ids(scatter.person_ids[parse_outline(outline).contains(scatter.places)])

    def changed(self, score: Any, trained: Any, *, better: bool) -> list[int]:
        """Return the ids of the persons that got better, or worse, the largest change first."""
        found = self._found(score, trained)
        rows = found.most_improved(len(found.rows)) if better else found.most_worsened(len(found.rows))
        return _ids(self.pair.person_ids[rows])

    def selection_words(self, selection: Any) -> str:
        """Return how many persons are selected, and where they are shown."""
        ids = read_person_ids(selection)
        if not len(ids):
            return "No person is selected. Draw around points, or select all persons on which one run is better."
        return f"{pluralise(len(ids), 'person')} selected. The tab Persons shows and exports them."

    def person(self, person: Any) -> list[Component]:
        """Return the panel of a person: its pictures in both runs, scores and joints."""
        (person_id,) = read_person_ids([person]).tolist()
        row = self.pair.row_of(person_id)
        if row is None:
            return [html.H2(f"Person {person_id}"), html.P("This person is not in both runs.", className="hint")]
        return [
            html.H2(f"Person {person_id}"),
            html.P(self._origin(row), className="more"),
            html.Div([self._figure(row, second=second) for second in (False, True)], className="compare-pictures"),
            html.P(
                "Thick coloured lines: prediction (left orange, right blue, middle green). Thin white lines: annotation.",
                className="hint",
            ),
            html.H3("Scores"),
            _table(("Score", "A", "B", "B − A"), [self._score_line(name, row) for name in self.pair.scores]),
            html.H3("Distance of each joint from the annotation, % of the crop's side"),
            _table(("Joint", "A", "B", "B − A"), self._joint_lines(row)),
        ]

    def _found(self, score: Any, trained: Any) -> PairComparison:
        if not isinstance(score, str):
            raise OptionsError(f"Score: expected one of {', '.join(self.pair.scores)}, found {score!r}.")
        return self.pair.compare(score, bool(trained))

    def _scatter_of(self, score: Any, trained: Any) -> PersonScatter:
        self._found(score, trained)  # checks the score
        return self._scatter(score, bool(trained))

    def _make_scatter(self, score: str, trained: bool) -> PersonScatter:
        found = self.pair.compare(score, trained)
        return PersonScatter(found, self.pair.person_ids[found.rows])

    def _buttons(self, found: PairComparison, rows: NDArray[np.int64], place: str) -> list[Component]:
        if not len(rows):
            return [html.P("No person.", className="hint")]
        pictures = thumbnails_of_both(self.pair, rows, _THUMBNAIL_PX)
        words = words_of(found.score.name)
        buttons: list[Component] = []
        for row, picture in zip(rows.tolist(), pictures, strict=True):
            person = int(self.pair.person_ids[row])
            values = f"{words.number(found.score.first[row])} → {words.number(found.score.second[row])}"
            training = ", seen in training" if self.pair.trained_a[row] or self.pair.trained_b[row] else ""
            buttons.append(
                html.Button(
                    [html.Img(src=data_uri(picture), alt=""), html.Span(f"{values} {words.unit[:1]}".rstrip() + training)],
                    id={"type": CHOOSE, "place": place, "person": person},
                    className="thumb",
                    title=f"person {person}",
                    **aria(label=f"Person {person}, {words.title}: {values} {words.unit}".rstrip() + training),
                )
            )
        return buttons

    def _figure(self, row: int, *, second: bool) -> Component:
        letter = "B" if second else "A"
        picture = picture_of_run(self.pair, row, second=second, height_px=_PICTURE_PX)
        text = f"Crop of the person with the skeleton of {letter} and the annotated one"
        note = [html.P(picture.note, className="hint")] if picture.note else []
        return html.Figure([html.Figcaption(html.B(letter)), html.Img(src=data_uri(picture.jpeg), alt=text), *note])

    def _origin(self, row: int) -> str:
        own = self.pair.first.persons.iloc[int(self.pair.matched.rows_a[row])]
        name = f"{own['file_name']}, " if own["file_name"] and self.pair.photographs == "full" else ""
        trained = {(True, True): "A and B", (True, False): "A", (False, True): "B"}.get(
            (bool(self.pair.trained_a[row]), bool(self.pair.trained_b[row])), ""
        )
        where = f"annotation {int(own['annotation_id'])} of image {int(own['image_id'])} in {own['source_split']}"
        return f"{name}{where}{f'; {trained} was trained on it' if trained else ''}".replace("A and B was", "A and B were")

    def _score_line(self, name: str, row: int) -> tuple[str, ...]:
        score, words = self.pair.scores[name], words_of(name)
        first, second = float(score.first[row]), float(score.second[row])
        title = f"{words.title}, {words.unit}" if words.unit else words.title
        return title, words.number(first), words.number(second), words.number(second - first, signed=True)

    def _joint_lines(self, row: int) -> list[tuple[str, ...]]:
        words = words_of(ERROR)
        return [
            (joint.replace("_", " "), *(("unlabelled", "", "") if np.isnan(first) else (
                words.number(first), words.number(second), words.number(second - first, signed=True))))
            for joint, first, second in zip(self.pair.matched.joints, *self.pair.distances_of(row), strict=True)
        ]  # fmt: skip


def _joint_table(found: PairComparison) -> Component:
    words = words_of(ERROR if found.score.name == ERROR else PCK)
    return _result_table("Joint", words, [(joint.name.replace("_", " "), joint, ()) for joint in found.joints], ())


def _group_table(found: PairComparison) -> Component:
    kinds = {"slice": "failing group", "cluster": "cluster"}
    rows = [(f"{kinds[one.kind]}: {one.name}", one.metric, (f"{one.photographs:,}",)) for one in found.groups]
    return _result_table("Group", words_of(found.score.name), rows, ("Photographs",))


def _result_table(
    first: str, words: ScoreWords, rows: Sequence[tuple[str, PairedMetric, tuple[str, ...]]], others: tuple[str, ...]
) -> Component:
    unit = f", {words.unit}" if words.unit else ""
    headings = (first, "B − A [95 % interval]", "Better", f"A{unit}", f"B{unit}", "Persons", *others)
    lines = [
        (name, words.difference(one), _verdict(words, one), words.number(one.a), words.number(one.b), f"{one.count:,}", *more)
        for name, one, more in rows
    ]
    return _table(headings, lines)


def _verdict(words: ScoreWords, metric: PairedMetric) -> str:
    return (words.winner(metric) or "undecided") if metric.count else "–"


def _table(headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> Component:
    """Return a table that scrolls sideways by itself on a narrow screen, also by keyboard."""
    head = html.Thead(html.Tr([html.Th(text, scope="col") for text in headings]))
    body = html.Tbody([html.Tr([html.Th(row[0], scope="row"), *(html.Td(text) for text in row[1:])]) for row in rows])
    return html.Div(
        html.Table([head, body], className="facts"), className="compare-table", tabIndex="0", role="region",
        **aria(label=f"Table: {headings[0]}"),
    )  # fmt: skip


def _ids(person_ids: NDArray[np.int64]) -> list[int]:
    ids: list[int] = person_ids.tolist()
    return ids
