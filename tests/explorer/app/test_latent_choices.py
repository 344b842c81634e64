"""Tests of posescope.explorer.app.latent_choices."""

import numpy as np
import pytest

pytest.importorskip("dash")

from tests.explorer.latent_runs import FIRST_ID, HOURGLASS, PERSONS, latent_run, model_of

from posescope.core.errors import OptionsError
from posescope.explorer.app.latent_choices import LatentChoices
from posescope.explorer.latent_pictures import LatentPictures
from posescope.explorer.opened_run import OpenedRun
from posescope.explorer.person_numbers import PersonNumbers

LAST_ID = FIRST_ID + PERSONS - 1


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> OpenedRun:
    return latent_run(tmp_path_factory.mktemp("run"), model_of(HOURGLASS))


@pytest.fixture
def choices(opened: OpenedRun, monkeypatch: pytest.MonkeyPatch) -> LatentChoices:
    pictures = LatentPictures(opened)
    monkeypatch.setattr(pictures, "thumbnails", lambda ids: [f"picture {one}" for one in ids])
    return LatentChoices(opened, PersonNumbers(opened.person_ids), pictures)


def test_typed_person_and_steps(choices: LatentChoices) -> None:
    assert choices.choose(str(FIRST_ID + 2), FIRST_ID, "Person", None) == FIRST_ID + 2
    assert choices.choose("", FIRST_ID, "Person", None) is None
    assert choices.choose("not read", LAST_ID, "Person", 1) == FIRST_ID
    with pytest.raises(OptionsError, match=r"^Other person: "):
        choices.choose("9999", FIRST_ID, "Other person", None)


def test_ends_are_the_persons_with_the_farthest_scores(choices: LatentChoices, opened: OpenedRun) -> None:
    scores = opened.component_scores[:, 0].astype(np.float64)
    low, high = choices.ends(1)
    for part, row in ((low, int(scores.argmin())), (high, int(scores.argmax()))):
        first = part.children[1].children[0]
        assert first.id["person"] == opened.person_ids[row]
        assert first.children.src == f"picture {opened.person_ids[row]}"
    in_sd = scores / np.sqrt(opened.components().variances[0])
    assert f"{in_sd.min():+.1f} to " in low.children[0].children
    assert f" to {in_sd.max():+.1f} sd" in high.children[0].children
    assert low.children[0].children.startswith("Low end")


@pytest.mark.parametrize("number", [0, 99, None, "1", {"a": 1}])
def test_unknown_component_is_refused(choices: LatentChoices, number: object) -> None:
    with pytest.raises(OptionsError):
        choices.ends(number)


def test_mark_of_zero_is_the_own_place_of_the_person(choices: LatentChoices, opened: OpenedRun) -> None:
    own = opened.component_scores[3, 0] / np.sqrt(opened.components().variances[0])
    assert choices.marks(int(opened.person_ids[3]))[0][0] == f"own value ({own:+.1f} sd)"
    assert choices.marks(None)[0][0] == "mean person"
    assert len(choices.marks(None)) == len(opened.about.components)
