"""Tests of posescope.codecs.base."""

import numpy as np
import torch

from posescope.codecs.base import find_peaks


def test_by_hand():
    maps = torch.zeros(1, 2, 3, 4)
    maps[0, 0, 2, 1] = 0.5
    maps[0, 1, 0, 3] = 2.0
    peaks = find_peaks(maps)
    assert (peaks.x.tolist(), peaks.y.tolist(), peaks.scores.tolist()) == ([[1, 3]], [[2, 0]], [[0.5, 2.0]])


def test_equals_numpys_argmax():
    maps = torch.randn(5, 7, 6, 9, generator=torch.Generator().manual_seed(0))
    peaks = find_peaks(maps)
    rows, columns = np.unravel_index(maps.flatten(2).argmax(2).numpy(), (6, 9))
    np.testing.assert_array_equal(peaks.y, rows)
    np.testing.assert_array_equal(peaks.x, columns)
    np.testing.assert_array_equal(peaks.scores, maps.numpy().max(axis=(2, 3)))


def test_first_of_equal_peaks_in_row_order():
    maps = torch.zeros(1, 1, 4, 4)
    maps[0, 0, 1, 3] = maps[0, 0, 2, 0] = 1
    peaks = find_peaks(maps)
    assert (peaks.x.item(), peaks.y.item()) == (3, 1)
    flat = find_peaks(torch.zeros(1, 1, 4, 4))
    assert (flat.x.item(), flat.y.item(), flat.scores.item()) == (0, 0, 0)


def test_peaks_of_negative_heatmaps():
    maps = torch.full((1, 1, 2, 2), -5.0)
    maps[0, 0, 1, 0] = -1
    peaks = find_peaks(maps)
    assert (peaks.x.item(), peaks.y.item(), peaks.scores.item()) == (0, 1, -1)


def test_gradient_of_a_score_is_at_its_peak():
    maps = torch.tensor([[[[0.0, 3.0], [1.0, 2.0]]]], requires_grad=True)
    find_peaks(maps).scores.sum().backward()
    assert maps.grad.tolist() == [[[[0, 1], [0, 0]]]]


def test_no_heatmaps():
    peaks = find_peaks(torch.zeros(0, 17, 8, 8))
    assert (peaks.x.shape, peaks.y.shape, peaks.scores.shape) == ((0, 17),) * 3
