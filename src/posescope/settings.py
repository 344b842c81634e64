"""Kedro's settings for this project."""

from posescope.cpus import configure_thread_pools

configure_thread_pools()  # before torch is imported, which happens below

from posescope.config_loader import ComponentConfigLoader  # noqa: E402
from posescope.data_hooks import DataFolderLock, SavedFilesCheck  # noqa: E402
from posescope.foreign_text import protect_logs  # noqa: E402
from posescope.hooks import InputsCheck, ParametersCheck  # noqa: E402
from posescope.named_components import AllowNamedComponents  # noqa: E402
from posescope.run_recorder import RecordedSession, RunRecorder  # noqa: E402

protect_logs()  # Kedro has read conf/logging.yml by now

HOOKS = (ParametersCheck(), AllowNamedComponents(), InputsCheck(), RunRecorder(), DataFolderLock(), SavedFilesCheck())

SESSION_CLASS = RecordedSession
CONFIG_LOADER_CLASS = ComponentConfigLoader
# `soft`: an environment or `--params` names only what differs; the rest of a namespace stays.
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "merge_strategy": {"parameters": "soft", "globals": "soft"},
}
