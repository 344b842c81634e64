"""The error of the pipeline improve."""

from posescope.core.errors import PosescopeError

__all__ = ["ImprovementError"]


class ImprovementError(PosescopeError):
    """The network cannot be improved with these inputs."""
