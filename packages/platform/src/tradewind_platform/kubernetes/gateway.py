"""Routes to a Deployment: in the ConfigMap of the gateway of the controller's chart, or as routes of Gateway API."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from tradewind_platform.clock import Clock
from tradewind_platform.kubernetes import manifests
from tradewind_platform.kubernetes.api import KubernetesApi
from tradewind_platform.kubernetes.settings import KubernetesSettings
from tradewind_platform.reconciler.driver import Document, StepFailed

_FILE: Final = "gateway.toml"
_TABLE: Final = "[deployments]\n"
_LOOKED_AT: Final = "tradewind.io/routes-changed-at"


class Gateway:
    """One controller changes the routes of a cluster: a change is read, made and written under a lock."""

    def __init__(self, api: KubernetesApi, settings: KubernetesSettings, clock: Clock) -> None:
        self._api = api
        self._settings = settings
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
            return
        upstream = f"http://{document.slug}.{namespace}.svc.cluster.local:80"
        self._change(lambda routes: {**routes, document.slug: upstream})

    def leave(self, document: Document, namespace: str | None) -> None:
        if self._settings.gateway.kind == "httpRoute":
            for route in manifests.routes(document, self._settings) if namespace else ():
                self._api.delete("HTTPRoute", route["metadata"]["name"], str(namespace))
            return
        self._change(lambda routes: {slug: at for slug, at in routes.items() if slug != document.slug})

    def _change(self, change: Callable[[Mapping[str, str]], Mapping[str, str]]) -> None:
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


def written(configuration: str, routes: Mapping[str, str]) -> str:
    """The gateway's configuration with its Deployments."""
    lines = [f"{slug} = {json.dumps([upstream])}\n" for slug, upstream in sorted(routes.items())]
    return f"{configuration.rstrip()}\n\n{_TABLE}{''.join(lines)}"


def routes_of(text: str) -> dict[str, str]:
    """The Deployments of a configuration. Raises StepFailed for what `written` did not write: it would be lost."""
    found = {}
    for line in text.partition(_TABLE)[2].splitlines():
        slug, _, upstreams = line.partition(" = ")
        try:
            (upstream,) = json.loads(upstreams)
        except ValueError:
            raise StepFailed(
                "the ConfigMap of the gateway has a line that the controller did not write", final=True
            ) from None
        found[slug] = str(upstream)
    return found
