"""Walks along principal components: who stands nearest to each step, and what the network makes of the step itself.

    f(i, c) = mean + c * sqrt(variance_i) * axis_i            component i, step c

The study showed the real person nearest to f. Here f is also put back into the network at its tap and decoded through the
rest of it, to heatmaps and a skeleton; the two rows of a sheet can then be compared. What reaches the decoder beside the tap
(skip connections) is held constant over the whole walk, so only the component moves. Places before the tap see an image of
the mean colour, or in mode `person` that person's crop. In a stack of hourglasses, paths that pass the tap by carry that
image's features on.
"""

from typing import Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from posescope.drawing.heatmaps import overlay_heatmaps
from posescope.drawing.sheets import contact_sheet
from posescope.drawing.skeletons import draw_skeleton
from posescope.explain.base import AnalysisInputs, AnalysisResult, sample_rows
from posescope.explain.components import Components
from posescope.explain.errors import ExplainError
from posescope.explain.feature_space import Decoded, Nearest, decode_features, nearest_persons, walked_points
from posescope.explain.taps import held, mean_of_taps, neutral_image, predict_persons, read_taps, zeros
from posescope.models.network import Edits
from posescope.plugins import Options

__all__ = ["Walks", "WalksOptions"]

_GROUND_GREY = 225


class WalksOptions(Options):
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


class Walks:
    """Analysis `walks`. Tables: walks. Pictures: walk_pc<i>, upper row nearest persons, lower row decoded steps."""

    Options = WalksOptions

    def __init__(self, options: WalksOptions) -> None:
        self.options = options

    def __call__(self, inputs: AnalysisInputs) -> AnalysisResult:
        """Walk along the first components.

        Raises:
            ExplainError: if the person named for the skips is not among the inputs'.
        """
        count, steps = min(self.options.components, len(inputs.components)), np.array(self.options.steps)
        points = walked_points(inputs.components, count, steps)
        nearest = nearest_persons(inputs.features, points)
        # The mean goes along as the last point: what the steps are measured from.
        decoded, origin = self._decode(inputs, np.concatenate([points, inputs.components.mean[None]]))
        rows, where = np.unique(nearest.rows, return_inverse=True)
        predicted = predict_persons(inputs.model, inputs.crops, rows, inputs.batch_size).joints[where]
        table = _table(inputs, steps, nearest, decoded, predicted, origin)
        facts = _facts(inputs.components, table, decoded.joints, predicted)
        pictures = {
            f"walk_pc{i + 1}": _sheet(inputs, table[table.component == i + 1], i, nearest, decoded, predicted)
            for i in range(count)
        }
        return AnalysisResult(facts, {"walks": table}, pictures, _note(facts, count, inputs.crops.crop_size))

    def _decode(self, inputs: AnalysisInputs, points: NDArray[np.float64]) -> tuple[Decoded, NDArray[np.float32]]:
        """All points but the last decoded, and the joints (K, 2) of the last."""
        edits, image = self._surroundings(inputs)
        features = inputs.features
        every = decode_features(
            inputs.model, features.tap, points, features.shape, image=image, edits=edits, batch_size=inputs.batch_size
        )
        return Decoded(every.heatmaps[:-1], every.joints[:-1], every.scores[:-1]), every.joints[-1]

    def _surroundings(self, inputs: AnalysisInputs) -> tuple[Edits, Tensor]:
        """Edits that hold the skips, and the image (1, H, W, 3) that the network sees meanwhile."""
        taps = inputs.model.network.skip_taps
        if self.options.skips == "zero":
            return dict.fromkeys(taps, zeros), neutral_image(inputs.model)
        if self.options.skips == "mean":
            rows = sample_rows(len(inputs.crops), self.options.persons, inputs.seed)
            return held(mean_of_taps(inputs.model, inputs.crops, rows, taps, inputs.batch_size)), neutral_image(inputs.model)
        image = torch.from_numpy(inputs.crops.read_images(self._chosen_row(inputs)))
        return held(read_taps(inputs.model, image, taps)), image

    def _chosen_row(self, inputs: AnalysisInputs) -> NDArray[np.int64]:
        if self.options.person_id is None:
            return nearest_persons(inputs.features, inputs.components.mean[None]).rows
        rows = np.flatnonzero(inputs.features.person_ids == self.options.person_id)
        if len(rows) != 1:
            raise ExplainError(f"walks: person {self.options.person_id} (option person_id) is not among the persons analysed.")
        return rows.astype(np.int64)


def _distances(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mean joint distance in px of skeletons (..., K, 2), broadcast."""
    offset = first.astype(np.float64) - second.astype(np.float64)
    distances: NDArray[np.float64] = np.hypot(offset[..., 0], offset[..., 1]).mean(axis=-1)
    return distances


def _table(
    inputs: AnalysisInputs,
    steps: NDArray[np.float64],
    nearest: Nearest,
    decoded: Decoded,
    predicted: NDArray[np.float32],
    origin: NDArray[np.float32],
) -> pd.DataFrame:
    """One row a step: nearest person, distance in feature space, agreement_px and moved_px (mean joint distances)."""
    walks = len(nearest.rows) // len(steps)
    return pd.DataFrame(
        {
            "component": np.repeat(np.arange(1, walks + 1), len(steps)),
            "step": np.tile(steps, walks),
            "nearest_person_id": inputs.features.person_ids[nearest.rows],
            "distance": nearest.distances,
            # Decoded step against the prediction for the nearest person, and against the decoded mean.
            "agreement_px": _distances(decoded.joints, predicted),
            "moved_px": _distances(decoded.joints, origin),
            "mean_score": decoded.scores.mean(axis=1).astype(np.float64),
        }
    )


def _facts(
    components: Components, table: pd.DataFrame, decoded: NDArray[np.float32], predicted: NDArray[np.float32]
) -> dict[str, float | int | str | None]:
    every_pair = _distances(decoded[:, None], predicted[None])
    others = every_pair[~np.eye(len(every_pair), dtype=bool)]
    ratio = components.explained_variance_ratio
    moved = table.groupby("component")["moved_px"].max()
    return {
        "components_for_90": components.components_for(0.90),
        "components_for_95": components.components_for(0.95),
        "components_for_99": components.components_for(0.99),
        "participation_ratio": components.participation_ratio,
        "first_component_share": float(ratio[0]),
        "walked_share": float(ratio[: len(moved)].sum()),
        "mean_agreement_px": float(table["agreement_px"].mean()),
        "agreement_by_chance_px": float(others.mean()) if len(others) else None,
        "most_moving_component": int(moved.to_numpy().argmax()) + 1,
        "most_moved_px": float(moved.max()),
    }


def _sheet(
    inputs: AnalysisInputs,
    table: pd.DataFrame,
    component: int,
    nearest: Nearest,
    decoded: Decoded,
    predicted: NDArray[np.float32],
) -> NDArray[np.uint8]:
    skeleton, here = inputs.model.skeleton, table.index.to_numpy()
    crops = inputs.crops.read_images(nearest.rows[here])
    upper = [draw_skeleton(crop, joints, skeleton) for crop, joints in zip(crops, predicted[here], strict=True)]
    ground = np.full((*inputs.crops.crop_size, 3), _GROUND_GREY, dtype=np.uint8)
    lower = [draw_skeleton(overlay_heatmaps(ground, decoded.heatmaps[index]), decoded.joints[index], skeleton) for index in here]
    places = ["mean" if step == 0 else f"{step:+g} sd" for step in table["step"]]
    captions = [f"{place}: person {person}" for place, person in zip(places, table["nearest_person_id"], strict=True)]
    captions += [f"{place} decoded, {px:.0f} px apart" for place, px in zip(places, table["agreement_px"], strict=True)]
    share = inputs.components.explained_variance_ratio[component]
    title = f"Component {component + 1} ({share:.1%} of the variance): nearest person above, decoded step below"
    return contact_sheet([*upper, *lower], columns=len(upper), captions=captions, title=title)


def _note(facts: dict[str, float | int | str | None], count: int, crop_size: tuple[int, int]) -> str:
    agreement, chance = facts["mean_agreement_px"], facts["agreement_by_chance_px"]
    text = (
        f"The first component holds {facts['first_component_share']:.1%} of the variance, the first {count} together "
        f"{facts['walked_share']:.1%}; 95 % needs {facts['components_for_95']} components (participation ratio "
        f"{facts['participation_ratio']:.1f}). Decoded through the network, component {facts['most_moving_component']} "
        f"moves the skeleton most: {facts['most_moved_px']:.1f} px a joint from the mean in a crop of {max(crop_size)} px. "
        f"A decoded step and the prediction for its nearest real person lie {agreement:.1f} px a joint apart"
    )
    if not isinstance(agreement, float) or not isinstance(chance, float):
        return f"{text}."
    verdict = (
        "so the steps mean to the network what they look like in people"
        if agreement < 0.75 * chance
        else "hardly nearer than by chance, so the nearest persons say little about what a component does to the answer"
    )
    return f"{text} (other steps' persons: {chance:.1f} px), {verdict}."
