"""Fixtures of the toy network."""

from tests.explainability.conftest import model, scattered_crops

__all__ = ["model", "scattered_crops"]
