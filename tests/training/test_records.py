"""Tests of posescope.training.records."""

import pytest

from posescope.training.records import EpochRecord, best_record, epochs_without_better


def record(epoch: int, pck: float, val_loss: float = 1.0) -> EpochRecord:
    return EpochRecord(epoch, 1.0, val_loss, pck, 0.1, 2.0)


def test_best_record_by_pck_then_loss_then_epoch() -> None:
    assert best_record([record(1, 0.2), record(2, 0.4), record(3, 0.3)]).epoch == 2
    assert best_record([record(1, 0.4, 0.9), record(2, 0.4, 0.8), record(3, 0.4, 0.8)]).epoch == 2
    assert best_record([record(1, 0.4, float("nan")), record(2, 0.4, 0.8)]).epoch == 2


def test_best_record_of_an_empty_history_is_an_error() -> None:
    with pytest.raises(ValueError, match="empty"):
        best_record([])


def test_epochs_without_better_counts_from_the_first_of_the_highest() -> None:
    counts = [
        epochs_without_better([record(epoch, pck) for epoch, pck in enumerate(pcks)])
        for pcks in ([0.2], [0.1, 0.2], [0.2, 0.2, 0.1])
    ]
    assert counts == [0, 0, 2]
    assert epochs_without_better([]) == 0
