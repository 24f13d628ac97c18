"""Deletes old rows of a Deployment's database with Airflow's own `db clean`: a script for the Deployment's environment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from tradewind_platform.reconciler.driver import Document, StepFailed

BEFORE: Final = "before"
"""The argument with the moment before which rows are old. The script takes it as its argument, too."""
FACT: Final = "clean"
LONGEST: Final = 3600.0
"""Seconds. What was deleted until then stays deleted, and the next try goes on."""
MARK: Final = "tradewind-clean-up "
"""What the script's last line begins with."""

SCRIPT: Final = """
import contextlib, fcntl, io, json, os, re, sys
from datetime import datetime

from airflow import settings
from airflow.utils import db_cleanup
from airflow.utils.state import State
from sqlalchemy import inspect, text

settings.initialize()
# One that was begun by a process that has ended since may still run.
if settings.engine.dialect.name == "postgresql":
    lock = settings.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    lock.execute(text("SELECT pg_advisory_lock(hashtext('tradewind-clean-up'))"))
else:
    lock = open(os.path.join(os.environ["AIRFLOW_HOME"], "clean-up.lock"), "w")
    fcntl.flock(lock, fcntl.LOCK_EX)
before = datetime.fromisoformat(sys.argv[1])
session = settings.Session()
there = set(inspect(settings.engine).get_table_names())

wanted = {
    "dag_run", "task_instance", "task_instance_history", "task_reschedule", "task_state_store", "xcom", "log", "job",
    "asset_event", "partitioned_asset_key_log", "deadline", "callback", "dag_version", "revoked_token",
    "connection_test_request",
}
skipped = {
    "dag": "agents send a Dag when it changes, so an old one is not a stale one",
    "import_error": "an error stays until its file parses",
    "trigger": "triggerers remove their own",
}
known = set(db_cleanup.config_dict)
for table, guard in (("callback", "extra_filters"), ("dag_version", "skip_if_referenced")):
    if table in known and not getattr(db_cleanup.config_dict[table], guard, None):
        wanted.discard(table)
        skipped[table] = "this version of Airflow would delete rows that are in use"
tables = sorted(wanted & known & there)
for table in sorted((known & there) - wanted - set(skipped)):
    skipped[table] = "the platform does not know it"
skipped = {table: why for table, why in skipped.items() if table in there}

ended = ["success", "failed"]
unfinished = [str(state) for state in State.unfinished if state is not None]
left_out = set()
for table, condition, states in (
    ("dag_run", "NOT IN", ended),
    ("task_instance", "IN", unfinished),
):
    names = ", ".join(f":s{number}" for number in range(len(states)))
    query = f"SELECT DISTINCT dag_id FROM {table} WHERE start_date < :before AND state {condition} ({names})"
    values = {f"s{number}": state for number, state in enumerate(states)}
    from airflow.utils.sqlalchemy import UtcDateTime
    from sqlalchemy import bindparam
    statement = text(query).bindparams(bindparam("before", before, type_=UtcDateTime()), **values)
    left_out.update(session.scalars(statement))
session.rollback()

# Airflow names a column dag_id for tables that have none, and rows of no Dag would stay. No program uses old rows of these.
for table in tables:
    if table in ("job", "log") or "dag_id" not in {one["name"] for one in inspect(settings.engine).get_columns(table)}:
        db_cleanup.config_dict[table].dag_id_column = None
if left_out and "task_reschedule" in tables:
    tables.remove("task_reschedule")  # a sensor that still waits counts from its first row; the others go with their tasks

printed = io.StringIO()
failure = ""
try:
    with contextlib.redirect_stdout(printed):
        db_cleanup.run_cleanup(
            clean_before_timestamp=before,
            table_names=tables,
            exclude_dag_ids=sorted(left_out) or None,
            confirm=False,
            skip_archive=True,
            batch_size=10000,
            error_on_cleanup_failure=True,
        )
except Exception as error:
    failure = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
archives = [one for one in inspect(settings.engine).get_table_names() if one.startswith(db_cleanup.ARCHIVE_TABLE_PREFIX)]
with settings.engine.begin() as connection:
    for one in archives:
        connection.execute(text(f'DROP TABLE IF EXISTS "{one}"'))
found = re.findall(r"Checking table (\\w+)\\nFound (\\d+) rows", printed.getvalue())
print("tradewind-clean-up " + json.dumps({
    "rows": {table: int(count) for table, count in found if int(count)},
    "skipped": skipped,
    "left_out": sorted(left_out),
    "archives": len(archives),
    "failure": failure,
}), flush=True)
"""
"""Rows go in batches, so that Airflow waits for none for long. Tables with copies of deleted rows, which an interrupted
clean-up leaves, are dropped."""


def facts(printed: str, document: Document) -> Mapping[str, Any]:
    """How many rows of which tables were deleted, which tables were left alone and why, and the Dags of which nothing was
    deleted, because an old run of theirs has not ended: by what the script has printed. Raises StepFailed."""
    marked = [line for line in printed.splitlines() if line.startswith(MARK)]
    if not marked:
        raise StepFailed("what the clean-up has printed could not be read")
    found = json.loads(marked[-1].removeprefix(MARK))
    if failure := found.pop("failure"):
        raise StepFailed(f"airflow db clean: {failure}")
    return {FACT: {**found, BEFORE: document.arguments[BEFORE]}}
