"""The API server of the cluster. What is applied is applied by the server, which knows the owner of each field."""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from tradewind_platform.kubernetes.manifests import MANAGER
from tradewind_platform.reconciler.driver import StepFailed

Json = dict[str, Any]

_POD: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_PLURALS: Final = {
    "Namespace": "namespaces",
    "ConfigMap": "configmaps",
    "Secret": "secrets",
    "Service": "services",
    "ServiceAccount": "serviceaccounts",
    "ResourceQuota": "resourcequotas",
    "NetworkPolicy": "networkpolicies",
    "RoleBinding": "rolebindings",
    "HTTPRoute": "httproutes",
    "ReferenceGrant": "referencegrants",
    "Job": "jobs",
    "Deployment": "deployments",
    "Pod": "pods",
    "Cluster": "clusters",
    "Database": "databases",
    "DatabaseRole": "databaseroles",
}


@dataclass(frozen=True)
class Access:
    """Where the API server is, and who asks. The token's file is read anew for each request: Kubernetes renews it."""

    url: str
    ca_file: Path
    token_file: Path | None = None
    certificate: tuple[Path, Path] | None = field(default=None, repr=False)

    @classmethod
    def of_this_pod(cls) -> Access:
        """Raises StepFailed outside a pod."""
        try:
            host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
        except KeyError:
            raise StepFailed("this process runs in no pod of a Kubernetes cluster", final=True) from None
        host = f"[{host}]" if ":" in host else host
        return cls(f"https://{host}:{port}", _POD / "ca.crt", _POD / "token")


class KubernetesApi:
    """Each method raises StepFailed with the server's message, unless its docstring says otherwise."""

    def __init__(self, access: Access, *, transport: httpx.BaseTransport | None = None) -> None:
        self._access = access
        verify: ssl.SSLContext | bool = False
        if transport is None:
            verify = ssl.create_default_context(cafile=str(access.ca_file))
            if access.certificate is not None:
                verify.load_cert_chain(*access.certificate)
        self._client = httpx.Client(
            base_url=access.url, timeout=30, verify=verify, trust_env=False, transport=transport
        )

    def version(self) -> str:
        return str(self._must("GET", "/version").json()["gitVersion"])

    def apply(self, one: Json, namespace: str = "", *, dry_run: bool = False) -> Json:
        """Make it, or change it to this; fields that others have set stay theirs. Raises StepFailed for a conflict."""
        found = self._applied(path_of(one, namespace), json.dumps(one), dry_run=dry_run)
        return found

    def apply_text(self, path: str, yaml: str) -> Json:
        """The same for an object as YAML, at its path."""
        return self._applied(path, yaml)

    def create(self, one: Json, namespace: str = "") -> bool:
        """Whether it was made; False when there is one of that name."""
        path = path_of(one, namespace).rpartition("/")[0]
        answer = self._ask("POST", path, content=json.dumps(one), type="application/json")
        if answer.status_code == 409:
            return False
        _check(answer, f"create {one['kind']} {one['metadata']['name']}")
        return True

    def get(self, kind: str, name: str, namespace: str = "") -> Json | None:
        """None when there is none."""
        answer = self._ask("GET", _path(kind, name, namespace))
        if answer.status_code == 404:
            return None
        return dict(_check(answer, f"get {kind} {name}").json())

    def listed(self, kind: str, namespace: str, selector: str) -> list[Json]:
        path = _path(kind, "", namespace)
        found = self._must("GET", path, params={"labelSelector": selector}).json()
        return list(found["items"] or [])

    def metadata(self, kind: str, namespace: str, selector: str) -> list[Json]:
        """The same without what they contain: names and labels only."""
        accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
        path = _path(kind, "", namespace)
        answer = self._ask("GET", path, params={"labelSelector": selector}, accept=accept)
        return list(_check(answer, f"list {kind}").json()["items"] or [])  # null where there is none

    def delete(self, kind: str, name: str, namespace: str = "") -> None:
        """And what it owns. Nothing for what is not there."""
        answer = self._ask("DELETE", _path(kind, name, namespace), params={"propagationPolicy": "Background"})
        if answer.status_code != 404:
            _check(answer, f"delete {kind} {name}")

    def annotate(self, kind: str, name: str, namespace: str, annotations: Mapping[str, str]) -> None:
        """Nothing for what is not there."""
        self.change(kind, name, namespace, {"metadata": {"annotations": dict(annotations)}})

    def change(self, kind: str, name: str, namespace: str, changed: Json) -> bool:
        """Change these fields of what is there. Whether it is there."""
        answer = self._ask(
            "PATCH",
            _path(kind, name, namespace),
            content=json.dumps(changed),
            params={"fieldManager": MANAGER},
            type="application/merge-patch+json",
        )
        if answer.status_code == 404:
            return False
        _check(answer, f"change {kind} {name}")
        return True

    def log(self, pod: str, namespace: str, *, lines: int = 5) -> str:
        """The last lines of a pod; empty when it has none, or none can be read."""
        answer = self._ask("GET", _path("Pod", pod, namespace) + "/log", params={"tailLines": str(lines)})
        return answer.text.strip() if answer.is_success else ""

    def _applied(self, path: str, text: str, *, dry_run: bool = False) -> Json:
        params = {"fieldManager": MANAGER, **({"dryRun": "All"} if dry_run else {})}
        answer = self._ask("PATCH", path, content=text, params=params, type="application/apply-patch+yaml")
        return dict(_check(answer, f"apply {path.rpartition('/')[2]}").json())

    def _must(self, method: str, path: str, **more: Any) -> httpx.Response:
        return _check(self._ask(method, path, **more), f"{method} {path}")

    def _ask(
        self,
        method: str,
        path: str,
        *,
        content: str | None = None,
        params: Mapping[str, str] | None = None,
        type: str = "",
        accept: str = "application/json",
    ) -> httpx.Response:
        headers = {"Accept": accept, **({"Content-Type": type} if type else {})}
        if self._access.token_file is not None:
            token = self._access.token_file.read_text(encoding="utf-8").strip()
            headers["Authorization"] = f"Bearer {token}"
        try:
            return self._client.request(method, path, content=content, params=params, headers=headers)
        except httpx.HTTPError as error:
            raise StepFailed(f"the API server of Kubernetes does not answer: {type_of(error)}") from None


def path_of(one: Json, namespace: str) -> str:
    """Where the API server has an object."""
    version = str(one["apiVersion"])
    return _path(one["kind"], one["metadata"]["name"], namespace, version=version)


_VERSIONS: Final = {
    "NetworkPolicy": "networking.k8s.io/v1",
    "RoleBinding": "rbac.authorization.k8s.io/v1",
    "HTTPRoute": "gateway.networking.k8s.io/v1",
    "ReferenceGrant": "gateway.networking.k8s.io/v1beta1",
    "Job": "batch/v1",
    "Deployment": "apps/v1",
    "Cluster": "postgresql.cnpg.io/v1",
    "Database": "postgresql.cnpg.io/v1",
    "DatabaseRole": "postgresql.cnpg.io/v1",
}


def _path(kind: str, name: str, namespace: str, *, version: str | None = None) -> str:
    group = version or _VERSIONS.get(kind, "v1")
    start = f"/apis/{group}" if "/" in group else f"/api/{group}"
    within = f"/namespaces/{namespace}" if namespace else ""
    return f"{start}{within}/{_PLURALS[kind]}" + (f"/{name}" if name else "")


def type_of(error: Exception) -> str:
    return type(error).__name__


def _check(answer: httpx.Response, what: str) -> httpx.Response:
    if answer.is_success:
        return answer
    try:
        message = str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        message = f"status {answer.status_code}"
    raise StepFailed(f"Kubernetes refuses to {what}: {message[:1000]}")
