"""Which images a split consists of: how many people each, and which are special. Drawn once, from the seed alone."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from posescope.sample.arrays import Ints

__all__ = ["ColourMode", "ImagePlan", "Split", "plan_split"]

Split = Literal["train", "val"]
ColourMode = Literal["colour", "grey_rgb", "grey_single"]
# How many people with keypoints share an image, and how often.
_COMPANY = (0.62, 0.28, 0.10)
# Shares of images that are empty, hold a crowd, hold people without keypoints, are grey.
_EMPTY, _CROWD, _UNLABELLED, _GREY = 0.03, 0.02, 0.06, 0.04


@dataclass(frozen=True)
class ImagePlan:
    """What one image holds: `persons` with keypoints, `unlabelled` persons without, perhaps a crowd."""

    split_index: int
    image_index: int
    persons: int
    unlabelled: int = 0
    has_crowd: bool = False
    colour_mode: ColourMode = "colour"


def plan_split(seed: int, split_index: int, persons: int) -> tuple[ImagePlan, ...]:
    """The images of split number `split_index` whose people with keypoints number `persons`.

    Every kind of special image occurs at least once, however small the split (where there are images enough to bear it).
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, split_index]))
    company = _share_out(rng, persons)
    empty = _at_least_one(_EMPTY, len(company))
    counts = rng.permutation(np.concatenate([company, np.zeros(empty, np.int64)]))
    # A crowd or a stranger in an image without people would leave no image empty: they go where people are.
    peopled = np.flatnonzero(counts)
    crowds, strangers = _choose(rng, peopled, _CROWD), _choose(rng, peopled, _UNLABELLED)
    grey = _choose(rng, np.arange(len(counts)), _GREY, least=2)
    modes: dict[int, ColourMode] = {i: "grey_single" if k % 2 == 0 else "grey_rgb" for k, i in enumerate(grey)}
    return tuple(
        ImagePlan(
            split_index,
            index,
            int(count),
            unlabelled=1 + index % 2 if index in strangers else 0,
            has_crowd=index in crowds,
            colour_mode=modes.get(index, "colour"),
        )
        for index, count in enumerate(counts)
    )


def _share_out(rng: np.random.Generator, persons: int) -> Ints:
    """People per image, each at least one, that add up to `persons`."""
    drawn = rng.choice(len(_COMPANY), size=persons, p=_COMPANY) + 1
    images = int(np.searchsorted(np.cumsum(drawn), persons)) + 1
    company = drawn[:images].astype(np.int64)
    company[-1] -= company.sum() - persons
    return company


def _at_least_one(share: float, count: int, least: int = 1) -> int:
    return max(least, round(share * count))


def _choose(rng: np.random.Generator, among: Ints, share: float, least: int = 1) -> list[int]:
    return [int(i) for i in rng.permutation(among)[: _at_least_one(share, len(among), least)]]
