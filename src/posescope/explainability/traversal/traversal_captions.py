"""Captions of the images, the plot and the tables of latent traversals."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from posescope.explainability.components.component_titles import ComponentName

__all__ = ["caption_traversals"]

_TABLES = {
    "traversal_steps": "One row per drawn step: the person nearest to it, how far that person is compared with the distances "
    "between persons (distance_quantile), and how far its joints are from the average skeleton (displacement_px).",
    "traversal_step_attributes": "Pose attributes of the skeleton drawn at each step, for example the angle of the knees.",
    "traversal_components": "Distance by which the joints move when the features of persons change along a component, and when "
    "they change at random by the same amount. directions_farther counts the random changes that move them at least as far.",
    "traversal_displacements": "The displacements of which traversal_components is the summary, one row per person and change; "
    "direction 0 is the component, the others are random.",
    "perturbation_attributes": "Change of each pose attribute when the features of persons change along a component, in standard "
    "deviations of the attribute over persons, and the mean size of the change along random directions.",
}


def caption_traversals(names: Sequence[ComponentName], steps: NDArray[np.float64]) -> dict[str, str]:
    """Return the captions by name of image, plot or table.

    Args:
        names: name of each traversed component.
        steps: steps of every traversal, in standard deviations.
    """
    ends = f"{steps.min():+g} to {steps.max():+g} standard deviations"
    captions = dict(_TABLES)
    captions["traversal_slider"] = (
        "Skeletons that the network draws when only one component changes. The menu selects the component, the slider the step; "
        "the dotted skeleton is the average one."
    )
    for name in names:
        words = f", from '{name.low}' to '{name.high}'" if name.is_named else ""
        captions[f"traversal_strip_{name.number}"] = (
            f"What the network draws when only component {name.number} changes, from {ends}{words}. Everything else stays at its "
            "average. Left limbs are orange, right limbs blue."
        )
        captions[f"traversal_pc{name.number}"] = (
            f"Above: the real person whose features are nearest to each step along component {name.number}, with the prediction "
            "for this person. Below: the skeleton and the heatmaps that the network draws at this step. If both rows show the "
            "same pose, the component stands for this pose; where no person is near, the lower row is no pose of the data."
        )
    return captions
