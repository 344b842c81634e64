from typing import Any

import pytest
from pydantic import ValidationError

from posescope.core.plugins import describe_validation_error
from posescope.pipelines.explainability.options import ExplainabilityOptions, PersonsOptions


def errors(content: dict[str, Any]) -> tuple[str, ...]:
    with pytest.raises(ValidationError) as caught:
        ExplainabilityOptions.model_validate(content)
    return describe_validation_error(caught.value)


def test_dotted_path_of_an_analysis_is_refused() -> None:
    path = "posescope.explainability.traversal.latent_traversal:LatentTraversal"
    (error,) = errors({"analyses": {"selected": [{"name": "latent_traversal"}, {"name": path}]}})
    assert error.startswith("analyses.selected.1:")
    assert path in error


def test_analysis_selected_twice_is_refused() -> None:
    names = ("latent_traversal", "clusters", "latent_traversal")
    (error,) = errors({"analyses": {"selected": [{"name": name} for name in names]}})
    assert error.startswith("analyses.selected:")
    assert "latent_traversal" in error


def test_description_of_the_judged_persons() -> None:
    assert PersonsOptions(min_labelled_joints=8).in_words() == "persons of val with at least 8 labelled joints"
    halved = PersonsOptions(fit_split="train", judge_split="train", min_labelled_joints="all")
    assert halved.in_words() == "persons of half of the images of train with all joints labelled"


@pytest.mark.parametrize("value", [1, 17, "all"])
def test_labelled_joints_are_a_number_or_all(value: int | str) -> None:
    assert PersonsOptions(min_labelled_joints=value).min_labelled_joints == value


@pytest.mark.parametrize("value", [0, "every", 1.5, None])
def test_other_labelled_joints_give_one_error(value: object) -> None:
    (error,) = errors({"persons": {"min_labelled_joints": value}})
    assert error.startswith("persons.min_labelled_joints:")
    assert repr(value) in error


def test_unknown_pooling_is_refused() -> None:
    (error,) = errors({"persons": {"pooling": "median"}})
    assert error.startswith("persons.pooling")
