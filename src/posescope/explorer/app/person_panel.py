"""The panel of one person: crop with both skeletons, scores, neighbours, what to do next, and heatmaps on demand."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from dash import dcc, html
from dash.development.base_component import Component

from posescope.core.errors import DataError
from posescope.core.skeleton import DEFAULT_OKS_SIGMA, Skeleton
from posescope.explorer.app.tabs import aria
from posescope.explorer.next_steps import PersonEvidence, suggest_next_steps
from posescope.explorer.person_columns import CategoryColumn, Column
from posescope.explorer.pictures import brighten, data_uri, draw_heatmap_panel, draw_skeleton_panel, encode_jpeg
from posescope.explorer.similar_persons import similar_persons

if TYPE_CHECKING:
    from posescope.explorer.opened_run import OpenedRun

__all__ = [
    "CHOOSE", "LAYERS", "person_button", "person_heatmaps", "person_panel", "person_picture", "read_layers", "skeleton_of",
]  # fmt: skip

CHOOSE = "persons-choose"
LAYERS = ("prediction", "annotation", "brightened")  # of the picture of a person
_HEATMAP_PX = 128
_ATTRIBUTES = 12
_RADIUS = "The radius of uncertainty is the mean over the joints: the true joint lies within it with the calibrated probability."


def read_layers(content: Any) -> frozenset[str]:
    """Return the known layers of a list that a page sends."""
    given = content if isinstance(content, list) else []
    return frozenset(name for name in LAYERS if name in given)


def person_panel(opened: "OpenedRun", columns: "dict[str, Column]", row: int, layers: Collection[str]) -> list[Component]:
    """Return the content of the panel.

    Args:
        opened: the run.
        columns: columns of the table by name.
        row: row of the person.
        layers: layers of its picture.
    """
    person = opened.persons.iloc[row]
    evidence = _gather(opened, row)
    steps = suggest_next_steps(evidence, skeleton_of(opened))
    similar = similar_persons(opened.component_scores, opened.image_groups, row)
    return [
        html.H2(f"Person {int(person['person_id'])}"),
        html.P(_origin(person), className="more"),
        html.Div(person_picture(opened, row, layers), id="persons-picture"),
        html.Button("Move this person in the latent space", id="persons-to-latent", className="plain"),
        html.H3("What to do next"),
        html.Ul([html.Li(step) for step in steps], className="words"),
        html.H3("Scores and groups"),
        _table(_scores(person, columns, row)),
        html.P(_RADIUS, className="hint", hidden="radius" not in columns),
        html.H3("Heatmaps"),
        html.Button("Compute the heatmaps", id="persons-heatmaps-show", className="plain"),
        dcc.Loading(html.Div(id="persons-heatmaps", className="heatmaps"), delay_show=200),
        html.H3("Similar persons in other photographs"),
        html.Div(
            [
                person_button(opened, int(one), picture, "similar")
                for one, picture in zip(similar, opened.thumbnails(similar), strict=True)
            ],
            className="thumbs",
        ),
        html.Details(
            [
                html.Summary("Pose and joints"),
                html.H3("Pose"), _table(_attributes(person, columns)),
                html.H3("Joints"), _joints(opened, evidence),
            ]
        ),
    ]  # fmt: skip


def person_heatmaps(opened: "OpenedRun", row: int, layers: Collection[str] = ()) -> list[Component]:
    """Return a picture of the heatmap of every joint, computed by the model; paler ones have lower peaks.

    Args:
        opened: the run.
        row: row of the person.
        layers: of `LAYERS`; brightened is used.
    """
    rows, joints = np.array([row], dtype=np.int64), opened.about.skeleton.joints
    heatmaps = opened.heatmaps(rows)[0]
    crop = opened.crops().read_shown_images(rows, opened.about.photographs)[0]
    crop = brighten(crop) if "brightened" in layers else crop
    highest = float(heatmaps.max())
    figures: list[Component] = []
    for joint, own in zip(joints, heatmaps, strict=True):
        panel = draw_heatmap_panel(crop, own[None], full_scale=highest, height_px=_HEATMAP_PX)
        text = f"{joint.replace('_', ' ')}, {float(own.max()):.2f}"
        figures.append(html.Figure([html.Img(src=data_uri(encode_jpeg(panel)), alt=f"Heatmap of {text}"), html.Figcaption(text)]))
    return figures


def person_button(opened: "OpenedRun", row: int, thumbnail: bytes, place: str) -> Component:
    """Return a thumbnail that opens a person.

    Args:
        opened: the run.
        row: row of the person.
        thumbnail: JPEG.
        place: part of the page, so that a person may have a button in several.
    """
    person, error = int(opened.person_ids[row]), float(opened.persons["error"].iloc[row])
    text = "no label" if np.isnan(error) else f"{error:.1f} %"
    return html.Button(
        [html.Img(src=data_uri(thumbnail), alt=""), html.Span(text)],
        id={"type": CHOOSE, "place": place, "person": person},
        className="thumb",
        title=f"person {person}",
        **aria(label=f"Person {person}, error {text}"),
    )


def skeleton_of(opened: "OpenedRun") -> Skeleton:
    """Return the skeleton of the table; its OKS sigmas are unknown."""
    about = opened.about.skeleton
    return Skeleton(about.joints, about.limbs, (DEFAULT_OKS_SIGMA,) * len(about.joints))


def _gather(opened: "OpenedRun", row: int) -> PersonEvidence:
    persons = opened.persons
    own = set(persons["slices"].iloc[row])
    return PersonEvidence(
        joints_true=opened.joints_true[row],
        joints_predicted=opened.joints_predicted[row],
        error_quantile=_quantile(persons["error"], row),
        radius_quantile=_quantile(persons["radius"], row),
        slices=[one for one in opened.about.slices if one.id in own],
    )


def _quantile(values: "pd.Series[float]", row: int) -> float:
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    known = numbers[np.isfinite(numbers)]
    return float((known < numbers[row]).mean()) if len(known) and np.isfinite(numbers[row]) else float("nan")


def person_picture(opened: "OpenedRun", row: int, layers: Collection[str]) -> Component:
    """Return the crop with the chosen layers; the thumbnail if the crops were not kept.

    Args:
        opened: the run.
        row: row of the person.
        layers: of `LAYERS`.
    """
    true, predicted = opened.joints_true[row], opened.joints_predicted[row]
    try:
        crop = opened.crops().read_shown_images(np.array([row], dtype=np.int64), opened.about.photographs)[0]
    except DataError as error:
        picture = html.Img(src=data_uri(opened.thumbnails(np.array([row]))[0]), alt="Thumbnail of the person")
        return html.Figure([picture, html.Figcaption(str(error))])
    shown = predicted[:, :2] if "prediction" in layers else np.full_like(predicted[:, :2], np.nan)
    reference = np.where(true[:, 2:] > 0, true[:, :2], np.nan) if "annotation" in layers else None
    crop = brighten(crop) if "brightened" in layers else crop
    panel = draw_skeleton_panel(crop, shown, skeleton_of(opened), scores=None, reference=reference)
    caption = "Thick coloured lines: prediction (left orange, right blue, middle green). Thin white lines: annotation."
    picture = html.Img(src=data_uri(encode_jpeg(panel)), alt="Crop of the person with the predicted and the annotated skeleton")
    return html.Figure([picture, html.Figcaption(caption)], className="crop")


def _origin(person: "pd.Series[Any]") -> str:
    name = f"{person['file_name']}, " if person["file_name"] else ""
    return f"{name}annotation {int(person['annotation_id'])} of image {int(person['image_id'])} in {person['source_split']}"


def _scores(person: "pd.Series[Any]", columns: "dict[str, Column]", row: int) -> list[tuple[str, str]]:
    shown = [name for name in columns if not name.startswith(("component_", "attribute_")) and name in person.index]
    lines = []
    for name in shown:
        column = columns[name]
        if name == "slices":
            continue
        if isinstance(column, CategoryColumn):
            label = int(column.bins[row])
            lines.append((column.title, column.names[label] if label >= 0 else "none"))
        else:
            lines.append((column.title, _number(person[name], column.unit)))
    return lines


def _attributes(person: "pd.Series[Any]", columns: "dict[str, Column]") -> list[tuple[str, str]]:
    names = [name for name in columns if name.startswith("attribute_")][:_ATTRIBUTES]
    return [(columns[name].title, _number(person[name], getattr(columns[name], "unit", ""))) for name in names]


def _joints(opened: "OpenedRun", evidence: PersonEvidence) -> Component:
    rows = []
    for name, distance, predicted in zip(
        opened.about.skeleton.joints, evidence.distances, evidence.joints_predicted, strict=True
    ):
        rows.append((name.replace("_", " "), "unlabelled" if np.isnan(distance) else f"{distance:.1f}", f"{predicted[2]:.2f}"))
    return _table(rows, ("Joint", "Distance, px of the crop", "Peak of the heatmap"))


def _number(value: Any, unit: str) -> str:
    if isinstance(value, str):
        return value or "none"
    if pd.isna(value):
        return "unknown"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    return f"{float(value):.3g} {unit}".rstrip()


def _table(rows: Sequence[tuple[str, ...]], headings: Sequence[str] = ()) -> Component:
    head = [html.Thead(html.Tr([html.Th(text) for text in headings]))] if headings else []
    body = html.Tbody([html.Tr([html.Th(row[0], scope="row"), *(html.Td(text) for text in row[1:])]) for row in rows])
    return html.Table([*head, body], className="facts")
