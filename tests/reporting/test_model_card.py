"""Tests of posescope.reporting.model_card: values of the run, known failures, warnings and escaped names."""

from dataclasses import replace

import pytest
from tests.findings import make_finding

from posescope.explainability.base import AnalysisResult
from posescope.explainability.findings import Finding
from posescope.explainability.findings_file import FindingRecord, list_findings, read_findings
from posescope.reporting.model_card import CardInputs, write_model_card


def findings_of(*findings: Finding) -> tuple[FindingRecord, ...]:
    """Return the findings as findings.json has them, corrected for their number: p = 0.04 of three is not significant."""
    return read_findings(list_findings(clusters=AnalysisResult(facts={}, findings=findings)))


@pytest.fixture
def inputs(tiny_model, data_inputs, failure_inputs) -> CardInputs:
    metric = {"value": 0.4333, "low": 0.4, "high": 0.47, "protocol": "crops", "persons": 5064}
    training = {"batch_size": 8, "ema_decay": None, "loss": {"name": "mse", "options": {"foreground_weight": 40}}}
    provenance = {"posescope": "0.1.0", "fingerprint": "abc", "epoch": 17, "training": training}
    return CardInputs(
        model=replace(tiny_model, provenance=provenance),
        metrics={"schema_version": 1, "val": {"pck_thesis": metric, "oks_ap": {**metric, "value": None, "low": None}}},
        distribution=data_inputs.distribution,
        failures=failure_inputs,
        findings=findings_of(
            make_finding("PC1 is standing.", id="one", p_value=1e-6),
            make_finding("Cluster 3 (sitting): PCK 0.41 against 0.78.", id="two", importance=0.05, p_value=1e-6),
            make_finding("Cluster 4 fails.", id="three", importance=0.9, p_value=0.04),
        ),
    )


def test_card_contains_the_values_of_the_run(inputs: CardInputs) -> None:
    card = write_model_card(inputs)
    assert "centred on the box" in card.partition("## Data")[0]
    for line in (
        "| pck_thesis | 0.433 | 0.400 to 0.470 | crops | 5,064 |",
        "| oks_ap | unknown |  | crops | 5,064 |",
        "| split | images with persons | images with a crop | persons with a crop |",
        "| train | 4 | 2 | 3 |",
        "| loss | mse (foreground_weight 40) |",
        "| selected epoch (checkpoint) | 17 |",
        "| Created by | posescope 0.1.0, training run abc |",
    ):
        assert line in card.splitlines(), line
    assert "ema_decay" not in card
    assert card.endswith("```\n")


def test_known_failures_are_supported_findings(inputs: CardInputs) -> None:
    failures = write_model_card(inputs).partition("## Known failures")[2]
    assert "- Cluster 3 (sitting): PCK 0.41 against 0.78." in failures
    assert "50.0% good" in failures
    assert "PC1" not in failures
    assert "Cluster 4" not in failures


def test_effects_of_the_decoder_are_no_failures(inputs: CardInputs) -> None:
    failures, _, decoding = write_model_card(inputs).partition("## Known failures")[2].partition("## Decoding")
    assert "arg-max" not in failures
    assert "arg-max" in decoding


def test_card_warns_of_generated_data_missing_training_and_default_sigmas(inputs: CardInputs) -> None:
    assert "generated sample" not in write_model_card(inputs)
    sample = replace(inputs, model=replace(inputs.model, provenance={"generated_sample": True}))
    card = write_model_card(sample)
    assert "generated sample" in card
    assert "## Training configuration\n\nUnknown." in card
    default_sigmas = replace(inputs.model, skeleton=replace(inputs.model.skeleton, guessed_sigmas=("nose",)))
    assert "OKS sigmas are defaults for nose" in write_model_card(replace(inputs, model=default_sigmas))


MARKUP = "[knee](http://x) | `a`\n```\n# <img src=x>"


def test_markup_in_joint_names_is_escaped(inputs: CardInputs) -> None:
    """A joint name with Markdown, HTML and the end of a code block does not change the structure of the card."""
    skeleton = replace(inputs.model.skeleton, joints=(MARKUP, *inputs.model.skeleton.joints[1:]), guessed_sigmas=(MARKUP,))
    plain, card = write_model_card(inputs), write_model_card(replace(inputs, model=replace(inputs.model, skeleton=skeleton)))
    assert [line for line in card.splitlines() if line.startswith("#")] == [
        line for line in plain.splitlines() if line.startswith("#")
    ]
    assert card.count("```") == plain.count("```")
    assert "[knee](" not in card.partition("```python")[0].replace("\\[", "")
    assert "<img" not in card.partition("```python")[0].replace("\\<", "")
    rows = [line for line in card.splitlines() if line.startswith("| Output")]
    assert len(rows) == 1
    assert rows[0].replace("\\|", "").count("|") == 3


START = {
    "model": "f00d", "architecture": "hourglass", "epochs": 17, "train_persons": 239, "test_set_fingerprint": "aaaa",
    "numbers": {"taken": 900, "taken by joint": 50, "new": 50, "skipped": 7}, "joints_new": ["hip", "tail"],
}  # fmt: skip


def test_card_states_the_start_model_and_the_frozen_modules(inputs: CardInputs) -> None:
    parts = {"freeze": ["stem"], "learning_rate_scale": {"heads": 2.0}}
    provenance = {**inputs.model.provenance, "start": START, "trained_parts": parts, "test_set_fingerprint": "bbbb"}
    card = write_model_card(replace(inputs, model=replace(inputs.model, provenance=provenance)))
    started = "model f00d (hourglass, 17 epochs, 239 training persons): 950 of 1,000 weights; joints that started anew: hip, tail"
    for line in (f"| Initial weights | {started} |", "| freeze | stem |", "| learning_rate_scale | heads x 2.0 |"):
        assert line in card.splitlines(), line
    assert "another test set" in card
    same = {**provenance, "test_set_fingerprint": "aaaa"}
    assert "another test set" not in write_model_card(replace(inputs, model=replace(inputs.model, provenance=same)))


def test_card_of_a_model_from_random_weights_states_no_start(inputs: CardInputs) -> None:
    assert "Initial weights" not in write_model_card(inputs)
