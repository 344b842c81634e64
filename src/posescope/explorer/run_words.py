"""Sentences on a run and its groups that all pages share."""

from posescope.core.errors import pluralise
from posescope.explorer.opened_run import OpenedRun
from posescope.explorer.table_metadata import ExplorerAbout, SliceAbout

__all__ = ["describe_run", "describe_slice", "title_axes"]


def describe_run(opened: OpenedRun) -> str:
    """Return the line below the heading of a page: persons, photographs and model."""
    photographs = len(opened.persons[["source_split", "image_id"]].drop_duplicates())
    line = f"{pluralise(len(opened), 'person')} in {pluralise(photographs, 'photograph')}, model {opened.about.model}"
    return f"{line}{', generated images' if opened.about.generated else ''}."


def describe_slice(one: SliceAbout) -> str:
    """Return what a failure slice is, how many persons it has, and how they score.

    Example:
        >>> about = {"persons": 2, "photographs": 1, "score": 0.5, "others": 0.9, "claimed": True}
        >>> describe_slice(SliceAbout(id="slice-1", name="persons in dark images", **about))
        'persons in dark images (2 persons, PCK 0.50, all others 0.90)'
    """
    scores = "" if one.score is None or one.others is None else f", PCK {one.score:.2f}, all others {one.others:.2f}"
    return f"{one.name} ({pluralise(one.persons, 'person')}{scores}{'' if one.claimed else ', may be by chance'})"


def title_axes(about: ExplorerAbout) -> tuple[str, str]:
    """Return the titles of the two axes of the map."""
    if about.map == "components" and len(about.components) >= 2:
        first, second = (f"{one.title} ({one.explained:.0%} of the variance)" for one in about.components[:2])
        return first, second
    name = {"tsne": "t-SNE", "umap": "UMAP"}.get(about.map, "map")
    return f"{name}, first coordinate", f"{name}, second coordinate"
