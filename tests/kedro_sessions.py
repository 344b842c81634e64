"""Sessions of Kedro for tests that run the pipelines of the project in their own process."""

from functools import cache
from pathlib import Path
from typing import Any

from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

__all__ = ["REPOSITORY", "configure_once", "open_session", "run_pipelines"]

REPOSITORY = Path(__file__).resolve().parents[1]


@cache
def configure_once() -> None:
    """Configure the project of this process. Kedro would check the settings and make all pipelines again at each call."""
    bootstrap_project(REPOSITORY)


def open_session(env: str = "test", **params: Any) -> KedroSession:
    """Return a session with these parameters in place of `--params`, for use in a `with` statement."""
    configure_once()
    return KedroSession.create(project_path=REPOSITORY, env=env, runtime_params=params, save_on_close=False)


def run_pipelines(root: Path, *names: str, **params: Any) -> None:
    """Run pipelines with the parameters of conf/test on `root/raw`, with the outputs in `root/data`."""
    with open_session(**{"data_dir": str(root / "data"), "raw_dir": str(root / "raw"), **params}) as session:
        session.run(pipeline_names=list(names))
