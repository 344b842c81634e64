"""Whether results are of the model at hand: after another training, those of the model before still lie in their folders."""

import logging
from collections.abc import Mapping

from posescope.artifacts.model_folder import fingerprint_of_model
from posescope.artifacts.pose_model import PoseModel
from posescope.explain.base import AnalysisResult
from posescope.explain.components import Components

__all__ = ["components_of_model", "results_of_model"]

_log = logging.getLogger(__name__)


def results_of_model(results: Mapping[str, AnalysisResult], model: PoseModel) -> dict[str, AnalysisResult]:
    """Results by the analyses' names; in the place of one of another model, a result that says so and nothing else.

    One that does not say whose it is is let through.
    """
    own = fingerprint_of_model(model)
    return {name: result if result.model in ("", own) else _stale(name, result.model, own) for name, result in results.items()}


def components_of_model(components: Components, model: PoseModel) -> Components | None:
    """The components, or none if they are of another model; if they do not say whose they are they are let through."""
    own = fingerprint_of_model(model)
    if components.model in ("", own):
        return components
    _log.warning(
        "The components are of another model (%s) than this (%s), and are left out. Run the pipeline explainability.",
        components.model, own,
    )  # fmt: skip
    return None


def _stale(name: str, found: str, expected: str) -> AnalysisResult:
    note = (
        f"The result of the analysis '{name}' is of another model ({found}) than this ({expected}), and is left out. Run the "
        "pipeline explainability again."
    )
    _log.warning(note)
    return AnalysisResult(facts={}, note=note)
