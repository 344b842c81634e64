"""Tests of posescope.reporting.start_text."""

from posescope.reporting.start_text import describe_start, describe_trained_parts


def test_random_weights_have_no_description() -> None:
    assert describe_start({}) == ""
    assert describe_trained_parts({}) == {}


def test_pretrained_weights_are_named_with_their_data_and_licence() -> None:
    origin = {"name": "lite0.pth", "sha256": "ab", "trained_on": "ImageNet", "license": "Apache-2.0"}
    expected = "pretrained weights lite0.pth (trained on ImageNet, licence Apache-2.0); all others random"
    assert describe_start({"initial_weights": origin}) == expected
    assert describe_start({"initial_weights": {"name": "my-vit"}}) == "pretrained weights my-vit; all others random"
    assert describe_start({"initial_weights": 3}) == ""


def test_fine_tuning_of_a_whole_model_names_its_training_run() -> None:
    assert describe_start({"start": {"fingerprint": "abc", "epochs": 3}}) == "all weights of the training run abc"


def test_malformed_provenance_of_a_file_is_described_without_an_error() -> None:
    assert describe_start({"start": [1]}) == ""
    assert describe_start({"start": {"model": 3, "numbers": None}}) == "model 3 (unknown network): 0 of 0 weights"
    assert describe_trained_parts({"trained_parts": 4}) == {}
