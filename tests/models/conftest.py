"""What all tests of networks share."""

import pytest
import torch


@pytest.fixture(autouse=True)
def few_threads() -> object:
    """Small networks are fastest, and other tests undisturbed, on one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
