"""A data set with all kinds of bad images: each is an issue with its reason, or the right crop."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from posescope.data.crops.crop_boxes import targets_in_crops

SIZE = (60, 80)
PICTURE = cv2.resize(np.random.default_rng(0).integers(0, 256, (3, 4, 3)).astype(np.uint8), SIZE[::-1])


def encode(picture, file_format="JPEG", mode="RGB", **options):
    stream = io.BytesIO()
    Image.fromarray(picture).convert(mode).save(stream, file_format, **options)
    return stream.getvalue()


def sixteen_bits():
    return cv2.imencode(".png", PICTURE[..., ::-1].astype(np.uint16) * 257)[1].tobytes()


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return encode(PICTURE, quality=98, exif=exif)


JPEG = encode(PICTURE, quality=98)
GOOD = {
    "plain.jpg": JPEG,
    "png inside.jpg": encode(PICTURE, "PNG"),
    "ünï cödé and space.jpg": JPEG,
    "sixteen.png": sixteen_bits(),
    "cmyk.jpg": encode(PICTURE, mode="CMYK", quality=98),
    "grey.jpg": encode(PICTURE, mode="L", quality=98),
    "turned.jpg": turned(),
    "progressive.jpg": encode(PICTURE, quality=98, progressive=True),
    "clear.png": encode(PICTURE, "PNG", "RGBA"),
}
BAD = {
    "truncated.jpg": (JPEG[: len(JPEG) * 2 // 3], "image is damaged"),
    "closed.jpg": (JPEG[: len(JPEG) * 2 // 3] + b"\xff\xd9", "image is damaged"),
    "text.jpg": (b"<html>404 not found</html>", "image cannot be decoded"),
    "empty.jpg": (b"", "image cannot be decoded"),
    "start only.jpg": (b"\xff\xd8", "image cannot be decoded"),
    "cut.png": (encode(PICTURE, "PNG")[:-200], "image cannot be decoded"),
    "other size.jpg": (encode(PICTURE[:, :70]), "image has another size"),
    "upright.jpg": (encode(np.ascontiguousarray(PICTURE.transpose(1, 0, 2))), "image has another size"),
}


@pytest.fixture
def gallery(tiny_coco):
    """The training set is one person in each of these images, and one whose image is missing."""
    names = [*GOOD, *BAD, "missing.jpg"]
    images = [{"id": i, "file_name": name, "height": SIZE[0], "width": SIZE[1]} for i, name in enumerate(names, 1)]
    joints = [(25, 12, 2), (12, 40, 2), (39, 42, 2)]
    people = [tiny_coco.person(i, i, (10, 10, 32, 36), joints) for i in range(1, len(names) + 1)]
    tiny_coco.change("train2017", lambda content: content.update(images=images, annotations=people))
    for name, raw in (GOOD | {name: raw for name, (raw, _) in BAD.items()}).items():
        tiny_coco.image_file("train2017", name).write_bytes(raw)
    return tiny_coco


@pytest.mark.parametrize("workers", [1, 2])
def test_every_image_ends_well(gallery, cut, workers):
    found = cut(gallery.root, size_px=32, rule="centred_square", workers=workers, shard_persons=5)
    reasons = dict(zip(found.issues["file_name"], found.issues["reason"], strict=True))
    assert reasons == {name: reason for name, (_, reason) in BAD.items()}
    assert all(name in detail for name, detail in zip(found.issues["file_name"], found.issues["detail"], strict=True))

    train = found.persons[(found.persons["split"] == "train") & ~found.persons["file_name"].isin(BAD)]
    assert set(train["file_name"]) == set(GOOD)  # who has no image at all was set aside when the annotations were read
    crops = found.store.select(targets_in_crops(found.crop_boxes, found.keypoints), train["person_id"].to_numpy())
    box = found.crop_boxes.set_index("person_id").loc[train["person_id"].iloc[0]]
    left, top, side = (int(box[name]) for name in ("left", "top", "side"))
    expected = cv2.resize(PICTURE[top : top + side, left : left + side], (32, 32), interpolation=cv2.INTER_AREA).astype(int)
    grey = expected @ [0.299, 0.587, 0.114]
    for name, crop in zip(train["file_name"], crops.read_images(np.arange(len(train))), strict=True):
        wanted = grey[..., None] if name == "grey.jpg" else expected
        assert np.abs(crop - wanted).mean() < (4 if name == "cmyk.jpg" else 1.5), name
