"""Tests of posescope.evaluation.metric_values."""

import math
from dataclasses import replace

import pandas as pd
import pytest

from posescope.core.files import read_json, write_json
from posescope.core.origin import Origin, OriginMismatchError
from posescope.evaluation.metric_values import (
    METRICS_SCHEMA_VERSION,
    EvaluationSetting,
    MetricValue,
    MetricValues,
    add_setting,
    metric_values_table,
    metrics_content,
)

VALUES = MetricValues({"pck_thesis": MetricValue(0.5, 0.4, 0.6, persons=7, protocol="crops"), "oks": MetricValue(math.nan)})
PRECISION = MetricValues({"oks_ap": MetricValue(0.25, 0.2, 0.3, persons=9, protocol="coco")})
VAL = EvaluationSetting("crops", "val", "ground_truth", True)
MSE = MetricValues({"mse": MetricValue(2e-5, 1e-5, 3e-5, persons=7, protocol="crops")})


def test_schema_of_metrics_json(tmp_path) -> None:
    """docs/metrics.md shows the same content."""
    content = metrics_content(VAL, VALUES, PRECISION, MSE)
    write_json(tmp_path / "metrics.json", content)
    found = read_json(tmp_path / "metrics.json")
    assert list(found) == ["schema_version", "val"]
    assert found["schema_version"] == METRICS_SCHEMA_VERSION == 1
    assert set(found["val"]) == {"pck_thesis", "oks", "oks_ap", "mse"}
    assert found["val"]["oks_ap"] == {
        "value": 0.25,
        "low": 0.2,
        "high": 0.3,
        "persons": 9,
        "protocol": "coco",
        "split": "val",
        "box_source": "ground_truth",
        "flip_test": True,
    }
    assert {key: found["val"]["oks"][key] for key in ("value", "low", "high")} == {"value": None, "low": None, "high": None}


def test_metric_values_round_trip() -> None:
    back = MetricValues.from_dict(VALUES.to_dict()).by_name
    assert back["pck_thesis"] == VALUES.by_name["pck_thesis"]
    assert math.isnan(back["oks"].value)
    assert MetricValues.from_dict(metrics_content(VAL, VALUES, PRECISION, MSE)["val"]).by_name["mse"] == MSE.by_name["mse"]


def test_metric_values_keep_their_origin_in_a_file() -> None:
    own = Origin(model="m", data="d", results="")
    marked = VALUES.of(own)
    assert MetricValues.from_dict(marked.to_dict()).by_name["pck_thesis"] == replace(VALUES.by_name["pck_thesis"], origin=own)


@pytest.mark.parametrize("origin", [Origin("other", "d", ""), Origin("m", "other", ""), Origin("", "d", "results"), None])
def test_values_of_another_model_or_other_data_are_an_error(origin: Origin | None) -> None:
    own = Origin(model="m", data="d", results="")
    setting = EvaluationSetting("crops", "val", "ground_truth", True, own)
    assert metrics_content(setting, VALUES.of(own), PRECISION.of(own))["val"]["oks_ap"]["model"] == "m"
    with pytest.raises(OriginMismatchError) as caught:
        metrics_content(setting, VALUES.of(own), PRECISION.of(origin))
    assert caught.value.names == ("oks_ap",)


def test_values_of_one_data_set_of_several_name_it() -> None:
    own = PRECISION.of_source("sport")
    assert own.by_name == {"oks_ap/sport": replace(PRECISION.by_name["oks_ap"], source="sport")}
    assert MetricValues.from_dict(own.to_dict()) == own
    both = PRECISION.and_others(own)
    assert list(both.by_name) == ["oks_ap", "oks_ap/sport"]
    content = metrics_content(VAL, VALUES, both)
    assert content["val"]["oks_ap/sport"]["source"] == "sport"
    assert "source" not in content["val"]["oks_ap"]
    table = metric_values_table(content).set_index("metric")["source"]
    assert table.dropna().to_dict() == {"oks_ap/sport": "sport"}


def test_values_of_an_older_file_have_no_persons() -> None:
    old = MetricValues.from_dict({"oks": {"value": 0.5, "low": None, "high": None}})
    assert old.by_name == {"oks": MetricValue(0.5)}


def test_another_systems_results_are_marked() -> None:
    content = metrics_content(EvaluationSetting("coco", "test", "results", None), VALUES, PRECISION, MetricValues({}))
    assert set(content["test"]) == {"pck_thesis", "oks", "oks_ap"}
    assert {value["box_source"] for value in content["test"].values()} == {"results"}
    assert {value["flip_test"] for value in content["test"].values()} == {None}
    assert {value["split"] for value in content["test"].values()} == {"test"}


def test_table_of_metric_values() -> None:
    table = metric_values_table(metrics_content(VAL, VALUES, PRECISION, MSE))
    assert table["metric"].tolist() == ["mse", "oks", "oks_ap", "pck_thesis"]
    assert list(table.columns) == ["metric", "value", "low", "high", "persons", "protocol", "split", "box_source", "flip_test"]
    assert table.set_index("metric").loc["oks_ap", "high"] == pytest.approx(0.3)
    assert metric_values_table({"schema_version": 1, "val": {}}).empty


def test_setting_is_added_to_a_table(tmp_path) -> None:
    table = add_setting(pd.DataFrame({"oks": [0.5, 0.25]}), VAL)
    assert list(table.columns) == ["oks", "protocol", "split", "box_source", "flip_test"]
    assert table.iloc[1].tolist() == [0.25, "crops", "val", "ground_truth", True]
    other = add_setting(table[["oks"]], EvaluationSetting("coco", "val", "results", None))
    assert other["box_source"].tolist() == ["results"] * 2
    assert other["flip_test"].isna().all()
    assert add_setting(table[:0], VAL).empty
