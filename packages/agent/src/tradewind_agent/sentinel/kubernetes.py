"""A thin client of the Kubernetes API: list and watch of a namespace's pods and events, over httpx."""

from __future__ import annotations

import asyncio
import json
import os
import random
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import structlog

from tradewind_agent.errors import SettingsWrong

log = structlog.get_logger(__name__)

ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
PAGE: Final = 500
_WATCH_SECONDS: Final = 300
_SHORTEST_WATCH: Final = 1.0
"""Seconds from the start of a watch to that of the next one."""

_LONGEST_WAIT: Final = 30.0


class Unwatchable(Exception):
    """The API server does not let us look, or does not answer. `denied`: it refused for want of rights."""

    def __init__(self, message: str, *, denied: bool = False) -> None:
        super().__init__(message)
        self.denied = denied


class ListTooOld(Exception):
    """The resource version is gone (410): list again."""


class KubernetesApi:
    """Requests as a service account, whose token is read again for each one: it is replaced every hour."""

    def __init__(
        self,
        server: str,
        *,
        namespace: str,
        token_file: Path | None,
        tls: ssl.SSLContext | None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.namespace = namespace
        self._token_file = token_file
        self._http = httpx.AsyncClient(
            base_url=server,
            verify=tls if tls is not None else False,  # without TLS there is nothing to verify
            transport=transport,
            trust_env=False,  # a proxy on the way to the plane is not one on the way to the API server
            timeout=httpx.Timeout(30.0, connect=10.0),
            headers={"Accept": "application/json", "User-Agent": "tradewind-sentinel"},
        )

    async def __aenter__(self) -> KubernetesApi:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def list(self, kind: str, params: Mapping[str, str]) -> tuple[list[dict[str, Any]], str]:
        """Every object, page by page, and the resource version to watch from. Raises Unwatchable."""
        items: list[dict[str, Any]] = []
        more = ""
        while True:
            query = {**params, "limit": str(PAGE), **({"continue": more} if more else {})}
            answer = await self._ask("GET", self._path(kind), params=query)
            items += answer.get("items") or []
            more = answer.get("metadata", {}).get("continue", "")
            if not more:
                return items, str(answer.get("metadata", {}).get("resourceVersion", ""))

    async def watch(
        self, kind: str, params: Mapping[str, str], version: str
    ) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """Changes since `version`: ("ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK", object), until the server ends it.
        Raises ListTooOld, Unwatchable."""
        query = {
            **params,
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(_WATCH_SECONDS),
        }
        try:
            async with self._http.stream(
                "GET",
                self._path(kind),
                params=query,
                headers=self._credential(),
                timeout=httpx.Timeout(10.0, read=_WATCH_SECONDS + 30.0),
            ) as response:
                if response.status_code != 200:
                    await response.aread()
                    _refuse(response)
                async for line in response.aiter_lines():
                    if not line:
                        continue
                    change = json.loads(line)
                    if change["type"] == "ERROR":
                        if change["object"].get("code") == 410:
                            raise ListTooOld
                        raise Unwatchable(str(change["object"].get("message", "the watch ended")))
                    yield change["type"], change["object"]
        except (httpx.HTTPError, ValueError) as error:
            raise Unwatchable(_unreached(error)) from error

    async def annotate(self, pod: str, annotations: Mapping[str, str]) -> None:
        """Set annotations of a pod. Raises Unwatchable."""
        await self._ask(
            "PATCH",
            f"{self._path('pods')}/{pod}",
            content=json.dumps({"metadata": {"annotations": dict(annotations)}}),
            headers={"Content-Type": "application/merge-patch+json"},
        )

    async def _ask(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        headers = {**self._credential(), **more.pop("headers", {})}
        try:
            response = await self._http.request(method, path, headers=headers, **more)
            if response.status_code == 410:
                raise ListTooOld
            if response.status_code != 200:
                _refuse(response)
            found = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise Unwatchable(_unreached(error)) from error
        return dict(found)

    def _path(self, kind: str) -> str:
        return f"/api/v1/namespaces/{self.namespace}/{kind}"

    def _credential(self) -> dict[str, str]:
        if self._token_file is None:
            return {}
        try:
            return {"Authorization": f"Bearer {self._token_file.read_text().strip()}"}
        except OSError as error:
            raise Unwatchable(
                f"the service account's token {self._token_file} cannot be read: {error.strerror or error}"
            ) from error


def _refuse(response: httpx.Response) -> None:
    try:
        said = str(response.json().get("message", ""))
    except ValueError:
        said = ""
    if response.status_code == 410:
        raise ListTooOld
    raise Unwatchable(
        said or f"the API server answered {response.status_code}", denied=response.status_code in (401, 403)
    )


def _unreached(error: Exception) -> str:
    return f"the API server does not answer: {error or type(error).__name__}"


def api(
    *,
    server: str = "",
    namespace: str = "",
    token_file: Path | None = None,
    ca_file: Path | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> KubernetesApi:
    """As a pod reaches its API server, but for what is given. Raises SettingsWrong outside of a cluster."""
    if not server:
        host, port = (
            os.environ.get("KUBERNETES_SERVICE_HOST", ""),
            os.environ.get("KUBERNETES_SERVICE_PORT", "443"),
        )
        if not host:
            raise SettingsWrong(
                "this process is in no Kubernetes cluster",
                remedy="Set kubernetes_server, or platform to machine",
            )
        server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    try:
        namespace = namespace or (ACCOUNT / "namespace").read_text().strip()
        authorities = ca_file or ACCOUNT / "ca.crt"
        tls = ssl.create_default_context(cafile=str(authorities)) if server.startswith("https:") else None
    except (OSError, ssl.SSLError) as error:
        raise SettingsWrong(
            f"the service account's files cannot be used: {error}",
            remedy="Set automountServiceAccountToken for the sentinel's pod",
        ) from error
    return KubernetesApi(
        server,
        namespace=namespace,
        token_file=token_file or (ACCOUNT / "token"),
        tls=tls,
        transport=transport,
    )


class Cache:
    """The objects of one kind, kept current by a watch. `keep` makes of each what is kept; None: nothing."""

    def __init__(
        self,
        kubernetes: KubernetesApi,
        kind: str,
        params: Mapping[str, str],
        *,
        keep: Callable[[dict[str, Any]], dict[str, Any] | None],
        most: int = 5000,
    ) -> None:
        self._api = kubernetes
        self._kind = kind
        self._params = params
        self._keep = keep
        self._most = most
        self._objects: dict[str, dict[str, Any]] = {}
        self.listed = asyncio.Event()
        self.changed = asyncio.Event()
        self.problem: Unwatchable | None = None

    @property
    def objects(self) -> list[dict[str, Any]]:
        return list(self._objects.values())

    async def run(self) -> None:
        """List, watch, and list again when the watch is too old; forever."""
        failures = 0
        version = ""
        while True:
            try:
                if not version:
                    version = await self._list()
                begun = asyncio.get_running_loop().time()
                async for what, found in self._api.watch(self._kind, self._params, version):
                    failures = 0
                    version = str(found.get("metadata", {}).get("resourceVersion", version))
                    self._apply(what, found)
                self.problem = None
                # a server that ends each watch at once is not asked without a pause
                await asyncio.sleep(max(0.0, begun + _SHORTEST_WATCH - asyncio.get_running_loop().time()))
            except ListTooOld:
                version = ""
            except Unwatchable as error:
                if self.problem is None or str(self.problem) != str(error):
                    log.warning(
                        "A watch of the Kubernetes API failed",
                        action="sentinel_watch_failed",
                        kind=self._kind,
                        error=str(error),
                    )
                self.problem = error
                version = ""  # what was missed is unknown
                failures += 1
                await asyncio.sleep(min(_LONGEST_WAIT, 0.5 * 2**failures) * random.uniform(0.5, 1.0))

    async def _list(self) -> str:
        items, version = await self._api.list(self._kind, self._params)
        self._objects.clear()
        for one in items:
            self._apply("ADDED", one)
        self.problem = None
        self.listed.set()
        return version

    def _apply(self, what: str, found: dict[str, Any]) -> None:
        if what == "BOOKMARK":
            return
        key = str(found.get("metadata", {}).get("uid", ""))
        kept = None if what == "DELETED" else self._keep(found)
        self._objects.pop(key, None)
        if kept is not None:
            self._objects[key] = kept
            while len(self._objects) > self._most:
                del self._objects[next(iter(self._objects))]
        self.changed.set()


def pod_as_kept(pod: dict[str, Any]) -> dict[str, Any]:
    """What the rules read of a pod: no environment, no volumes, no annotations but the deletion cost."""
    metadata, spec, status = pod.get("metadata", {}), pod.get("spec", {}), pod.get("status", {})
    cost = (metadata.get("annotations") or {}).get(DELETION_COST)
    return {
        "metadata": {
            **{
                key: metadata[key]
                for key in ("name", "uid", "labels", "creationTimestamp", "deletionTimestamp")
                if key in metadata
            },
            "annotations": {DELETION_COST: cost} if cost is not None else {},
        },
        "spec": {
            "nodeName": spec.get("nodeName", ""),
            "containers": [_container(one) for one in spec.get("containers") or ()],
            "initContainers": [_container(one) for one in spec.get("initContainers") or ()],
        },
        "status": {
            key: status[key]
            for key in (
                "phase",
                "reason",
                "message",
                "conditions",
                "startTime",
                "podIP",
                "containerStatuses",
                "initContainerStatuses",
            )
            if key in status
        },
    }


DELETION_COST: Final = "controller.kubernetes.io/pod-deletion-cost"


def _container(one: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": one.get("name", ""), "image": one.get("image", ""), "resources": one.get("resources", {})}


def event_as_kept(event: dict[str, Any]) -> dict[str, Any] | None:
    """What the rules read of an event about a pod, or about what makes pods."""
    about = event.get("involvedObject", {})
    if about.get("kind") not in ("Pod", "ReplicaSet", "StatefulSet"):
        return None
    return {
        key: event[key]
        for key in (
            "involvedObject",
            "reason",
            "message",
            "count",
            "series",
            "firstTimestamp",
            "lastTimestamp",
            "eventTime",
        )
        if event.get(key) is not None
    } | {"metadata": {"creationTimestamp": event.get("metadata", {}).get("creationTimestamp")}}


@asynccontextmanager
async def watching(*caches: Cache) -> AsyncIterator[None]:
    """Run the caches' watches inside the context."""
    tasks = [asyncio.create_task(one.run(), name="kubernetes watch") for one in caches]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
