"""The finding of `label_errors`: whether the list finds wrong annotations."""

import numpy as np

from posescope.core.errors import pluralise
from posescope.evaluation.bootstrap import ImageResamples
from posescope.explainability.answers import Question, answer_more
from posescope.explainability.findings import Finding, control_of
from posescope.explainability.label_errors.planted_recall import PlantedRecall

__all__ = ["planted_finding"]


def planted_finding(recall: PlantedRecall, draws: ImageResamples, picture: str) -> Finding | None:
    """Return the finding; none if no error was planted in a judged person.

    Args:
        recall: judged persons with a planted error.
        draws: bootstrap samples of the photographs of the judged persons.
        picture: name of the image of the list.
    """
    if not len(recall):
        return None
    measured = draws.mean_interval(recall.found.astype(np.float64), recall.groups)
    simple = draws.mean_interval(recall.found_by_distance.astype(np.float64), recall.groups)
    gain = draws.mean_interval(recall.found.astype(np.float64) - recall.found_by_distance, recall.groups)
    if not (measured.is_known and gain.is_known):
        return None
    found = f"The list has {measured.estimate:z.0%} of the wrong annotations that were planted as a test at its top"
    question = Question(
        id="wrong-annotations-are-found",
        text="Does the list of doubtful annotations find wrong ones better than the distance to the prediction does?",
        yes=f"{found}, more than a list sorted by distance alone.",
        no=f"{found}, fewer than a list sorted by distance alone.",
        unclear=f"{found}, not clearly more than a list sorted by distance alone.",
    )
    return question.to_finding(
        answer_more(gain),
        measured,
        "fraction of planted errors",
        control_of("the list sorted by the distance between annotation and prediction alone", simple),
        picture=picture,
        detail=(
            f"One error each was planted in {pluralise(len(recall), 'judged person')}, in 5 % of all persons at a time: a "
            "swapped pair, or a joint displaced by 20 % of the crop's side. The top has as many persons as errors were planted."
        ),
    )
