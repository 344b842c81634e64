"""Analysis `attribution`: which pixels does the prediction of a joint depend on?

Per joint: the fraction of the attribution on each body region (`body_regions`), whether the pixels with the highest attribution
matter most (`faithfulness_curves`), and whether a network with random weights gives the same map.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from posescope.core.plugins import Component, Options
from posescope.evaluation.bootstrap import ImageResamples, resample_images
from posescope.explainability.answers import state_sample
from posescope.explainability.attribution.attribution_findings import (
    ask_curves,
    ask_errors,
    ask_regions,
    ask_shortcuts,
    ask_weight_randomisation,
    rank_correlations,
)
from posescope.explainability.attribution.attribution_maps import (
    HeatmapValues,
    attribute_gradients,
    attribute_occlusion,
    freeze,
    load_captum,
    randomise_weights,
)
from posescope.explainability.attribution.attribution_plots import caption_maps, draw_maps, plot_curves, plot_density
from posescope.explainability.attribution.body_regions import (
    ALL,
    REGIONS,
    RegionFractions,
    measure_fractions,
    move_maps,
    region_map,
    tabulate_regions,
)
from posescope.explainability.attribution.explained_joints import ExplainedJoints, patch_nearness, select_explained_joints
from posescope.explainability.attribution.faithfulness_curves import (
    FaithfulnessCurves,
    measure_curves,
    patch_sums,
    tabulate_curves,
)
from posescope.explainability.base import AnalysisInputs, AnalysisResult, Facts
from posescope.explainability.findings import Finding
from posescope.models.base import PoseNetwork

__all__ = ["Attribution", "AttributionOptions"]

METHODS = ("integrated_gradients", "occlusion")
CAPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "maps_integrated_gradients": "Pixels on which the prediction of each joint depends, by integrated gradients: the "
        "brighter, the more. The white dot is the explained place.",
        "maps_occlusion": "The same by occlusion: how much the prediction changes when a part of the image is covered.",
        "maps_random_weights": "The same for a network that has learned nothing. Where it looks alike, the map shows the "
        "architecture and nothing learned.",
        "attribution_density": "How dense the attribution of each joint is on each part of the body and in the background, "
        "compared with an average pixel.",
        "attribution_curves": "Value of the prediction while pixels are deleted or inserted in the order of the maps. A map that "
        "marks what matters falls faster than a random order.",
        "attribution_regions": "Fraction and density of the attribution per joint and region, with both controls.",
        "attribution_faithfulness": "Area under each curve and its gain over a random order.",
    }
)


class AttributionOptions(Options):
    """Options of the analysis `attribution`."""

    persons: int = Field(24, ge=2, description="Maximum number of persons")
    joints: tuple[str, ...] | None = Field(
        None, min_length=1, description="Joints; null: the left joint of each pair and the joints without a partner"
    )
    location: Literal["predicted", "annotated"] = Field("predicted", description="Heatmap px whose value is explained")
    sum_neighbours: bool = Field(False, description="Explain the sum over the heatmap px and its eight neighbours")
    steps: int = Field(16, ge=4, le=512, description="Integration points of integrated gradients")
    window: float = Field(0.2, gt=0, le=0.5, description="Side of the occlusion window, as a fraction of the crop's shorter side")
    stride: float = Field(0.5, gt=0, le=1, description="Stride of the occlusion window, as a fraction of its side")
    joint_radius: float = Field(
        0.1, gt=0, le=1, description="Radius of the disc around a joint, as a fraction of the person's size"
    )
    limb_radius: float = Field(
        0.06, gt=0, le=1, description="Radius of the capsule around a limb, as a fraction of the person's size"
    )
    control_persons: int = Field(
        24, ge=2, description="Number of these persons for the controls: random weights, deletion and insertion"
    )
    control_steps: int = Field(8, ge=4, le=512, description="Integration points with random weights")
    patches: int = Field(12, ge=3, le=64, description="Patches along a side of the crop, for deletion and insertion")
    fractions: tuple[float, ...] = Field(
        (0.05, 0.15, 0.35, 0.65), min_length=1, description="Fractions of the patches that are deleted or inserted, in 0..1"
    )
    resamples: int = Field(1000, ge=100, description="Bootstrap resamples of images for each interval")
    shown: int = Field(5, ge=1, le=20, description="Persons in the image grids")


class Attribution(Component[AttributionOptions]):
    """Analysis `attribution`; needs the extra `explain`.

    Tables: attribution_regions, attribution_faithfulness. Images: maps_integrated_gradients, maps_occlusion, maps_random_weights,
    attribution_density. Plot: attribution_curves.
    """

    def __call__(self, inputs: AnalysisInputs) -> AnalysisResult:
        """Explain the predictions for some persons.

        Raises:
            MissingCaptumError: if Captum is not installed.
            ExplainabilityError: if the skeleton lacks a joint of the options, or no person has these joints labelled.
        """
        load_captum()
        explained = select_explained_joints(inputs, self.options.joints, self.options.persons, self.options.location)
        draws = resample_images(explained.groups, inputs.seed, self.options.resamples)
        few, steps, batch_size = slice(0, self.options.control_persons), self.options.control_steps, inputs.batch_size
        network, seed = inputs.model.network, inputs.seed
        maps = self._attribute(freeze(network), explained, slice(None), self.options.steps, batch_size)
        random = self._attribute(randomise_weights(network, seed), explained, few, steps, batch_size)
        other_random = self._attribute(randomise_weights(network, seed + 1), explained, few, steps, batch_size, occlude=False)
        regions = self._regions(inputs, explained)
        labelled, groups = explained.labelled, explained.groups
        fractions = {name: measure_fractions(own, regions, labelled, groups) for name, own in maps.items()}
        random_fractions = {
            name: measure_fractions(own, regions[few], labelled[few], groups[few]) for name, own in random.items()
        }
        moved = {
            name: measure_fractions(move_maps(own, explained.points, labelled, groups), regions, labelled, groups)
            for name, own in maps.items()
        }
        curves = self._curves(inputs, explained, few, maps, random["integrated_gradients"])
        tables = [
            tabulate_regions(
                fractions[name], random_fractions[name], moved[name], method=name, joints=explained.names, draws=draws
            )
            for name in METHODS
        ]
        table = pd.concat(tables, ignore_index=True)
        correlations = (
            self._correlate(maps["integrated_gradients"][few], random["integrated_gradients"]),
            self._correlate(random["integrated_gradients"], other_random["integrated_gradients"]),
        )
        findings = _findings(explained, table, fractions, random_fractions, curves, draws)
        findings.append(ask_weight_randomisation(*correlations, groups[few], draws))
        facts = _facts(explained, table, curves, correlations)
        return AnalysisResult(
            facts=facts,
            tables={"attribution_regions": table, "attribution_faithfulness": tabulate_curves(curves, draws, "random")},
            images=self._images(inputs, explained, maps, random, fractions, table),
            note=_note(facts),
            findings=state_sample([finding for finding in findings if finding is not None], groups[few]),
            plots={"attribution_curves": plot_curves(curves)},
            captions=CAPTIONS,
            photographs=inputs.photographs,
        )

    def _values(self, network: PoseNetwork, explained: ExplainedJoints) -> HeatmapValues:
        return HeatmapValues(network, explained.joints, sum_neighbours=self.options.sum_neighbours)

    def _attribute(
        self,
        network: PoseNetwork,
        explained: ExplainedJoints,
        persons: slice,
        steps: int,
        batch_size: int,
        *,
        occlude: bool = True,
    ) -> dict[str, NDArray[np.float32]]:
        """Compute the maps of both methods, or of integrated gradients only, for the explained heatmap px in a network."""
        values, images, indices = self._values(network, explained), explained.images[persons], explained.map_indices[persons]
        window = max(1, round(self.options.window * min(images.shape[2:])))
        stride = max(1, round(self.options.stride * window))
        maps = {"integrated_gradients": attribute_gradients(values, images, indices, steps=steps, batch_size=batch_size)}
        if occlude:
            maps["occlusion"] = attribute_occlusion(
                values, images, indices, window_px=window, stride_px=stride, batch_size=batch_size
            )
        return maps

    def _regions(self, inputs: AnalysisInputs, explained: ExplainedJoints) -> NDArray[np.uint8]:
        """Return the region of each pixel, (N, J, H, W); zeros for unlabelled joints, which do not count."""
        found = np.zeros((len(explained.rows), len(explained.joints), *inputs.judged.crops.crop_size), np.uint8)
        for person, joint in np.argwhere(explained.labelled):
            found[person, joint] = region_map(
                inputs.judged.crops.targets.joints[explained.rows[person]],
                int(explained.joints[joint]),
                inputs.model.skeleton,
                inputs.judged.crops.crop_size,
                joint_radius=self.options.joint_radius,
                limb_radius=self.options.limb_radius,
            )
        return found

    def _patch_px(self, size: tuple[int, ...]) -> int:
        return max(1, -(-max(size) // self.options.patches))

    def _curves(
        self,
        inputs: AnalysisInputs,
        explained: ExplainedJoints,
        few: slice,
        maps: dict[str, NDArray[np.float32]],
        random: NDArray[np.float32],
    ) -> FaithfulnessCurves:
        patch_px = self._patch_px(inputs.judged.crops.crop_size)
        rankings = {name: patch_sums(maps[name][few], patch_px) for name in METHODS}
        rankings["near_joint"] = patch_nearness(explained.points[few], inputs.judged.crops.crop_size, patch_px)
        rankings["random_weights"] = patch_sums(random, patch_px)
        rankings["random"] = np.random.default_rng(inputs.seed).random(rankings["random_weights"].shape)
        return measure_curves(
            self._values(freeze(inputs.model.network), explained),
            explained.images[few],
            explained.map_indices[few],
            rankings,
            labelled=explained.labelled[few],
            groups=explained.groups[few],
            fractions=self.options.fractions,
            patch_px=patch_px,
            batch_size=inputs.batch_size,
        )

    def _correlate(self, first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return (n, J) rank correlations of the patches of two sets of absolute maps."""
        patch_px = self._patch_px(first.shape[-2:])
        return rank_correlations(*(patch_sums(np.abs(maps), patch_px) for maps in (first, second)))

    def _images(
        self,
        inputs: AnalysisInputs,
        explained: ExplainedJoints,
        maps: dict[str, NDArray[np.float32]],
        random: dict[str, NDArray[np.float32]],
        fractions: dict[str, RegionFractions],
        table: pd.DataFrame,
    ) -> dict[str, NDArray[np.uint8]]:
        shown = slice(0, min(self.options.shown, len(random["occlusion"])))
        crops = inputs.judged.shown_crops(explained.rows[shown], inputs.photographs)
        shown_maps = {
            f"maps_{name}": (
                maps[name][shown],
                caption_maps(explained, fractions[name], shown),
                f"{name.replace('_', ' ').capitalize()}: fraction of the attribution on the joint",
            )
            for name in METHODS
        }
        shown_maps["maps_random_weights"] = (
            random["integrated_gradients"][shown],
            [name.replace("_", " ") for _ in explained.rows[shown] for name in explained.names],
            "The same with random weights (integrated gradients)",
        )
        images = {
            name: draw_maps(crops, own, explained.points[shown], joints=explained.names, captions=captions, title=title)
            for name, (own, captions, title) in shown_maps.items()
        }
        return images | {"attribution_density": plot_density(table, METHODS[0])}


def _findings(
    explained: ExplainedJoints,
    table: pd.DataFrame,
    fractions: dict[str, RegionFractions],
    random_fractions: dict[str, RegionFractions],
    curves: FaithfulnessCurves,
    draws: ImageResamples,
) -> list[Finding | None]:
    asked = METHODS[0]
    return [
        *ask_regions(table, asked),
        *ask_shortcuts(fractions[asked], random_fractions[asked], explained.names, draws, asked),
        *(ask_curves(curves, method, draws) for method in METHODS),
        ask_errors(fractions[asked], explained.correct, draws, asked),
    ]


def _facts(
    explained: ExplainedJoints, table: pd.DataFrame, curves: FaithfulnessCurves, correlations: Sequence[NDArray[np.float64]]
) -> Facts:
    facts: Facts = {"persons": len(explained.rows), "joints": len(explained.names)}
    for method in METHODS:
        for region in REGIONS:
            name = f"{method}_{region.replace(' ', '_')}"
            row = table[(table["joint"] == ALL) & (table["method"] == method) & (table["region"] == region)]
            facts |= {f"{name}_{column}": _finite(row[column].to_numpy()[0]) for column in ("fraction", "density")}
        facts[f"{method}_deletion_area"] = _finite(np.trapezoid(curves.mean_curve(method, 0), curves.fractions))
    facts["random_deletion_area"] = _finite(np.trapezoid(curves.mean_curve("random", 0), curves.fractions))
    facts["rank_correlation_to_random_weights"], facts["rank_correlation_between_random_weights"] = (
        _finite(np.nanmean(own)) for own in correlations
    )
    return facts


def _finite(value: float | np.floating | NDArray[np.float64]) -> float | None:
    return float(value) if np.isfinite(value) else None


def _note(facts: Facts) -> str:
    text = f"Attribution of the predictions for {facts['joints']} joints of {facts['persons']} persons. "
    regions = ("on the joint", "on its limbs", "on the other side", "on the rest of the body", "in the background")
    for method in METHODS:
        fractions = [facts[f"{method}_{region.replace(' ', '_')}_fraction"] for region in REGIONS]
        parts = [f"{fraction:.0%} {where}" for fraction, where in zip(fractions, regions, strict=True) if fraction is not None]
        text += f"By {method.replace('_', ' ')}: {', '.join(parts)}. "
    return text + "The findings compare this with random weights and test whether these pixels matter."
