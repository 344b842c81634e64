"""First looks at crops and targets."""

import numpy as np
import pytest

from posescope.drawing.heatmaps import overlay_heatmaps
from posescope.drawing.sheets import contact_sheet
from posescope.drawing.skeletons import draw_skeleton
from posescope.errors import OptionsError
from posescope.plugins import ComponentSpec
from posescope.report import previews
from posescope.report.previews import picture_crops, picture_targets

GAUSSIAN = ComponentSpec(name="gaussian")


def captions_of(monkeypatch):
    """Let the sheets tell which captions and how many images they were given."""
    seen = []

    def spy(images, columns, captions, *, title):
        seen.append((len(images), list(captions), title))
        return contact_sheet(images, columns, captions, title=title)

    monkeypatch.setattr(previews, "contact_sheet", spy)
    return seen


def test_crops_are_drawn_with_their_own_joints(tiny_run, monkeypatch):
    seen = captions_of(monkeypatch)
    sheet = picture_crops(tiny_run.store, tiny_run.targets, tiny_run.persons, tiny_run.skeleton)
    assert seen == [(7, [f"person {i}" for i in range(7)], "Crops with their annotation (left orange, right blue)")]
    everybody = tiny_run.store.select(tiny_run.targets, np.arange(7))
    drawn = [
        draw_skeleton(image, joints, tiny_run.skeleton, visibility)
        for image, joints, visibility in zip(
            everybody.read_images(np.arange(7)), everybody.targets.joints, everybody.targets.visibility, strict=True
        )
    ]
    np.testing.assert_array_equal(sheet, contact_sheet(drawn, 8, seen[0][1], title=seen[0][2]))


def test_targets_lie_over_their_crops(tiny_run, monkeypatch):
    seen = captions_of(monkeypatch)
    overlaid = []
    monkeypatch.setattr(previews, "overlay_heatmaps", lambda *args: overlaid.append(args) or overlay_heatmaps(*args))
    sheet = picture_targets(tiny_run.store, tiny_run.targets, tiny_run.persons, GAUSSIAN)
    assert (sheet.dtype, sheet.ndim) == (np.uint8, 3)
    assert seen[0][2] == "Target heatmaps of the codec 'gaussian'"
    # Person 1's left hand is unlabelled: its map is empty, the others' peak near 1.
    peaks = overlaid[1][1].max(axis=(1, 2))
    assert peaks[1] == 0
    assert (peaks[[0, 2]] > 0.5).all()


def test_both_splits_are_shown_and_no_more_than_there_is_room_for(tiny_run, monkeypatch):
    seen = captions_of(monkeypatch)
    monkeypatch.setattr(previews, "_MAPS", 4)
    picture_targets(tiny_run.store, tiny_run.targets, tiny_run.persons, GAUSSIAN)
    # Two of the training persons 0..3, two of the validation persons 4..6: the first and the last.
    assert seen[0][:2] == (4, ["person 0", "person 3", "person 4", "person 6"])


def test_test_persons_stay_sealed(tiny_run, monkeypatch):
    seen = captions_of(monkeypatch)
    splits = ["test", "train", "train", "test", "val", "val", "val"]
    picture_crops(tiny_run.store, tiny_run.targets, tiny_run.persons.assign(split=splits), tiny_run.skeleton)
    assert seen[0][1] == [f"person {i}" for i in (1, 2, 4, 5, 6)]


def test_a_split_without_anybody(tiny_run, monkeypatch):
    seen = captions_of(monkeypatch)
    picture_crops(tiny_run.store, tiny_run.targets, tiny_run.persons[:4], tiny_run.skeleton)
    assert seen[0][0] == 4


def test_an_unknown_codec_is_refused(tiny_run):
    with pytest.raises(OptionsError, match="No component 'rings'"):
        picture_targets(tiny_run.store, tiny_run.targets, tiny_run.persons, ComponentSpec(name="rings"))
