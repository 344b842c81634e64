"""Tests of posescope.core.json_records: the file is the one that `write_json` writes of the list."""

import pytest

from posescope.core.files import write_json
from posescope.core.json_records import JsonRecords


@pytest.mark.parametrize("records", [[], [{"b": [1, 2.5], "a": "ä\n[x]"}], [{"a": {}}, {"a": []}, 3]])
def test_records_are_written_as_their_list(tmp_path, records):
    found = JsonRecords()
    for record in records:
        found.append(record)
    found.write(tmp_path / "streamed.json")
    write_json(tmp_path / "whole.json", records)
    assert (tmp_path / "streamed.json").read_bytes() == (tmp_path / "whole.json").read_bytes()
    assert len(found) == len(records)
    found.close()


def test_nan_is_refused():
    with pytest.raises(ValueError, match="JSON"):
        JsonRecords().append({"loss": float("nan")})
