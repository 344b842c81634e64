"""What all tests of networks share."""

import pytest


@pytest.fixture(autouse=True)
def few_threads(one_thread: None) -> None:
    """Small networks are fastest, and other tests undisturbed, on one thread."""
