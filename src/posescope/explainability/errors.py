"""The error of explainability."""

from posescope.core.errors import PosescopeError

__all__ = ["ExplainabilityError"]


class ExplainabilityError(PosescopeError):
    """An analysis is not possible with these inputs."""
