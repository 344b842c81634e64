"""Tests of posescope.codecs.separable_rendering: 1-D tables compared with SciPy's filter, and outer products."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d

from posescope.codecs.separable_rendering import filtered_impulses, outer_maps


@pytest.mark.parametrize("length", [1, 2, 9, 64])
@pytest.mark.parametrize("sigma", [0.1, 0.5, 1.0, 2.3])
def test_equals_scipy(length, sigma):
    expected = gaussian_filter1d(np.eye(length), sigma, axis=1, mode="nearest")
    np.testing.assert_allclose(filtered_impulses(length, sigma).numpy(), expected, atol=1e-14)


def test_mass_by_hand():
    table = filtered_impulses(64, 1.0)
    # Radius 4: an impulse at least 4 samples from both ends keeps its mass ...
    np.testing.assert_allclose(table[4:60].sum(dim=1), 1, atol=1e-14)
    # ... one at the end is repeated beyond it: samples 0..4 include it 5, 4, 3, 2 and 1 times, so the mass grows.
    weights = np.exp(-0.5 * np.arange(5.0) ** 2)
    weights /= weights[0] + 2 * weights[1:].sum()
    repeated = sum(weights[offset:].sum() for offset in range(5))
    assert table[0].sum().item() == pytest.approx(repeated)


def test_columns_sum_to_one():
    # Filtering a signal of ones gives ones: the columns of the table sum to 1, at the ends too.
    np.testing.assert_allclose(filtered_impulses(16, 1.7).sum(dim=0), 1, atol=1e-14)


def test_table_is_symmetric():
    table = filtered_impulses(10, 0.8)
    torch.testing.assert_close(table, table.flip(0).flip(1))


def test_outer_maps_by_hand():
    columns, rows = torch.tensor([[[1.0, 2.0, 3.0]]]), torch.tensor([[[10.0, 20.0]]])
    # map[y, x] = column[y] * row[x]: three rows high, two columns wide.
    assert outer_maps(columns, rows).tolist() == [[[[10, 20], [20, 40], [30, 60]]]]


def test_outer_maps_of_no_persons():
    assert outer_maps(torch.zeros(0, 17, 4), torch.zeros(0, 17, 5)).shape == (0, 17, 4, 5)
