"""Looks at a Deployment with the eyes of the version that it shall have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tradewind_platform.domain import preflight as rules
from tradewind_platform.domain.preflight import Check, Verdict
from tradewind_platform.drivers import new_code
from tradewind_platform.drivers.airflow_api import AirflowApi
from tradewind_platform.drivers.backups import Backups
from tradewind_platform.local.planes import Planes
from tradewind_platform.reconciler.driver import Document, StepFailed

FACT: Final = "preflight"


class Preflight:
    """Changes nothing."""

    def __init__(self, planes: Planes, airflow: AirflowApi, backups: Backups) -> None:
        self._planes = planes
        self._airflow = airflow
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
        found = [rules.direction(self._now(document), wanted), self._environment(document, wanted)]
        listed = self._airflow.operator(document, "GET", "/agents", params={"limit": 1000})["items"]
        found += [rules.agents(wanted, listed), self._disk(document)]
        if found[1].verdict is Verdict.OK:
            found += [*self._code(document), self._configuration(document)]
        return found

    def _now(self, document: Document) -> str:
        return str(document.before.get("version") or "") or self._planes.default_version()

    def _environment(self, document: Document, wanted: str) -> Check:
        if (own := self._planes.code.python(document)) is not None:
            return Check("environment", Verdict.OK, str(own))
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
            return new_code.of_heads(self._planes.run(document, new_code.HEADS))
        except StepFailed as error:
            return new_code.unreadable(str(error))

    def _configuration(self, document: Document) -> Check:
        try:
            return new_code.of_lint(self._planes.run(document, new_code.LINT, whole=True))
        except StepFailed as error:
            return new_code.unlinted(str(error))
