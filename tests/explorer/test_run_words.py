"""Sentences on a run."""

from pathlib import Path

from tests.explorer.hand_made_table import about_of, table_of

from posescope.explorer.opened_run import OpenedRun, RunPlaces
from posescope.explorer.run_words import describe_run, describe_slice, title_axes
from posescope.explorer.table_metadata import ComponentAbout, SliceAbout


def opened(count: int, **changes: object) -> OpenedRun:
    table = table_of(count, **changes)
    return OpenedRun(Path(), table.columns, table.about, RunPlaces.of_data_dir(Path()))


def test_run_is_described_by_persons_photographs_and_model() -> None:
    assert describe_run(opened(3)) == "3 persons in 2 photographs, model 0000000000000000."
    assert describe_run(opened(1, generated=True)).startswith(
        "1 person in 1 photograph, model 0000000000000000, generated images."
    )


def test_group_that_may_be_by_chance_says_so() -> None:
    group = SliceAbout(id="slice-1", name="dark", persons=1, photographs=1, score=None, others=None, claimed=False)
    assert describe_slice(group) == "dark (1 person, may be by chance)"


def test_axes_are_named_by_the_map() -> None:
    one, two = (ComponentAbout(number=number, title=f"component {number}", explained=0.25) for number in (1, 2))
    assert title_axes(about_of(components=(one, two)))[1] == "component 2 (25% of the variance)"
    assert title_axes(about_of(components=(one,)))[0] == "map, first coordinate"
    assert title_axes(about_of(map="tsne"))[0] == "t-SNE, first coordinate"
