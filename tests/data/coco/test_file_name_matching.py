"""Matching of file names of another source to known images."""

import pytest

from posescope.data.coco.file_name_matching import FileNameMatcher

KNOWN = ("a.jpg", "clip1/0001.jpg", "clip2/0001.jpg", "sub/b.jpg", "caf\u00e9.png", "000000000139.jpg")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("a.jpg", "a.jpg"),
        ("./a.jpg", "a.jpg"),
        ("val/a.jpg", "a.jpg"),
        ("C:\\pictures\\a.jpg", "a.jpg"),
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
def test_one_name(asked: str, expected: str | None) -> None:
    matches = FileNameMatcher(KNOWN).match([asked])
    assert matches.found.get(asked) == expected
    assert not matches.ambiguous


def test_a_base_name_that_two_images_have_is_ambiguous() -> None:
    matches = FileNameMatcher(KNOWN).match(["0001.jpg", "clip3/0001.jpg"])
    assert not matches.found
    assert matches.ambiguous["0001.jpg"] == "'0001.jpg' matches several images: 'clip1/0001.jpg', 'clip2/0001.jpg'"
    assert set(matches.ambiguous) == {"0001.jpg", "clip3/0001.jpg"}


def test_two_names_never_mean_one_image_by_their_base_name() -> None:
    matches = FileNameMatcher(["a.jpg"]).match(["x/a.jpg", "y/a.jpg"])
    assert not matches.found
    assert matches.ambiguous == dict.fromkeys(["x/a.jpg", "y/a.jpg"], "'x/a.jpg', 'y/a.jpg' all match 'a.jpg'")
    # Where one of them is the image's own name, the other is another image.
    matches = FileNameMatcher(["a.jpg"]).match(["x/a.jpg", "a.jpg"])
    assert (matches.found, matches.ambiguous) == ({"a.jpg": "a.jpg"}, {})
    # Two spellings of one name are one name.
    assert FileNameMatcher(["a.jpg"]).match(["x/a.jpg", "./x/a.jpg"]).found == {"x/a.jpg": "a.jpg", "./x/a.jpg": "a.jpg"}


def test_two_names_never_mean_one_image_by_the_end_of_their_path() -> None:
    known = FileNameMatcher(["clip/1.jpg", "b.jpg"])
    matches = known.match(["/one/clip/1.jpg", "/two/clip/1.jpg", "b.jpg"])
    assert matches.found == {"b.jpg": "b.jpg"}
    assert matches.ambiguous.keys() == {"/one/clip/1.jpg", "/two/clip/1.jpg"}
    # The name that fits better means the image: the same name, then the same end of the path, then the base name.
    assert known.match(["/one/clip/1.jpg", "clip/1.jpg", "1.jpg"]).found == {"clip/1.jpg": "clip/1.jpg"}
    assert known.match(["1.jpg", "/one/clip/1.jpg"]).found == {"/one/clip/1.jpg": "clip/1.jpg"}
    assert known.match(["1.jpg", "/one/clip/1.jpg", "/two/clip/1.jpg"]).found == {}


def test_a_name_may_end_in_more_than_the_image_or_less() -> None:
    assert FileNameMatcher(["root/clip/1.jpg", "root/other/1.jpg"]).match(["clip/1.jpg"]).found == {
        "clip/1.jpg": "root/clip/1.jpg"
    }
    assert FileNameMatcher(["one/clip/1.jpg", "two/clip/1.jpg"]).match(["clip/1.jpg"]).ambiguous.keys() == {"clip/1.jpg"}


def test_stems_where_they_are_allowed() -> None:
    names = FileNameMatcher([*KNOWN, "c.jpg", "c.png"])
    assert names.match(["000000000139", "a", "c"]).found == {}
    matches = names.match(["000000000139", "a", "c"], stems=True)
    assert matches.found == {"000000000139": "000000000139.jpg", "a": "a.jpg"}
    assert matches.ambiguous.keys() == {"c"}


def test_a_name_of_megabytes_makes_no_message_of_megabytes() -> None:
    long = "x" * 3_000_000
    matches = FileNameMatcher(["a/1.jpg", "b/1.jpg"]).match([f"{long}/1.jpg"])
    assert [len(told) < 500 for told in matches.ambiguous.values()] == [True]
    matches = FileNameMatcher(["1.jpg"]).match([f"{long}/1.jpg", f"{long}y/1.jpg"])
    assert [len(told) < 1000 for told in matches.ambiguous.values()] == [True, True]


def test_nothing() -> None:
    assert FileNameMatcher([]).match(["a.jpg"]).found == {}
    assert FileNameMatcher(KNOWN).match([]).found == {}
