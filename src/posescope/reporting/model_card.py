"""The model card (Mitchell et al. 2019): a page of Markdown on a model, its scores and its known failures.

Every number comes from the run; what was not measured is not stated.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from posescope.artifacts.pose_model import PoseModel
from posescope.core.tables import SPLITS
from posescope.core.text_escaping import escape_control, escape_markdown
from posescope.evaluation.access_log import may_know_test_persons
from posescope.explainability.findings_file import FindingRecord
from posescope.models.complexity import count_macs, count_parameters
from posescope.reporting.number_format import format_number, format_option
from posescope.reporting.sections.error_analysis_section import FailureInputs, describe_effects, describe_failures
from posescope.reporting.start_text import describe_start, describe_trained_parts

__all__ = ["CardInputs", "write_model_card"]

_DECIMALS = {"mse": 6}
_FAILURES_SHOWN = 8
_COLUMNS = {"images_with_persons": "images with persons", "images": "images with a crop", "persons": "persons with a crop"}
_NOT_MEASURED = "Not measured for this model on this data. Run the pipeline evaluation."


@dataclass(frozen=True, eq=False)
class CardInputs:
    """Inputs of the model card.

    Attributes:
        model: the trained model.
        metrics: content of metrics.json. None, here and below: no result of this model on this data.
        distribution: images and persons of each split.
        failures: results of the error analysis.
        findings: findings of the analyses, corrected for their number and ranked.
        trained_on_this_data: whether the model was trained on the data of the distribution.
        left_out: one sentence for each result that was left out because it is of another model or other data.
    """

    model: PoseModel
    metrics: Mapping[str, Any] | None
    distribution: pd.DataFrame | None
    failures: FailureInputs | None
    findings: tuple[FindingRecord, ...] = ()
    trained_on_this_data: bool = True
    left_out: tuple[str, ...] = ()


def write_model_card(inputs: CardInputs) -> str:
    """Return the model card as Markdown with a final newline."""
    parts = (_head(inputs), _limits(inputs), _data(inputs), _recipe(inputs), _metrics(inputs), _failures(inputs), _use(inputs))
    return "\n\n".join(parts) + "\n"


def _shape_of_crop(crop_size: tuple[int, int]) -> str:
    return "a square crop" if crop_size[0] == crop_size[1] else "a crop"


def _head(inputs: CardInputs) -> str:
    model = inputs.model
    parameters, macs = count_parameters(model.network), count_macs(model.network, model.crop_size)
    rows = [
        ("Architecture", f"{model.model_spec.name}, {parameters:,} parameters, {macs / 1e9:.2f} GMAC per person"),
        ("Input", f"{_shape_of_crop(model.crop_size)} of one person, {model.crop_size[0]} x {model.crop_size[1]} px, RGB"),
        ("Output", f"{len(model.skeleton)} joints: {', '.join(model.skeleton.joints)}"),
        ("Heatmaps", f"codec {model.codec_spec.name}, {model.codec.map_size[0]} x {model.codec.map_size[1]} px"),
        (
            "Created by",
            f"posescope {model.provenance.get('posescope', 'unknown')}, training run "
            f"{model.provenance.get('fingerprint', 'unknown')}",
        ),
    ]
    if start := describe_start(model.provenance):
        rows.append(("Initial weights", start))
    return (
        f"# Model card: {escape_markdown(model.model_spec.name)}\n\nSingle-person 2D pose estimation.\n\n{_table(('', ''), rows)}"
    )


def _limits(inputs: CardInputs) -> str:
    lines = [
        "The model predicts one pose per box. The boxes of the persons must be known, for example from a detector; if a box has "
        "several persons, the model predicts one of them.",
        "The metrics below were computed on crops whose centre and size were derived from the annotated joints. If only a box is "
        "known, the crop is centred on the box and the metrics are lower, even with exact boxes.",
        "The model predicts every joint, also occluded joints and joints outside the image; the confidence score of a joint "
        "indicates its reliability.",
    ]
    if inputs.model.provenance.get("generated_sample"):
        lines.insert(0, "**The model was trained on the generated sample of rendered persons; do not use it for photographs.**")
    if may_know_test_persons(inputs.model.provenance):
        lines.append(
            "The training started from a model that held out another test set. Whether that model was trained on test persons of "
            "this data is unknown."
        )
    if inputs.model.skeleton.guessed_sigmas:
        guessed = ", ".join(map(escape_markdown, inputs.model.skeleton.guessed_sigmas))
        lines.append(f"OKS sigmas are defaults for {guessed}: OKS and AP are not comparable with other data sets.")
    return "## Intended use and limits\n\n" + "\n".join(f"- {line}" for line in lines)


def _data(inputs: CardInputs) -> str:
    if inputs.distribution is None:
        return "## Data\n\nUnknown: the counts are of other data."
    columns = [name for name in _COLUMNS if name in inputs.distribution]
    counts = inputs.distribution.set_index("split")[columns].astype(int).to_dict("index")
    rows = [(split, *(f"{counts[split][what]:,}" for what in columns)) for split in SPLITS if split in counts]
    head = ("split", *(_COLUMNS[name] for name in columns))
    other = "" if inputs.trained_on_this_data else "The counts are of this data; the model was trained on other data.\n\n"
    setting = (
        "The metrics below are of the validation set, except those of the findings on features, which state their persons. None "
        "is of the test set."
    )
    return f"## Data\n\n{other}{_table(head, rows)}\n\n{setting}"


def _recipe(inputs: CardInputs) -> str:
    known = inputs.model.provenance
    training = known.get("training", {})
    labels = {"train_persons": "training persons", "epoch": "selected epoch (checkpoint)"}
    rows = [(words, f"{known[name]:,}") for name, words in labels.items() if name in known]
    rows += [(name, format_option(training[name])) for name in sorted(training) if training[name] not in (None, [], {}, False, 0)]
    rows += describe_trained_parts(known).items()
    return "## Training configuration\n\n" + (_table(("option", "value"), rows) if rows else "Unknown.")


def _metrics(inputs: CardInputs) -> str:
    if inputs.metrics is None:
        return f"## Metrics (validation set)\n\n{_NOT_MEASURED}{_left_out(inputs)}"
    figures: Mapping[str, Mapping[str, Any]] = inputs.metrics["val"]
    rows = [
        (name, _number(name, figure["value"]), _range(name, figure), str(figure.get("protocol", "")), _persons(figure))
        for name, figure in sorted(figures.items())
    ]
    head = ("metric", "value", "95 % interval", "protocol", "persons")
    return f"## Metrics (validation set)\n\n{_table(head, rows)}{_left_out(inputs)}"


def _left_out(inputs: CardInputs) -> str:
    if not inputs.left_out:
        return ""
    lines = "\n".join(f"- {sentence}" for sentence in inputs.left_out)
    return f"\n\nResults of another model or of other data were left out:\n\n{lines}"


def _failures(inputs: CardInputs) -> str:
    sentences = _NOT_MEASURED
    if inputs.failures is not None:
        sentences = "\n".join(f"- {sentence}" for sentence in describe_failures(inputs.failures))
    about_error = [finding for finding in inputs.findings if finding.importance > 0 and finding.verdict == "supported"]
    claims = [f"- {escape_markdown(finding.statement)}" for finding in about_error[:_FAILURES_SHOWN]]
    population = escape_markdown(" and ".join(dict.fromkeys(finding.persons for finding in about_error if finding.persons)))
    of_population = f" ({population})" if population else ""
    explained = f"\n\nFindings on the features of the model{of_population}:\n\n" + "\n".join(claims) if claims else ""
    shown = "\n".join(map(_escape_line, sentences.split("\n")))
    effects = describe_effects(inputs.failures.decoding_effects) if inputs.failures is not None else ""
    decoding = f"\n\n## Decoding\n\n{effects}" if effects else ""
    return f"## Known failures\n\n{shown}{explained}{decoding}"


def _use(inputs: CardInputs) -> str:
    # The name is in a comment of a code block: no line end, and no fence that would end the block.
    joint = escape_control(inputs.model.skeleton.joints[0]).replace("`", "'")
    return (
        "## How to use\n\n```python\nfrom posescope.prediction.estimator import PoseEstimator\n\n"
        'estimator = PoseEstimator.load("model")\n'
        'poses = estimator.predict_one("photo.jpg", boxes=[[x, y, width, height]])\n'
        f"poses.joints[0, 0]  # the {joint.replace('_', ' ')} of the first person, x and y in px of the image\n```"
    )


def _escape_line(line: str) -> str:
    """Escape a line that may be a list item."""
    item = "- " if line.startswith("- ") else ""
    return item + escape_markdown(line.removeprefix(item))


def _number(name: str, value: float | None) -> str:
    return "unknown" if value is None else format_number(float(value), _DECIMALS.get(name, 3))


def _range(name: str, figure: Mapping[str, Any]) -> str:
    ends = (figure.get("low"), figure.get("high"))
    return "" if None in ends else " to ".join(_number(name, end) for end in ends)


def _persons(figure: Mapping[str, Any]) -> str:
    return f"{figure['persons']:,}" if "persons" in figure else ""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [list(map(escape_markdown, head)), ["---"] * len(head), *(list(map(escape_markdown, row)) for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
