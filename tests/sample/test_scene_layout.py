import pytest

from posescope.sample.scene_layout import plan_split


@pytest.mark.parametrize("persons", [1, 8, 40, 2500])
def test_persons_of_all_images_sum_to_the_option(persons: int) -> None:
    assert sum(image.persons for image in plan_split(0, 0, persons)) == persons


@pytest.mark.parametrize("persons", [8, 40])
def test_small_splits_have_every_kind_of_image(persons: int) -> None:
    images = plan_split(0, 1, persons)
    empty = [image for image in images if image.persons == 0]
    assert empty
    assert all(not image.has_crowd and not image.unlabelled for image in empty)
    assert any(image.has_crowd for image in images)
    assert any(image.unlabelled for image in images)
    assert {image.colour_mode for image in images} == {"colour", "grey_rgb", "grey_single"}


def test_images_are_numbered_in_order() -> None:
    images = plan_split(5, 1, 30)
    assert [image.image_index for image in images] == list(range(len(images)))
    assert {image.split_index for image in images} == {1}


def test_layout_is_determined_by_seed_and_split() -> None:
    assert plan_split(0, 0, 50) == plan_split(0, 0, 50)
    assert plan_split(0, 0, 50) != plan_split(1, 0, 50)
    assert [i.persons for i in plan_split(0, 0, 50)] != [i.persons for i in plan_split(0, 1, 50)]


def test_fractions_of_a_large_split() -> None:
    images = plan_split(0, 0, 5000)
    assert sum(i.persons == 0 for i in images) / len(images) == pytest.approx(0.03, abs=0.005)
    # 62 % of the 97 % of images with persons.
    assert sum(i.persons == 1 for i in images) / len(images) == pytest.approx(0.60, abs=0.03)
