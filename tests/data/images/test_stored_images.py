"""Tests of posescope.data.images.stored_images: a data set in an object store is read and cropped as one on this machine."""

from pathlib import Path
from typing import Any

import pytest

from posescope.core.mirrors import fetch
from posescope.core.object_store import ObjectStore, ObjectStoreError
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.reader import read_annotations, read_coco
from posescope.data.coco.record_validation import EXPECTED_REASONS
from posescope.data.images.decoding import read_bytes
from posescope.data.images.limits import ImageError, ImageLimits, MissingImageError
from posescope.data.images.stored_images import ImageFile, StoredImages, list_stored_images, read_images_ahead


def images_here(root: Path) -> list[Path]:
    return list(root.rglob("*.png"))


def test_names_and_folders() -> None:
    images = StoredImages({"b.png": (1, "v"), "a/c/d.png": (1, "v"), "a/e.png": (1, "v")})
    assert "b.png" in images
    assert "a/c" not in images
    assert images.names_in("") == ["a", "b.png"]
    assert images.names_in("a") == ["c", "e.png"]
    assert images.names_in("none") == []


def test_a_folder_of_this_machine_is_not_listed(tiny_coco: Any) -> None:
    assert list_stored_images(tiny_coco.root / "train2017") is None


def test_listing(stored: tuple[ObjectStore, Path], tiny_coco: Any) -> None:
    _, root = stored
    found = list_stored_images(root / "train2017")
    assert found is not None
    assert sorted(found.stamps) == ["one.png", "three.png", "two.png"]
    assert found.stamps["one.png"][0] == tiny_coco.image_file("train2017", "one.png").stat().st_size
    everything = list_stored_images(root)
    assert everything is not None
    assert "train2017/one.png" in everything
    empty = list_stored_images(root / "none")
    assert empty is not None
    assert empty.stamps == {}


def test_an_image_is_read_and_not_kept(stored: tuple[ObjectStore, Path], tiny_coco: Any) -> None:
    _, root = stored
    assert read_bytes(root / "train2017/one.png") == tiny_coco.image_file("train2017", "one.png").read_bytes()
    assert images_here(root) == []
    with pytest.raises(MissingImageError):
        read_bytes(root / "train2017/none.png")


def test_a_local_copy_is_not_read_in_place_of_the_object(stored: tuple[ObjectStore, Path]) -> None:
    """A prediction on the address of a folder leaves copies, which the mirror does not refresh."""
    store, root = stored
    old, new = (store.read(f"train2017/{name}.png") for name in ("one", "two"))
    fetch(root / "train2017/one.png")
    store.write("train2017/one.png", new)
    assert list(read_images_ahead([ImageFile(root / "train2017/one.png", ImageLimits())], 1)) == [new]
    assert read_bytes(root / "train2017/one.png", is_fetched=True) == old
    store.delete(["train2017/one.png"])
    with pytest.raises(MissingImageError):
        read_bytes(root / "train2017/one.png")


def test_the_size_is_bounded_before_an_image_is_read_whole(
    stored: tuple[ObjectStore, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, root = stored
    monkeypatch.setattr(ImageLimits, "max_file_bytes", 1000)
    store.write("train2017/large.png", b"1" * 5000)
    sizes: list[int] = []
    read = ObjectStore.read
    monkeypatch.setattr(ObjectStore, "read", lambda *args: sizes.append(len(found := read(*args))) or found)
    with pytest.raises(ImageError) as caught:
        read_bytes(root / "train2017/large.png")
    assert caught.value.kind == "image is too large"
    assert sizes == [1001]


@pytest.mark.parametrize("in_flight", [1, 16])
def test_images_are_read_ahead_in_order(in_flight: int, stored: tuple[ObjectStore, Path], tiny_coco: Any) -> None:
    names = ["two.png", "none.png", "one.png", "three.png"]
    for root in (stored[1], tiny_coco.root):
        found = list(read_images_ahead([ImageFile(root / "train2017" / name, ImageLimits()) for name in names], in_flight))
        assert isinstance(found[1], MissingImageError)
        expected = [tiny_coco.image_file("train2017", name).read_bytes() for name in ("two.png", "one.png", "three.png")]
        assert [found[0], *found[2:]] == expected
    assert list(read_images_ahead([], in_flight)) == []


def test_a_shortened_image_is_an_error_of_the_store(stored: tuple[ObjectStore, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    store, root = stored
    found = store.stat("train2017/one.png")
    assert found is not None
    whole = ImageFile(root / found.name, ImageLimits(), found.size_bytes)
    assert list(read_images_ahead([whole], 1)) == [store.read(found.name)]
    store.write(found.name, b"short")
    monkeypatch.setattr("posescope.core.storage_retries.time.sleep", lambda _: None)
    with pytest.raises(ObjectStoreError, match=found.name):
        list(read_images_ahead([whole], 1))


def test_a_failing_store_is_no_missing_image(stored: tuple[ObjectStore, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bytes:
        raise ObjectStoreError("the server is down")

    monkeypatch.setattr(ObjectStore, "read", fail)
    with pytest.raises(ObjectStoreError):
        list(read_images_ahead([ImageFile(stored[1] / "train2017/one.png", ImageLimits())], 2))


def test_annotations_are_validated_against_the_listing(stored: tuple[ObjectStore, Path], tiny_coco: Any) -> None:
    store, root = stored
    local, remote = (read_annotations(CocoFolder(place), SourceOptions()) for place in (tiny_coco.root, root))
    assert remote.persons.equals(local.persons)
    assert remote.keypoints.equals(local.keypoints)
    assert images_here(root) == []
    store.delete(["train2017/two.png"])
    store.write("train2017/ONE.png", store.read("train2017/one.png"))
    store.delete(["train2017/one.png"])
    found = read_annotations(CocoFolder(root), SourceOptions())
    rejected = found.issues[(found.issues["outcome"] == "rejected") & ~found.issues["reason"].isin(EXPECTED_REASONS)]
    assert "image file is missing" in set(rejected["reason"])
    assert "ONE.png" in set(found.persons["file_name"])  # repaired: the only name that differs in letter case


def test_an_address_is_read_as_a_folder(
    stored: tuple[ObjectStore, Path], tiny_coco: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSESCOPE_CACHE_DIR", str(tmp_path / "cache"))
    assert read_coco(stored[0].address).persons.equals(read_coco(tiny_coco.root).persons)


def test_missing_folders_are_named_by_their_address(stored: tuple[ObjectStore, Path]) -> None:
    store, root = stored
    folder = CocoFolder(root)
    folder.check(SourceOptions())
    assert folder.is_finished()
    assert not folder.is_generated
    with pytest.raises(Exception, match=store.address):
        folder.check(SourceOptions(train_split="none"))
    with pytest.raises(Exception, match=store.address):
        folder.image_folder(SourceOptions(images="none"), "train2017")
    assert not CocoFolder(root / "none").is_finished()
