"""Tests of posescope.kedro_support.params_option."""

from typing import Any

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kedro.framework.cli.utils import _split_params

from posescope.core.errors import OptionsError
from posescope.kedro_support.parameter_checks import PATH_PARAMETERS
from posescope.kedro_support.params_option import parse_pairs, parse_params_option, patch_kedro_params

patch_kedro_params()

TITLE = "reporting.page.title"
TEXTS = [
    "data/run #2", "data/a=b", "007", "1e3", "2024-11-29", "a: b", "~", "photos [2]", "Run #1: a & <b>", "draft  # of Monday",
    "yes", "it's", "${raw_dir}", "[x]", "{x}", "null", "!!python/object:x", "&a", "*a", "|", "- x", '"x"', "%d",
    "Größe 日本", "@x",
]  # fmt: skip


def split(text: str) -> dict[str, Any]:
    context = click.Context(click.Command("run"))
    return parse_params_option(context, click.Option(["--params"]), text)


def get(content: Any, key: str) -> Any:
    for part in key.split("."):
        content = content[part]
    return content


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("key", ["data_dir", "raw_dir", "images", TITLE, "data_engineering.source.train_split"])
def test_text_parameter_is_read_literally(key: str, text: str) -> None:
    assert get(split(f"{key}={text}"), key) == text


@settings(deadline=None)
@given(
    st.sampled_from([*PATH_PARAMETERS, TITLE]),
    st.text(st.characters(exclude_characters=",", exclude_categories=("Cc", "Cs", "Z"))),
)
def test_any_text_without_comma_is_read_literally(key: str, text: str) -> None:
    assert get(split(f"{key}={text}"), key) == text
    assert get(_split_params(click.Context(click.Command("viz")), click.Option(["--params"]), f"{key}={text}"), key) == text


@pytest.mark.parametrize("text", TEXTS)
def test_kedro_reads_the_same_values(text: str) -> None:
    """Kedro-Viz and Kedro's server read `--params` with a function of Kedro."""
    assert _split_params(None, None, f"data_dir={text},{TITLE}={text}") == split(f"data_dir={text},{TITLE}={text}")


@pytest.mark.parametrize(
    ("pair", "value"),
    [
        ("modelling.training.epochs=3", 3),
        ("modelling.training.learning_rate=1e-3", 0.001),
        ("data_engineering.sample=null", None),
        ("evaluation.results=null", None),
        ("evaluation.results=theirs #2.json", "theirs #2.json"),
        ("evaluation.prediction.flip_test=true", True),
        ("data_engineering.filter.filters=[{name: box_size}]", [{"name": "box_size"}]),
        ("modelling.model.options.residual_skip=3x3", "3x3"),
        ("modelling.model.options.stacks=2", 2),
        ("data_engineering.codec.name=gaussian", "gaussian"),
        ("data_engineering.source.oks_sigmas.tail=0.1", 0.1),
        ("unknown.key=5", 5),
        ("unknown=a #b", "a #b"),
    ],
)
def test_other_parameters_are_read_as_yaml(pair: str, value: Any) -> None:
    key = pair.partition("=")[0]
    assert get(split(pair), key) == value
    assert get(_split_params(None, None, pair), key) == value


def test_pairs_are_nested_and_the_last_one_has_priority() -> None:
    assert split(" modelling.training.epochs = 3 , modelling.training.batch_size=2,data_dir= a b ,") == {
        "modelling": {"training": {"epochs": 3, "batch_size": 2}},
        "data_dir": "a b",
    }
    assert parse_pairs(["data_dir=a", "data_dir=b"]) == {"data_dir": "b"}
    assert parse_pairs(["modelling=1", "modelling.training.epochs=2"]) == {"modelling": {"training": {"epochs": 2}}}
    assert split("") == {}
    assert parse_params_option(click.Context(click.Command("run")), click.Option(["--params"]), {"a": 1}) == {"a": 1}


@pytest.mark.parametrize("text", ["novalue", "=3", "data_dir=a,b", " =x"])
def test_item_without_equals_sign_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        split(text)


@pytest.mark.parametrize("text", ["[x", "{a: b", "${", "a: b: c"])
def test_invalid_yaml_is_refused_with_its_key(text: str) -> None:
    with pytest.raises(OptionsError, match=r"modelling\.training\.epochs: "):
        split(f"modelling.training.epochs={text}")
