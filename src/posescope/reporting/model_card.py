"""The model card (Mitchell et al., 2019): one page of Markdown on what a model is, how good it is, and where it fails.

Every number comes from the run: what nobody measured is not said.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from posescope.artifacts.pose_model import PoseModel
from posescope.core.text_escaping import escape_control, escape_markdown
from posescope.explainability.findings import Finding, rank_findings
from posescope.models.complexity import count_macs, count_parameters
from posescope.reporting.number_format import format_number
from posescope.reporting.sections.error_analysis_section import FailureInputs, assemble_failure_section

__all__ = ["CardInputs", "write_model_card"]

_DECIMALS = {"mse": 6}
_FAILURES_SHOWN = 8
_NOT_MEASURED = "Not measured for this model on this data. Run the pipeline evaluation."


@dataclass(frozen=True, eq=False)
class CardInputs:
    """Everything that a card is made of.

    Attributes:
        model: the trained model.
        metrics: content of metrics.json; None, here and below: there is none of this model on this data.
        distribution: images and persons of each split.
        failures: what evaluation says of where it fails.
        findings: what the analyses claim.
        trained_on_this_data: whether the distribution is that of the model's training.
        left_out: a sentence on each result that was left out because it is of another model or other data.
    """

    model: PoseModel
    metrics: Mapping[str, Any] | None
    distribution: pd.DataFrame | None
    failures: FailureInputs | None
    findings: tuple[Finding, ...] = ()
    trained_on_this_data: bool = True
    left_out: tuple[str, ...] = ()


def write_model_card(inputs: CardInputs) -> str:
    """The card, Markdown, UTF-8, with a final newline."""
    parts = (_head(inputs), _limits(inputs), _data(inputs), _recipe(inputs), _scores(inputs), _failures(inputs), _use(inputs))
    return "\n\n".join(parts) + "\n"


def _head(inputs: CardInputs) -> str:
    model = inputs.model
    parameters, macs = count_parameters(model.network), count_macs(model.network, model.crop_size)
    rows = [
        ("Architecture", f"{model.model_spec.name}, {parameters:,} parameters, {macs / 1e9:.2f} GMAC a person"),
        ("Input", f"a square crop of one person, {model.crop_size[0]} x {model.crop_size[1]} px, RGB"),
        ("Output", f"{len(model.skeleton)} joints: {', '.join(model.skeleton.joints)}"),
        ("Heatmaps", f"codec {model.codec_spec.name}, {model.codec.map_size[0]} x {model.codec.map_size[1]} cells"),
        (
            "Made by",
            f"posescope {model.provenance.get('posescope', 'unknown')}, run {model.provenance.get('fingerprint', 'unknown')}",
        ),
    ]
    return (
        f"# Model card: {escape_markdown(model.model_spec.name)}\n\nSingle-person 2D pose estimation.\n\n{_table(('', ''), rows)}"
    )


def _limits(inputs: CardInputs) -> str:
    lines = [
        "It poses one person a box: who is in the picture has to be known (boxes, a detector), and of several people in one box "
        "it poses whom it likes.",
        "The figures below are of crops that were centred on, and sized by, the annotated joints. With a box alone the crop is "
        "centred on the box, and it does somewhat worse: expect less in use, even with exact boxes.",
        "It always answers: a joint that is hidden, or not there, gets a place too; the joint's score is what there is to tell.",
    ]
    if inputs.model.provenance.get("generated_sample"):
        lines.insert(0, "**It was trained on the generated sample, drawn people: it is not for photographs.**")
    if inputs.model.skeleton.guessed_sigmas:
        guessed = ", ".join(map(escape_markdown, inputs.model.skeleton.guessed_sigmas))
        lines.append(f"OKS sigmas are guessed for {guessed}: OKS and AP compare with nobody else's.")
    return "## What it is for, and what it is not\n\n" + "\n".join(f"- {line}" for line in lines)


def _data(inputs: CardInputs) -> str:
    if inputs.distribution is None:
        return "## Data\n\nUnknown: the counts at hand are of other data."
    columns = [name for name in ("images_with_persons", "images", "persons") if name in inputs.distribution]
    counts = inputs.distribution.set_index("split")[columns].astype(int).to_dict("index")
    rows = [(split, *(f"{counts[split][what]:,}" for what in columns)) for split in ("train", "val", "test")]
    head = ("split", *(name.replace("_", " ") for name in columns))
    other = "" if inputs.trained_on_this_data else "This is the data at hand; the model was trained on other data.\n\n"
    return f"## Data\n\n{other}{_table(head, rows)}\n\nThe test set is sealed: no figure below is of it."


def _recipe(inputs: CardInputs) -> str:
    known = inputs.model.provenance
    training = known.get("training", {})
    said = {"train_persons": "training persons", "epoch": "weights of epoch"}
    rows = [(words, str(known[name])) for name, words in said.items() if name in known]
    rows += [(name, _say(training[name])) for name in sorted(training) if training[name] not in (None, [], {}, False, 0)]
    return f"## Recipe\n\n{_table(('option', 'value'), rows)}" if rows else "## Recipe\n\nUnknown."


def _scores(inputs: CardInputs) -> str:
    if inputs.metrics is None:
        return f"## How good it is (validation set)\n\n{_NOT_MEASURED}{_say_left_out(inputs)}"
    figures: Mapping[str, Mapping[str, Any]] = inputs.metrics["val"]
    rows = [
        (name, _number(name, figure["value"]), _range(name, figure), str(figure.get("protocol", "")), _people(figure))
        for name, figure in sorted(figures.items())
    ]
    head = ("figure", "value", "95 % interval", "protocol", "persons")
    return f"## How good it is (validation set)\n\n{_table(head, rows)}{_say_left_out(inputs)}"


def _say_left_out(inputs: CardInputs) -> str:
    if not inputs.left_out:
        return ""
    lines = "\n".join(f"- {sentence}" for sentence in inputs.left_out)
    return f"\n\nResults that were left out, because they are of another model or of other data:\n\n{lines}"


def _failures(inputs: CardInputs) -> str:
    said = _NOT_MEASURED
    if inputs.failures is not None:
        _, _, said = assemble_failure_section(inputs.failures).text.partition("\n\n")
    about_error = [finding for finding in rank_findings(inputs.findings) if finding.pck_at_stake > 0 and finding.passed]
    claims = [f"- {escape_markdown(finding.claim)}" for finding in about_error[:_FAILURES_SHOWN]]
    whom = escape_markdown(" and ".join(dict.fromkeys(finding.persons for finding in about_error if finding.persons)))
    of_whom = f", of {whom}" if whom else ""
    explained = f"\n\nWhat the analyses of its features found{of_whom}:\n\n" + "\n".join(claims) if claims else ""
    shown = "\n".join(map(_escape_line, said.split("\n")))
    return f"## Known failures\n\n{shown}{explained}"


def _use(inputs: CardInputs) -> str:
    # A comment in a block of code: no line end, and no fence that would end the block.
    joint = escape_control(inputs.model.skeleton.joints[0]).replace("`", "'")
    return (
        "## How to use it\n\n```python\nfrom posescope.prediction.estimator import PoseEstimator\n\n"
        'estimator = PoseEstimator.load("model")\n'
        'poses = estimator.predict_one("photo.jpg", boxes=[[x, y, width, height]])\n'
        f"poses.joints[0, 0]  # the {joint.replace('_', ' ')} of the first person, x and y in px of the image\n```"
    )


def _escape_line(line: str) -> str:
    """A line of ours, which may be an item of a list, with names in it."""
    item = "- " if line.startswith("- ") else ""
    return item + escape_markdown(line.removeprefix(item))


def _number(name: str, value: float | None) -> str:
    return "unknown" if value is None else format_number(float(value), _DECIMALS.get(name, 3))


def _range(name: str, figure: Mapping[str, Any]) -> str:
    ends = (figure.get("low"), figure.get("high"))
    return "" if None in ends else " to ".join(_number(name, end) for end in ends)


def _people(figure: Mapping[str, Any]) -> str:
    return f"{figure['persons']:,}" if "persons" in figure else ""


def _say(value: Any) -> str:
    if isinstance(value, Mapping) and "name" in value:
        options = ", ".join(f"{name} {_say(option)}" for name, option in value.get("options", {}).items())
        return f"{value['name']} ({options})" if options else str(value["name"])
    return ", ".join(map(_say, value)) if isinstance(value, list | tuple) else str(value)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [list(map(escape_markdown, head)), ["---"] * len(head), *(list(map(escape_markdown, row)) for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
