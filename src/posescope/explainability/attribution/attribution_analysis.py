"""Where in the image a joint's answer comes from, whether that map can be believed, and whether it lies where it should.

Three questions a joint: on which region of the body does the evidence lie (`attribution_regions`), do the pixels named first
matter most (`attribution_faithfulness`), and would a network with random weights show the same map?
"""

from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from posescope.core.plugins import Options
from posescope.evaluation.bootstrap import ImageDraws, draw_images
from posescope.explainability.attribution.attribution_findings import (
    claim_curves,
    claim_mistakes,
    claim_regions,
    claim_shortcuts,
    claim_weight_randomisation,
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
from posescope.explainability.attribution.attribution_plots import caption_maps, draw_density, draw_maps, plot_curves
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
from posescope.explainability.base import AnalysisInputs, AnalysisResult
from posescope.explainability.findings import Finding

__all__ = ["Attribution", "AttributionOptions"]

METHODS = ("integrated_gradients", "occlusion")


class AttributionOptions(Options):
    """Who and what is looked at, and how closely."""

    persons: int = Field(12, ge=2, description="Persons whose answers are explained, at most")
    joints: tuple[str, ...] | None = Field(
        None, min_length=1, description="Joints; null: one of each pair (the left one), and those without a partner"
    )
    cell: Literal["predicted", "annotated"] = Field("predicted", description="The cell of the heatmap that is explained")
    around: bool = Field(False, description="Whether the eight cells next to it count too")
    steps: int = Field(16, ge=4, le=512, description="Points of integrated gradients on the way from the mean colour")
    window: float = Field(0.2, gt=0, le=0.5, description="Side of the window of occlusion, share of the crop's shorter side")
    stride: float = Field(0.5, gt=0, le=1, description="From one window to the next, share of the window")
    joint_radius: float = Field(0.1, gt=0, le=1, description="Of the disc about a joint, share of the person's size")
    limb_radius: float = Field(0.06, gt=0, le=1, description="Of the capsules about limbs, share of the person's size")
    control_persons: int = Field(
        6, ge=2, description="Persons, of those, for whom the controls are run: random weights, deletion and insertion"
    )
    control_steps: int = Field(8, ge=4, le=512, description="Steps of integrated gradients with random weights")
    patches: int = Field(12, ge=3, le=64, description="Patches along a side of the crop, for deletion and insertion")
    fractions: tuple[float, ...] = Field(
        (0.05, 0.15, 0.35, 0.65), min_length=1, description="Shares of the patches that are deleted or inserted, between 0 and 1"
    )
    resamples: int = Field(1000, ge=100, description="Bootstrap resamples behind each interval")
    shown: int = Field(5, ge=1, le=20, description="Persons in the pictures")


class Attribution:
    """Analysis `attribution`; needs the extra `explain`.

    Tables: attribution_regions, attribution_faithfulness. Pictures: maps_integrated_gradients, maps_occlusion,
    maps_random_weights, attribution_density. Figure: attribution_curves.
    """

    Options = AttributionOptions

    def __init__(self, options: AttributionOptions) -> None:
        self.options = options

    def __call__(self, inputs: AnalysisInputs) -> AnalysisResult:
        """Explain the answers of some persons.

        Raises:
            MissingCaptumError: if Captum is not installed.
            ExplainError: if the skeleton lacks a joint that the options name, or nobody has these joints annotated.
        """
        load_captum()
        case = select_explained_joints(inputs, self.options.joints, self.options.persons, self.options.cell)
        draws = draw_images(case.groups, inputs.seed, self.options.resamples)
        maps = self._maps(inputs, case)
        few = slice(0, self.options.control_persons)
        random = self._random_maps(inputs, case, few)
        other_random = self._other_random_gradients(inputs, case, few)
        regions = self._regions(inputs, case)
        shares = {name: measure_fractions(own, regions, case.labelled) for name, own in maps.items()}
        random_shares = {name: measure_fractions(own, regions[few], case.labelled[few]) for name, own in random.items()}
        moved = {
            name: measure_fractions(move_maps(own, case.points, case.labelled, case.groups), regions, case.labelled)
            for name, own in maps.items()
        }
        curves = self._curves(inputs, case, few, maps, random["integrated_gradients"])
        table = pd.concat(
            [
                tabulate_regions(
                    shares[name], random_shares[name], moved[name], method=name, joints=case.names, groups=case.groups,
                    random_groups=case.groups[few], draws=draws,
                )
                for name in METHODS
            ],
            ignore_index=True,
        )  # fmt: skip
        likeness = [
            self._likeness(first, second)
            for first, second in (
                (maps["integrated_gradients"][few], random["integrated_gradients"]),
                (random["integrated_gradients"], other_random),
            )
        ]
        findings = _findings(case, few, table, shares, random_shares, curves, draws)
        findings.append(claim_weight_randomisation(likeness[0], likeness[1], case.groups[few], draws, "maps_random_weights"))
        facts = _facts(case, table, curves, likeness)
        return AnalysisResult(
            facts=facts,
            tables={
                "attribution_regions": table,
                "attribution_faithfulness": tabulate_curves(curves, case.groups[few], draws, "random"),
            },
            images=self._pictures(inputs, case, maps, random, shares, table),
            note=_note(facts),
            findings=tuple(finding for finding in findings if finding is not None),
            plots={"attribution_curves": plot_curves(curves)},
        )

    def _maps(self, inputs: AnalysisInputs, case: ExplainedJoints) -> dict[str, NDArray[np.float32]]:
        scores = HeatmapValues(freeze(inputs.model.network), case.joints, around=self.options.around)
        return self._both(scores, case.images, case.cells, self.options.steps, inputs.batch_size)

    def _other_random_gradients(self, inputs: AnalysisInputs, case: ExplainedJoints, few: slice) -> NDArray[np.float32]:
        """Once more, with other random weights: how alike are maps of networks that have learned nothing?"""
        scores = HeatmapValues(randomise_weights(inputs.model.network, inputs.seed + 1), case.joints, around=self.options.around)
        steps, batch_size = self.options.control_steps, inputs.batch_size
        return attribute_gradients(scores, case.images[few], case.cells[few], steps=steps, batch_size=batch_size)

    def _random_maps(self, inputs: AnalysisInputs, case: ExplainedJoints, few: slice) -> dict[str, NDArray[np.float32]]:
        """The same numbers explained in a network with random weights, at the cells of the trained one."""
        scores = HeatmapValues(randomise_weights(inputs.model.network, inputs.seed), case.joints, around=self.options.around)
        return self._both(scores, case.images[few], case.cells[few], self.options.control_steps, inputs.batch_size)

    def _both(
        self, scores: HeatmapValues, images: Tensor, cells: Tensor, steps: int, batch_size: int
    ) -> dict[str, NDArray[np.float32]]:
        window = max(1, round(self.options.window * min(images.shape[2:])))
        stride = max(1, round(self.options.stride * window))
        return {
            "integrated_gradients": attribute_gradients(scores, images, cells, steps=steps, batch_size=batch_size),
            "occlusion": attribute_occlusion(scores, images, cells, window_px=window, stride_px=stride, batch_size=batch_size),
        }

    def _regions(self, inputs: AnalysisInputs, case: ExplainedJoints) -> NDArray[np.uint8]:
        """(N, J, H, W); a joint that is not labelled has none, and does not count."""
        found = np.zeros((len(case.rows), len(case.joints), *inputs.crops.crop_size), np.uint8)
        for person, joint in np.argwhere(case.labelled):
            found[person, joint] = region_map(
                inputs.crops.targets.joints[case.rows[person]],
                int(case.joints[joint]),
                inputs.model.skeleton,
                inputs.crops.crop_size,
                joint_radius=self.options.joint_radius,
                limb_radius=self.options.limb_radius,
            )
        return found

    def _patch_px(self, size: tuple[int, ...]) -> int:
        return max(1, -(-max(size) // self.options.patches))

    def _curves(
        self,
        inputs: AnalysisInputs,
        case: ExplainedJoints,
        few: slice,
        maps: dict[str, NDArray[np.float32]],
        random: NDArray[np.float32],
    ) -> FaithfulnessCurves:
        patch_px = self._patch_px(inputs.crops.crop_size)
        rankings = {name: patch_sums(maps[name][few], patch_px) for name in METHODS}
        rankings["near_joint"] = patch_nearness(case.points[few], inputs.crops.crop_size, patch_px)
        rankings["random_weights"] = patch_sums(random, patch_px)
        rankings["random"] = np.random.default_rng(inputs.seed).random(rankings["random_weights"].shape)
        return measure_curves(
            HeatmapValues(freeze(inputs.model.network), case.joints, around=self.options.around),
            case.images[few],
            case.cells[few],
            rankings,
            labelled=case.labelled[few],
            fractions=self.options.fractions,
            patch_px=patch_px,
            batch_size=inputs.batch_size,
        )

    def _likeness(self, first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float64]:
        """(n, J) rank correlation of two sets of maps, patch by patch, whatever the sign."""
        patch_px = self._patch_px(first.shape[-2:])
        return rank_correlations(*(patch_sums(np.abs(maps), patch_px) for maps in (first, second)))

    def _pictures(
        self,
        inputs: AnalysisInputs,
        case: ExplainedJoints,
        maps: dict[str, NDArray[np.float32]],
        random: dict[str, NDArray[np.float32]],
        shares: dict[str, RegionFractions],
        table: pd.DataFrame,
    ) -> dict[str, NDArray[np.uint8]]:
        shown = slice(0, min(self.options.shown, len(random["occlusion"])))
        crops = inputs.crops.read_images(case.rows[shown])
        sheets = {
            name: (maps[name], shares[name], f"{name.replace('_', ' ').capitalize()}: share on the joint") for name in METHODS
        }
        images = {
            f"maps_{name}": draw_maps(
                crops, own[shown], case.points[shown], joints=case.names, captions=caption_maps(case, part, shown), title=title
            )
            for name, (own, part, title) in sheets.items()
        }
        blank = [name.replace("_", " ") for _ in case.rows[shown] for name in case.names]
        title = "The same with random weights (integrated gradients)"
        images["maps_random_weights"] = draw_maps(
            crops, random["integrated_gradients"][shown], case.points[shown], joints=case.names, captions=blank, title=title
        )
        return images | {"attribution_density": draw_density(table, METHODS[0])}


def _findings(
    case: ExplainedJoints,
    few: slice,
    table: pd.DataFrame,
    shares: dict[str, RegionFractions],
    random_shares: dict[str, RegionFractions],
    curves: FaithfulnessCurves,
    draws: ImageDraws,
) -> list[Finding | None]:
    found: list[Finding | None] = []
    for method in METHODS:
        shown_in = f"maps_{method}"
        found += claim_regions(table, method, shown_in)
        found += claim_shortcuts(
            shares[method], random_shares[method], case.names, case.groups, case.groups[few], draws, method, shown_in
        )
        found += claim_curves(curves, method, case.groups[few], draws, "attribution_curves")
        found.append(claim_mistakes(shares[method], case.right, case.groups, draws, method, shown_in))
    return found


def _facts(
    case: ExplainedJoints, table: pd.DataFrame, curves: FaithfulnessCurves, likeness: list[NDArray[np.float64]]
) -> dict[str, float | int | str | None]:
    facts: dict[str, float | int | str | None] = {"persons": len(case.rows), "joints": len(case.names)}
    for method in METHODS:
        for region in REGIONS:
            name = f"{method}_{region.replace(' ', '_')}"
            row = table[(table["joint"] == ALL) & (table["method"] == method) & (table["region"] == region)]
            facts |= {f"{name}_{column}": _number(row[column].to_numpy()[0]) for column in ("fraction", "density")}
        facts[f"{method}_deletion_area"] = _number(np.trapezoid(curves.mean_curve(method, 0), curves.fractions))
    facts["random_deletion_area"] = _number(np.trapezoid(curves.mean_curve("random", 0), curves.fractions))
    facts["rank_correlation_to_random_weights"], facts["rank_correlation_between_random_weights"] = (
        _number(np.nanmean(own)) for own in likeness
    )
    return facts


def _number(value: float | np.floating | NDArray[np.float64]) -> float | None:
    return float(value) if np.isfinite(value) else None


def _note(facts: dict[str, float | int | str | None]) -> str:
    text = f"Where the answers for {facts['joints']} joints of {facts['persons']} people come from. "
    places = ("on the joint", "on its limbs", "on the other side", "on the rest of the body", "in the background")
    for method in METHODS:
        shares = [facts[f"{method}_{region.replace(' ', '_')}_share"] for region in REGIONS]
        parts = [f"{share:.0%} {place}" for share, place in zip(shares, places, strict=True) if share is not None]
        text += f"By {method.replace('_', ' ')}: {', '.join(parts)}. "
    return text + "What that is worth beside random weights, and whether these pixels matter, the findings say."
