"""Tests of posescope.training.distributed.process_group within one process; test_launch.py compares two processes with one."""

import numpy as np
import pytest
import torch

from posescope.training.distributed.process_group import ProcessGroup


@pytest.mark.parametrize("count", [1, 2, 5, 7, 64])
def test_local_slices_cover_all_persons_and_weights_are_their_sizes(count: int) -> None:
    groups = [ProcessGroup(rank, 4) for rank in range(4)]
    persons = np.arange(count)
    local = [persons[group.local_slice(count)] for group in groups]
    np.testing.assert_array_equal(np.concatenate(local), persons)
    sizes = [len(one) for one in local]
    assert max(sizes) - min(sizes) <= 1
    assert [group.loss_weight(count) for group in groups] == pytest.approx([size * 4 / count for size in sizes])


def test_single_process_exchanges_nothing() -> None:
    group, values = ProcessGroup(), torch.tensor([1.0, 2.0])
    assert group.is_main
    assert (group.local_slice(9), group.loss_weight(9)) == (slice(0, 9), 1)
    assert group.all_reduce(values) is values
    group.barrier()
    assert group.broadcast(b"state", torch.device("cpu")) == b"state"
    network = torch.nn.BatchNorm2d(2)
    assert group.convert_batch_norms(network) is network
    assert group.wrap(network, torch.device("cpu")) is network
