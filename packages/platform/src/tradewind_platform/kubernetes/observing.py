"""What is so of a Deployment in the cluster. Asks, and changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from tradewind.gateway.settings import Closed
from tradewind_platform.domain.health import ESSENTIAL, Condition, ConditionType, Status
from tradewind_platform.kubernetes import record
from tradewind_platform.kubernetes.api import KubernetesApi
from tradewind_platform.kubernetes.gateway import Gateway
from tradewind_platform.kubernetes.record import Records
from tradewind_platform.kubernetes.releases import newest_revision
from tradewind_platform.kubernetes.settings import KubernetesSettings
from tradewind_platform.kubernetes.values import Running
from tradewind_platform.reconciler.driver import Document

_BY_AIRFLOW: Final = (
    ConditionType.DATABASE_READY,
    ConditionType.MIGRATED,
    ConditionType.SCHEDULER_BEATING,
)


HIBERNATING: Final = "Hibernating"
"""The reason of the conditions of a Deployment that has no pods because it hibernates."""


class Observing:
    """Asks the API server of Kubernetes, Airflow by its Service, and the gateway as agents do."""

    def __init__(
        self,
        api: KubernetesApi,
        settings: KubernetesSettings,
        records: Records,
        gateway: Gateway,
        http: httpx.Client,
    ) -> None:
        self._api = api
        self._settings = settings
        self._records = records
        self._gateway = gateway
        self._http = http

    def conditions(self, document: Document, namespace: str | None) -> Sequence[Condition]:
        if namespace is None:
            why = "The Deployment has no namespace."
            return [
                self._false(
                    document, type, "NoNamespace", why, "Restore or change the Deployment: it is made anew."
                )
                for type in ConditionType
                if type in ESSENTIAL
            ]
        if asleep(self._records.of(namespace)):
            return [*self._asleep(document), self._drift(document, namespace)]
        health = self.airflow_health(document, namespace)
        found = [
            self._servers(document, namespace, health),
            *self._airflow(document, namespace, health),
            self._route(document),
            self._drift(document, namespace),
        ]
        return found

    def _asleep(self, document: Document) -> Sequence[Condition]:
        """Nothing is wrong with what hibernates: it is not known, and the reason says why."""
        return [
            Condition(
                type,
                Status.UNKNOWN,
                HIBERNATING,
                "The Deployment hibernates: it has no pods until it is woken up.",
                observed_revision=document.revision,
            )
            for type in ConditionType
            if type in ESSENTIAL
        ]

    def _servers(self, document: Document, namespace: str, health: Any) -> Condition:
        if health is not None:
            return self._true(document, ConditionType.API_SERVER_READY)
        return self._false(
            document,
            ConditionType.API_SERVER_READY,
            "NoAnswer",
            f"The API server does not answer. {self.trouble(document, namespace)}".strip(),
            f"kubectl --namespace {namespace} describe pods; kubectl --namespace {namespace} logs deploy/{document.slug}-api-server",
        )

    def _airflow(self, document: Document, namespace: str, health: Any) -> Sequence[Condition]:
        if health is None:
            return [
                Condition(
                    type,
                    Status.UNKNOWN,
                    "",
                    "The API server does not answer.",
                    observed_revision=document.revision,
                )
                for type in _BY_AIRFLOW
            ]
        parts = {
            ConditionType.DATABASE_READY: ("metadatabase", "Airflow cannot use its database."),
            ConditionType.MIGRATED: ("metadatabase", "Airflow cannot use its database."),
            ConditionType.SCHEDULER_BEATING: ("scheduler", "The scheduler sends no heartbeat."),
        }
        logs = f"kubectl --namespace {namespace} logs deploy/{document.slug}-scheduler"
        return [
            self._true(document, type)
            if health.get(part, {}).get("status") == "healthy"
            else self._false(document, type, "Unhealthy", why, logs)
            for type, (part, why) in parts.items()
        ]

    def _route(self, document: Document) -> Condition:
        url = f"{self._gateway.address(document)}/{document.slug}/remote-execution/v1/readyz"
        try:
            answer = self._http.get(url, headers={"Host": urlsplit(document.agent_url).netloc})
            served = answer.status_code == 200
        except httpx.HTTPError:
            served = False
        if served:
            return self._true(document, ConditionType.ROUTE_SERVED)
        return self._false(
            document,
            ConditionType.ROUTE_SERVED,
            "NoAnswer",
            f"The gateway does not serve {document.agent_url}.",
            f"kubectl --namespace {self._settings.own_namespace} logs deploy/tradewind-controller-gateway",
        )

    def _drift(self, document: Document, namespace: str) -> Condition:
        """A release that somebody else has changed is shown, and changed back only with the next operation."""
        applied = int(self._records.of(namespace).get(record.APPLIED, "0"))
        newest = newest_revision(self._api, namespace, document.slug)
        if newest == applied:
            return self._true(document, ConditionType.CONFIG_APPLIED)
        return self._false(
            document,
            ConditionType.CONFIG_APPLIED,
            "Drifted",
            f"The Helm release has the revision {newest}, and the platform has applied {applied}: it was changed outside the platform.",
            f"Compare with `helm --namespace {namespace} get values {document.slug}`; the next change by the platform "
            "replaces it.",
        )

    def airflow_health(self, document: Document, namespace: str) -> dict[str, Any] | None:
        """What Airflow says of itself, asked by its Service; None when it does not answer."""
        url = f"{inside(document, namespace)}/api/v2/monitor/health"
        try:
            answer = self._http.get(url, headers={"Host": urlsplit(document.people_url).netloc})
            found = answer.json() if answer.status_code == 200 else None
        except (httpx.HTTPError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def trouble(self, document: Document, namespace: str) -> str:
        """Why a pod of it does not start, where that is known."""
        for pod in self._api.listed("Pod", namespace, f"app.kubernetes.io/instance={document.slug}"):
            status = pod.get("status", {})
            for one in (*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])):
                waiting = one.get("state", {}).get("waiting", {})
                if waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
                    return f"{pod['metadata']['name']}: {waiting['reason']} {waiting.get('message', '')}"[
                        :500
                    ]
            for condition in status.get("conditions", []):
                if condition["type"] == "PodScheduled" and condition["status"] == "False":
                    return f"{pod['metadata']['name']}: {condition.get('message', 'is not scheduled')}"[:500]
        return ""

    def _true(self, document: Document, type: ConditionType) -> Condition:
        return Condition(type, Status.TRUE, observed_revision=document.revision)

    def _false(
        self, document: Document, type: ConditionType, reason: str, message: str, remedy: str
    ) -> Condition:
        return Condition(type, Status.FALSE, reason, message, remedy, observed_revision=document.revision)


def inside(document: Document, namespace: str) -> str:
    """Where the API server is for pods of the cluster."""
    return f"http://{document.slug}.{namespace}.svc.cluster.local"


def asleep(known: Mapping[str, str]) -> bool:
    """Whether the record of a Deployment says that it hibernates."""
    return known.get(record.RUNNING) == Running.NONE.value and known.get(record.CLOSED) == Closed.HIBERNATING
