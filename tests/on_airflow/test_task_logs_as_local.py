"""What a task's log says at a site, line by line, is what it says under LocalExecutor in the same environment."""

from __future__ import annotations

import difflib
import json
import re
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from support.worker_host import (
    FakeGateway,
    WorkerHost,
    serving,
    site_variables,
    task_workload,
)
from tradewind.embedded.environments import WHEELS, Checkout

ROOT = Path(__file__).parents[2]
DAGS = Path(__file__).parent / "dags_logging"
SAYS_MORE = "plane_secrets.py"
"""Where the one line comes from that only a site has: what the data boundary does not read on the plane, and the remedy."""
STOCK_WORKER = Path(__file__).parents[1] / "support" / "stock_worker.py"

TASKS = (  # on the bare site; the others have those of SOME
    "succeeds",
    "returns",
    "fails",
    "retries",
    "succeeds_and_calls_back",
    "fails_and_calls_back",
    "fails_at_once",
    "skips",
    "goes_no_further",
    "prints",
    "warns",
    "logs",
    "has_loggers_of_its_own",
    "groups",
    "writes_large_lines",
    "hides_what_is_secret",
    "reads_the_site",
    "gives_several",
    "leaves_at_once",
    "leaves_without_a_word",
    "is_killed",
    "takes_too_long",
    "does_something_when_it_ends",
    "shows_where_it_is",
    "shows_its_process",
    "builds_an_old_connection",
    "defers",
    "resumes",
    "pokes",
    "has_templates",
    "has_a_broken_template",
    "mapped",
    "no_such_task",
)
SOME = (
    "returns",
    "fails",
    "retries",
    "succeeds_and_calls_back",
    "skips",
    "prints",
    "logs",
    "hides_what_is_secret",
    "reads_the_site",
    "is_killed",
    "shows_its_process",
    "builds_an_old_connection",
    "resumes",
    "has_templates",
    "mapped",
)


@dataclass(frozen=True)
class Site:
    """What an owner has set up beside Airflow and tradewind-runtime."""

    environ: dict[str, str]
    files: dict[str, str]


PLUGIN = """
import logging
from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin
import structlog, sys

log = structlog.get_logger("site.listener")

class Listener:
    @hookimpl
    def on_starting(self, component):
        print("listener: starting", type(component).__name__)

    @hookimpl
    def on_task_instance_running(self, previous_state, task_instance):
        log.info("listener: running", previous=str(previous_state))
        logging.getLogger("site.listener.logging").info("listener: running %s", task_instance.task_id)

    @hookimpl
    def on_task_instance_success(self, previous_state, task_instance):
        log.info("listener: success")

    @hookimpl
    def on_task_instance_failed(self, previous_state, task_instance, error):
        log.info("listener: failed", error=str(error))

    @hookimpl
    def before_stopping(self, component):
        print("listener: stopping", type(component).__name__)

def shout(text):
    return text.upper()

class SitePlugin(AirflowPlugin):
    name = "site_plugin"
    listeners = [Listener()]
    macros = [shout]
"""

LOGGING_CONFIG = """
import os, pathlib, shutil

LOGGING_CONFIG = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {
        "task": {
            "class": "airflow.utils.log.file_task_handler.FileTaskHandler",
            "base_log_folder": os.environ["AIRFLOW__LOGGING__BASE_LOG_FOLDER"],
        }
    },
    "loggers": {"airflow.task": {"handlers": ["task"], "level": "INFO", "propagate": True}},
}

class Folder:
    processors = ()
    def upload(self, path, ti=None):
        target = pathlib.Path(os.environ["SITE_REMOTE_LOGS"]) / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(pathlib.Path(os.environ["AIRFLOW__LOGGING__BASE_LOG_FOLDER"]) / path, target)
    def read(self, path, ti=None):
        return [], None

REMOTE_TASK_LOG = Folder()
"""

POLICIES = """
import logging
def task_policy(task):
    logging.getLogger("site.policy").info("policy: %s", task.task_id)
def task_instance_mutation_hook(task_instance):
    task_instance.queue = task_instance.queue
"""

SECRETS = {
    "AIRFLOW__SECRETS__BACKEND": "airflow.secrets.local_filesystem.LocalFilesystemBackend",
    "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps(
        {"connections_file_path": "{home}/connections.yaml", "variables_file_path": "{home}/variables.yaml"}
    ),
}
SECRETS_FILES = {
    "connections.yaml": "site_only: generic://user:of-the-file@file-host/\n",
    "variables.yaml": "site_only: from the file\nsite_password: hush-hush\n",
}

SITES = {
    "bare": Site({}, {}),
    "secrets backend": Site(SECRETS, SECRETS_FILES),
    "remote logs": Site(
        {
            "AIRFLOW__LOGGING__REMOTE_LOGGING": "True",
            "AIRFLOW__LOGGING__LOGGING_CONFIG_CLASS": "site_logging.LOGGING_CONFIG",
            "SITE_REMOTE_LOGS": "{home}/remote",
            "PYTHONPATH": "{home}",
        },
        {"site_logging.py": LOGGING_CONFIG},
    ),
    "plugin and listener": Site({}, {"airflow/plugins/site_plugin.py": PLUGIN}),
    "policies": Site({"PYTHONPATH": "{home}"}, {"airflow_local_settings.py": POLICIES}),
    "levels and metrics": Site(
        {
            "AIRFLOW__LOGGING__NAMESPACE_LEVELS": "a.library=DEBUG sqlalchemy=INFO",
            "AIRFLOW__LOGGING__CALLSITE_PARAMETERS": "filename,lineno",
            "AIRFLOW__METRICS__STATSD_ON": "False",
            "PYTHONWARNINGS": "default",
        },
        {},
    ),
}


@pytest.fixture(scope="session")
def interpreter() -> Path:
    """Of a task environment with nothing but tradewind-runtime and what it depends on."""
    return Checkout(ROOT, say=print).environment("tasks", WHEELS["tasks"])


class BothWorkers:
    """A worker process of ours and one of LocalExecutor's, in one environment of one site."""

    def __init__(self, interpreter: Path, home: Path, site: Site, stack: ExitStack) -> None:
        self.home = home
        for path, text in site.files.items():
            (home / path).parent.mkdir(parents=True, exist_ok=True)
            (home / path).write_text(text)
        environ = {name: value.replace("{home}", str(home)) for name, value in site.environ.items()}
        environ["AIRFLOW__LOGGING__BASE_LOG_FOLDER"] = str(home / "logs")
        environ["AIRFLOW_VAR_SITE_PASSWORD"] = "hush-hush"
        self.socket = stack.enter_context(tempfile.TemporaryDirectory(prefix="tw-")) + "/gateway.sock"
        self.over_socket = stack.enter_context(serving(uds=self.socket))
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]
        self.over_tcp = stack.enter_context(serving(host="127.0.0.1", port=port))
        self.ours = WorkerHost(
            FakeGateway(self.socket), home, dags=DAGS, command=(str(interpreter),), environ=environ
        )
        stack.callback(self.ours.close)
        self.output = home / "stock.txt"
        variables = {**site_variables(home, DAGS), **environ}
        variables["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = f"sqlite:///{home}/stock.db"
        self.stock = stack.enter_context(
            subprocess.Popen(
                [str(interpreter), str(STOCK_WORKER), f"http://127.0.0.1:{port}/execution/"],
                env=variables,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.output.open("wb"),
                text=True,
            )
        )

    def run(self, task_id: str) -> tuple[list[Any], list[Any]]:
        """Run it under both. The lines of ours and of LocalExecutor's."""
        workload = task_workload({"resumes": "defers"}.get(task_id, task_id), dag_id="site_logs")
        if task_id == "mapped":
            workload["ti"]["map_index"] = 1
        self.over_socket["gateway"] = self.ours.gateway = FakeGateway(self.socket, **_answers(task_id))
        self.over_tcp["gateway"] = FakeGateway("", **_answers(task_id))
        self.ours.start_task({**workload, "log_path": f"ours/{task_id}.log"}).outcome()
        self._run_under_stock({**workload, "log_path": f"stock/{task_id}.log", "token": "a.b.c"})
        return self._lines(f"ours/{task_id}.log"), self._lines(f"stock/{task_id}.log")

    def _run_under_stock(self, workload: dict[str, Any]) -> None:
        assert self.stock.stdin and self.stock.stdout
        self.stock.stdin.write(json.dumps(workload) + "\n")
        self.stock.stdin.flush()
        for line in self.stock.stdout:
            if line.startswith('{"status"'):
                return
        raise AssertionError(self.output.read_text())

    def _lines(self, path: str) -> list[Any]:
        found = self.home / "logs" / path
        remote = self.home / "remote" / path
        assert not (self.home / "remote").exists() or remote.read_text() == found.read_text()
        lines = (json.loads(line) for line in found.read_text().splitlines())
        return [self._plain(line) for line in lines if line.get("filename") != SAYS_MORE]

    def _plain(self, value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: self._plain(each, name) for name, each in value.items()}
        if isinstance(value, list):
            return [self._plain(each) for each in value]
        if key in (
            "timestamp",
            "pid",
            "hostname",
            "start_date",
            "end_date",
            "reschedule_date",
            "duration",
            "bundle_prepare_ms",
            "dag_file_parse_ms",
        ):
            return f"<{key}>"
        if isinstance(value, str):
            for pattern, plain in _VARIES:
                value = re.sub(pattern, plain, value)
        return value


_VARIES = (
    (r"0x[0-9a-f]{6,}", "0x…"),
    (r"datetime\.datetime\(2\d{3},[^)]*timezone\.utc\)", "<time>"),
    (r"<StreamHandler \d+ ", "<StreamHandler <fd> "),
    (r"\b(ours|stock)/", "…/"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?", "<time>"),
    (r"\b\d+\.\d{3,}\b", "<seconds>"),
    (r"(?i)\bpid[=: ]*\d+", "pid"),
    (r"site-1\.[0-9a-f]{12}-3", "<host>"),
    (re.escape(socket.gethostname()), "<host>"),
    (r"unusual_prefix_[0-9a-f]{40}", "unusual_prefix"),
)


def _answers(task_id: str) -> dict[str, Any]:
    if task_id == "retries":
        return {"retries": True}
    if task_id == "resumes":
        return {"resumes": {"next_method": "resume", "next_kwargs": {"event": "it came"}}}
    return {}


def _by_stream(lines: list[Any]) -> list[Any]:
    """What is logged, printed, and printed as an error comes through a socket each: the order is only that within each."""
    return sorted(
        lines,
        key=lambda line: (
            ("task.stdout", "task.stderr").index(line["logger"])
            if line.get("logger") in ("task.stdout", "task.stderr")
            else -1
        ),
    )


@pytest.fixture(scope="module")
def both_of(
    interpreter: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], BothWorkers]]:
    with ExitStack() as stack:
        yield cache(
            lambda site: BothWorkers(interpreter, tmp_path_factory.mktemp("site"), SITES[site], stack)
        )


@pytest.mark.parametrize(
    ("site", "task_id"),
    [(site, task_id) for site in SITES for task_id in (TASKS if site == "bare" else SOME)],
)
def test_a_task_logs_at_a_site_what_it_logs_under_local_executor(
    both_of: Callable[[str], BothWorkers], site: str, task_id: str
):
    ours, stock = (_by_stream(lines) for lines in both_of(site).run(task_id))
    assert len(stock) > 1, stock
    assert ours == stock, "\n".join(
        line[:2000] for line in difflib.unified_diff(_text(stock), _text(ours), "stock", "ours", lineterm="")
    )


def _by_stream(lines: list[Any]) -> list[Any]:
    """What is logged, printed, and printed as an error comes through a socket each: only the order within each is certain."""
    streams = ("task.stdout", "task.stderr")
    return sorted(
        lines, key=lambda line: streams.index(name) if (name := line.get("logger")) in streams else -1
    )


def _text(lines: list[Any]) -> list[str]:
    return [json.dumps(line, sort_keys=True) for line in lines]
