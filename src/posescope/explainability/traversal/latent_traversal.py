"""Analysis `latent_traversal`: steps along principal components, decoded and compared with the nearest persons.

    f(i, c) = mean + c * sqrt(variance_i) * axis_i            component i, step c

The thesis showed the person nearest to f. Here f also replaces the activation of its layer and is decoded by the rest of the
network to heatmaps and joints. The activations of the skip connections are constant during the traversal, so only the component
changes. Layers before the patched one see an image of the mean colour, or with `skips: person` that person's crop. In a stack of
hourglasses, paths that bypass the layer carry the features of that image.

The controls are persons paired at random and random directions of the same length (`traversal_findings`, `perturbation`).
Features that are pooled over space cannot be decoded.
"""

from collections.abc import Callable
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from posescope.core.plugins import Component, Options
from posescope.explainability.attributes.person_attributes import measure_poses
from posescope.explainability.base import AnalysisInputs, AnalysisResult, Facts
from posescope.explainability.components.pca import Components
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.activation_patching import constant_patches, describe_patching_obstacle, zero_patch
from posescope.explainability.features.activations import mean_activations, mean_colour_image, read_activations
from posescope.explainability.features.row_blocks import sample_rows
from posescope.explainability.findings import Finding
from posescope.explainability.traversal.neighbour_distances import (
    NeighbourDistances,
    measure_neighbour_distances,
    nearest_persons,
)
from posescope.explainability.traversal.perturbation import (
    Perturbation,
    measure_scale,
    perturb_persons,
    strongest_effects,
    tabulate_effects,
)
from posescope.explainability.traversal.random_directions import (
    EndSteps,
    compare_ends,
    ends_with_data_covariance,
    find_end_steps,
    mean_joint_distances_px,
)
from posescope.explainability.traversal.traversal_findings import (
    claim_attribute_effect,
    claim_data_proximity,
    claim_displacement,
    claim_nearest_person_match,
)
from posescope.explainability.traversal.traversal_plots import draw_traversal, plot_traversals
from posescope.explainability.traversal.traversal_steps import (
    DecodedFeatures,
    Traversal,
    decode_features,
    tabulate_components,
    tabulate_steps,
    traverse_components,
)
from posescope.models.layers import Interventions

__all__ = ["LatentTraversal", "LatentTraversalOptions"]


class LatentTraversalOptions(Options):
    """Options of the analysis `latent_traversal`."""

    components: int = Field(5, gt=0, le=100, description="Number of first components that are traversed")
    steps: tuple[float, ...] = Field(
        (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0), min_length=1, max_length=21, description="Steps, in standard deviations"
    )
    skips: Literal["mean", "zero", "person"] = Field(
        "mean", description="Constant activations of the skip connections: the mean over persons, zero, or those of one person"
    )
    person_id: int | None = Field(None, description="Person for skips: person; null: the person nearest to the mean features")
    persons: int = Field(400, gt=0, description="Maximum number of persons for the mean activations of the skip connections")
    random_directions: int = Field(24, ge=2, le=1000, description="Random directions per component, as control")
    perturbed_persons: int = Field(64, ge=2, description="Persons whose features are perturbed along each component")
    perturbation_sd: float = Field(1.0, gt=0, le=10, description="Perturbation to each side, in standard deviations")
    neighbours: int = Field(500, gt=1, description="Maximum number of persons for the distribution of neighbour distances")


class LatentTraversal(Component[LatentTraversalOptions]):
    """Analysis `latent_traversal`.

    Tables: traversal_steps (one row per step), traversal_step_attributes (pose attributes of the decoded joints of each step),
    traversal_components (displacement of the joints by each component), perturbation_attributes (effect of each component on the
    pose attributes of persons). Images: traversal_pc<i>, nearest persons above decoded steps. Plot: traversal_slider.
    """

    def __call__(self, inputs: AnalysisInputs) -> AnalysisResult:
        """Traverse the first components.

        Raises:
            ExplainabilityError: if the option person_id is none of the analysed persons.
        """
        obstacle = describe_patching_obstacle(inputs.model, inputs.judged.features)
        if obstacle:
            return AnalysisResult({}, note=obstacle)
        interventions, image = self._context(inputs)
        decode = partial(
            decode_features,
            model=inputs.model,
            layer=inputs.judged.features.layer,
            shape=inputs.judged.features.shape,
            image=image,
            interventions=interventions,
            batch_size=inputs.batch_size,
        )
        count, steps = min(self.options.components, len(inputs.components)), np.array(self.options.steps)
        traversal = traverse_components(inputs, count, steps, decode)
        neighbours = measure_neighbour_distances(
            inputs.judged.features,
            inputs.judged.groups,
            sample_rows(len(inputs.judged.features), self.options.neighbours, inputs.seed),
        )
        table = tabulate_steps(inputs, traversal, neighbours)
        end_steps = find_end_steps(steps)
        ends = self._ends(inputs, traversal, end_steps, decode)
        perturbation = self._perturb(inputs, count, decode)
        findings = [*_findings(inputs, traversal, end_steps, ends, table, neighbours), *_perturbation_findings(perturbation)]
        poses = measure_poses(traversal.decoded.joints, inputs.model.skeleton)
        facts = _facts(inputs.components, table, traversal)
        return AnalysisResult(
            facts=facts,
            tables={
                "traversal_steps": table,
                "traversal_step_attributes": pd.concat([table[["component", "step"]], poses], axis=1),
                "perturbation_attributes": tabulate_effects(perturbation.effects),
                "traversal_components": tabulate_components(inputs.components, count, ends, perturbation.displacements),
            },
            images={
                f"traversal_pc{number}": draw_traversal(inputs, rows, traversal) for number, rows in table.groupby("component")
            },
            note=_note(facts, count, inputs.judged.crops.crop_size),
            findings=tuple(findings),
            plots={"traversal_slider": _plot_slider(inputs, table, traversal, perturbation)},
        )

    def _ends(
        self,
        inputs: AnalysisInputs,
        traversal: Traversal,
        steps: EndSteps,
        decode: Callable[[NDArray[np.float64]], DecodedFeatures],
    ) -> list[NDArray[np.float64]]:
        """Decode the ends of every traversal and of random directions; empty if all steps are 0."""
        if not steps:
            return []
        return [
            compare_ends(
                inputs.components,
                component,
                steps,
                self.options.random_directions,
                seed=inputs.seed,
                decode=lambda points: decode(points).joints,
                mean_joints=traversal.mean_joints,
            )
            for component in range(traversal.count)
        ]

    def _perturb(
        self, inputs: AnalysisInputs, count: int, decode: Callable[[NDArray[np.float64]], DecodedFeatures]
    ) -> Perturbation:
        """Measure the effect of each component on the joints and pose attributes of persons."""
        rows, skeleton = (
            sample_rows(len(inputs.judged.features), self.options.perturbed_persons, inputs.seed),
            inputs.model.skeleton,
        )
        return perturb_persons(
            inputs.components,
            count,
            self.options.perturbation_sd,
            features=inputs.judged.features.values[rows],
            groups=inputs.judged.groups[rows],
            # Pose attributes are in units of the torso, so they do not depend on the crop.
            scales=measure_scale(measure_poses(inputs.judged.crops.targets.joints, skeleton)),
            decode=lambda points: decode(points).joints,
            measure_attributes=lambda joints: measure_poses(joints, skeleton),
            seed=inputs.seed,
        )

    def _context(self, inputs: AnalysisInputs) -> tuple[Interventions, Tensor]:
        """Return the constant activations of the skip connections and the (1, H, W, 3) input image."""
        layers = inputs.model.network.skip_layers
        if self.options.skips == "zero":
            return dict.fromkeys(layers, zero_patch), mean_colour_image(inputs.model)
        if self.options.skips == "mean":
            rows = sample_rows(len(inputs.judged.crops), self.options.persons, inputs.seed)
            means = mean_activations(inputs.model, inputs.judged.crops, rows, layers, inputs.batch_size)
            return constant_patches(means), mean_colour_image(inputs.model)
        image = torch.from_numpy(inputs.judged.crops.read_images(self._person_row(inputs)))
        return constant_patches(read_activations(inputs.model, image, layers)), image

    def _person_row(self, inputs: AnalysisInputs) -> NDArray[np.int64]:
        if self.options.person_id is None:
            return nearest_persons(inputs.judged.features, inputs.components.mean[None]).rows
        rows = np.flatnonzero(inputs.judged.features.person_ids == self.options.person_id)
        if len(rows) != 1:
            raise ExplainabilityError(
                f"latent_traversal: expected the option person_id to be an analysed person, found {self.options.person_id}. "
                "Choose a person_id of the features."
            )
        return rows.astype(np.int64)


def _findings(
    inputs: AnalysisInputs,
    traversal: Traversal,
    steps: EndSteps,
    ends: list[NDArray[np.float64]],
    table: pd.DataFrame,
    neighbours: NeighbourDistances,
) -> list[Finding]:
    """Return the findings about the steps: match with the nearest persons, and distance from the data."""
    points, seed = traversal.distinct, inputs.seed
    groups = inputs.judged.groups[traversal.nearest.rows[points]]
    found = [
        claim_nearest_person_match(traversal.decoded.joints[points], traversal.predicted[points], groups, "traversal_pc1", seed)
    ]
    if ends:
        points_of_ends = np.stack(
            [ends_with_data_covariance(inputs.components, i, steps, len(own) - 1, seed) for i, own in enumerate(ends)]
        )  # (P, 1 + R, E, D)
        distances = nearest_persons(inputs.judged.features, points_of_ends.reshape(-1, points_of_ends.shape[-1])).distances
        is_end = table["step"].isin(steps.outermost)
        outside = int((table.loc[is_end, "fraction_beyond"] == 0).sum())
        shaped = distances.reshape(points_of_ends.shape[:-1])
        found.append(claim_data_proximity(steps, shaped, outside, neighbours, seed, "traversal_slider"))
    return [finding for finding in found if finding is not None]


def _perturbation_findings(perturbation: Perturbation) -> list[Finding]:
    """Return the displacements by the first component and by the strongest one, and the strongest effect of each component."""
    displacements = perturbation.displacements
    chosen = {0, int(np.argmax([one.own.estimate for one in displacements]))} if displacements else set()
    return [
        *(claim_displacement(displacements[i], perturbation, f"traversal_pc{i + 1}") for i in sorted(chosen)),
        *(
            claim_attribute_effect(effect, perturbation, f"traversal_pc{effect.component}")
            for effect in strongest_effects(perturbation.effects)
        ),
    ]


def _facts(components: Components, table: pd.DataFrame, traversal: Traversal) -> Facts:
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
    }


def _plot_slider(inputs: AnalysisInputs, table: pd.DataFrame, traversal: Traversal, perturbation: Perturbation) -> go.Figure:
    effects = strongest_effects(perturbation.effects)
    named = {effect.component: f", {effect.attribute.replace('_', ' ')}" for effect in effects if effect.is_significant}
    ratio = inputs.components.explained_variance_ratio
    names = [f"component {i} ({ratio[i - 1]:.0%}{named.get(i, '')})" for i in range(1, traversal.count + 1)]
    return plot_traversals(table, traversal, inputs.model.skeleton, inputs.judged.crops.crop_size, names)


def _note(facts: Facts, count: int, crop_size: tuple[int, int]) -> str:
    distance, chance = facts["mean_nearest_person_distance_px"], facts["chance_nearest_person_distance_px"]
    text = (
        f"The first component explains {facts['first_component_explained_variance_ratio']:.1%} of the variance, the first "
        f"{count} together {facts['traversed_explained_variance_ratio']:.1%}; 95 % need {facts['components_for_95']} components "
        f"(participation ratio {facts['participation_ratio']:.1f}). Of all decoded steps, one of component "
        f"{facts['largest_displacement_component']} is farthest from the decoded mean: "
        f"{facts['largest_displacement_px']:.1f} px per joint in a crop of {max(crop_size)} px. The mean distance between a "
        f"decoded step and the prediction for its nearest person is {distance:.1f} px per joint"
    )
    return f"{text}." if chance is None else f"{text} ({chance:.1f} px for the persons of other steps)."
