"""The error of the explorer."""

from posescope.core.errors import PosescopeError

__all__ = ["ExplorerError"]


class ExplorerError(PosescopeError):
    """A request to the explorer that this run cannot answer."""
