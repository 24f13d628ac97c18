"""What the controller remembers of a Deployment in its namespace, so that another process of it goes on: ConfigMaps."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Final

from tradewind_platform.kubernetes import manifests
from tradewind_platform.kubernetes.api import KubernetesApi
from tradewind_platform.kubernetes.namespaces import Namespaces
from tradewind_platform.reconciler.driver import Document

APPLIED: Final = "helm-revision"
"""The revision of the release that the controller has applied."""
RUNNING: Final = "running"
"""Which pods it has been asked for last: a value of `values.Running`."""
CLOSED: Final = "closed"
"""Why its route is closed; empty or missing while it is not."""
_AGENTS: Final = "agents"


class Records:
    """One ConfigMap for each Deployment. It also says whose a namespace is."""

    def __init__(self, api: KubernetesApi) -> None:
        self._api = api

    def of(self, namespace: str) -> Mapping[str, str]:
        """Empty when there is none."""
        found = self._api.get("ConfigMap", manifests.RECORD, namespace) or {}
        return dict(found.get("data", {}))

    def change(self, document: Document, namespace: str, **changes: str) -> None:
        """Remember these, and what was remembered beside them. Names are written with `_` for `-`."""
        named = {name.replace("_", "-"): value for name, value in changes.items()}
        self._api.apply(manifests.record(document, {**self.of(namespace), **named}), namespace)


class CordonedAgents:
    """Which agents were cordoned so that a Deployment can hibernate."""

    def __init__(self, api: KubernetesApi, namespaces: Namespaces) -> None:
        self._api = api
        self._namespaces = namespaces

    def of(self, document: Document) -> set[str]:
        """Empty when there are none."""
        found = self._api.get("ConfigMap", manifests.CORDONED, self._namespaces.require(document))
        return set(json.loads(found["data"][_AGENTS])) if found is not None else set()

    def keep(self, document: Document, agents: Collection[str]) -> None:
        """These from now on. None: forget them."""
        namespace = self._namespaces.require(document)
        if not agents:
            self._api.delete("ConfigMap", manifests.CORDONED, namespace)
            return
        data = {_AGENTS: json.dumps(sorted(agents))}
        self._api.apply(manifests.cordoned(document, data), namespace)
