"""Corrected labels are put back into their annotation file."""

from dataclasses import replace

import pytest
from tests.labelling.label_examples import FIRST, SECOND, SIDE, example_labels

from posescope.core.skeleton import Skeleton
from posescope.labelling.label_set import Joint, LabelError, LabelledImage, LabelSet
from posescope.labelling.restoring import restore


def test_changed_added_and_removed_persons_are_counted() -> None:
    base = example_labels()
    moved = replace(FIRST, joints=(Joint(1, 2, 2), *FIRST.joints[1:]), side={})
    new = replace(SECOND, id=None, box=(1, 1, 5, 5), joints=(Joint(3, 3, 2), *SECOND.joints[1:]), side={})
    image = LabelledImage("a.png", 64, 48, (moved, new))
    done = restore(replace(base, images=(image,)), base)
    assert (done.images, done.changed, done.added, done.removed) == (1, 1, 1, 3)
    assert done.labels.images[0].persons == (replace(moved, side=SIDE), new)
    assert done.labels.images[0].id == 101
    assert done.labels.images[1] == base.images[1]


def test_missing_persons_are_kept_on_request() -> None:
    base = example_labels()
    image = replace(base.images[0], persons=(replace(SECOND, joints=FIRST.joints),))
    done = restore(base.with_images([image]), base, keep_missing=True)
    assert [one.id for one in done.labels.images[0].persons] == [9, 7, 12, 15]
    assert done.labels.images[0].persons[0].joints == FIRST.joints
    assert (done.changed, done.removed) == (1, 0)


def test_persons_without_ids_are_found_by_joints_or_box() -> None:
    base = example_labels()
    without = [replace(one, id=None, side={}) for one in base.images[0].persons]
    image = replace(base.images[0], id=None, persons=(replace(without[0], box=None), *without[1:]))
    assert restore(base.with_images([image, base.images[1]]), base).labels.images == base.images


def test_new_image_and_joints_in_another_order() -> None:
    base = example_labels()
    turned = Skeleton(base.skeleton.joints[::-1], (), base.skeleton.oks_sigmas)
    image = LabelledImage("new.png", 5, 5, (replace(FIRST, joints=FIRST.joints[::-1]),), 101)
    done = restore(LabelSet(turned, "person", (image,)), base)
    assert (done.images, done.added) == (1, 1)
    assert (done.labels.images[2].id, done.labels.images[2].persons[0].id) == (None, None)
    assert done.labels.images[2].persons[0].joints == FIRST.joints
    with pytest.raises(LabelError):
        restore(LabelSet(Skeleton(("a", "b", "c"), (), (0.1, 0.1, 0.1)), "person", ()), base)


def test_image_that_is_there_twice_is_refused() -> None:
    base = example_labels()
    with pytest.raises(LabelError, match=r"2 images.*a\.png"):
        restore(base.with_images([base.images[0], replace(base.images[0], persons=())]), base)


def test_added_images_are_noted() -> None:
    base = example_labels()
    done = restore(base.with_images([replace(base.images[0], name="photos/a.png")]), base)
    assert "photos/a.png" in done.labels.notes.lines[-1]
    assert restore(base, base).labels.notes == base.notes
