"""The parameters of the namespace `final_test`."""

from pydantic import Field

from posescope.core.plugins import Options

__all__ = ["FinalTestOptions"]


class FinalTestOptions(Options):
    """All parameters of the pipeline. How the model is run and scored stands in `evaluation`: both sets are scored alike."""

    trained_elsewhere: bool = Field(
        False,
        description="score a model that was trained beside another test set: you know that it has seen none of these persons",
    )
    allow_repeated_access: bool = Field(
        False, description="score another model, or other persons, after the test set was used; the ledger keeps it as such"
    )
