"""Tests of posescope.data.coco.file_name_matching: file names of another source are matched to the images of a data set."""

import pytest

from posescope.data.coco.file_name_matching import FileNameMatcher

IMAGE_NAMES = ("a.jpg", "clip1/0001.jpg", "clip2/0001.jpg", "sub/b.jpg", "caf\u00e9.png", "000000000139.jpg")


@pytest.mark.parametrize(
    ("file_name", "expected"),
    [
        ("a.jpg", "a.jpg"),
        ("./a.jpg", "a.jpg"),
        ("val/a.jpg", "a.jpg"),
        ("C:\\photos\\a.jpg", "a.jpg"),
        ("clip1/0001.jpg", "clip1/0001.jpg"),
        ("/data/images/clip2/0001.jpg", "clip2/0001.jpg"),
        ("b.jpg", "sub/b.jpg"),
        ("cafe\u0301.png", "caf\u00e9.png"),  # decomposed, as macOS writes it
        ("A.jpg", None),
        ("a.png", None),
        ("a", None),
        ("", None),
    ],
)
def test_name_is_matched_by_the_end_of_its_path(file_name: str, expected: str | None) -> None:
    matches = FileNameMatcher(IMAGE_NAMES).match([file_name])
    assert matches.found.get(file_name) == expected
    assert not matches.ambiguous


def test_base_name_of_two_images_is_ambiguous() -> None:
    matches = FileNameMatcher(IMAGE_NAMES).match(["0001.jpg", "clip3/0001.jpg"])
    assert not matches.found
    assert matches.ambiguous["0001.jpg"] == "'0001.jpg' matches several images: 'clip1/0001.jpg', 'clip2/0001.jpg'"
    assert set(matches.ambiguous) == {"0001.jpg", "clip3/0001.jpg"}


def test_two_names_with_the_base_name_of_one_image_are_ambiguous() -> None:
    matches = FileNameMatcher(["a.jpg"]).match(["x/a.jpg", "y/a.jpg"])
    assert not matches.found
    assert matches.ambiguous == dict.fromkeys(["x/a.jpg", "y/a.jpg"], "'x/a.jpg', 'y/a.jpg' all match 'a.jpg'")
    # If one of them is exactly the image's name, the other must be another image.
    matches = FileNameMatcher(["a.jpg"]).match(["x/a.jpg", "a.jpg"])
    assert (matches.found, matches.ambiguous) == ({"a.jpg": "a.jpg"}, {})
    # Two spellings of one path match the same image.
    assert FileNameMatcher(["a.jpg"]).match(["x/a.jpg", "./x/a.jpg"]).found == {"x/a.jpg": "a.jpg", "./x/a.jpg": "a.jpg"}


def test_two_names_with_the_path_end_of_one_image_are_ambiguous() -> None:
    matcher = FileNameMatcher(["clip/1.jpg", "b.jpg"])
    matches = matcher.match(["/one/clip/1.jpg", "/two/clip/1.jpg", "b.jpg"])
    assert matches.found == {"b.jpg": "b.jpg"}
    assert matches.ambiguous.keys() == {"/one/clip/1.jpg", "/two/clip/1.jpg"}
    # The best match wins: the same name, then the longest common end of the path, then the base name.
    assert matcher.match(["/one/clip/1.jpg", "clip/1.jpg", "1.jpg"]).found == {"clip/1.jpg": "clip/1.jpg"}
    assert matcher.match(["1.jpg", "/one/clip/1.jpg"]).found == {"/one/clip/1.jpg": "clip/1.jpg"}
    assert matcher.match(["1.jpg", "/one/clip/1.jpg", "/two/clip/1.jpg"]).found == {}


def test_name_may_have_more_or_fewer_folders_than_the_image() -> None:
    assert FileNameMatcher(["root/clip/1.jpg", "root/other/1.jpg"]).match(["clip/1.jpg"]).found == {
        "clip/1.jpg": "root/clip/1.jpg"
    }
    assert FileNameMatcher(["one/clip/1.jpg", "two/clip/1.jpg"]).match(["clip/1.jpg"]).ambiguous.keys() == {"clip/1.jpg"}


def test_stems_are_matched_only_if_allowed() -> None:
    names = FileNameMatcher([*IMAGE_NAMES, "c.jpg", "c.png"])
    assert names.match(["000000000139", "a", "c"]).found == {}
    matches = names.match(["000000000139", "a", "c"], stems=True)
    assert matches.found == {"000000000139": "000000000139.jpg", "a": "a.jpg"}
    assert matches.ambiguous.keys() == {"c"}


def test_long_names_are_shortened_in_messages() -> None:
    long = "x" * 3_000_000
    matches = FileNameMatcher(["a/1.jpg", "b/1.jpg"]).match([f"{long}/1.jpg"])
    assert [len(message) < 500 for message in matches.ambiguous.values()] == [True]
    matches = FileNameMatcher(["1.jpg"]).match([f"{long}/1.jpg", f"{long}y/1.jpg"])
    assert [len(message) < 1000 for message in matches.ambiguous.values()] == [True, True]


def test_empty_lists_have_no_match() -> None:
    assert FileNameMatcher([]).match(["a.jpg"]).found == {}
    assert FileNameMatcher(IMAGE_NAMES).match([]).found == {}
