"""Whether two finished runs can be compared: what makes their scores incomparable, and what else differs between them."""

from collections.abc import Mapping

from posescope.core.errors import DataError
from posescope.runs.finished_runs import FinishedRun

__all__ = ["check_comparable", "describe_differences"]


def check_comparable(first: FinishedRun, second: FinishedRun) -> None:
    """Check that two runs have the same validation set by their parameters.

    Args:
        first, second: runs A and B.

    Raises:
        DataError: if they read other files, or generated other data.
    """
    for key in ("source", "sample"):
        found = [run.parameter("data_engineering", key) for run in (first, second)]
        values = [{**value, "workers": None} if isinstance(value, Mapping) else value for value in found]
        if values[0] != values[1]:
            raise DataError(
                f"The runs were scored on different persons: data_engineering.{key} is {found[0]} in A and {found[1]} in B. Only "
                "runs on the same validation set can be compared."
            )


def describe_differences(first: FinishedRun, second: FinishedRun) -> list[str]:
    """Return the differences of two comparable runs that their tables do not show, one sentence each.

    Args:
        first, second: runs A and B.
    """
    runs = (first, second)
    sentences = list(dict.fromkeys(sentence for run in runs for sentence in run.differences()))
    folders = [run.raw_dir for run in runs]
    if None not in folders and folders[0] != folders[1]:
        checked = (
            "the labels of all common persons are equal"
            if all(run.has_joints for run in runs)
            else "their labels are not compared"
        )
        sentences.append(f"The data were read from different folders (raw_dir: A {folders[0]}, B {folders[1]}); {checked}.")
    prints = [run.data_fingerprint() for run in runs]
    if None in prints:
        sentences.append("A run has no data fingerprint: whether both had the same crops, joints and splits is unknown.")
    elif prints[0] != prints[1]:
        sentences.append("The runs had different crops, joints or splits (their data fingerprints differ).")
    protocols = [run.parameter("evaluation", "scoring", "protocol") for run in runs]
    if protocols[0] != protocols[1]:
        sentences.append(f"Different persons count (evaluation.scoring.protocol): A {protocols[0]}, B {protocols[1]}.")
    metrics = [run.parameter("evaluation", "scoring", "metrics") for run in runs]
    if metrics[0] != metrics[1]:
        sentences.append(
            f"The runs have different metrics (evaluation.scoring.metrics): A {metrics[0]}, B {metrics[1]}. Values of the same "
            "name may have been computed in two ways."
        )
    return sentences
