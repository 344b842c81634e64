"""The contact sheet of a walk: who stands nearest to each step above, what the network makes of the step below."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.drawing.heatmaps import overlay_heatmaps
from posescope.drawing.sheets import contact_sheet
from posescope.drawing.skeletons import draw_skeleton
from posescope.explain.base import AnalysisInputs
from posescope.explain.feature_space import Decoded

__all__ = ["draw_walk"]

_GROUND_GREY = 225


def draw_walk(
    inputs: AnalysisInputs, table: pd.DataFrame, decoded: Decoded, predicted: NDArray[np.float32], rows: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """The sheet of one component.

    Args:
        inputs: persons and model.
        table: the rows of the table `walks` of one component; their index counts points.
        decoded: of all points.
        predicted: (M, K, 2) joints that the network predicts for the nearest person of each point.
        rows: (M,) those persons.
    """
    skeleton, here = inputs.model.skeleton, table.index.to_numpy()
    crops = inputs.crops.read_images(rows[here])
    upper = [draw_skeleton(crop, joints, skeleton) for crop, joints in zip(crops, predicted[here], strict=True)]
    ground = np.full((*inputs.crops.crop_size, 3), _GROUND_GREY, dtype=np.uint8)
    lower = [draw_skeleton(overlay_heatmaps(ground, decoded.heatmaps[index]), decoded.joints[index], skeleton) for index in here]
    places = ["mean" if step == 0 else f"{step:+g} sd" for step in table["step"]]
    captions = [
        f"{place}: person {person}, {_farther(quantile)}"
        for place, person, quantile in zip(places, table["nearest_person_id"], table["distance_quantile"], strict=True)
    ]
    captions += [f"{place} decoded, {px:.0f} px apart" for place, px in zip(places, table["agreement_px"], strict=True)]
    component = int(table["component"].iloc[0])
    share = inputs.components.explained_variance_ratio[component - 1]
    title = f"Component {component} ({share:.1%} of the variance): nearest person above, decoded step below"
    return contact_sheet([*upper, *lower], columns=len(upper), captions=captions, title=title)


def _farther(quantile: float) -> str:
    return "no neighbours" if np.isnan(quantile) else f"farther than {quantile:.0%} of neighbours"
