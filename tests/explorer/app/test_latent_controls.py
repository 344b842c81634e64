"""Tests of posescope.explorer.app.latent_controls."""

import pytest

pytest.importorskip("dash")

from dash import dcc, html

from posescope.explorer.app.latent_controls import PATCH_KINDS, count_marks, kept_counts, lay_out_patches, offset_marks


def test_counts_on_the_slider_rise_to_all() -> None:
    assert kept_counts(1) == (0, 1)
    assert kept_counts(576)[-4:] == (256, 384, 512, 576)
    assert count_marks(kept_counts(576))[len(kept_counts(576)) - 1] == "all"
    assert list(kept_counts(100)) == sorted(set(kept_counts(100)))


def test_each_layer_has_a_choice_of_all_kinds() -> None:
    first, *rows = lay_out_patches([("stack1.skip1", "skip connection 1"), ("stack1.bottleneck", "bottleneck")]).children
    assert [part.id["kind"] for part in first.children[1].children if isinstance(part, html.Button)] == list(PATCH_KINDS)
    choices = [part for row in rows for part in row.children if isinstance(part, dcc.RadioItems)]
    assert [choice.id["number"] for choice in choices] == [0, 1]
    assert all(choice.value == "own" and len(choice.options) == len(PATCH_KINDS) for choice in choices)


def test_zero_is_the_own_value() -> None:
    assert offset_marks(-0.04)[0] == "own value (-0.0 sd)"
    assert offset_marks(1.26) == {-4: "-4 sd", 0: "own value (+1.3 sd)", 4: "+4 sd"}
