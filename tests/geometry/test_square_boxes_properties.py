"""Properties of both square rules.

Coordinates are multiples of a quarter, which floats hold exactly: at a tie, rounding to even may take either side, so a square
that is moved, mirrored or enlarged may differ from the expected one by a whole pixel, but never by more.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from posescope.geometry.square_boxes import (
    CANNOT_CENTRE,
    NOT_IN_BOX,
    OFF_IMAGE,
    TOO_SMALL,
    CentredSquare,
    Extents,
    PaddedSquare,
    SquareBoxes,
    SquareOptions,
    measure_extents,
)

RULES = pytest.mark.parametrize("rule", [CentredSquare, PaddedSquare])
SNAPPING_PX = 1.5  # the side loses up to one px, and each edge moves by up to half a px
FURTHER_PX = 400  # farther than any square extends


@dataclass(frozen=True)
class Scene:
    """Persons of one image: boxes (N, 4), joints (N, K, 2), NaN where unlabelled; and its size (height, width)."""

    boxes: NDArray[np.float64]
    joints: NDArray[np.float64]
    size: tuple[int, int]

    @property
    def extents(self) -> Extents:
        return measure_extents(self.boxes, self.joints, np.tile(self.size, (len(self.boxes), 1)))

    def moved(self, dx: float, dy: float) -> "Scene":
        step = np.array([dx, dy, 0, 0])
        return dataclasses.replace(self, boxes=self.boxes + step, joints=self.joints + step[:2])

    def mirrored(self) -> "Scene":
        width = self.size[1]
        boxes, joints = self.boxes.copy(), self.joints.copy()
        boxes[:, 0] = width - 1 - (boxes[:, 0] + boxes[:, 2])
        joints[..., 0] = width - 1 - joints[..., 0]
        return dataclasses.replace(self, boxes=boxes, joints=joints)

    def enlarged(self, times: int) -> "Scene":
        boxes = self.boxes * times
        boxes[:, :2] += (times - 1) / 2
        return Scene(boxes, self.joints * times + (times - 1) / 2, (self.size[0] * times, self.size[1] * times))

    def on_larger_image(self, px: int) -> "Scene":
        """Return the scene with more px on all sides."""
        return dataclasses.replace(self.moved(px, px), size=(self.size[0] + 2 * px, self.size[1] + 2 * px))


def squares_of(rule, scene: Scene, **options: float | str) -> SquareBoxes:
    return rule(SquareOptions(**options))(scene.extents)


def quarters(low: float, high: float) -> st.SearchStrategy[float]:
    return st.integers(int(4 * low), int(4 * high)).map(lambda value: value / 4)


@st.composite
def scenes(draw: st.DrawFn, *, outside_px: float = 0) -> Scene:
    """One to four persons with one to three labelled joints of three, inside the image or up to `outside_px` beyond it."""
    height, width = draw(st.integers(4, 90)), draw(st.integers(4, 120))
    x = quarters(-0.5 - outside_px, width - 0.5 + outside_px)
    y = quarters(-0.5 - outside_px, height - 0.5 + outside_px)
    side = quarters(0.25, 80)
    boxes, joints = [], []
    for _ in range(draw(st.integers(1, 4))):
        boxes.append([draw(x), draw(y), draw(side), draw(side)])
        labelled = draw(st.integers(1, 3))
        joints.append([[draw(x), draw(y)] for _ in range(labelled)] + [[np.nan, np.nan]] * (3 - labelled))
    return Scene(np.array(boxes), np.array(joints), (height, width))


margins = st.sampled_from([0.0, 0.1, 0.25, 1.0, 2.0])
boxes = st.sampled_from(["annotated", "annotated_and_keypoints"])


@RULES
@given(scene=scenes(outside_px=30), margin=margins, min_side=st.integers(1, 20), box=boxes)
def test_each_person_has_a_square_or_a_reason(rule, scene, margin, min_side, box):
    found = squares_of(rule, scene, margin=margin, min_side_px=min_side, box=box)
    assert len(found.left) == len(found.top) == len(found.side) == len(found.reasons) == len(scene.boxes)
    reasons = {CANNOT_CENTRE} if rule is CentredSquare else {OFF_IMAGE, *([NOT_IN_BOX] if box == "annotated" else [])}
    assert set(found.reasons) <= {"", TOO_SMALL, *reasons}
    for values in (found.left, found.top, found.side):
        assert values.dtype == np.int64  # whole px
    assert (found.side[found.accepted] >= min_side).all()


@given(scene=scenes(outside_px=30), margin=margins)
def test_centred_square_is_in_the_image(scene, margin):
    found = squares_of(CentredSquare, scene, margin=margin)
    accepted = found.accepted
    assert (found.left[accepted] >= 0).all()
    assert (found.top[accepted] >= 0).all()
    assert (found.left[accepted] + found.side[accepted] <= scene.size[1]).all()
    assert (found.top[accepted] + found.side[accepted] <= scene.size[0]).all()


@given(scene=scenes(outside_px=30), margin=margins)
def test_padded_square_shows_some_of_the_image(scene, margin):
    found = squares_of(PaddedSquare, scene, margin=margin)
    shown_w = np.minimum(found.left + found.side, scene.size[1]) - np.maximum(found.left, 0)
    shown_h = np.minimum(found.top + found.side, scene.size[0]) - np.maximum(found.top, 0)
    np.testing.assert_array_equal(found.accepted, (shown_w > 0) & (shown_h > 0))


@given(scene=scenes(), margin=margins)
def test_padding_accepts_all_persons_with_joints_in_the_image(scene, margin):
    inside = (scene.extents.joint_max < np.array(scene.size[::-1]) - 0.5).all()
    assume(inside)  # on the edge of the last px the result depends on rounding
    assert squares_of(PaddedSquare, scene, margin=margin).accepted.all()


@RULES
@given(scene=scenes(outside_px=10), margin=margins, box=boxes)
def test_all_labelled_joints_are_in_the_square(rule, scene, margin, box):
    found = squares_of(rule, scene, margin=margin, box=box)
    first = np.stack([found.left, found.top], axis=1)[:, None] - 0.5
    last = first + found.side[:, None, None]
    beyond = np.nanmax(np.maximum(first - scene.joints, scene.joints - last), axis=(1, 2))
    assert (beyond[found.accepted] <= SNAPPING_PX).all()


@RULES
@given(scene=scenes(outside_px=10), margin=margins)
def test_square_of_the_annotated_box_is_never_larger(rule, scene, margin):
    annotated, union = (squares_of(rule, scene, margin=margin, box=box) for box in ("annotated", "annotated_and_keypoints"))
    assert (annotated.side <= union.side).all()
    if rule is CentredSquare:
        assert (annotated.accepted <= union.accepted).all()


@RULES
@given(scene=scenes(), dx=st.integers(-8, 8), dy=st.integers(-8, 8))
def test_translated_person_has_a_translated_square(rule, scene, dx, dy):
    scene = scene.on_larger_image(FURTHER_PX)  # far from every border
    still, moved = squares_of(rule, scene), squares_of(rule, scene.moved(dx, dy))
    assert set(still.reasons) <= {"", TOO_SMALL}  # smaller than one px
    assert still.reasons.tolist() == moved.reasons.tolist()
    np.testing.assert_array_equal(still.side, moved.side)
    # An even number of px changes nothing at a tie, so then it is exact; but the centred square's side is not whole yet in y.
    assert (np.abs(moved.left - still.left - dx) <= dx % 2).all()
    assert (np.abs(moved.top - still.top - dy) <= (dy % 2 if rule is PaddedSquare else 1)).all()


@given(scene=scenes(outside_px=10), dx=st.integers(-40, 40), dy=st.integers(-40, 40), margin=margins)
def test_padded_square_does_not_depend_on_the_image_border(scene, dx, dy, margin):
    still, moved = squares_of(PaddedSquare, scene, margin=margin), squares_of(PaddedSquare, scene.moved(dx, dy), margin=margin)
    np.testing.assert_array_equal(still.side, moved.side)
    assert (np.abs(moved.left - still.left - dx) <= dx % 2).all()


@RULES
@given(scene=scenes(outside_px=10), margin=margins)
def test_flipped_person_has_a_flipped_square(rule, scene, margin):
    found, mirrored = squares_of(rule, scene, margin=margin), squares_of(rule, scene.mirrored(), margin=margin)
    # Whether a padded square still shows one column of the image may depend on the rounding.
    if rule is CentredSquare:
        assert found.reasons.tolist() == mirrored.reasons.tolist()
    both = found.accepted & mirrored.accepted
    np.testing.assert_array_equal(found.side[both], mirrored.side[both])
    np.testing.assert_array_equal(found.top[both], mirrored.top[both])
    expected = scene.size[1] - (found.left + found.side)
    assert (np.abs(mirrored.left - expected)[both] <= 1).all()


@RULES
@given(scene=scenes(), times=st.integers(2, 5), margin=margins)
def test_enlarged_image_has_enlarged_squares(rule, scene, times, margin):
    found, large = squares_of(rule, scene, margin=margin), squares_of(rule, scene.enlarged(times), margin=margin)
    both = found.accepted & large.accepted
    # A square below one px may fit on the larger image; no other person changes.
    assert (large.accepted >= found.accepted).all()
    assert (found.side[large.accepted & ~found.accepted] == 0).all()
    assert (np.abs(large.side - times * found.side)[both] <= times).all()
    for one, other in ((found.left, large.left), (found.top, large.top)):
        assert (np.abs(other - times * one)[both] <= SNAPPING_PX * times + SNAPPING_PX).all()


@RULES
@given(scene=scenes(), smaller=margins, larger=margins)
def test_larger_margin_never_shrinks_the_square(rule, scene, smaller, larger):
    assume(smaller <= larger)
    small, large = squares_of(rule, scene, margin=smaller), squares_of(rule, scene, margin=larger)
    assert (large.accepted >= small.accepted).all()
    accepted = small.accepted
    assert (large.side >= small.side)[accepted].all()
    for low, high in ((small.left, large.left), (small.top, large.top)):
        assert (high <= low + 1)[accepted].all()
        assert (high + large.side >= low + small.side - 1)[accepted].all()


@RULES
@given(scene=scenes(), min_side=st.integers(1, 60))
def test_min_side_only_rejects(rule, scene, min_side):
    all_, some = squares_of(rule, scene), squares_of(rule, scene, min_side_px=min_side)
    np.testing.assert_array_equal(some.accepted, all_.accepted & (all_.side >= min_side))
    assert set(some.reasons[all_.accepted & ~some.accepted]) <= {TOO_SMALL}
    for one, other in ((all_.left, some.left), (all_.top, some.top), (all_.side, some.side)):
        np.testing.assert_array_equal(one, other)


@RULES
@given(scene=scenes(outside_px=10))
def test_persons_are_independent(rule, scene):
    found = squares_of(rule, scene)
    for i in range(len(scene.boxes)):
        single = squares_of(rule, Scene(scene.boxes[i : i + 1], scene.joints[i : i + 1], scene.size))
        assert (single.left[0], single.top[0], single.side[0], single.reasons[0]) == (
            found.left[i], found.top[i], found.side[i], found.reasons[i],
        )  # fmt: skip
