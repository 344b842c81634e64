"""Tests of posescope.data.crops.options."""

import pytest
from pydantic import ValidationError

from posescope.core.plugins import ComponentSpec
from posescope.data.crops.options import CropOptions, SplitOptions


def test_defaults_are_those_of_the_thesis():
    options = CropOptions()
    assert options.rule_spec == ComponentSpec(name="centred_square")
    assert options.crop_size == (256, 256)
    assert SplitOptions().max_test_fraction == 0.2


def test_rule_spec_contains_its_options():
    options = CropOptions(rule="padded_square", rule_options={"margin": 0.5})
    assert options.rule_spec == ComponentSpec(name="padded_square", options={"margin": 0.5})


def test_size_of_crops_that_are_not_square():
    assert CropOptions(rule="top_down", size_px=[96, 64]).crop_size == (96, 64)
    assert CropOptions(rule="padded_square", size_px=(96, 96)) == CropOptions(rule="padded_square", size_px=96)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rule": "round"}, r"No component 'round' in posescope\.crop_rules\. Installed: .*centred_square, .*padded_square"),
        ({"rule_options": {"margin": -1}}, "options of 'centred_square': margin"),
        ({"rule_options": {"border": 1}}, "border: unknown name"),
        ({"size_px": 8}, "size_px"),
        ({"size_px": (96, 8), "rule": "top_down"}, "size_px"),
        ({"size_px": (96, 64, 3), "rule": "top_down"}, "size_px"),
        ({"size_px": (96, 64)}, "size_px: expected one number, because the crop rule 'centred_square' makes squares"),
        ({"padding_rgb": (0, 0)}, "padding_rgb"),
        ({"padding_rgb": (0, 0, 256)}, "padding_rgb"),
        ({"padding_rgb": (0, -1, 0)}, "padding_rgb"),
        ({"shard_persons": 0}, "shard_persons"),
        ({"workers": -1}, "workers"),
    ],
)
def test_invalid_options_are_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        CropOptions(**changes)


INVALID_SPLITS = [
    {"max_test_fraction": 1},
    {"max_test_fraction": -0.1},
    {"max_calibration_fraction": 0.6},
    {"max_test_fraction": 0.9, "max_calibration_fraction": 0.1},
    {"seed": -1},
]


@pytest.mark.parametrize("changes", INVALID_SPLITS)
def test_invalid_fractions_and_seeds_are_refused(changes):
    with pytest.raises(ValidationError, match=next(iter(changes))):
        SplitOptions(**changes)
