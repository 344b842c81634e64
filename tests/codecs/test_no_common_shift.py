"""Round trips of joints through crop, heatmap and decoder, plain and flipped, have no common shift."""

import numpy as np
import pytest
import torch

from posescope.core.plugins import ComponentSpec, build
from posescope.core.skeleton import COCO_PERSON
from posescope.geometry.affine import apply_affine, crop_from_image, invert_affine

FLIP = list(COCO_PERSON.flip_indices)


@pytest.mark.parametrize(
    ("name", "options", "size"),
    [
        *(
            ("gaussian", {"stride": 4, "sigma_heatmap_px": 1.5, "decoder": decoder}, 96)
            for decoder in ("dark", "quarter", "argmax", "integral")
        ),
        ("thesis", {}, 256),
        ("thesis_256", {}, 256),
    ],
    ids=["dark", "quarter", "argmax", "integral", "thesis", "thesis_256"],
)
def test_no_shift_is_common_to_all_joints(name, options, size):
    """Half a pixel in any of the conventions would be 0.125 heatmap px and more; the mean of 6,800 roundings is below 0.01."""
    rng = np.random.default_rng(0)
    codec = build("codecs", ComponentSpec(name=name, options=options), crop_size=(size, size), joint_count=17)
    left, top, side = rng.integers(-20, 40, 400), rng.integers(-20, 40, 400), rng.integers(80, 400, 400)
    maps = crop_from_image(left, top, side, (size, size))
    crop = rng.uniform(12, size - 13, (400, 17, 2))
    truth = apply_affine(invert_affine(maps), crop)
    visible = torch.full((400, 17), 2, dtype=torch.uint8)
    cell_px = size / codec.map_size[1]

    decoded = codec.decode(codec.encode(torch.tensor(crop, dtype=torch.float32), visible).heatmaps).joints.numpy()
    errors = (apply_affine(invert_affine(maps), decoded) - truth) / (side[:, None, None] / size)
    assert np.abs(errors.reshape(-1, 2).mean(axis=0)).max() < 0.03 * cell_px

    mirrored = crop.copy()
    mirrored[..., 0] = size - 1 - crop[..., 0]
    heatmaps = codec.encode(torch.tensor(mirrored[:, FLIP], dtype=torch.float32), visible).heatmaps
    back = codec.decode(codec.unflip(heatmaps, COCO_PERSON.flip_indices)).joints.numpy() - crop
    # Heatmap px c of the final codec of the thesis is crop px 4 c: its flip is a quarter of a heatmap px off (docs/thesis.md).
    expected = (1.0, 0.0) if name == "thesis" else (0.0, 0.0)
    assert np.abs(back.reshape(-1, 2).mean(axis=0) - expected).max() < 0.03 * cell_px
