"""Tests of posescope.reporting.start_text."""

from posescope.reporting.start_text import describe_start, describe_trained_parts


def test_random_weights_have_no_description() -> None:
    assert describe_start({}) == ""
    assert describe_trained_parts({}) == {}


def test_fine_tuning_of_a_whole_model_names_its_training_run() -> None:
    assert describe_start({"start": {"fingerprint": "abc", "epochs": 3}}) == "all weights of the training run abc"


def test_malformed_provenance_of_a_file_is_described_without_an_error() -> None:
    assert describe_start({"start": [1]}) == ""
    assert describe_start({"start": {"model": 3, "numbers": None}}) == "model 3 (unknown network): 0 of 0 weights"
    assert describe_trained_parts({"trained_parts": 4}) == {}
