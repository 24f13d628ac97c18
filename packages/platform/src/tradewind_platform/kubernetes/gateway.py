"""Routes to a Deployment: in the ConfigMap of the gateway of the controller's chart, or as routes of Gateway API. While a
Deployment is closed, the gateway of the chart answers for it in either case."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
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
        if self._is_http_route:
            self._change(lambda routes: {slug: route for slug, route in routes.items() if route.closed})
        else:
            self._change(lambda routes: routes)

    def serve(self, document: Document, namespace: str) -> None:
        if self._is_http_route:
            # The chart's gateway goes on saying that it is closed: it is asked until every other one knows the route.
            for route in manifests.routes(document, self._settings):
                self._api.apply(route, namespace)
            return
        self._change(lambda routes: {**routes, document.slug: Route(_upstream(document, namespace))})

    def close(self, document: Document, namespace: str, reason: str) -> None:
        """Answer agents and people that it does not serve at the moment, and why. Idempotent, and to be called again while
        `passes` names a gateway: routes of Gateway API are changed once each pod of the chart's gateway gives the answer."""

        def closed(routes: Routes) -> Routes:
            usual = Route(_upstream(document, namespace)) if self._is_http_route else None
            found = routes.get(document.slug, usual)
            return routes if found is None else {**routes, document.slug: replace(found, closed=reason)}

        self._change(closed)
        if self._is_http_route and not self._silent(document, reason, self._pods(), unknown=False):
            self._api.apply(
                manifests.grant(document, self._settings, namespace), self._settings.own_namespace
            )
            for route in manifests.routes(document, self._settings, closed=True):
                self._api.apply(route, namespace)

    def passes(self, document: Document, reason: str) -> str:
        """Which gateway does not yet say that the Deployment is closed for this reason; empty when all do."""
        if not self._is_http_route:
            return self._silent(document, reason, self._pods() or [self.address(document)])
        return self._silent(document, reason, self._pods(), unknown=False) or self._silent(
            document, reason, [self.address(document)]
        )

    def _silent(
        self, document: Document, reason: str, addresses: Sequence[str], *, unknown: bool = True
    ) -> str:
        """The first that does not say so; empty when all do. `unknown`: one that does not know the path counts as closed,
        because it has never served it."""
        agents = urlsplit(document.agent_url)
        for base in addresses:
            try:
                answer = self._http.get(
                    f"{base}/{document.slug}/remote-execution/v1/readyz",
                    headers={"Host": agents.netloc},
                    extensions={"sni_hostname": agents.hostname},
                )
            except httpx.HTTPError as error:
                return f"{base} ({type(error).__name__})"
            says = f"deployment_{reason}" in answer.text or (unknown and answer.status_code == 404)
            if not says:
                return f"{base} (status {answer.status_code})"
        return ""

    def address(self, document: Document) -> str:
        """Where the controller asks the gateway."""
        path = urlsplit(document.agent_url).path
        return self._settings.gateway.address or document.agent_url.removesuffix(path)

    def leave(self, document: Document, namespace: str | None) -> None:
        if self._is_http_route and namespace is not None:
            for one in manifests.routes(document, self._settings):
                self._api.delete(one["kind"], one["metadata"]["name"], namespace)
            granted = manifests.grant(document, self._settings, namespace)
            self._api.delete(granted["kind"], granted["metadata"]["name"], self._settings.own_namespace)
        self._change(lambda routes: {slug: at for slug, at in routes.items() if slug != document.slug})

    @property
    def _is_http_route(self) -> bool:
        return self._settings.gateway.kind == "httpRoute"

    def _pods(self) -> list[str]:
        """The addresses of the pods of the chart's gateway: they do not learn a change at the same moment."""
        gateway = self._settings.gateway
        if not gateway.pod_labels:
            return []
        selector = ",".join(f"{key}={value}" for key, value in sorted(gateway.pod_labels.items()))
        pods = self._api.listed("Pod", self._settings.own_namespace, selector)
        addresses = [
            str(one["status"]["podIP"])
            for one in pods
            if one.get("status", {}).get("podIP") and one["status"].get("phase") == "Running"
        ]
        scheme = "http" if self._is_http_route else "https"
        return [f"{scheme}://{f'[{one}]' if ':' in one else one}:{gateway.pod_port}" for one in addresses]

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


def _upstream(document: Document, namespace: str) -> str:
    return f"http://{document.slug}.{namespace}.svc.cluster.local:80"


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
