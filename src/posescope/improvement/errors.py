"""The error of this room."""

from posescope.core.errors import PosescopeError

__all__ = ["ImprovementError"]


class ImprovementError(PosescopeError):
    """A network cannot be improved from what there is."""
