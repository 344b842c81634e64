"""Kedro's settings for this project."""

from posescope.core.hardware import configure_thread_pools

configure_thread_pools()  # before torch is imported, which happens below

from posescope.core.text_escaping import protect_logs  # noqa: E402
from posescope.kedro_support.config_loader import ComponentConfigLoader  # noqa: E402
from posescope.kedro_support.data_folder_hooks import DataFolderLock, SavedFilesCheck  # noqa: E402
from posescope.kedro_support.run_checks import (  # noqa: E402
    AllowNamedComponents,
    InputsCheck,
    ParametersCheck,
)
from posescope.kedro_support.run_recorder import RecordedSession, RunRecorder  # noqa: E402

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
