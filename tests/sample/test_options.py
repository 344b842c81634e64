import pytest
from pydantic import ValidationError

from posescope.sample import SampleOptions


def test_defaults() -> None:
    options = SampleOptions()
    assert (options.train_persons, options.val_persons, options.seed, options.workers) == (2500, 400, 0, 0)


@pytest.mark.parametrize("field", ["train_persons", "val_persons", "jpeg_quality"])
def test_bounds(field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        SampleOptions.model_validate({field: 0})


def test_sides_must_differ() -> None:
    with pytest.raises(ValidationError, match=r"at least 1\.2 x"):
        SampleOptions(image_short_side=300, image_long_side=310)


def test_unknown_name() -> None:
    with pytest.raises(ValidationError, match="wrokers"):
        SampleOptions.model_validate({"wrokers": 2})


def test_every_field_is_described() -> None:
    assert all(field.description for field in SampleOptions.model_fields.values())
