"""Fixtures of the tests of networks."""

import pytest


@pytest.fixture(autouse=True)
def few_threads(one_thread: None) -> None:
    """Small networks are fastest on one thread, which also does not disturb other tests."""
