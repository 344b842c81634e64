"""Tests of posescope.core.origin: the origin of a result is written, read and compared."""

import pandas as pd
import pytest

from posescope.core.errors import DataError
from posescope.core.origin import Origin, OriginMismatchError, add_origin, check_origins, drop_origin, origin_of_table

OWN = Origin(model="12345678901234e7", data="0000000000000012", results="")
TABLE = pd.DataFrame({"joint": ["nose", "tail"], "pck": [0.5, 1.0]})


def test_origin_of_a_table_survives_a_csv_file(tmp_path):
    """Fingerprints of digits, or with an "e", are not read as numbers, and an empty cell is not missing."""
    marked = add_origin(TABLE, OWN)
    assert marked.columns.tolist() == ["joint", "pck", "model", "data", "results"]
    marked.to_csv(tmp_path / "scores.csv", index=False)
    back = pd.read_csv(tmp_path / "scores.csv", dtype={"model": str, "data": str, "results": str})
    assert origin_of_table(back) == OWN
    pd.testing.assert_frame_equal(drop_origin(back), TABLE)


def test_origin_omits_fields_that_are_none():
    data = add_origin(TABLE, Origin(data="d"))
    assert data.columns.tolist() == ["joint", "pck", "data"]
    assert origin_of_table(data) == Origin(data="d")


def test_content_without_origin_has_none():
    assert origin_of_table(TABLE) is None
    mixed = pd.concat([add_origin(TABLE, OWN), add_origin(TABLE, Origin("other", OWN.data, ""))])
    assert origin_of_table(mixed) is None
    assert Origin.from_dict({"title": "a plot", "model": 3}) is None


@pytest.mark.parametrize(
    ("found", "differs"),
    [
        (OWN, []),
        (Origin(model=OWN.model), []),
        (Origin(model="other", data=OWN.data, results=""), ["model"]),
        (Origin(model=OWN.model, data="other", results=""), ["data"]),
        (Origin(model="", data=OWN.data, results="file"), ["no model", "another system's results"]),
    ],
)
def test_only_fields_of_both_origins_are_compared(found, differs):
    differences = OWN.differences(found)
    assert len(differences) == len(differs)
    assert all(word in message for word, message in zip(differs, differences, strict=True))


def test_results_of_one_run_may_be_combined():
    check_origins(OWN, {"scores": OWN, "crops": Origin(data=OWN.data)}, "evaluation")
    check_origins(OWN, {}, "evaluation")
    check_origins(None, {"scores": None}, "evaluation")


def test_results_with_another_or_no_origin_are_refused():
    found = {
        "good": OWN,
        "old_model": Origin(model="other", data=OWN.data, results=""),
        "theirs": Origin(model="", data=OWN.data, results="f"),
        "unmarked": None,
    }
    with pytest.raises(OriginMismatchError) as caught:
        check_origins(OWN, found, "evaluation")
    assert caught.value.names == ("old_model", "theirs", "unmarked")
    assert isinstance(caught.value, DataError)
    assert "\n" not in str(caught.value)


def test_common_reason_is_reported_once():
    before = Origin(model="other", data=OWN.data, results="")
    with pytest.raises(OriginMismatchError) as caught:
        check_origins(OWN, {"oks": before, "mse": before}, "evaluation")
    assert str(caught.value).count("other") == 1
    assert "oks, mse: " in str(caught.value)
