"""Tests of posescope.explorer.app.person_field."""

import pytest

pytest.importorskip("dash")

from posescope.explorer.app.person_field import lay_out_person_field, step_of


def test_field_has_a_label_and_two_buttons() -> None:
    label, field, *buttons = lay_out_person_field("latent-other", "Other person", 7)
    assert label.htmlFor == field.id == "latent-other"
    assert field.value == "7"
    assert field.type == "text"
    assert [step_of(button.id, "latent-other") for button in buttons] == [-1, 1]


def test_other_triggers_are_no_steps() -> None:
    assert [step_of(one, "latent-other") for one in ("latent-other", None, "latent-person-next", {"type": "next"})] == [None] * 4
