import numpy as np
import pytest
import torch

from posescope.explainability.components.covariance import CovarianceSum, eigen_descending


@pytest.mark.parametrize("device", [None, torch.device("cpu")])
@pytest.mark.parametrize("origin", [0.0, 1000.0])
def test_blocks_give_the_covariance_of_numpy(device, origin) -> None:
    rows = np.random.default_rng(0).normal(size=(23, 4)) + 1000
    total = CovarianceSum(np.full(4, origin), device)
    for start in range(0, 23, 5):
        total.add(rows[start : start + 5].astype(np.float64))
    np.testing.assert_allclose(total.mean(), rows.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(total.covariance(), np.cov(rows.T), atol=1e-12 if origin else 1e-8)
    assert total.count == 23


@pytest.mark.parametrize("device", [None, torch.device("cpu")])
def test_eigenvectors_equal_the_hand_computed_ones(device) -> None:
    # 3 along (1, 1), 1 along (1, -1), and a third direction without any variance.
    values, vectors = eigen_descending(np.array([[2.0, 1, 0], [1, 2, 0], [0, 0, 0]]), device)
    np.testing.assert_allclose(values, [3, 1])
    np.testing.assert_allclose(np.abs(vectors), np.array([[1, 1], [1, 1], [0, 0]]) / np.sqrt(2), atol=1e-12)


def test_zero_matrix_has_no_eigenvectors() -> None:
    values, vectors = eigen_descending(np.zeros((2, 2)))
    assert (values.shape, vectors.shape) == ((0,), (2, 0))
