"""Parameters of the pipeline `final_test`."""

from pydantic import Field

from posescope.core.plugins import Options

__all__ = ["FinalTestOptions"]


class FinalTestOptions(Options):
    """Parameters besides those of `evaluation`, which apply to the test set as they do to the validation set."""

    trained_elsewhere: bool = Field(
        False,
        description="score a model that was trained with another test set; you confirm that it has seen none of these persons",
    )
    allow_repeated_access: bool = Field(
        False, description="score another model or other persons after the first access; the access log marks it as repeated"
    )
