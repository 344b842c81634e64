"""Sentences on changes in the latent space: what is changed, what the joints do, and whether real persons are like that."""

import math
from collections.abc import Collection, Mapping, Sequence

from posescope.core.errors import pluralise
from posescope.explorer.latent_pictures import found_joints, found_joints_before
from posescope.explorer.latent_requests import LatentAnswer, LatentRequest, Patch

__all__ = ["describe_answer", "describe_changes", "describe_closeness", "describe_kept", "describe_moves"]

_RARE, _UNLIKE = 0.80, 0.95  # of LatentAnswer.distance_quantile
_NEARLY_ALL = 0.995
_UNMOVED_PX = 0.05


def describe_changes(request: LatentRequest, titles: Mapping[str, str], skips: Collection[str]) -> str:
    """Say what is changed, and from which start, in one line.

    Args:
        request: the changes.
        titles: words for each layer that can be patched.
        skips: those of the layers that are skip connections.

    Example:
        >>> describe_changes(LatentRequest(person_id=7, offsets=(0, 2.5), kept_components=3), {}, ())
        'Person 7 with component 2: +2.5 sd; first 3 components kept.'
    """
    start = "The mean person" if request.person_id is None else f"Person {request.person_id}"
    changes = [f"component {number}: {offset:+.1f} sd" for number, offset in enumerate(request.offsets, start=1) if offset]
    if request.kept_components is not None:
        changes.append("no component kept" if not request.kept_components else _describe_first(request.kept_components))
    changes += _describe_patches(request.patches, titles, skips)
    return f"{start} with {'; '.join(changes)}." if changes else f"{start} without changes."


def describe_answer(answer: LatentAnswer, joints: Sequence[str]) -> str:
    """Say in a few sentences how far the joints moved, and whether real persons have such features.

    Args:
        answer: the answer.
        joints: names of the joints.
    """
    return f"{describe_moves(answer, joints)} {describe_closeness(answer.distance_quantile)}".rstrip()


def describe_moves(answer: LatentAnswer, joints: Sequence[str]) -> str:
    """Say in one or two sentences how far the joints moved, and how many are lost.

    Args:
        answer: the answer.
        joints: names of the joints.
    """
    farthest = int(answer.moved_px.argmax())
    if answer.moved_px[farthest] < _UNMOVED_PX:
        return "The joints are where they are without changes."
    text = (
        f"The joints moved by {answer.moved_px.mean():.1f} px on average; {joints[farthest].replace('_', ' ')} moved most "
        f"({answer.moved_px[farthest]:.1f} px)."
    )
    lost = int((found_joints_before(answer) & ~found_joints(answer)).sum())
    return text + (f" {pluralise(lost, 'joint')} found before {'is' if lost == 1 else 'are'} not found now." if lost else "")


def describe_closeness(quantile: float, *, is_reduced: bool = False) -> str:
    """Say how close the features are to those of real persons, compared with how close persons are to each other.

    Args:
        quantile: fraction of persons that are closer to their nearest neighbour than the features are to the nearest person
            (`LatentAnswer.distance_quantile`); NaN: unknown.
        is_reduced: whether the features are those of the mean person, or of the first components only.

    Example:
        >>> describe_closeness(0.25)
        'Usual: closer to a real person than 75 of 100 persons are to their nearest neighbour.'
    """
    if math.isnan(quantile):
        return ""
    if quantile >= _RARE:
        level = "Unlike any person of the data" if quantile >= _UNLIKE else "Rare"
        who = _of_100(quantile)
        return f"{level}: {who} are closer to their nearest neighbour than these features are to any person."
    text = f"Usual: closer to a real person than {_of_100(1 - quantile)} are to their nearest neighbour."
    if is_reduced:
        text += " The mean person and features of few components are near the mean of all persons, so they are close to many."
    return text


def describe_kept(kept: int | None, ratios: Sequence[float]) -> str:
    """Say which components are kept.

    Args:
        kept: number of first components; None: all.
        ratios: fraction of the variance along each component.
    """
    if kept is None:
        return f"All {len(ratios):,} components are kept: the features stay as they are."
    share = float(sum(ratios[:kept]))
    if not kept:
        return f"No component is kept: each of the {len(ratios):,} has its mean over persons."
    return (
        f"The first {kept:,} of {len(ratios):,} components: {share:.1%} of the variance between persons. The others have their "
        "mean over persons."
    )


def _describe_first(kept: int) -> str:
    return f"first {pluralise(kept, 'component')} kept" if kept > 1 else "first component kept"


def _describe_patches(patches: Sequence[Patch], titles: Mapping[str, str], skips: Collection[str]) -> list[str]:
    words = {patch.layer: f"person {patch.person_id}" if patch.kind == "person" else patch.kind for patch in patches}
    of_skips = {words.get(layer) for layer in skips}
    common = next(iter(of_skips)) if len(of_skips) == 1 and len(skips) > 1 else None
    left = [layer for layer in words if common is None or layer not in skips]
    return [*([f"skip connections: {common}"] if common else []), *(f"{titles.get(one, one)}: {words[one]}" for one in left)]


def _of_100(fraction: float) -> str:
    """Return how many persons a fraction is; the fractions are measured on some hundred persons."""
    if fraction >= _NEARLY_ALL:
        return "nearly all persons"
    return f"{100 * fraction:.0f} of 100 persons"
