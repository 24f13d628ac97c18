"""Routes to a Deployment: in the ConfigMap of the gateway of the controller's chart, or as routes of Gateway API."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from tradewind_platform.clock import Clock
from tradewind_platform.kubernetes import manifests
from tradewind_platform.kubernetes.api import KubernetesApi
from tradewind_platform.kubernetes.settings import KubernetesSettings
from tradewind_platform.reconciler.driver import Document, StepFailed

_FILE: Final = "gateway.toml"
_TABLE: Final = "[deployments]\n"
_CLOSED: Final = "[closed]\n"
_LOOKED_AT: Final = "tradewind.io/routes-changed-at"


@dataclass(frozen=True)
class Route:
    """Where the API servers of a Deployment are. `closed`: why the gateway does not pass requests on to them."""

    upstream: str
    closed: str = ""


Routes = Mapping[str, Route]
"""By the Deployment's slug."""


class Gateway:
    """One controller changes the routes of a cluster: a change is read, made and written under a lock."""

    def __init__(
        self, api: KubernetesApi, settings: KubernetesSettings, http: httpx.Client, clock: Clock
    ) -> None:
        self._api = api
        self._settings = settings
        self._http = http
        self._clock = clock
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Let the gateway of the chart serve what it did, with the configuration as it is now."""
        if self._settings.gateway.kind == "caddy":
            self._change(lambda routes: routes)

    def serve(self, document: Document, namespace: str) -> None:
        if self._settings.gateway.kind == "httpRoute":
            for route in manifests.routes(document, self._settings):
                self._api.apply(route, namespace)
            self._api.delete("Service", manifests.nobody(document)["metadata"]["name"], namespace)
            return
        upstream = f"http://{document.slug}.{namespace}.svc.cluster.local:80"
        self._change(lambda routes: {**routes, document.slug: Route(upstream)})

    def close(self, document: Document, namespace: str, reason: str) -> None:
        """Answer agents and people that it does not serve at the moment, and why. The gateway of the chart says the reason;
        one of Gateway API answers 503."""
        if self._settings.gateway.kind == "httpRoute":
            self._api.apply(manifests.nobody(document), namespace)
            for route in manifests.routes(document, self._settings, closed=True):
                self._api.apply(route, namespace)
            return

        def closed(routes: Routes) -> Routes:
            found = routes.get(document.slug)
            return routes if found is None else {**routes, document.slug: replace(found, closed=reason)}

        self._change(closed)

    def passes(self, document: Document, reason: str) -> str:
        """Which gateway does not yet say that the Deployment is closed for this reason; empty when all do."""
        agents = urlsplit(document.agent_url)
        for base in self._addresses(document):
            try:
                answer = self._http.get(
                    f"{base}/{document.slug}/remote-execution/v1/readyz",
                    headers={"Host": agents.netloc},
                    extensions={"sni_hostname": agents.hostname},
                )
            except httpx.HTTPError as error:
                return f"{base} ({type(error).__name__})"
            if self._settings.gateway.kind == "httpRoute":
                says = answer.status_code >= 500
            else:  # a path that no gateway knows has never been served
                says = answer.status_code == 404 or f"deployment_{reason}" in answer.text
            if not says:
                return f"{base} (status {answer.status_code})"
        return ""

    def address(self, document: Document) -> str:
        """Where the controller asks the gateway."""
        path = urlsplit(document.agent_url).path
        return self._settings.gateway.address or document.agent_url.removesuffix(path)

    def leave(self, document: Document, namespace: str | None) -> None:
        if self._settings.gateway.kind == "httpRoute":
            for one in (*manifests.routes(document, self._settings), manifests.nobody(document)):
                if namespace is not None:
                    self._api.delete(one["kind"], one["metadata"]["name"], namespace)
            return
        self._change(lambda routes: {slug: at for slug, at in routes.items() if slug != document.slug})

    def _addresses(self, document: Document) -> list[str]:
        """Of each pod of the gateway: they do not learn a change at the same moment."""
        gateway = self._settings.gateway
        if gateway.kind == "httpRoute" or not gateway.pod_labels:
            return [self.address(document)]
        selector = ",".join(f"{key}={value}" for key, value in sorted(gateway.pod_labels.items()))
        pods = self._api.listed("Pod", self._settings.own_namespace, selector)
        addresses = [
            str(one["status"]["podIP"])
            for one in pods
            if one.get("status", {}).get("podIP") and one["status"].get("phase") == "Running"
        ]
        named = [f"https://{f'[{one}]' if ':' in one else one}:{gateway.pod_port}" for one in addresses]
        return named or [self.address(document)]

    def _change(self, change: Callable[[Routes], Routes]) -> None:
        name, own = self._settings.gateway.config_map, self._settings.own_namespace
        with self._lock:
            found = self._api.get("ConfigMap", name, own)
            before = str((found or {}).get("data", {}).get(_FILE, ""))
            after = written(self._settings.gateway.configuration, change(routes_of(before)))
            if after == before:
                return
            made: dict[str, Any] = {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": name},
                "data": {_FILE: after},
            }
            self._api.apply(made, own)
            self._look_again()

    def _look_again(self) -> None:
        """A kubelet brings a changed ConfigMap to a pod at once when the pod itself changes, else within a minute."""
        labels = self._settings.gateway.pod_labels
        if not labels:
            return
        selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
        for pod in self._api.metadata("Pod", self._settings.own_namespace, selector):
            self._api.annotate(
                "Pod",
                pod["metadata"]["name"],
                self._settings.own_namespace,
                {_LOOKED_AT: self._clock().isoformat()},
            )


def written(configuration: str, routes: Routes) -> str:
    """The gateway's configuration with its Deployments."""
    lines = [f"{slug} = {json.dumps([route.upstream])}\n" for slug, route in sorted(routes.items())]
    closed = [
        f"{slug} = {json.dumps(route.closed)}\n" for slug, route in sorted(routes.items()) if route.closed
    ]
    ends = f"\n{_CLOSED}{''.join(closed)}" if closed else ""
    return f"{configuration.rstrip()}\n\n{_TABLE}{''.join(lines)}{ends}"


def routes_of(text: str) -> dict[str, Route]:
    """The Deployments of a configuration. Raises StepFailed for what `written` did not write: it would be lost."""
    served, _, closed = text.partition(_TABLE)[2].partition(f"\n{_CLOSED}")
    try:
        reasons = {slug: str(reason) for slug, reason in map(_read, closed.splitlines())}
        return {
            slug: Route(str(upstream), reasons.get(slug, ""))
            for slug, (upstream,) in map(_read, served.splitlines())
        }
    except (ValueError, TypeError):
        raise StepFailed(
            "the ConfigMap of the gateway has a line that the controller did not write", final=True
        ) from None


def _read(line: str) -> tuple[str, Any]:
    slug, _, value = line.partition(" = ")
    return slug, json.loads(value)
