"""The room's named errors."""

from posescope.errors import PosescopeError

__all__ = ["MetricError"]


class MetricError(PosescopeError):
    """A metric cannot be computed from what it was given; a figure such as 0 or -1 would hide that."""
