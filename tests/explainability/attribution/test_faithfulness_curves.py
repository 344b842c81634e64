import numpy as np
import pytest
import torch

from posescope.evaluation.bootstrap import resample_images
from posescope.explainability.attribution.faithfulness_curves import (
    FaithfulnessCurves,
    measure_curves,
    patch_sums,
    tabulate_curves,
)


def test_patch_sums_equal_the_hand_computed_ones() -> None:
    found = patch_sums(np.arange(9.0).reshape(3, 3), 2)
    assert found.tolist() == [0 + 1 + 3 + 4, 2 + 5, 6 + 7, 8]


def test_curves_equal_the_hand_computed_ones() -> None:
    """The explained value is the sum of the pixels: 8, 4, 2 and 2 of 16 in four patches."""
    image = torch.zeros(1, 3, 4, 4)
    image[0, 0, ::2, ::2] = torch.tensor([[8.0, 4.0], [2.0, 2.0]])

    def values(images: torch.Tensor, map_indices: torch.Tensor) -> torch.Tensor:
        return images.sum(dim=(1, 2, 3))[:, None] + 1

    best, worst = np.array([[[8.0, 4, 2, 2]]]), np.array([[[0.0, 1, 2, 3]]])
    found = measure_curves(
        values, image, torch.zeros(1, 1, dtype=torch.int64), {"best": best, "worst": worst},
        labelled=np.array([[True]]), groups=np.array([0]), fractions=(0.25, 0.5), patch_px=2, batch_size=3,
    )  # fmt: skip
    assert found.fractions.tolist() == [0, 0.25, 0.5, 1]
    assert found.mean_curve("best", 0).tolist() == [1, 0.5, 0.25, 0]
    assert found.mean_curve("best", 1).tolist() == [0, 0.5, 0.75, 1]
    assert found.mean_curve("worst", 0).tolist() == [1, 14 / 16, 12 / 16, 0]
    table = tabulate_curves(found, resample_images(np.array([0]), 0, 100), "worst").set_index(["ranking", "curve"])
    # Trapezoids: (1 + .5) / 8 + (.5 + .25) / 8 + (.25 + 0) / 4.
    assert table.loc[("best", "deletion"), "area"] == pytest.approx(0.34375)
    worst_area = (1 + 14 / 16) / 8 + (14 / 16 + 12 / 16) / 8 + 12 / 16 / 4
    assert table.loc[("best", "deletion"), "gain_over_random"] == pytest.approx(worst_area - 0.34375)


def test_unlabelled_joints_have_no_curve() -> None:
    curves = FaithfulnessCurves(
        np.array([0.0, 1.0]),
        {"random": np.array([[[[1.0, 0.0], [np.nan, np.nan]]]] * 2)},
        np.array([[1.0, np.nan]]),
        np.array([0]),
    )
    area = curves.area("random", 0, resample_images(np.array([0]), 0, 100))
    assert area.estimate == pytest.approx(0.5)
    table = tabulate_curves(curves, resample_images(np.array([0]), 0, 100), "random")
    assert table["area"].tolist() == pytest.approx([0.5, 0.5])
    assert table["gain_over_random"].tolist() == [0.0, 0.0]
