"""What the code of another version of Airflow says of a Deployment: scripts that run in its environment, and what their output
means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from tradewind_platform.domain import preflight as rules
from tradewind_platform.domain.preflight import Check, Verdict

HEADS: Final = """
import json
from airflow import settings
from airflow.configuration import conf
from airflow.utils.db import _get_alembic_config
from airflow.utils.db_manager import RunDBManager
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import inspect, text
settings.initialize()
configs = {"alembic_version": _get_alembic_config()}
session = settings.Session()
for manager in RunDBManager()._managers:
    configs[manager.version_table_name] = manager(session).get_alembic_config()
tables = set(inspect(settings.engine).get_table_names())
code, database, known = {}, {}, {}
for table, config in configs.items():
    scripts = ScriptDirectory.from_config(config)
    code[table] = list(scripts.get_heads())
    database[table] = session.scalar(text(f"SELECT version_num FROM {table}")) if table in tables else ""
    try:
        known[table] = not database[table] or scripts.get_revision(database[table]) is not None
    except CommandError:
        known[table] = False
from airflow import plugins_manager
broken = {}
for load in ("ensure_plugins_loaded", "_get_plugins"):
    if hasattr(plugins_manager, load):
        getattr(plugins_manager, load)()
        break
found = getattr(plugins_manager, "get_import_errors", None)
broken = dict((found() if found else getattr(plugins_manager, "import_errors", {})) or {})
print(json.dumps({"code": code, "database": database, "known": known, "plugins": sorted(map(str, broken))}))
"""
"""Which migrations the code has, which the database had last, and which plugins do not import."""

LINT: Final = """
import contextlib, io
from airflow.__main__ import main
import sys
sys.argv = ["airflow", "config", "lint"]
main()
"""
"""Prints the options that the new version has renamed or removed, each after a dash."""


def unreadable(why: str) -> list[Check]:
    """What HEADS means that did not end well."""
    return [
        Check(
            "database",
            Verdict.REFUSED,
            f"The new version does not read the database: {why}.",
            "Correct that first.",
        )
    ]


def of_heads(printed: str) -> list[Check]:
    """What the last line of HEADS means."""
    try:
        found = json.loads(printed)
    except ValueError as error:
        return unreadable(str(error))
    plugins = Check("plugins", Verdict.OK)
    if found["plugins"]:
        plugins = Check(
            "plugins",
            Verdict.REFUSED,
            f"Plugins do not import in the new version: {', '.join(found['plugins'])}.",
            "Correct them.",
        )
    return [rules.schema(found["code"], found["database"], found["known"]), plugins]


def without_migration(printed: str) -> Mapping[str, str]:
    """The newest migration of each chain of the code, from the last line of HEADS: the database has these. Raises ValueError with
    the reasons why the code cannot take the place of the present one."""
    try:
        found = json.loads(printed)
    except ValueError:
        raise ValueError(f"the code does not say what it is: {printed[:200]}") from None
    wrong = []
    if found["plugins"]:
        wrong.append(f"plugins do not import: {', '.join(found['plugins'])}")
    differing = sorted(
        f"{table} is {found['database'].get(table) or 'missing'}, and the code has {' or '.join(heads)}"
        for table, heads in found["code"].items()
        if found["database"].get(table) not in heads
    )
    if differing:
        wrong.append(
            f"the database would have to be migrated: {'; '.join(differing)}. To newer code: deploy it as an upgrade. "
            "To older code: restore a backup"
        )
    if wrong:
        raise ValueError("; ".join(wrong))
    return {table: ",".join(sorted(heads)) for table, heads in found["code"].items()}


def of_lint(printed: str) -> Check:
    """What the output of LINT means."""
    lines = [line.strip() for line in printed.splitlines() if line.strip().startswith("- ")]
    if not lines:
        return Check("configuration", Verdict.OK)
    return Check("configuration", Verdict.WARNING, " ".join(lines)[:1000], "Rename these options.")


def unlinted(why: str) -> Check:
    """What LINT means that did not end well."""
    return Check("configuration", Verdict.WARNING, f"`airflow config lint` fails: {why}.", "")
