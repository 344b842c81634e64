"""Kedro's settings for this project."""

from posescope.core.hardware import configure_thread_pools, quieten_torch_store

configure_thread_pools()  # before torch is imported, which happens below
quieten_torch_store()

from posescope.core.text_escaping import escape_log_messages  # noqa: E402
from posescope.kedro_support.compute_hooks import ClusterConnection  # noqa: E402
from posescope.kedro_support.config_loader import ComponentConfigLoader  # noqa: E402
from posescope.kedro_support.data_folder_hooks import ChecksumCheck, DataFolderLock  # noqa: E402
from posescope.kedro_support.params_option import patch_kedro_params  # noqa: E402
from posescope.kedro_support.remote_folders import RemoteFolders  # noqa: E402
from posescope.kedro_support.run_checks import AllowDottedPaths, InputsCheck, NodeRankCheck, ParametersCheck  # noqa: E402
from posescope.kedro_support.run_recorder import RecordedSession, RunRecorder  # noqa: E402
from posescope.kedro_support.tracking_hooks import ExperimentTracking  # noqa: E402

escape_log_messages()  # Kedro has read conf/logging.yml by now
patch_kedro_params()  # `kedro run` and Kedro's HTTP server read `--params` as `posescope run` does

# Kedro calls hooks of one kind in reverse order: the cluster is reached after all checks and before the record of the run.
HOOKS = (
    ClusterConnection(), ParametersCheck(), AllowDottedPaths(), InputsCheck(), NodeRankCheck(), RunRecorder(),
    ExperimentTracking(), RemoteFolders(), DataFolderLock(), ChecksumCheck(),
)  # fmt: skip

SESSION_CLASS = RecordedSession
CONFIG_LOADER_CLASS = ComponentConfigLoader
# `soft`: an environment or `--params` names only what differs; the rest of a namespace is kept.
CONFIG_LOADER_ARGS = {"base_env": "base", "default_run_env": "local", "merge_strategy": {"parameters": "soft", "globals": "soft"}}
