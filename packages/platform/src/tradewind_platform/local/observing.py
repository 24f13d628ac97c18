"""Conditions of a Deployment on this machine, observed from outside its processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from tradewind.embedded.home_files import LinkFound
from tradewind_platform.clock import Clock
from tradewind_platform.domain import certificates
from tradewind_platform.domain.certificates import Validity
from tradewind_platform.domain.component_logs import Component
from tradewind_platform.domain.health import Condition, ConditionType, Status
from tradewind_platform.drivers.served_certificates import ServedCertificates
from tradewind_platform.local.planes import Planes
from tradewind_platform.local.settings import host_of
from tradewind_platform.reconciler.driver import Document
from tradewind_platform.security import trust


class Observing:
    """Asks and changes nothing."""

    def __init__(self, planes: Planes, clock: Clock) -> None:
        self._planes = planes
        self._clock = clock
        self._certificates = ServedCertificates()

    def conditions(self, document: Document, *, broken: bool) -> Sequence[Condition]:
        """`broken`: its API server was started again and again."""
        seen = _Seen(document.revision)
        health = self.airflow_health(document)
        if health is None:
            self._see_no_answer(seen, document, broken=broken)
        else:
            self._see_answer(seen, document, health)
        self._see_route(seen, document)
        return seen.conditions

    def _see_no_answer(self, seen: _Seen, document: Document, *, broken: bool) -> None:
        log = self._planes.home(document) / "logs" / "api-server-1.log"
        what = "The API server does not answer."
        remedy = f"{_shows(document, Component.API_SERVER)}, from {log}. It is started again by itself."
        if broken:
            what = f"The API server ends again and again. Its last lines: {self._last_lines(document)}"
            remedy = f"Read {log}, correct the cause, and change or restore the Deployment."
        seen.false(ConditionType.API_SERVER_READY, "NoAnswer", what, remedy)
        for type in (ConditionType.DATABASE_READY, ConditionType.MIGRATED, ConditionType.SCHEDULER_BEATING):
            seen.unknown(type, "The API server does not answer.")

    def _see_answer(self, seen: _Seen, document: Document, health: Mapping[str, Any]) -> None:
        seen.true(ConditionType.API_SERVER_READY)
        database = health.get("metadatabase", {}).get("status") == "healthy"
        for type in (ConditionType.DATABASE_READY, ConditionType.MIGRATED):
            if database:
                seen.true(type)
            else:
                remedy = f"{_shows(document, Component.API_SERVER)}."
                seen.false(type, "Unhealthy", "Airflow cannot use its database.", remedy)
        if health.get("scheduler", {}).get("status") == "healthy":
            seen.true(ConditionType.SCHEDULER_BEATING)
        else:
            log = self._planes.home(document) / "logs" / "scheduler-1.log"
            seen.false(
                ConditionType.SCHEDULER_BEATING,
                "NoHeartbeat",
                "The scheduler sends no heartbeat.",
                f"{_shows(document, Component.SCHEDULER)}, from {log}.",
            )

    def _see_route(self, seen: _Seen, document: Document) -> None:
        answers, certificate = self._route(document)
        if certificate is not None:
            seen.conditions.append(self._certificate(document, certificate))
        if answers:
            seen.true(ConditionType.ROUTE_SERVED)
        else:
            seen.false(
                ConditionType.ROUTE_SERVED,
                "NoAnswer",
                f"The gateway does not serve {document.agent_url}.",
                f"Read {self._planes.settings.home / 'gateway' / 'gateway.log'}.",
            )

    def _last_lines(self, document: Document) -> str:
        try:
            lines = self._planes.files(document).last_lines("logs", "api-server-1.log", 3)
        except (OSError, LinkFound) as error:
            return str(error)
        return " | ".join(lines)[-500:] or "none"

    def airflow_health(self, document: Document) -> dict[str, Any] | None:
        """What Airflow says of itself, asked past the gateway; None when it does not answer."""
        url = f"http://127.0.0.1:{self._planes.port(document)}/api/v2/monitor/health"
        try:
            answer = httpx.get(
                url,
                headers={"Host": host_of(document.people_url)},
                verify=trust.of_this_machine(),
                timeout=10,
            )
            found = answer.json() if answer.status_code == 200 else None
        except (httpx.HTTPError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def _certificate(self, document: Document, validity: Validity) -> Condition:
        settings = self._planes.settings
        return certificates.condition(
            settings.agents_host,
            validity,
            self._clock(),
            remedy=f"Renew it: write new files to {settings.certificate} and {settings.key}. They are served within seconds.",
            revision=document.revision,
        )

    def _route(self, document: Document) -> tuple[bool, Validity | None]:
        """Whether agents reach the plane by the gateway, and how long its certificate is good: `readyz` needs no credential."""
        scheme = "https" if self._planes.settings.certificate is not None else "http"
        host, _, port = self._planes.settings.agents_listen.rpartition(":")
        url = f"{scheme}://{host or '127.0.0.1'}:{port}/{document.slug}/remote-execution/v1/readyz"
        try:
            # The certificate is checked by agents; here the question is whether there is a route.
            with httpx.stream(
                "GET", url, headers={"Host": self._planes.settings.agents_host}, timeout=10, verify=False
            ) as answer:
                return answer.status_code == 200, self._certificates.of(answer)
        except httpx.HTTPError:
            return False, None


def _shows(document: Document, component: Component) -> str:
    return f"`tradewind deployments logs {document.name} --component {component.value}` shows its log"


class _Seen:
    def __init__(self, revision: int) -> None:
        self.conditions: list[Condition] = []
        self._revision = revision

    def true(self, type: ConditionType) -> None:
        self.conditions.append(Condition(type, Status.TRUE, observed_revision=self._revision))

    def false(self, type: ConditionType, reason: str, message: str, remedy: str) -> None:
        self.conditions.append(
            Condition(type, Status.FALSE, reason, message, remedy, observed_revision=self._revision)
        )

    def unknown(self, type: ConditionType, message: str) -> None:
        self.conditions.append(Condition(type, Status.UNKNOWN, "", message, observed_revision=self._revision))
