from dataclasses import replace

import numpy as np
import pytest

from posescope.explain.base import sample_rows
from posescope.explain.errors import ExplainError


def test_sample_rows_is_seeded_ascending_and_whole_where_it_can_be() -> None:
    assert sample_rows(4, 10, seed=0).tolist() == [0, 1, 2, 3]
    rows = sample_rows(1000, 10, seed=0)
    assert len(np.unique(rows)) == 10
    assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(rows, sample_rows(1000, 10, seed=0))
    assert not np.array_equal(rows, sample_rows(1000, 10, seed=1))


def test_inputs_must_belong_together(inputs_of, shifting_crops) -> None:
    inputs = inputs_of(shifting_crops)
    with pytest.raises(ExplainError, match="same persons"):
        replace(inputs, crops=shifting_crops.subset(np.arange(41)[::-1].copy()))
    with pytest.raises(ExplainError, match="same tap"):
        replace(inputs, components=replace(inputs.components, tap="attic"))
    with pytest.raises(ExplainError, match="one PCK a person"):
        replace(inputs, per_person_pck=np.ones(3))
