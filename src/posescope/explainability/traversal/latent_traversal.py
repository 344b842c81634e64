"""Analysis `latent_traversal`: steps along principal components, decoded and compared with the nearest persons.

    f(i, c) = mean + c * sqrt(variance_i) * axis_i            component i, step c

The thesis showed the person nearest to f. Here f also replaces the activation of its layer and is decoded by the rest of the
network to heatmaps and joints. The activations of the skip connections are constant during the traversal, so only the component
changes. Layers before the patched one see an image of the mean colour, or with `skips: person` that person's crop. In a stack of
hourglasses, paths that bypass the layer carry the features of that image.

Components, mean activations and the scales of pose attributes are of the fitted persons; nearest persons and perturbed persons
are judged ones. The control is random changes of the same length with the covariance
of the data (`random_directions`). Features that are pooled over space cannot be decoded.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from posescope.core.plugins import Component, Options
from posescope.evaluation.bootstrap import Interval
from posescope.explainability.answers import state_sample
from posescope.explainability.attributes.person_attributes import measure_poses
from posescope.explainability.base import AnalysisInputs, AnalysisResult, Facts
from posescope.explainability.components.component_titles import ComponentName, name_components
from posescope.explainability.components.pca import Components
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.activation_patching import constant_patches, describe_patching_obstacle, zero_patch
from posescope.explainability.features.activations import mean_activations, mean_colour_image, read_activations
from posescope.explainability.features.row_blocks import sample_rows
from posescope.explainability.findings import Finding
from posescope.explainability.traversal.attribute_effects import measure_scale, tabulate_effects
from posescope.explainability.traversal.neighbour_distances import measure_neighbour_distances, nearest_persons
from posescope.explainability.traversal.perturbation import Perturbation, perturb_persons, tabulate_displacements
from posescope.explainability.traversal.random_directions import mean_joint_distances_px
from posescope.explainability.traversal.traversal_captions import caption_traversals
from posescope.explainability.traversal.traversal_findings import ask_about_displacements
from posescope.explainability.traversal.traversal_plots import draw_strip, draw_traversal, plot_traversals
from posescope.explainability.traversal.traversal_steps import (
    DecodedFeatures,
    Traversal,
    decode_features,
    tabulate_steps,
    traverse_components,
)
from posescope.models.layers import Interventions

__all__ = ["LatentTraversal", "LatentTraversalOptions"]


class LatentTraversalOptions(Options):
    """Options of the analysis `latent_traversal`."""

    components: int = Field(3, gt=0, le=100, description="Number of first components that are traversed")
    steps: tuple[float, ...] = Field(
        (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0), min_length=1, max_length=21, description="Steps, in standard deviations"
    )
    skips: Literal["mean", "zero", "person"] = Field(
        "mean", description="Constant activations of the skip connections: the mean over persons, zero, or those of one person"
    )
    person_id: int | None = Field(None, description="Person for skips: person; null: the person nearest to the mean features")
    persons: int = Field(400, gt=0, description="Maximum number of persons for the mean activations of the skip connections")
    random_directions: int = Field(
        199, ge=2, le=10_000, description="Random directions per component, as control; the smallest p-value is 1 / (1 + this)"
    )
    direction_persons: int = Field(6, ge=1, description="Persons whose features are changed along each random direction")
    perturbed_persons: int = Field(64, ge=2, description="Persons whose features are perturbed along each component")
    perturbation_sd: float = Field(1.0, gt=0, le=10, description="Perturbation to each side, in standard deviations")
    neighbours: int = Field(500, gt=1, description="Maximum number of persons for the distribution of neighbour distances")


class LatentTraversal(Component[LatentTraversalOptions]):
    """Analysis `latent_traversal`.

    Tables: traversal_steps (one row per step), traversal_step_attributes (pose attributes of the decoded joints of each step),
    traversal_components (displacement of the joints by each component and by random directions), traversal_displacements (the
    same of each person), perturbation_attributes (effect of each component on the pose attributes of persons). Images:
    traversal_strip_<i>, decoded steps in one row, and traversal_pc<i>, nearest persons above decoded steps. Plot:
    traversal_slider.
    """

    def __call__(self, inputs: AnalysisInputs) -> AnalysisResult:
        """Traverse the first components.

        Raises:
            ExplainabilityError: if the option person_id is none of the judged persons.
        """
        obstacle = describe_patching_obstacle(inputs.model, inputs.judged.features)
        if obstacle:
            return AnalysisResult({}, note=obstacle)
        decode = self._decoder(inputs)
        count, steps = min(self.options.components, len(inputs.components)), np.array(self.options.steps)
        names = _names(inputs, count)
        traversal = traverse_components(inputs, count, steps, decode)
        rows = sample_rows(len(inputs.judged), self.options.neighbours, inputs.seed)
        table = tabulate_steps(inputs, traversal, measure_neighbour_distances(inputs.judged.features, inputs.judged.groups, rows))
        perturbation = self._perturb(inputs, count, partial(decode, keep_heatmaps=False))
        facts = _facts(inputs.components, table, traversal, perturbation)
        tables = {
            "traversal_steps": table,
            "traversal_step_attributes": _step_attributes(inputs, table, traversal),
            "perturbation_attributes": tabulate_effects(perturbation.effects),
            "traversal_components": tabulate_displacements(inputs.components, count, perturbation.displacements),
            "traversal_displacements": self._displacements(inputs, perturbation),
        }
        images = {f"traversal_strip_{name.number}": draw_strip(inputs, traversal, name) for name in names}
        for name, (_, steps_of) in zip(names, table.groupby("component"), strict=True):
            images[f"traversal_pc{name.number}"] = draw_traversal(inputs, steps_of, traversal, name)
        plots = {
            "traversal_slider": plot_traversals(
                table, traversal, inputs.model.skeleton, inputs.judged.crops.crop_size, [name.title for name in names]
            )
        }
        return AnalysisResult(
            facts=facts,
            tables=tables,
            images=images,
            note=_note(facts, count, inputs.judged.crops.crop_size),
            findings=_findings(perturbation, inputs.judged.groups[self._perturbed_rows(inputs)], names),
            plots=plots,
            captions=caption_traversals(names, steps),
            photographs=inputs.photographs,
        )

    def _decoder(self, inputs: AnalysisInputs) -> partial[DecodedFeatures]:
        """Return a function that decodes (M, D) points."""
        interventions, image = self._context(inputs)
        return partial(
            decode_features,
            model=inputs.model,
            layer=inputs.judged.features.layer,
            shape=inputs.judged.features.shape,
            image=image,
            interventions=interventions,
            batch_size=inputs.batch_size,
        )

    def _perturb(
        self, inputs: AnalysisInputs, count: int, decode: Callable[[NDArray[np.float64]], DecodedFeatures]
    ) -> Perturbation:
        """Measure the effect of each component on the joints and pose attributes of judged persons."""
        options, judged, skeleton = self.options, inputs.judged, inputs.model.skeleton
        rows = self._perturbed_rows(inputs)
        return perturb_persons(
            inputs.components,
            count,
            options.perturbation_sd,
            features=judged.features.values[rows],
            groups=judged.groups[rows],
            # Pose attributes are in units of the torso, so they do not depend on the crop.
            scales=measure_scale(measure_poses(inputs.fitted.crops.targets.joints, skeleton)),
            directions=options.random_directions,
            persons_each=options.direction_persons,
            decode=lambda points: decode(points).joints,
            measure_attributes=lambda joints: measure_poses(joints, skeleton),
            seed=inputs.seed,
        )

    def _displacements(self, inputs: AnalysisInputs, perturbation: Perturbation) -> pd.DataFrame:
        """Tabulate the displacement of each perturbed person, with the person's id and photograph."""
        rows = self._perturbed_rows(inputs)[perturbation.moved["person"].to_numpy(dtype=np.int64)]
        persons = pd.DataFrame({"person_id": inputs.judged.person_ids[rows], "image_group": inputs.judged.groups[rows]})
        return pd.concat([perturbation.moved.drop(columns="person"), persons], axis=1)

    def _perturbed_rows(self, inputs: AnalysisInputs) -> NDArray[np.int64]:
        return sample_rows(len(inputs.judged), self.options.perturbed_persons, inputs.seed)

    def _context(self, inputs: AnalysisInputs) -> tuple[Interventions, Tensor]:
        """Return the constant activations of the skip connections and the (1, H, W, 3) input image."""
        layers = inputs.model.network.skip_layers
        if self.options.skips == "zero":
            return dict.fromkeys(layers, zero_patch), mean_colour_image(inputs.model)
        if self.options.skips == "mean":
            rows = sample_rows(len(inputs.fitted), self.options.persons, inputs.seed)
            means = mean_activations(inputs.model, inputs.fitted.crops, rows, layers, inputs.batch_size)
            return constant_patches(means), mean_colour_image(inputs.model)
        image = torch.from_numpy(inputs.judged.crops.read_images(self._person_row(inputs)))
        return constant_patches(read_activations(inputs.model, image, layers)), image

    def _person_row(self, inputs: AnalysisInputs) -> NDArray[np.int64]:
        if self.options.person_id is None:
            return nearest_persons(inputs.judged.features, inputs.components.mean[None]).rows
        rows = np.flatnonzero(inputs.judged.person_ids == self.options.person_id)
        if len(rows) != 1:
            raise ExplainabilityError(
                f"latent_traversal: expected the option person_id to be a judged person, found {self.options.person_id}. "
                "Choose a person_id of the judged persons."
            )
        return rows.astype(np.int64)


def _names(inputs: AnalysisInputs, count: int) -> tuple[ComponentName, ...]:
    """Return the names of the first components; components beyond the named ones have a number only."""
    named = name_components(inputs)[:count]
    return (*named, *(_number_only(inputs.components, index) for index in range(len(named), count)))


def _number_only(components: Components, index: int) -> ComponentName:
    nan = math.nan
    variance = float(components.explained_variance_ratio[index])
    return ComponentName(index + 1, variance, "none", "", "", "", "", Interval(nan, nan, nan), 1.0, nan, nan)


def _step_attributes(inputs: AnalysisInputs, table: pd.DataFrame, traversal: Traversal) -> pd.DataFrame:
    poses = measure_poses(traversal.decoded.joints, inputs.model.skeleton)
    return pd.concat([table[["component", "step"]], poses], axis=1)


def _findings(perturbation: Perturbation, groups: NDArray[np.int64], names: Sequence[ComponentName]) -> tuple[Finding, ...]:
    """Return the findings about the displacement by each component.

    Args:
        perturbation: displacements of perturbed persons.
        groups: (n,) photograph of each perturbed person.
        names: name of each component.
    """
    strips = [f"traversal_strip_{name.number}" for name in names]
    moved = ask_about_displacements(perturbation, [name.ends if name.is_named else "" for name in names], strips)
    return state_sample(moved, groups)


def _facts(components: Components, table: pd.DataFrame, traversal: Traversal, perturbation: Perturbation) -> Facts:
    points = traversal.distinct
    pairs = mean_joint_distances_px(traversal.decoded.joints[points][:, None], traversal.predicted[points][None])
    others = pairs[~np.eye(len(pairs), dtype=bool)]
    ratio = components.explained_variance_ratio
    displacement = table.groupby("component")["displacement_px"].max()
    return {
        **components.spectrum,
        "first_component_explained_variance_ratio": float(ratio[0]),
        "traversed_explained_variance_ratio": float(ratio[: len(displacement)].sum()),
        "mean_nearest_person_distance_px": float(np.diagonal(pairs).mean()),
        "chance_nearest_person_distance_px": float(others.mean()) if len(others) else None,
        "largest_displacement_component": int(displacement.to_numpy().argmax()) + 1,
        "largest_displacement_px": float(displacement.max()),
        "steps_beyond_all_persons": int((table["fraction_beyond"] == 0).sum()),
        "perturbed_persons": perturbation.persons,
    }


def _note(facts: Facts, count: int, crop_size: tuple[int, int]) -> str:
    distance, chance = facts["mean_nearest_person_distance_px"], facts["chance_nearest_person_distance_px"]
    text = (
        f"The first component explains {facts['first_component_explained_variance_ratio']:.1%} of the variance, the first "
        f"{count} together {facts['traversed_explained_variance_ratio']:.1%}; 95 % need {facts['components_for_95']} components "
        f"(participation ratio {facts['participation_ratio']:.1f}). Of all decoded steps, one of component "
        f"{facts['largest_displacement_component']} is farthest from the decoded mean: "
        f"{facts['largest_displacement_px']:.1f} px per joint in a crop of {max(crop_size)} px. Beyond "
        f"{facts['steps_beyond_all_persons']} of the steps there is no person, so what is drawn there is no pose of the data. "
        f"The mean distance between a decoded step and the prediction for its nearest person is {distance:.1f} px per joint"
    )
    return f"{text}." if chance is None else f"{text} ({chance:.1f} px for the persons of other steps)."
