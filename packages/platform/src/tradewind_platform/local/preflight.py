"""Looks at a Deployment with the eyes of the version that it shall have."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from tradewind_platform.domain import preflight as rules
from tradewind_platform.domain.preflight import Check, Verdict
from tradewind_platform.local.airflow_api import ask
from tradewind_platform.local.backups import Backups
from tradewind_platform.local.planes import Planes
from tradewind_platform.reconciler.driver import Document, StepFailed

FACT: Final = "preflight"

_HEADS: Final = """
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

_LINT: Final = """
import contextlib, io
from airflow.__main__ import main
import sys
sys.argv = ["airflow", "config", "lint"]
main()
"""


class Preflight:
    """Changes nothing."""

    def __init__(self, planes: Planes, backups: Backups) -> None:
        self._planes = planes
        self._backups = backups

    def require(self, document: Document) -> Mapping[str, Any]:
        """The table. Raises StepFailed when the upgrade is not to be done."""
        checks = self.checks(document)
        if reasons := rules.refused(checks):
            raise StepFailed(reasons, final=True)
        return {FACT: [one.as_fact() for one in checks]}

    def table(self, document: Document) -> Mapping[str, Any]:
        """The table, whatever its verdicts."""
        return {FACT: [one.as_fact() for one in self.checks(document)]}

    def checks(self, document: Document) -> list[Check]:
        wanted = str(document.spec.get("version", ""))
        found = [rules.direction(self._now(document), wanted), self._environment(wanted)]
        listed = ask(self._planes, document, "GET", "/agents", params={"limit": 1000})["items"]
        found += [rules.agents(wanted, listed), self._disk(document)]
        if found[1].verdict is Verdict.OK:
            found += [*self._code(document), self._configuration(document)]
        return found

    def _now(self, document: Document) -> str:
        return str(document.before.get("version") or "") or self._planes.default_version()

    def _environment(self, wanted: str) -> Check:
        if wanted in self._planes.settings.environments:
            return Check("environment", Verdict.OK, str(self._planes.settings.environments[wanted]))
        return Check(
            "environment",
            Verdict.REFUSED,
            f"This machine has no environment with Airflow {wanted}.",
            "Make one, and start the platform with one more --plane-python.",
        )

    def _disk(self, document: Document) -> Check:
        try:
            return rules.disk(*self._backups.room(document))
        except (StepFailed, OSError) as error:
            return Check("disk", Verdict.REFUSED, f"Backups cannot be kept: {error}.", "Correct that.")

    def _code(self, document: Document) -> list[Check]:
        try:
            found = json.loads(self._planes.run(document, _HEADS))
        except (StepFailed, ValueError) as error:
            return [
                Check(
                    "database",
                    Verdict.REFUSED,
                    f"The new version does not read the database: {error}.",
                    "Correct that first.",
                )
            ]
        plugins = Check("plugins", Verdict.OK)
        if found["plugins"]:
            plugins = Check(
                "plugins",
                Verdict.REFUSED,
                f"Plugins do not import in the new version: {', '.join(found['plugins'])}.",
                "Correct them.",
            )
        return [rules.schema(found["code"], found["database"], found["known"]), plugins]

    def _configuration(self, document: Document) -> Check:
        try:
            said = self._planes.run(document, _LINT, whole=True)
        except StepFailed as error:
            return Check("configuration", Verdict.WARNING, f"`airflow config lint` fails: {error}.", "")
        lines = [line.strip() for line in said.splitlines() if line.strip().startswith("- ")]
        if not lines:
            return Check("configuration", Verdict.OK)
        return Check("configuration", Verdict.WARNING, " ".join(lines)[:1000], "Rename these options.")
