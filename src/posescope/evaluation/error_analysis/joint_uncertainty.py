"""Judgement of calibrated radii on persons that did not calibrate them: coverage, risk-coverage curve, flagged joints.

coverage         fraction of labelled joints inside their circle; for a valid calibration the stated level
risk-coverage    PCK of the joints that are left when the least certain ones are left out (El-Yaniv and Wiener 2010)
joint trust      PCK of the joints that are flagged as not to be trusted, and of the others

Only labelled joints of persons with a prediction and a crop are judged. Intervals resample the images.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.evaluation.bootstrap import ImageResamples
from posescope.evaluation.conformal import RadiusTable
from posescope.evaluation.error_analysis.error_types import ALL_JOINTS
from posescope.evaluation.metrics.pck_thesis import joint_hits
from posescope.evaluation.scored_persons import ScoredPersons

__all__ = ["JudgedRadii", "coverage_table", "judge_radii", "risk_coverage_table", "trust_table"]

_RISK_COLUMNS = [
    "kept", "labelled", "photographs", "persons", "largest_radius_px", "pck", "pck_low", "pck_high", "pck_by_score", "pck_best",
]  # fmt: skip
KEPT = tuple(round(0.1 * tenth, 1) for tenth in range(10, 0, -1))
TRUSTED, FLAGGED, WITHOUT_RADIUS = "trusted", "do not trust", "no radius"


@dataclass(frozen=True, eq=False)
class JudgedRadii:
    """Errors, hits and radii of the joints of N persons.

    Attributes:
        joints: (K,) names.
        image_ids: (N,).
        errors: (N, K) px of the crop; NaN where a joint is not judged.
        hits: (N, K) 1 where a joint is correct by `pck_thesis`, 0 where it is not; NaN where it is not judged.
        scores: (N, K).
        radii: (N, K) px of the crop by level; NaN where the joint has none.
        level: the main level.
        max_radius_px: joints with a larger radius are flagged.
        crop_side_px: longer side of the crop.
    """

    joints: tuple[str, ...]
    image_ids: NDArray[np.int64]
    errors: NDArray[np.float64]
    hits: NDArray[np.float64]
    scores: NDArray[np.float64]
    radii: Mapping[float, NDArray[np.float64]]
    level: float
    max_radius_px: float
    crop_side_px: int

    @property
    def judged(self) -> NDArray[np.bool_]:
        """(N, K) True where a joint is judged."""
        return ~np.isnan(self.errors)


def judge_radii(scored: ScoredPersons, table: RadiusTable, level: float, max_radius_px: float) -> JudgedRadii:
    """Join the radii of predictions and their errors.

    Args:
        scored: N persons.
        table: radii in the joint order of these persons.
        level: the main level.
        max_radius_px: joints with a larger radius are flagged.
    """
    offset = scored.predicted_crop - scored.truth_crop
    errors, hits = np.hypot(offset[..., 0], offset[..., 1]), joint_hits(scored)
    unknown = np.isnan(errors) | np.isnan(hits) | ~scored.labelled
    return JudgedRadii(
        joints=scored.skeleton.joints,
        image_ids=scored.image_ids,
        errors=np.where(unknown, np.nan, errors),
        hits=np.where(unknown, np.nan, hits),
        scores=scored.scores,
        radii={one: table.radii(scored.scores, one) for one in table.levels},
        level=level,
        max_radius_px=max_radius_px,
        crop_side_px=max(scored.crop_size),
    )


def coverage_table(judged: JudgedRadii, reasons: Mapping[str, str], draws: ImageResamples) -> pd.DataFrame:
    """Return the fraction of joints inside their radius, per joint and level.

    Args:
        judged: N persons.
        reasons: why a joint has no radius at the main level, by joint.
        draws: bootstrap draws of the images.

    Returns:
        One row for all joints and one per joint, for each level: joint, level, main (whether this is the main level), labelled
        (joints that are judged and have a radius), photographs and persons (of these), coverage with low and high (NaN if there
        is no such joint), radius_px (median, px of the crop), radius_fraction (the same, fraction of the crop side), do_not_trust
        (fraction of these joints that is flagged), reason.
    """
    rows = []
    for name, columns in _joint_columns(judged):
        for level, radii in judged.radii.items():
            errors, own = judged.errors[:, columns], radii[:, columns]
            known = ~np.isnan(errors) & ~np.isnan(own)
            inside = known & (errors <= own)
            flagged = judged.radii[judged.level][:, columns] > judged.max_radius_px
            radius, fraction = (float(f(v[known])) if known.any() else np.nan for f, v in ((np.median, own), (np.mean, flagged)))
            rows.append(
                {
                    "joint": name, "level": level, "main": level == judged.level, **_counts(known, judged.image_ids),
                    **_ratio(inside, known, judged.image_ids, draws, "coverage"), "radius_px": radius,
                    "radius_fraction": radius / judged.crop_side_px, "do_not_trust": fraction, "reason": reasons.get(name, ""),
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def risk_coverage_table(judged: JudgedRadii, draws: ImageResamples) -> pd.DataFrame:
    """Return the PCK of the joints that are kept when those with the largest radii are left out.

    Joints of equal radius are ordered by their score. The PCK is over joints, so it differs from `pck_thesis`, which is a mean
    over persons.

    Args:
        judged: N persons.
        draws: bootstrap draws of the images.

    Returns:
        One row per fraction of joints that is kept: kept (1 to 0.1), labelled, photographs, persons, largest_radius_px (of the
        kept joints, px of the crop), pck with low and high, pck_by_score (joints ordered by score alone), pck_best (joints
        ordered by their error: no order is better).
    """
    radii = judged.radii[judged.level]
    known = judged.judged & ~np.isnan(radii)
    place, scores = np.nonzero(known), judged.scores[known]
    orders = {
        "": np.lexsort((-scores, radii[known])), "_by_score": np.argsort(-scores, kind="stable"),
        "_best": np.lexsort((judged.errors[known], -judged.hits[known])),
    }  # fmt: skip
    rows = []
    for fraction in KEPT if len(scores) else ():
        count = max(round(fraction * len(scores)), 1)
        masks = {name: _mask(known.shape, place, order[:count]) for name, order in orders.items()}
        kept = masks[""]
        rows.append(
            {
                "kept": fraction, **_counts(kept, judged.image_ids), "largest_radius_px": float(radii[kept].max()),
                **_ratio(kept & (judged.hits == 1), kept, judged.image_ids, draws, "pck"),
                **{f"pck{name}": float(judged.hits[masks[name]].mean()) for name in ("_by_score", "_best")},
            }
        )  # fmt: skip
    return pd.DataFrame(rows, columns=_RISK_COLUMNS)


def trust_table(judged: JudgedRadii, draws: ImageResamples) -> pd.DataFrame:
    """Return the PCK of trusted joints, of joints flagged as not to be trusted, and of joints without radius.

    Args:
        judged: N persons.
        draws: bootstrap draws of the images.

    Returns:
        Columns: trust, labelled, photographs, persons, fraction (of all judged joints), pck with low and high (NaN if there is no
        such joint).
    """
    radii, total = judged.radii[judged.level], int(judged.judged.sum())
    groups = {
        TRUSTED: radii <= judged.max_radius_px, FLAGGED: radii > judged.max_radius_px, WITHOUT_RADIUS: np.isnan(radii),
    }  # fmt: skip
    rows = []
    for name, members in groups.items():
        known = judged.judged & members
        values = _ratio(known & (judged.hits == 1), known, judged.image_ids, draws, "pck")
        fraction = float(known.sum() / total) if total else np.nan
        rows.append({"trust": name, **_counts(known, judged.image_ids), "fraction": fraction, **values})
    return pd.DataFrame(rows)


def _joint_columns(judged: JudgedRadii) -> Iterator[tuple[str, list[int]]]:
    yield ALL_JOINTS, list(range(len(judged.joints)))
    yield from ((name, [column]) for column, name in enumerate(judged.joints))


def _counts(known: NDArray[np.bool_], image_ids: NDArray[np.int64]) -> dict[str, int]:
    persons = known.any(axis=1)
    return {
        "labelled": int(known.sum()), "photographs": len(np.unique(image_ids[persons])), "persons": int(persons.sum()),
    }  # fmt: skip


def _ratio(
    over: NDArray[np.bool_], under: NDArray[np.bool_], image_ids: NDArray[np.int64], draws: ImageResamples, name: str
) -> dict[str, float]:
    """Return the fraction of joints with its interval over images, as three columns."""
    above, below = over.sum(axis=1).astype(np.float64), under.sum(axis=1).astype(np.float64)
    estimate = float(above.sum() / below.sum()) if below.any() else np.nan
    return draws.interval(estimate, draws.ratios(above, below, image_ids)).columns(name)


def _mask(shape: tuple[int, ...], place: tuple[NDArray[np.intp], ...], chosen: NDArray[np.intp]) -> NDArray[np.bool_]:
    mask = np.zeros(shape, dtype=np.bool_)
    mask[tuple(axis[chosen] for axis in place)] = True
    return mask
