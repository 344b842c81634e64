"""Effects of sub-pixel decoding and of the flip test: one network, decoded in four variants.

                     arg-max          the codec's own decoder
    no flip test     a                b               effects per person: b - a, d - c (decoding)
    flip test        c                d                                   c - a, d - b (flip test)

Arg-max is the place that the codec assigns to the highest heatmap px, without its neighbours. If the codec decodes by arg-max
(the thesis's codecs do), the two columns are equal.
"""

from collections.abc import Mapping
from dataclasses import astuple, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.evaluation.bootstrap import ImageResamples
from posescope.evaluation.metrics.base import mean_over_labelled
from posescope.evaluation.metrics.oks import person_oks
from posescope.evaluation.metrics.pck_thesis import joint_hits
from posescope.evaluation.scored_persons import ScoredPersons
from posescope.geometry.affine import apply_affine, invert_affine

__all__ = ["FLIPPED_OWN", "FLIPPED_PLAIN", "OWN", "PLAIN", "decoding_effect_table"]

PLAIN, OWN, FLIPPED_PLAIN, FLIPPED_OWN = ("arg-max", "codec decoder", "arg-max, flip test", "codec decoder, flip test")
_FLIPPED = (FLIPPED_PLAIN, FLIPPED_OWN)
_EFFECTS = {
    "codec decoder instead of arg-max": (OWN, PLAIN),
    "codec decoder instead of arg-max, with flip test": (FLIPPED_OWN, FLIPPED_PLAIN),
    "flip test, with arg-max": (FLIPPED_PLAIN, PLAIN),
    "flip test, with codec decoder": (FLIPPED_OWN, OWN),
}
_COLUMNS = (
    "kind", "variant", "persons", "flip_test", "pck_thesis", "pck_thesis_low", "pck_thesis_high", "oks", "oks_low", "oks_high",
)  # fmt: skip


def decoding_effect_table(
    scored: ScoredPersons, decoded: Mapping[str, NDArray[np.float32]], draws: ImageResamples
) -> pd.DataFrame:
    """Return PCK and OKS of the four variants, and the mean paired differences between variants.

    Args:
        scored: N persons with a crop.
        decoded: (N, K, 2) crop px by variant (`PLAIN`, `OWN`, `FLIPPED_PLAIN`, `FLIPPED_OWN`), of the same persons in the same
            order.
        draws: bootstrap draws of the images.

    Returns:
        One row per variant (`kind` "variant") and one per difference (`kind` "effect", where pck_thesis and oks are differences).
        Columns: kind, variant, persons, flip_test (missing where the flip test is the difference), pck_thesis and oks, each with
        its low and high.
    """
    persons = int(scored.labelled.any(axis=1).sum())
    values = {variant: _person_values(scored, joints) for variant, joints in decoded.items()}
    rows = [("variant", name, persons, name in _FLIPPED, *_ends(draws, scored, both)) for name, both in values.items()]
    for name, (with_it, without) in _EFFECTS.items():
        flipped = {variant in _FLIPPED for variant in (with_it, without)}
        difference = _ends(draws, scored, values[with_it] - values[without])
        rows.append(("effect", name, persons, flipped.pop() if len(flipped) == 1 else None, *difference))
    return pd.DataFrame(rows, columns=list(_COLUMNS)).astype({"flip_test": "boolean"})


def _person_values(scored: ScoredPersons, joints: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return (2, N) PCK and OKS of joints in crop px."""
    in_crop = joints.astype(np.float64)
    variant = replace(scored, predicted=apply_affine(invert_affine(scored.crop_from_image), in_crop), predicted_crop=in_crop)
    hits = joint_hits(variant)
    oks = person_oks(variant.predicted, variant.truth, variant.visibility, variant.areas, variant.skeleton.oks_sigmas)
    return np.stack([mean_over_labelled(hits, ~np.isnan(hits), axis=1), oks])


def _ends(draws: ImageResamples, scored: ScoredPersons, values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(end for one in values for end in astuple(draws.mean_interval(one, scored.image_ids)))
