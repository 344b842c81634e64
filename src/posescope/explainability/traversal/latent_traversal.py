"""Walks along principal components: who stands nearest to each step, and what the network makes of the step itself.

    f(i, c) = mean + c * sqrt(variance_i) * axis_i            component i, step c

The study showed the real person nearest to f. Here f is also put back into the network at its tap and decoded through the
rest of it, to heatmaps and a skeleton; the two rows of a sheet can then be compared. What reaches the decoder beside the tap
(skip connections) is held constant over the whole walk, so only the component moves. Places before the tap see an image of
the mean colour, or in mode `person` that person's crop. In a stack of hourglasses, paths that pass the tap by carry that
image's features on.

What a walk shows is held against chance: persons paired at random, and random directions of the same length (`walk_findings`,
`walk_pushes`).
Features that were pooled over space cannot be put back, and are not decoded.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from posescope.core.plugins import Options
from posescope.explainability.attributes.person_attributes import measure_poses
from posescope.explainability.base import AnalysisInputs, AnalysisResult
from posescope.explainability.components.pca import Components
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.activation_patching import describe_patching_obstacle
from posescope.explainability.features.activations import (
    constant_patches,
    mean_activations,
    mean_colour_image,
    read_activations,
    zeros,
)
from posescope.explainability.features.row_blocks import sample_rows
from posescope.explainability.findings import Finding
from posescope.explainability.traversal.neighbour_distances import NeighbourDistances, measure_neighbour_distances
from posescope.explainability.traversal.perturbation import (
    Perturbation,
    claim_attribute_effect,
    measure_scale,
    perturb_persons,
    strongest_effects,
    tabulate_effects,
)
from posescope.explainability.traversal.random_directions import (
    EndSteps,
    TraversalEnds,
    compare_ends,
    end_steps,
    ends_with_data_covariance,
    mean_joint_distances_px,
)
from posescope.explainability.traversal.traversal_findings import (
    claim_data_proximity,
    claim_displacement,
    claim_nearest_person_match,
)
from posescope.explainability.traversal.traversal_plots import draw_traversal, plot_traversals
from posescope.explainability.traversal.traversal_steps import (
    DecodedFeatures,
    Traversal,
    decode_features,
    nearest_persons,
    tabulate_components,
    tabulate_steps,
    traverse_components,
)
from posescope.models.base import Interventions

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["LatentTraversal", "LatentTraversalOptions"]


class LatentTraversalOptions(Options):
    """Which walks, and what the skip connections carry meanwhile."""

    components: int = Field(5, gt=0, le=100, description="Walk along this many of the first components")
    steps: tuple[float, ...] = Field(
        (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0), min_length=1, max_length=21, description="Steps, in standard deviations"
    )
    skips: Literal["mean", "zero", "person"] = Field(
        "mean", description="Held constant at: the mean over persons, zero, or the values of one person"
    )
    person_id: int | None = Field(None, description="For skips: person. None: the person nearest to the mean feature")
    persons: int = Field(400, gt=0, description="Persons over whom the skips are averaged, at most")
    random_directions: int = Field(
        24, ge=2, le=1000, description="Directions of the same length, drawn for each component, that it is held against"
    )
    perturbed_persons: int = Field(64, ge=2, description="Persons pushed along each component, to see what it does to their pose")
    perturbation_sd: float = Field(1.0, gt=0, le=10, description="How far to each side, in standard deviations")
    neighbours: int = Field(
        500, gt=1, description="Persons whose distance to their nearest neighbour says how near people are, at most"
    )


class LatentTraversal:
    """Analysis `latent_traversal`.

    Tables: walks (a row a step), walk_poses (attributes of its decoded skeleton), walk_components (a row a component: how far
    it moves the skeleton, on its walk and of real people), walk_attributes (what each component does to people's poses).
    Pictures: walk_pc<i>, upper row nearest persons, lower row decoded steps. Figure: walk_slider.
    """

    Options = LatentTraversalOptions

    def __init__(self, options: LatentTraversalOptions) -> None:
        self.options = options

    def __call__(self, inputs: AnalysisInputs) -> AnalysisResult:
        """Walk along the first components.

        Raises:
            ExplainError: if the person named for the skips is not among the inputs'.
        """
        refusal = describe_patching_obstacle(inputs.model, inputs.features)
        if refusal:
            return AnalysisResult({}, note=refusal)
        interventions, image = self._surroundings(inputs)
        decode = partial(_decode, inputs, interventions, image)
        count, steps = min(self.options.components, len(inputs.components)), np.array(self.options.steps)
        walked = traverse_components(inputs, count, steps, decode)
        spacing = measure_neighbour_distances(
            inputs.features, inputs.groups, sample_rows(len(inputs.features), self.options.neighbours, inputs.seed)
        )
        table = tabulate_steps(inputs, walked, spacing)
        ends = end_steps(steps)
        walks = self._ends(inputs, walked, ends, decode)
        pushed = self._pushed(inputs, count, decode)
        findings = [*_findings(inputs, walked, ends, walks, table, spacing), *_findings_of_people(pushed)]
        poses = measure_poses(walked.decoded.joints, inputs.model.skeleton)
        facts = _facts(inputs.components, table, walked)
        return AnalysisResult(
            facts=facts,
            tables={
                "latent_traversal": table,
                "traversal_step_attributes": pd.concat([table[["component", "step"]], poses], axis=1),
                "perturbation_attributes": tabulate_effects(pushed.gains),
                "traversal_components": tabulate_components(inputs.components, walked.count, walks, pushed.displacements),
            },
            images=_sheets(inputs, table, walked),
            note=_note(facts, count, inputs.crops.crop_size),
            findings=tuple(findings),
            plots={"traversal_slider": _slider(inputs, table, walked, pushed)},
        )

    def _ends(
        self, inputs: AnalysisInputs, walked: Traversal, ends: EndSteps, decode: Callable[[NDArray[np.float64]], DecodedFeatures]
    ) -> list[TraversalEnds]:
        """The ends of every walk beside random directions; none where the walk has no length."""
        if not ends:
            return []
        return [
            compare_ends(
                inputs.components,
                component,
                ends,
                self.options.random_directions,
                seed=inputs.seed,
                decode=lambda points: decode(points).joints,
                origin=walked.origin,
            )
            for component in range(walked.count)
        ]

    def _pushed(
        self, inputs: AnalysisInputs, count: int, decode: Callable[[NDArray[np.float64]], DecodedFeatures]
    ) -> Perturbation:
        """What each component does to the skeletons and poses of real people."""
        rows, skeleton = sample_rows(len(inputs.features), self.options.perturbed_persons, inputs.seed), inputs.model.skeleton
        return perturb_persons(
            inputs.components,
            count,
            self.options.perturbation_sd,
            features=inputs.features.values[rows],
            groups=inputs.groups[rows],
            # Attributes of a pose are shares of its torso: in crop px they are what they are in the image.
            scales=measure_scale(measure_poses(inputs.crops.targets.joints, skeleton)),
            decode=lambda points: decode(points).joints,
            poses_of=lambda joints: measure_poses(joints, skeleton),
            seed=inputs.seed,
        )

    def _surroundings(self, inputs: AnalysisInputs) -> tuple[Interventions, Tensor]:
        """Edits that hold the skips, and the image (1, H, W, 3) that the network sees meanwhile."""
        layers = inputs.model.network.skip_layers
        if self.options.skips == "zero":
            return dict.fromkeys(layers, zeros), mean_colour_image(inputs.model)
        if self.options.skips == "mean":
            rows = sample_rows(len(inputs.crops), self.options.persons, inputs.seed)
            return constant_patches(
                mean_activations(inputs.model, inputs.crops, rows, layers, inputs.batch_size)
            ), mean_colour_image(inputs.model)
        image = torch.from_numpy(inputs.crops.read_images(self._chosen_row(inputs)))
        return constant_patches(read_activations(inputs.model, image, layers)), image

    def _chosen_row(self, inputs: AnalysisInputs) -> NDArray[np.int64]:
        if self.options.person_id is None:
            return nearest_persons(inputs.features, inputs.components.mean[None]).rows
        rows = np.flatnonzero(inputs.features.person_ids == self.options.person_id)
        if len(rows) != 1:
            raise ExplainabilityError(
                f"walks: person {self.options.person_id} (option person_id) is not among the persons analysed."
            )
        return rows.astype(np.int64)


def _decode(inputs: AnalysisInputs, interventions: Interventions, image: Tensor, points: NDArray[np.float64]) -> DecodedFeatures:
    layer, shape = inputs.features.layer, inputs.features.shape
    return decode_features(
        inputs.model, layer, points, shape, image=image, interventions=interventions, batch_size=inputs.batch_size
    )


def _findings(
    inputs: AnalysisInputs,
    walked: Traversal,
    ends: EndSteps,
    walks: list[TraversalEnds],
    table: pd.DataFrame,
    spacing: NeighbourDistances,
) -> list[Finding]:
    """Of the walks themselves: agreement, and closeness to people."""
    points, seed = walked.distinct, inputs.seed
    groups = inputs.groups[walked.nearest.rows[points]]
    found = [claim_nearest_person_match(walked.decoded.joints[points], walked.predicted[points], groups, "traversal_pc1", seed)]
    if walks:
        outermost = [place for place, step in enumerate((ends.low, ends.high)) if step != 0]
        points_of_ends = np.stack(  # (P, 1 + R, E, D)
            [
                np.concatenate(
                    [
                        walk.points[:1, outermost],
                        ends_with_data_covariance(inputs.components, i, ends, len(walk.points) - 1, seed),
                    ]
                )
                for i, walk in enumerate(walks)
            ]
        )
        distances = nearest_persons(inputs.features, points_of_ends.reshape(-1, points_of_ends.shape[-1])).distances
        is_end = table["step"].isin(ends.outermost)
        outside = int((table.loc[is_end, "fraction_beyond"] == 0).sum())
        shaped = distances.reshape(points_of_ends.shape[:-1])
        found.append(claim_data_proximity(ends, shaped, outside, spacing, seed, "traversal_slider"))
    return [finding for finding in found if finding is not None]


def _findings_of_people(pushed: Perturbation) -> list[Finding]:
    """Movement along the first component and along the one that moves people most; what each does to their poses."""
    displacements = pushed.displacements
    chosen = {0, int(np.argmax([movement.own.estimate for movement in displacements]))} if displacements else set()
    return [
        *(claim_displacement(displacements[i], pushed, f"walk_pc{i + 1}") for i in sorted(chosen)),
        *(
            claim_attribute_effect(gain, pushed.people, pushed.perturbation_sd, f"walk_pc{gain.component}")
            for gain in strongest_effects(pushed.gains)
        ),
    ]


def _facts(components: Components, table: pd.DataFrame, walked: Traversal) -> dict[str, float | int | str | None]:
    points = walked.distinct
    pairs = mean_joint_distances_px(walked.decoded.joints[points][:, None], walked.predicted[points][None])
    others = pairs[~np.eye(len(pairs), dtype=bool)]
    ratio = components.explained_variance_ratio
    moved = table.groupby("component")["displacement_px"].max()
    return {
        "components_for_90": components.components_for(0.90),
        "components_for_95": components.components_for(0.95),
        "components_for_99": components.components_for(0.99),
        "participation_ratio": components.participation_ratio,
        "first_component_explained_variance_ratio": float(ratio[0]),
        "traversed_explained_variance_ratio": float(ratio[: len(moved)].sum()),
        "mean_nearest_person_distance_px": float(np.diagonal(pairs).mean()),
        "chance_nearest_person_distance_px": float(others.mean()) if len(others) else None,
        "largest_displacement_component": int(moved.to_numpy().argmax()) + 1,
        "largest_displacement_px": float(moved.max()),
    }


def _sheets(inputs: AnalysisInputs, table: pd.DataFrame, walked: Traversal) -> dict[str, NDArray[np.uint8]]:
    return {
        f"walk_pc{number}": draw_traversal(inputs, rows, walked.decoded, walked.predicted, walked.nearest.rows)
        for number, rows in table.groupby("component")
    }


def _slider(inputs: AnalysisInputs, table: pd.DataFrame, walked: Traversal, pushed: Perturbation) -> "go.Figure":
    named = {g.component: f", {g.attribute.replace('_', ' ')}" for g in strongest_effects(pushed.gains) if g.is_sure}
    ratio = inputs.components.explained_variance_ratio
    names = [f"component {i} ({ratio[i - 1]:.0%}{named.get(i, '')})" for i in range(1, walked.count + 1)]
    crop_size, skeleton = inputs.crops.crop_size, inputs.model.skeleton
    return plot_traversals(table, walked.decoded.joints, walked.predicted, walked.origin, skeleton, crop_size, names)


def _note(facts: Mapping[str, float | int | str | None], count: int, crop_size: tuple[int, int]) -> str:
    agreement, chance = facts["mean_nearest_person_distance_px"], facts["chance_nearest_person_distance_px"]
    text = (
        f"The first component holds {facts['first_component_explained_variance_ratio']:.1%} of the variance, the first {count} together "
        f"{facts['traversed_explained_variance_ratio']:.1%}; 95 % needs {facts['components_for_95']} components (participation ratio "
        f"{facts['participation_ratio']:.1f}). Decoded through the network, the walk along component "
        f"{facts['largest_displacement_component']} goes farthest: {facts['largest_displacement_px']:.1f} px a joint from the mean in a crop of "
        f"{max(crop_size)} px. "
        f"A decoded step and the prediction for its nearest real person lie {agreement:.1f} px a joint apart"
    )
    # What that is worth is a finding, with its control.
    return f"{text}." if chance is None else f"{text} (other steps' persons: {chance:.1f} px)."
