"""The room's named errors."""

from posescope.errors import PosescopeError

__all__ = ["ExplainError"]


class ExplainError(PosescopeError):
    """An analysis cannot be made from what it was given."""
