"""Cropping of a data set with readable and unreadable images: each image gives a correct crop or an issue."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from posescope.data.crops.crop_boxes import targets_in_crops

SIZE = (60, 80)
IMAGE = cv2.resize(np.random.default_rng(0).integers(0, 256, (3, 4, 3)).astype(np.uint8), SIZE[::-1])


def encode(image, file_format="JPEG", mode="RGB", **options):
    stream = io.BytesIO()
    Image.fromarray(image).convert(mode).save(stream, file_format, **options)
    return stream.getvalue()


def encode_sixteen_bits():
    return cv2.imencode(".png", IMAGE[..., ::-1].astype(np.uint16) * 257)[1].tobytes()


def encode_rotated():
    exif = Image.Exif()
    exif[0x0112] = 6
    return encode(IMAGE, quality=98, exif=exif)


JPEG = encode(IMAGE, quality=98)
READABLE = {
    "plain.jpg": JPEG,
    "png inside.jpg": encode(IMAGE, "PNG"),
    "ünï cödé and space.jpg": JPEG,
    "sixteen.png": encode_sixteen_bits(),
    "cmyk.jpg": encode(IMAGE, mode="CMYK", quality=98),
    "grey.jpg": encode(IMAGE, mode="L", quality=98),
    "turned.jpg": encode_rotated(),
    "progressive.jpg": encode(IMAGE, quality=98, progressive=True),
    "clear.png": encode(IMAGE, "PNG", "RGBA"),
}
UNREADABLE = {
    "truncated.jpg": (JPEG[: len(JPEG) * 2 // 3], "image is damaged"),
    "closed.jpg": (JPEG[: len(JPEG) * 2 // 3] + b"\xff\xd9", "image is damaged"),
    "text.jpg": (b"<html>404 not found</html>", "image cannot be decoded"),
    "empty.jpg": (b"", "image cannot be decoded"),
    "start only.jpg": (b"\xff\xd8", "image cannot be decoded"),
    "cut.png": (encode(IMAGE, "PNG")[:-200], "image cannot be decoded"),
    "other size.jpg": (encode(IMAGE[:, :70]), "image has another size"),
    "upright.jpg": (encode(np.ascontiguousarray(IMAGE.transpose(1, 0, 2))), "image has another size"),
}


@pytest.fixture
def data_set(tiny_coco):
    """Return a training set with one person in each of these images, and one whose image is missing."""
    names = [*READABLE, *UNREADABLE, "missing.jpg"]
    images = [{"id": i, "file_name": name, "height": SIZE[0], "width": SIZE[1]} for i, name in enumerate(names, 1)]
    joints = [(25, 12, 2), (12, 40, 2), (39, 42, 2)]
    annotations = [tiny_coco.person(i, i, (10, 10, 32, 36), joints) for i in range(1, len(names) + 1)]
    tiny_coco.change("train2017", lambda content: content.update(images=images, annotations=annotations))
    for name, raw in (READABLE | {name: raw for name, (raw, _) in UNREADABLE.items()}).items():
        tiny_coco.image_file("train2017", name).write_bytes(raw)
    return tiny_coco


@pytest.mark.parametrize("workers", [1, 2])
def test_every_image_gives_a_crop_or_an_issue(data_set, cut, workers):
    found = cut(data_set.root, size_px=32, rule="centred_square", workers=workers, shard_persons=5)
    reasons = dict(zip(found.issues["file_name"], found.issues["reason"], strict=True))
    assert reasons == {name: reason for name, (_, reason) in UNREADABLE.items()}
    assert all(name in detail for name, detail in zip(found.issues["file_name"], found.issues["detail"], strict=True))

    train = found.persons[(found.persons["split"] == "train") & ~found.persons["file_name"].isin(UNREADABLE)]
    assert set(train["file_name"]) == set(READABLE)  # the person without image was rejected by the reader
    crops = found.store.select(targets_in_crops(found.crop_boxes, found.keypoints), train["person_id"].to_numpy())
    box = found.crop_boxes.set_index("person_id").loc[train["person_id"].iloc[0]]
    left, top, side = (int(box[name]) for name in ("left", "top", "side"))
    expected = cv2.resize(IMAGE[top : top + side, left : left + side], (32, 32), interpolation=cv2.INTER_AREA).astype(int)
    grey = expected @ [0.299, 0.587, 0.114]
    for name, crop in zip(train["file_name"], crops.read_images(np.arange(len(train))), strict=True):
        reference = grey[..., None] if name == "grey.jpg" else expected
        assert np.abs(crop - reference).mean() < (4 if name == "cmyk.jpg" else 1.5), name
