"""What is so of a Deployment in the cluster. Asks, and changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from tradewind_platform.domain.health import Condition, ConditionType, Status
from tradewind_platform.kubernetes import manifests
from tradewind_platform.kubernetes.api import KubernetesApi
from tradewind_platform.kubernetes.settings import KubernetesSettings
from tradewind_platform.reconciler.driver import Document

_BY_AIRFLOW: Final = (
    ConditionType.DATABASE_READY,
    ConditionType.MIGRATED,
    ConditionType.SCHEDULER_BEATING,
)
APPLIED: Final = "helm-revision"
"""In the record: the revision of the release that the controller has applied."""


class Observing:
    """Asks the API server of Kubernetes, Airflow by its Service, and the gateway as agents do."""

    def __init__(self, api: KubernetesApi, settings: KubernetesSettings, http: httpx.Client) -> None:
        self._api = api
        self._settings = settings
        self._http = http

    def conditions(self, document: Document, namespace: str | None) -> Sequence[Condition]:
        if namespace is None:
            why = "The Deployment has no namespace."
            return [
                self._false(
                    document, type, "NoNamespace", why, "Restore or change the Deployment: it is made anew."
                )
                for type in ConditionType
                if type is not ConditionType.CONFIG_APPLIED
            ]
        health = self._airflow_health(document, namespace)
        found = [
            self._servers(document, namespace, health),
            *self._airflow(document, namespace, health),
            self._route(document),
            self._drift(document, namespace),
        ]
        return found

    def _servers(self, document: Document, namespace: str, health: Any) -> Condition:
        if health is not None:
            return self._true(document, ConditionType.API_SERVER_READY)
        return self._false(
            document,
            ConditionType.API_SERVER_READY,
            "NoAnswer",
            f"The API server does not answer. {self._trouble(document, namespace)}".strip(),
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
        base = self._settings.gateway.address or document.agent_url.removesuffix(
            urlsplit(document.agent_url).path
        )
        url = f"{base}/{document.slug}/remote-execution/v1/readyz"
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
        record = self._api.get("ConfigMap", manifests.RECORD, namespace) or {}
        applied = int(record.get("data", {}).get(APPLIED, "0"))
        newest = newest_revision(self._api, namespace, document.slug)
        if newest == applied:
            return self._true(document, ConditionType.CONFIG_APPLIED)
        return self._false(
            document,
            ConditionType.CONFIG_APPLIED,
            "Drifted",
            f"The Helm release has the revision {newest}, and the platform has applied {applied}: somebody else has changed it.",
            f"Compare with `helm --namespace {namespace} get values {document.slug}`; the next change by the platform "
            "replaces it.",
        )

    def _airflow_health(self, document: Document, namespace: str) -> dict[str, Any] | None:
        url = f"http://{document.slug}.{namespace}.svc.cluster.local/api/v2/monitor/health"
        try:
            answer = self._http.get(url, headers={"Host": urlsplit(document.people_url).netloc})
            found = answer.json() if answer.status_code == 200 else None
        except (httpx.HTTPError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def _trouble(self, document: Document, namespace: str) -> str:
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


def newest_revision(api: KubernetesApi, namespace: str, release: str) -> int:
    """Of a release; 0 when there is none. Read from the labels of Helm's Secrets: what these contain is not asked for."""
    found = api.metadata("Secret", namespace, f"owner=helm,name={release}")
    return max((int(one["metadata"]["labels"]["version"]) for one in found), default=0)
