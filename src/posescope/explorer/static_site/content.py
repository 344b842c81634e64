"""The data of a page without a server, as JSON-like values: packed columns, joints, thumbnails, groups and traversals.

Numbers of persons are places among the shown persons, from 0; ids are those of the table. Unknown joints are -32768.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.core.skeleton import DEFAULT_OKS_SIGMA, Skeleton
from posescope.drawing.skeletons import side_colour
from posescope.explorer.map_figure import (
    BEHIND_MARKER,
    CATEGORY_COLOURS,
    PERSON_MARKER,
    POINT_TRACE,
    SCALE_COLOURS,
    SELECTED_MARKER,
    UNKNOWN_COLOUR,
    MapPlaces,
    map_layout,
    pack_array,
    scale_marker,
    step_scale,
)
from posescope.explorer.opened_run import OpenedRun
from posescope.explorer.person_columns import Column, RangeColumn
from posescope.explorer.run_words import describe_slice, title_axes
from posescope.explorer.static_site.shown_persons import ShownPersons, find_similar
from posescope.explorer.static_site.traversals import POSITIONS, Traversal, TraversalPicture, Traversals

__all__ = ["UNKNOWN_JOINT", "site_content"]

UNKNOWN_JOINT = -32768
_STEPS_PER_PX = 10


def site_content(opened: OpenedRun, columns: Mapping[str, Column], shown: ShownPersons, traversals: Traversals) -> dict[str, Any]:
    """Return the data of the page. The same run gives the same values in the same order.

    Args:
        opened: the run.
        columns: columns of all its persons.
        shown: persons of the page.
        traversals: of the latent space.
    """
    persons, about = opened.persons.iloc[shown.rows], opened.about
    split_of, splits = pd.factorize(persons["source_split"].astype(str), sort=True)
    images = persons[["source_split", "image_id"]]
    groups = images.groupby(["source_split", "image_id"], sort=False, observed=True).ngroup().to_numpy(dtype=np.int64)
    return {
        "person_ids": persons["person_id"].tolist(),
        "image_ids": persons["image_id"].astype(str).tolist(),  # JavaScript rounds numbers above 2^53
        "annotation_ids": persons["annotation_id"].astype(str).tolist(),
        "file_names": persons["file_name"].tolist() if persons["file_name"].any() else [],
        "splits": list(splits),
        "split_of": pack_array(split_of.astype(np.int64)),
        "crop_size": list(about.crop_size),
        "columns": [_column(column, shown.rows) for column in columns.values()],
        "skeleton": _skeleton(about.skeleton.joints, about.skeleton.limbs),
        "joints_true": _labelled(opened.joints_true[shown.rows]),
        "joints_predicted": pack_array(_tenths(opened.joints_predicted[shown.rows, :, :2])),
        "scores": pack_array(opened.joints_predicted[shown.rows, :, 2]),
        "thumbnails": _thumbnails(opened, shown),
        "similar": pack_array(find_similar(opened.component_scores[shown.rows], groups, shown.featured)),
        "slices": [{"id": one.id, "words": describe_slice(one), "rule": one.rule} for one in about.slices],
        "map": _map(opened, shown.rows),
        "traversals": _traversals(opened, traversals),
    }


def _column(column: Column, rows: NDArray[np.int64]) -> dict[str, Any]:
    about = {"name": column.name, "title": column.title}
    if isinstance(column, RangeColumn):
        values = pack_array(column.values[rows])
        marker = {name: value for name, value in scale_marker(column).items() if name != "colorscale"}  # once, in the map
        return {**about, "unit": column.unit, "values": values, "limits": list(column.limits), "marker": marker}
    members = np.packbits(column.members[rows].T, axis=1, bitorder="little")  # a row of bits per label
    return {**about, "names": list(column.names), "labels": list(column.labels), "members": pack_array(members)}


def _skeleton(joints: Sequence[str], limbs: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """Return names and colours of joints and limbs; a limb between left and right has the colour of the centre."""
    skeleton = Skeleton(tuple(joints), tuple(limbs), (DEFAULT_OKS_SIGMA,) * len(joints))
    sides = [skeleton.side_of(number) for number in range(len(joints))]
    colours, centre = [_hex(side) for side in sides], _hex("")
    drawn = []
    for start, end in limbs:
        pair = {sides[start], sides[end]} & {"left", "right"}
        own = colours[start] if sides[start] in pair else colours[end]
        drawn.append([start, end, own if len(pair) == 1 else centre])
    return {"joints": [name.replace("_", " ") for name in joints], "colours": colours, "limbs": drawn}


def _hex(side: str) -> str:
    return f"#{bytes(side_colour(side)).hex()}"


def _labelled(joints: NDArray[np.float32]) -> dict[str, str]:
    return pack_array(_tenths(np.where(joints[..., 2:] > 0, joints[..., :2], np.nan)))


def _tenths(points: NDArray[np.floating]) -> NDArray[np.int16]:
    """Return points in tenths of a pixel."""
    bounded = np.clip(np.where(np.isfinite(points), points, 0) * _STEPS_PER_PX, UNKNOWN_JOINT + 1, -UNKNOWN_JOINT - 1)
    return np.where(np.isfinite(points).all(axis=-1, keepdims=True), np.rint(bounded), UNKNOWN_JOINT).astype(np.int16)


def _thumbnails(opened: OpenedRun, shown: ShownPersons) -> list[str]:
    """Return a JPEG per person as base64, empty for persons without; none is needed where all are plain grey."""
    texts = [""] * len(shown.rows)
    if opened.about.photographs != "none":
        places = np.flatnonzero(shown.featured)
        for place, picture in zip(places.tolist(), opened.thumbnails(shown.rows[places]), strict=True):
            texts[place] = _base64(picture)
    return texts


def _map(opened: OpenedRun, rows: NDArray[np.int64]) -> dict[str, Any]:
    places = opened.persons[["map_x", "map_y"]].to_numpy(dtype=np.float32)
    at = MapPlaces(places, opened.person_ids, title_axes(opened.about))
    return {
        "x": pack_array(places[rows, 0]),
        "y": pack_array(places[rows, 1]),
        "layout": map_layout(at, has_legend=True),
        "point": POINT_TRACE,
        "scale": {"colorscale": step_scale(SCALE_COLOURS)},
        "palette": list(CATEGORY_COLOURS),
        "unknown": UNKNOWN_COLOUR,
        "behind": BEHIND_MARKER,
        "selected": SELECTED_MARKER,
        "person": PERSON_MARKER,
    }


def _traversals(opened: OpenedRun, traversals: Traversals) -> dict[str, Any]:
    components = [
        {"title": one.title, "low": one.low, "high": one.high, "explained": f"{one.explained:.1%} of the variance"}
        for one in opened.about.components[: len(traversals.starts[0].places) if traversals.starts else 0]
    ]
    return {
        "note": traversals.note,
        "positions": list(POSITIONS),
        "components": components,
        "starts": [_traversal(one) for one in traversals.starts],
    }


def _traversal(one: Traversal) -> dict[str, Any]:
    return {
        "person": one.person_id,
        "background": _base64(one.background),
        "pictures": [_picture(picture) for picture in one.pictures],
        "places": one.places.tolist(),
    }


def _picture(picture: TraversalPicture) -> dict[str, Any]:
    return {
        "joints": pack_array(_tenths(picture.joints)),
        "heatmap": _base64(picture.heatmap),
        "words": picture.words,
        "nearest": list(picture.nearest),
    }


def _base64(encoded: bytes) -> str:
    return base64.b64encode(encoded).decode("ascii")
