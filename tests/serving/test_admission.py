"""Tests of the admission of requests."""

from concurrent.futures import Future

import pytest

from posescope.serving.admission import Admission
from posescope.serving.refusals import BusyError


def test_requests_and_bytes_are_bounded_and_released() -> None:
    admission = Admission(2, 100)
    with admission.admit(60):
        with pytest.raises(BusyError) as caught, admission.admit(41):
            pass
        with admission.admit(40):
            assert (admission.requests, admission.bytes) == (2, 100)
            with pytest.raises(BusyError), admission.admit(0):
                pass
    assert (admission.requests, admission.bytes) == (0, 0)
    assert (caught.value.status, caught.value.headers, caught.value.may_pass) == (503, {"Retry-After": "1"}, True)


def test_request_that_fails_is_released() -> None:
    admission = Admission(1, 10)
    with pytest.raises(ValueError, match="bad"), admission.admit(10):
        raise ValueError("bad")
    assert admission.requests == 0


def test_request_is_counted_until_its_future_is_done() -> None:
    admission, done = Admission(2, 100), Future[None]()
    with admission.admit(60) as hold_until:
        hold_until(done)
    assert (admission.requests, admission.bytes) == (1, 60)
    done.cancel()
    assert (admission.requests, admission.bytes) == (0, 0)
    with admission.admit(60) as hold_until:
        hold_until(done)
        assert (admission.requests, admission.bytes) == (1, 60)
    assert admission.requests == 0
