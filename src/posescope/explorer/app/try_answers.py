"""Answers of the tab *Try it*: what its callbacks return. The last three photographs are kept in memory, never on disk."""

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from dash import html
from dash.development.base_component import Component
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from posescope.core.errors import DataError
from posescope.core.plugins import Options
from posescope.explorer.app.tabs import aria
from posescope.explorer.app.try_figures import draw_photograph, draw_place, joint_rows
from posescope.explorer.pictures import data_uri, draw_skeleton_panel, encode_jpeg
from posescope.explorer.uploads import UploadError, UploadLimits, bytes_of_data_uri, read_upload

if TYPE_CHECKING:
    from posescope.explorer.opened_run import OpenedRun
    from posescope.explorer.person_boxes import FoundBoxes
    from posescope.explorer.tried_photograph import PhotographTrial, TriedPerson

__all__ = ["CHOOSE_PERSON", "OpenedPhotograph", "TryAnswers", "TryView"]

CHOOSE_PERSON = "try-person"

_MOST_PHOTOGRAPHS, _MOST_TRIED = 3, 6
_GENERATED = "The network was trained on generated pictures of bodies: its joints are rarely right on photographs. "


class TryView(Options):
    """What the tab shows: a photograph that was opened before, and the box of one person."""

    photograph: str = Field(pattern="^[0-9a-f]{16}$", description="key of the photograph")
    box: tuple[float, float, float, float] = Field(description="x, y, w, h px; the photograph's left and upper edges are 0")


@dataclass(frozen=True, eq=False)
class OpenedPhotograph:
    """A photograph in memory.

    Attributes:
        key: fingerprint of its file.
        image: (H, W, 3) uint8 RGB.
        found: boxes of its persons.
    """

    key: str
    image: NDArray[np.uint8]
    found: "FoundBoxes"


class TryAnswers:
    """Opens photographs and describes what the network makes of them. Threads may share it.

    Args:
        opened: the run.
        limits: largest photograph.
    """

    def __init__(self, opened: "OpenedRun", limits: UploadLimits | None = None) -> None:
        self._opened, self._limits = opened, limits or UploadLimits()
        self._photographs: OrderedDict[str, OpenedPhotograph] = OrderedDict()
        self._tried: OrderedDict[TryView, TriedPerson] = OrderedDict()
        self._lock = threading.RLock()

    def open_photograph(self, contents: object) -> tuple[dict[str, Any], list[dict[str, Any]], str]:
        """Decode an upload and find its persons.

        Args:
            contents: data URI of `dcc.Upload`.

        Returns:
            The view of the first person, the options of the choice of persons (empty if there is one), and where boxes come from.

        Raises:
            UploadError: if it is no photograph.
        """
        with self._lock:  # one at a time, which bounds the memory
            raw = bytes_of_data_uri(contents, self._limits)
            key = hashlib.sha256(raw).hexdigest()[:16]
            image = read_upload(raw, self._limits)
            photograph = OpenedPhotograph(key, image, self._trial.find_persons(image))
            _keep(self._photographs, key, photograph, _MOST_PHOTOGRAPHS)
        found, note = photograph.found, photograph.found.note
        options = [{"label": f"Person {row + 1}, score {score:.2f}", "value": row} for row, score in enumerate(found.scores)]
        return (
            _view(key, found.boxes[0].tolist()),
            options if len(options) > 1 else [],
            f"{_GENERATED if self._opened.about.generated else ''}{note}",
        )

    def choose_found(self, view: object, row: object) -> dict[str, Any]:
        """Return the view of another found person of the same photograph.

        Raises:
            DataError: if there is no such person or photograph.
        """
        photograph = self._photograph(_parse(view))
        if not isinstance(row, int) or not 0 <= row < len(photograph.found.boxes):
            raise DataError(f"Try it: expected a person from 0 to {len(photograph.found.boxes) - 1}, found {str(row)[:20]}.")
        return _view(photograph.key, photograph.found.boxes[row].tolist())

    def choose_box(self, view: object, box: object) -> dict[str, Any]:
        """Return the view of a box that was drawn or typed, for the same photograph.

        Raises:
            DataError: if the box is malformed, or there is no such photograph.
        """
        if not isinstance(box, list | tuple) or any(isinstance(one, bool) or not isinstance(one, int | float) for one in box):
            raise DataError("Box: expected four numbers: left, top, width and height in px. Fill in all four.")
        return _parse({"photograph": _parse(view).photograph, "box": box}).model_dump(mode="json")

    def tried(self, view: object) -> "tuple[OpenedPhotograph, TriedPerson]":
        """Return the photograph and the person of a view; the last persons are kept.

        Raises:
            DataError: if the box is outside the photograph, or the photograph was dropped from memory.
        """
        parsed = _parse(view)
        with self._lock:
            photograph = self._photograph(parsed)
            if parsed not in self._tried:
                _keep(self._tried, parsed, self._trial.try_photograph(photograph.image, parsed.box), _MOST_TRIED)
            return photograph, self._tried[parsed]

    def photograph_figure(self, view: object) -> dict[str, Any]:
        """Return a figure in px of the photograph, with joints, radii and boxes, on which a rectangle can be drawn."""
        photograph, tried = self.tried(view)
        return draw_photograph(photograph.image, photograph.found, tried, self._trial.skeleton)

    def map_figure(self, view: object) -> dict[str, Any]:
        """Return the run's map with the place of the person (a star) and its nearest persons."""
        return draw_place(self._opened, self.tried(view)[1].place)

    def results(self, view: object) -> list[Component]:
        """Return how unusual the person is, the nearest persons of the run, and a table of joints."""
        from posescope.explorer.tried_photograph import describe_unusualness  # noqa: PLC0415  (torch)

        tried = self.tried(view)[1]
        near = self._opened.rows_of(tried.place.nearest.tolist())
        pictures = zip(tried.place.nearest.tolist(), self._opened.thumbnails(near), strict=True)
        return [
            html.H3("How unusual"),
            html.P(describe_unusualness(tried.place)),
            html.H3("Nearest persons of the run"),
            html.Div([_person_button(person, picture) for person, picture in pictures], className="thumbs"),
            html.H3("Joints"),
            self._joint_table(tried),
        ]

    def crop(self, view: object) -> list[Component]:
        """Return the input of the network with the joints on it."""
        tried = self.tried(view)[1]
        panel = draw_skeleton_panel(tried.crop, tried.pose.crop_joints, self._trial.skeleton)
        picture = html.Img(src=data_uri(encode_jpeg(panel)), alt="Crop of the person with the predicted skeleton")
        height, width = tried.crop.shape[:2]
        return [
            html.Figure(
                [picture, html.Figcaption(f"{width} x {height} px, as posescope predict crops this box.")], className="crop"
            )
        ]

    def place_words(self, view: object) -> str:
        """Return how the star on the map was placed."""
        if self.tried(view)[1].place.map_source == "components":
            return (
                "Star: this photograph, by its scores along the components of the map. Blue: the nearest persons in all features."
            )
        return (
            f"Star: between the nearest persons, weighted by their nearness, because the map ({self._opened.about.map}) has no "
            "place for new persons. Blue: the nearest persons in all features."
        )

    def evidence(self, view: object, joint: object) -> list[Component]:
        """Return the attribution map of a joint; nothing without a joint.

        Raises:
            DataError: if there is no such joint.
            MissingCaptumError: if Captum is not installed.
        """
        from posescope.explorer.trial_pictures import draw_evidence  # noqa: PLC0415

        if joint is None or view is None:
            return []
        if not isinstance(joint, int):
            raise DataError(f"Evidence: expected the number of a joint, found {str(joint)[:20]}.")
        tried = self.tried(view)[1]
        panel = draw_evidence(tried.crop, self._trial.evidence(tried, joint), tried.pose.crop_joints[joint])
        name = self._trial.skeleton.joints[joint].replace("_", " ")
        caption = (
            f"Bright: pixels that change the height of the heatmap of the {name} most (integrated gradients). White dot: where "
            "the network places it."
        )
        picture = html.Img(src=data_uri(encode_jpeg(panel)), alt=f"Attribution map of the {name}")
        return [html.Figure([picture, html.Figcaption(caption)], className="crop")]

    @cached_property
    def _trial(self) -> "PhotographTrial":
        from posescope.explorer.tried_photograph import PhotographTrial  # noqa: PLC0415  (torch; the page opens without it)

        return PhotographTrial(self._opened)

    def _photograph(self, view: TryView) -> OpenedPhotograph:
        with self._lock:
            if view.photograph not in self._photographs:
                raise UploadError("dropped", "The photograph is no longer in memory. Choose it again.")
            self._photographs.move_to_end(view.photograph)
            return self._photographs[view.photograph]

    def _joint_table(self, tried: "TriedPerson") -> Component:
        headings = ["Joint", "Score"] + ([] if tried.pose.radii is None else ["Radius", "Trust"])
        rows = joint_rows(self._trial.skeleton.joints, tried)
        cells = [[html.Th(row[0], scope="row"), *(html.Td(text) for text in row[1 : len(headings)])] for row in rows]
        head = html.Thead(html.Tr([html.Th(text, scope="col") for text in headings]))
        return html.Table([head, html.Tbody([html.Tr(row) for row in cells])], className="facts")


def _view(key: str, box: list[float]) -> dict[str, Any]:
    return {"photograph": key, "box": box}


def _parse(view: object) -> TryView:
    try:
        return TryView.model_validate(view)
    except ValidationError as error:
        raise DataError("Try it: expected a photograph and the four numbers of a box. Choose the photograph again.") from error


def _keep(kept: "OrderedDict[Any, Any]", key: object, value: object, most: int) -> None:
    """Add an entry as the newest one, and drop the oldest ones beyond `most`."""
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > most:
        kept.popitem(last=False)


def _person_button(person: int, picture: bytes) -> Component:
    return html.Button(
        html.Img(src=data_uri(picture), alt=""),
        id={"type": CHOOSE_PERSON, "person": person},
        className="thumb",
        title=f"person {person}",
        **aria(label=f"Open person {person}"),
    )
