"""Every way a task comes to lines in its log."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
import warnings
from datetime import timedelta

import structlog
from airflow.sdk import DAG, BaseOperator, BaseSensorOperator, task

print("the Dag file is read")
logging.getLogger("site_logs.of_the_file").warning("a line of the Dag file")
log = structlog.get_logger("of.structlog")

OF_A_SITE = (
    "AIRFLOW__COMMON_IO__",
    "AIRFLOW__CORE__HOSTNAME_CALLABLE",
    "AIRFLOW__CORE__XCOM_BACKEND",
    "AIRFLOW__TRACES__OTEL_ON",
    "AIRFLOW__WORKERS__STATE_STORE_BACKEND",
)
"""Environment variables that a worker process sets: where values stay, whose host name, who sends spans."""


class Defers(BaseOperator):
    def execute(self, context):
        from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger

        self.log.info("before it waits")
        self.defer(trigger=TimeDeltaTrigger(timedelta(hours=1)), method_name="resume")

    def resume(self, context, event=None):
        self.log.info("after it waited: %s", event)


class Pokes(BaseSensorOperator):
    def poke(self, context):
        self.log.info("poked")
        return False


class HasTemplates(BaseOperator):
    template_fields = ("text",)

    def __init__(self, text, **rest):
        super().__init__(**rest)
        self.text = text

    def execute(self, context):
        self.log.info("rendered %s", self.text)

    def post_execute(self, context, result=None):
        self.log.info("afterwards")


def called_back(context):
    print("called back", type(context.get("exception")).__name__)
    logging.getLogger("site_logs.callback").info("a line of the callback")


def broken_callback(context):
    raise LookupError("of the callback")


def inner():
    raise KeyError("the cause")


with DAG("site_logs", schedule=None):

    @task
    def succeeds():
        return None

    @task
    def returns():
        return {"answer": 42}

    @task
    def fails():
        try:
            inner()
        except KeyError as cause:
            raise ValueError("on purpose") from cause

    @task(retries=1, on_retry_callback=called_back)
    def retries():
        raise RuntimeError("again")

    @task(on_success_callback=called_back)
    def succeeds_and_calls_back():
        return None

    @task(on_failure_callback=[broken_callback, called_back])
    def fails_and_calls_back():
        raise ValueError("on purpose")

    @task
    def fails_at_once():
        from airflow.sdk.exceptions import AirflowFailException

        raise AirflowFailException("never again")

    @task
    def skips():
        from airflow.sdk.exceptions import AirflowSkipException

        raise AirflowSkipException("not today")

    @task.short_circuit
    def goes_no_further():
        return False

    @task
    def prints():
        print("to the standard output")
        print("an error", file=sys.stderr)
        sys.stdout.write("two\nlines and a half")
        sys.stdout.flush()
        sys.stdout.write(" and its end\n")
        print("ünïcödé ✓ \x1b[31mred\x1b[0m \t tab")
        sys.stdout.flush()
        os.write(1, b"bytes that are no text: \xff\xfe\n")
        subprocess.run(["sh", "-c", "echo from a child; echo and its error >&2"], check=True)

    @task
    def warns():
        warnings.warn("of a user", stacklevel=1)
        warnings.warn("soon gone", DeprecationWarning, stacklevel=1)
        warnings.warn("soon gone, too", FutureWarning, stacklevel=1)
        logging.captureWarnings(True)
        warnings.warn("of a user, captured", stacklevel=1)

    @task
    def logs():
        for name in (
            "airflow.task",
            "task",
            "airflow.providers.mine",
            "a.library",
            "sqlalchemy.engine",
            "urllib3",
        ):
            logger = logging.getLogger(name)
            logger.debug("unheard of %s", name)
            logger.info("heard of %s", name)
            logger.warning("heard %s", name, extra={"more": 1})
        logging.info("of the root")
        log.info("of structlog", number=1)
        log.debug("unheard")
        structlog.get_logger("task").info("of Airflow's own", thing="x")
        structlog.get_logger("airflow.sdk.execution_time.task_runner").warning("as the runner")
        late = logging.getLogger("a.late.library")
        late.setLevel(logging.DEBUG)
        late.debug("heard at its own level")
        try:
            inner()
        except KeyError:
            logging.getLogger("a.library").exception("with a traceback")
            log.exception("with a structured one")

    @task
    def has_loggers_of_its_own():
        own = logging.getLogger("with.a.handler")
        own.addHandler(logging.StreamHandler(sys.stdout))
        own.warning("twice")
        logging.basicConfig(level=logging.DEBUG, force=True)
        logging.getLogger("a.library").warning("after everything was set anew")

    @task
    def groups():
        print("::group::Mine")
        print("inside")
        print("::endgroup::")

    @task
    def writes_large_lines():
        for size in (1_000, 70_000, 300_000, 3_000_000):
            print("x" * size)
            logging.getLogger("a.library").info("y" * size)
        print("the end")

    @task
    def hides_what_is_secret():
        from airflow.sdk import Connection, Variable
        from airflow.sdk.log import mask_secret

        mask_secret("open-sesame")
        print("open-sesame")
        logging.getLogger("a.library").info("it was %s", "open-sesame")
        print(Connection.get("site_only").password)
        print(Variable.get("site_password"))
        raise ValueError("open-sesame")

    @task
    def reads_the_site():
        from airflow.sdk import BaseHook, Variable

        print(BaseHook.get_connection("site_only").host, Variable.get("site_only"))
        print(Variable.get("elsewhere", default="nowhere"))
        Variable.get("elsewhere")

    @task(multiple_outputs=True)
    def gives_several():
        return {"a": 1}

    @task
    def leaves_at_once():
        print("leaving")
        sys.exit(3)

    @task
    def leaves_without_a_word():
        print("leaving", flush=True)
        os._exit(4)

    @task
    def is_killed():
        print("soon gone", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

    @task(execution_timeout=timedelta(milliseconds=300))
    def takes_too_long():
        time.sleep(30)

    @task
    def does_something_when_it_ends():
        import atexit

        atexit.register(lambda: print("at the end", flush=True))

    @task
    def mapped(number):
        print("mapped", number)

    @task
    def shows_where_it_is():
        from airflow.sdk import get_current_context

        context = get_current_context()
        print(sorted(context))
        print(context["ti"].log_url, context["ti"].try_number, context["ti"].map_index)
        logging.getLogger("a.library").info("%s", sorted(logging.root.manager.loggerDict)[:1])

    @task
    def shows_its_process():
        import locale
        import resource
        import threading

        print(
            "signals",
            [str(signal.getsignal(each)) for each in (signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE)],
        )
        print("blocked", signal.pthread_sigmask(signal.SIG_BLOCK, []))
        print("limits", [resource.getrlimit(each) for each in (resource.RLIMIT_NOFILE, resource.RLIMIT_CORE)])
        print("umask", oct(os.umask(0o022)), "nice", os.nice(0), "threads", threading.active_count())
        print("locale", locale.setlocale(locale.LC_ALL), sys.getdefaultencoding(), sys.stdout.encoding)
        print("flags", sys.flags, sys.getswitchinterval(), sys.getrecursionlimit())
        print("filters", warnings.filters)
        print("hooks", sys.excepthook, sys.unraisablehook, threading.excepthook, sys.breakpointhook)
        print("streams", sys.stdin, sys.stdout, sys.stderr)
        print("handlers", logging.root.handlers, logging.root.level)
        print("structlog", sorted(structlog.get_config()), sorted(structlog.contextvars.get_contextvars()))
        print("path", sys.path[1:] if "support" in sys.path[0] else sys.path)
        print(
            "environment",
            {name: os.environ[name] for name in sorted(os.environ) if not name.startswith(OF_A_SITE)},
        )

    @task
    def builds_an_old_connection():
        from airflow.models import Connection, Variable

        print(Connection(conn_id="mine", uri="generic://me@there:1/x").host, Variable(key="k", val="v").val)

    Defers(task_id="defers")
    Pokes(task_id="pokes", mode="reschedule", poke_interval=60)
    HasTemplates(task_id="has_templates", text="{{ ds }} {{ ti.task_id }} {{ var.value.site_only }}")
    HasTemplates(task_id="has_a_broken_template", text="{{ nothing.at.all }}")
    for each in (
        succeeds,
        returns,
        fails,
        retries,
        succeeds_and_calls_back,
        fails_and_calls_back,
        fails_at_once,
        skips,
        goes_no_further,
        prints,
        warns,
        logs,
        has_loggers_of_its_own,
        groups,
        writes_large_lines,
        hides_what_is_secret,
        reads_the_site,
        gives_several,
        leaves_at_once,
        leaves_without_a_word,
        is_killed,
        takes_too_long,
        does_something_when_it_ends,
        shows_where_it_is,
        shows_its_process,
        builds_an_old_connection,
    ):
        each()
    mapped.expand(number=[10, 20])
