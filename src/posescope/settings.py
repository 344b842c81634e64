"""Kedro's settings for this project."""

from posescope.core.hardware import configure_thread_pools

configure_thread_pools()  # before torch is imported, which happens below

from posescope.core.text_escaping import escape_log_messages  # noqa: E402
from posescope.kedro_support.config_loader import ComponentConfigLoader  # noqa: E402
from posescope.kedro_support.data_folder_hooks import ChecksumCheck, DataFolderLock  # noqa: E402
from posescope.kedro_support.run_checks import (  # noqa: E402
    AllowDottedPaths,
    InputsCheck,
    ParametersCheck,
)
from posescope.kedro_support.run_recorder import RecordedSession, RunRecorder  # noqa: E402

escape_log_messages()  # Kedro has read conf/logging.yml by now

HOOKS = (ParametersCheck(), AllowDottedPaths(), InputsCheck(), RunRecorder(), DataFolderLock(), ChecksumCheck())

SESSION_CLASS = RecordedSession
CONFIG_LOADER_CLASS = ComponentConfigLoader
# `soft`: an environment or `--params` names only what differs; the rest of a namespace stays.
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "merge_strategy": {"parameters": "soft", "globals": "soft"},
}
