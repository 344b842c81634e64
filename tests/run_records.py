"""Records of finished runs, with scores of one person."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

__all__ = ["NEW", "OLD", "make_run"]

OLD, NEW = "2026-01-01T10.00.00.000Z", "2026-01-02T10.00.00.000Z"


def make_run(data_dir: Path, run_id: str, parameters: dict[str, Any] | None = None, **changes: Any) -> None:
    """Write the record of a run, and its scores of one person."""
    scores = data_dir / "07_model_output" / "val" / "person_scores.parquet" / run_id / "person_scores.parquet"
    scores.parent.mkdir(parents=True)
    pd.DataFrame({"person_id": [1], "image_id": [1], "found": [True], "oks": [0.5]}).to_parquet(scores)
    record = {"run_id": run_id, "status": "completed", "parameters": parameters or {}, "inputs": {}, "data_fingerprint": "d" * 16}
    record |= {"outputs": {"person_scores_val": f"/elsewhere/{scores.relative_to(data_dir)}"}} | changes
    folder = data_dir / "08_reporting" / "runs" / run_id
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(record))
