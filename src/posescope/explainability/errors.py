"""The room's named errors."""

from posescope.core.errors import PosescopeError

__all__ = ["ExplainError"]


class ExplainError(PosescopeError):
    """An analysis cannot be made from what it was given."""
