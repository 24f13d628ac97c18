"""Remote task logs as an owner sets them up without a cloud: a folder, by Airflow's `REMOTE_TASK_LOG`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from airflow.config_templates.airflow_local_settings import DEFAULT_LOGGING_CONFIG
from airflow.sdk.configuration import conf

LOGGING_CONFIG = DEFAULT_LOGGING_CONFIG


class Folder:
    """Airflow's RemoteLogIO."""

    processors = ()

    def upload(self, path, ti=None):
        source = Path(path)
        if not source.is_absolute():
            source = Path(conf.get("logging", "base_log_folder")) / source
        target = self._root() / source.relative_to(conf.get("logging", "base_log_folder"))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)

    def read(self, relative_path, ti):
        found = sorted(self._root().glob(f"{relative_path}*"))
        return [str(path) for path in found], [path.read_text() for path in found]

    @staticmethod
    def _root():
        return Path(os.environ["SITE_LOG_STORAGE"])


REMOTE_TASK_LOG = Folder()
