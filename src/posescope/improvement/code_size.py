"""Selection of the code size of an autoencoder from the explainability results of the same network."""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from posescope.artifacts.model_assembly import check_accepts_autoencoders
from posescope.artifacts.model_folder import fingerprint_of_model
from posescope.artifacts.pose_model import PoseModel
from posescope.core.origin import Origin, check_origins
from posescope.explainability.base import AnalysisResult
from posescope.explainability.components.pca import Components
from posescope.improvement.errors import ImprovementError
from posescope.improvement.options import AutoencoderTraining
from posescope.models.layers import bottleneck_layers

__all__ = ["CodeSize", "choose_code_size"]

_log = logging.getLogger(__name__)

# The built-in analysis reports the number for intact skip connections (own) or for a network without them (none); another
# analysis named truncation may report one number.
_FACTS = ("components_enough", "components_sufficient_own", "components_sufficient_none")
_VARIANCE_FRACTION = 0.95


@dataclass(frozen=True)
class CodeSize:
    """Size of the code of an autoencoder.

    Attributes:
        dimensions: numbers of the code per person.
        reason: why this size was selected.
    """

    dimensions: int
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-like content."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "CodeSize":
        """Inverse of `to_dict`; reads records of older versions, which named `dimensions` numbers, too."""
        return cls(content["dimensions"] if "dimensions" in content else content["numbers"], content["reason"])


def choose_code_size(model: PoseModel, components: Components, curve: AnalysisResult, options: AutoencoderTraining) -> CodeSize:
    """Select the code size: the given one, else from the truncation curve, else from the variance.

    Args:
        model: model that the autoencoder is inserted into.
        components: components of the bottleneck.
        curve: result of the analysis `truncation`, whose facts name the smallest sufficient number of components; none if there
            is no such number or the curve was not measured.
        options: the given size, and the bounds of a selected one.

    Raises:
        OptionsError: if the model does not accept autoencoders.
        OriginMismatchError: if the size must be selected, and the components or the curve are of another network.
        ImprovementError: if the size must be selected, and the components are of another layer.
    """
    check_accepts_autoencoders(model)
    if options.code_size is not None:
        return CodeSize(options.code_size, f"{options.code_size} numbers, from the parameters")
    # A result without a fingerprint may be of any model.
    origins = {"components": Origin(model=components.model or None), "truncation curve": Origin(model=curve.model or None)}
    check_origins(Origin(model=fingerprint_of_model(model)), origins, "explainability")
    network, bottleneck = model.network, bottleneck_layers(model.network)[-1]
    if network.module_path(components.layer) != network.module_path(bottleneck):
        raise ImprovementError(
            f"Expected components of the layer '{bottleneck}', found those of '{components.layer}'. Run the "
            "pipeline explainability with explainability.persons.layer=null, or set improve.autoencoder.code_size."
        )
    found = next((curve.facts[name] for name in _FACTS if curve.facts.get(name) is not None), None)
    if isinstance(found, int | float):
        wanted, why = int(found), f"{int(found)} components are sufficient by the truncation curve"
    else:
        wanted = components.components_for(_VARIANCE_FRACTION)
        why = f"{wanted} components explain {_VARIANCE_FRACTION:.0%} of the variance; the truncation curve names no number"
        _log.warning(
            "The code size is selected by the explained variance, since the truncation curve names no number. %s", curve.note
        )
    dimensions = max(min(wanted, options.largest_code, len(components.variances)), options.smallest_code)
    bounded = "" if dimensions == wanted else f"; {dimensions} within the bounds"
    chosen = CodeSize(dimensions, why + bounded)
    _log.info("Code size: %d (%s).", chosen.dimensions, chosen.reason)
    return chosen
