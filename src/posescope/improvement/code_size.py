"""How many numbers the bottleneck needs, from what the explainability of the same network has measured."""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from posescope.artifacts.autoencoder_insertion import check_accepts_autoencoders
from posescope.artifacts.model_folder import fingerprint_of_model
from posescope.artifacts.pose_model import PoseModel
from posescope.explainability.base import AnalysisResult
from posescope.explainability.components.pca import Components
from posescope.improvement.errors import ImprovementError
from posescope.improvement.options import AutoencoderTraining

__all__ = ["CodeSize", "choose_code_size"]

_log = logging.getLogger(__name__)

# Of the network as it runs: with everybody's own skips, or without any where it has none. Another analysis in the place of the
# built-in one may say it in one word.
_FACTS = ("components_enough", "components_sufficient_own", "components_sufficient_none")
_SHARE = 0.95


@dataclass(frozen=True)
class CodeSize:
    """How many numbers the autoencoder keeps of a person, and why.

    Attributes:
        dimensions: of the code.
        reason: in words.
    """

    dimensions: int
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "CodeSize":
        """Inverse of `to_dict`."""
        return cls(**content)


def choose_code_size(model: PoseModel, components: Components, curve: AnalysisResult, options: AutoencoderTraining) -> CodeSize:
    """The size of the code: as the options say, else from the truncation curve, else from the variance.

    Args:
        model: that the autoencoder is for.
        components: of its bottleneck.
        curve: result of the analysis `truncation`: the smallest number of components whose PCK cannot be told from the intact
            network's is among its facts; it is none if there is no such number, or nobody has measured the curve.
        options: a given size, and the bounds of a chosen one.

    Raises:
        OptionsError: if autoencoders cannot be put into the model.
        ImprovementError: if a size must be chosen, and the components or the curve are of another network, or the components of
            another place in it.
    """
    check_accepts_autoencoders(model)
    if options.code_size is not None:
        return CodeSize(options.code_size, f"{options.code_size} numbers, as the parameters say")
    _check_same_model(model, {"components": components.model, "truncation curve": curve.model})
    if components.layer != model.network.bottleneck_layer:
        raise ImprovementError(
            f"The components are of '{components.layer}', but the autoencoder stands behind '{model.network.bottleneck_layer}'. Run "
            "the pipeline explainability with explainability.persons.layer=null, or give improve.autoencoder.code_size."
        )
    found = next((curve.facts[name] for name in _FACTS if curve.facts.get(name) is not None), None)
    if isinstance(found, int | float):
        wanted, why = int(found), f"the first {int(found)} components lose nothing of the PCK for certain"
    else:
        wanted = components.components_for(_SHARE)
        why = f"{wanted} components hold {_SHARE:.0%} of the variance; the truncation curve does not tell"
        _log.warning("The size of the code comes from the variance, for the truncation curve does not tell it. %s", curve.note)
    dimensions = max(min(wanted, options.largest_code, len(components.variances)), options.smallest_code)
    bounded = "" if dimensions == wanted else f"; brought to {dimensions} by its bounds"
    chosen = CodeSize(dimensions, why + bounded)
    _log.info("Size of the code: %d (%s).", chosen.dimensions, chosen.reason)
    return chosen


def _check_same_model(model: PoseModel, marks: Mapping[str, str]) -> None:
    """After another training, what was found of the model before is still there; what does not say whose it is passes."""
    told = {what: found for what, found in marks.items() if found}
    for what, found in told.items():
        if found != (own := fingerprint_of_model(model)):
            raise ImprovementError(
                f"The {what} to choose a size by: expected of the model at hand ({own}), found of another ({found}). Run the "
                "pipeline explainability again (with the analysis truncation), or give improve.autoencoder.code_size."
            )
