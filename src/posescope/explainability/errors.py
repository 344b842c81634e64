"""The room's named errors."""

from posescope.core.errors import PosescopeError

__all__ = ["ExplainabilityError"]


class ExplainabilityError(PosescopeError):
    """An analysis cannot be made from what it was given."""
