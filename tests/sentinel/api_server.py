"""A real Kubernetes API server with its etcd and no node: tests write what a kubelet would."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

BINARIES = Path(os.environ.get("KUBERNETES_LAB_BIN", Path.home() / ".cache" / "kubernetes-lab" / "bin"))


def missing() -> str:
    """Why there can be no API server here; empty when there can be one."""
    if not (BINARIES / "kube-apiserver").exists():
        return f"no kube-apiserver in {BINARIES}: make test-kubernetes builds it"
    return "" if shutil.which("etcd") else "etcd is not installed (Debian: etcd-server)"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@dataclass
class ApiServer:
    """Where it is, and the administrator's client."""

    url: str
    ca_file: Path
    admin: httpx.Client

    def make(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self.admin.post(path, json=body)
        assert answer.status_code in (200, 201), answer.text
        return dict(answer.json())

    def namespace(self, name: str) -> Namespace:
        self.make("/api/v1/namespaces", {"metadata": {"name": name}})
        core = f"/api/v1/namespaces/{name}"
        for account in ("default", "sentinel"):
            self.make(f"{core}/serviceaccounts", {"metadata": {"name": account}})
        return Namespace(self, name)


@dataclass
class Namespace:
    """A namespace with the service account `sentinel`, which has no rights yet."""

    server: ApiServer
    name: str

    @property
    def core(self) -> str:
        return f"/api/v1/namespaces/{self.name}"

    def allow(self, *resources: str, verbs: tuple[str, ...] = ("get", "list", "watch")) -> None:
        """The rules of docs/how-to/sentinel.md, for these resources."""
        rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{self.name}"
        self.server.admin.delete(f"{rbac}/roles/sentinel")
        self.server.admin.delete(f"{rbac}/rolebindings/sentinel")
        rules = [{"apiGroups": [""], "resources": list(resources), "verbs": list(verbs)}]
        self.server.make(f"{rbac}/roles", {"metadata": {"name": "sentinel"}, "rules": rules})
        self.server.make(
            f"{rbac}/rolebindings",
            {
                "metadata": {"name": "sentinel"},
                "subjects": [{"kind": "ServiceAccount", "name": "sentinel", "namespace": self.name}],
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "sentinel"},
            },
        )

    def token(self) -> str:
        answer = self.server.make(
            f"{self.core}/serviceaccounts/sentinel/token",
            {
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenRequest",
                "spec": {"expirationSeconds": 600},
            },
        )
        return str(answer["status"]["token"])

    def pod(
        self, name: str, *, part: str = "default", labels: dict[str, str] | None = None
    ) -> dict[str, Any]:
        chart = {
            "app.kubernetes.io/name": "tradewind-agent",
            "app.kubernetes.io/instance": "lab",
            "app.kubernetes.io/component": "worker",
            "tradewind.io/part": part,
        }
        container = {
            "name": "agent",
            "image": "registry.example.com/site:1",
            "resources": {"limits": {"memory": "2Gi"}},
        }
        return self.server.make(
            f"{self.core}/pods",
            {
                "metadata": {"name": name, "labels": chart if labels is None else labels},
                "spec": {"containers": [container], "automountServiceAccountToken": False},
            },
        )

    def status(self, name: str, status: dict[str, Any]) -> None:
        """What a kubelet would write."""
        answer = self.server.admin.patch(
            f"{self.core}/pods/{name}/status",
            content=json.dumps({"status": status}),
            headers={"Content-Type": "application/strategic-merge-patch+json"},
        )
        assert answer.status_code == 200, answer.text

    def event(self, kind: str, name: str, uid: str, reason: str, message: str) -> None:
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        about = {"kind": kind, "name": name, "namespace": self.name, "uid": uid, "apiVersion": "v1"}
        self.server.make(
            f"{self.core}/events",
            {
                "metadata": {"generateName": f"{name}."},
                "involvedObject": about,
                "reason": reason,
                "message": message,
                "type": "Warning",
                "count": 2,
                "firstTimestamp": at,
                "lastTimestamp": at,
            },
        )

    def delete(self, name: str) -> None:
        answer = self.server.admin.delete(f"{self.core}/pods/{name}", params={"gracePeriodSeconds": "0"})
        assert answer.status_code == 200, answer.text


@contextmanager
def running(folder: Path) -> Iterator[ApiServer]:
    """From start to end; nothing is left."""
    with ExitStack() as stack:
        _certificates(folder)
        etcd, peer, port = free_port(), free_port(), free_port()
        _start(
            stack,
            folder / "etcd.log",
            "etcd",
            f"--data-dir={folder / 'etcd'}",
            f"--listen-client-urls=http://127.0.0.1:{etcd}",
            f"--advertise-client-urls=http://127.0.0.1:{etcd}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            "--unsafe-no-fsync",
        )
        _start(
            stack,
            folder / "apiserver.log",
            str(BINARIES / "kube-apiserver"),
            f"--etcd-servers=http://127.0.0.1:{etcd}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={port}",
            "--service-cluster-ip-range=10.96.0.0/16",
            f"--tls-cert-file={folder / 'server.crt'}",
            f"--tls-private-key-file={folder / 'server.key'}",
            f"--client-ca-file={folder / 'ca.crt'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={folder / 'sa.key'}",
            f"--service-account-signing-key-file={folder / 'sa.key'}",
            "--authorization-mode=RBAC",
            "--endpoint-reconciler-type=none",
        )
        tls = ssl.create_default_context(cafile=str(folder / "ca.crt"))
        tls.load_cert_chain(folder / "admin.crt", folder / "admin.key")
        url = f"https://127.0.0.1:{port}"
        admin = stack.enter_context(httpx.Client(base_url=url, verify=tls, timeout=30, trust_env=False))
        until = time.monotonic() + 120
        while True:
            try:
                if admin.get("/readyz").status_code == 200:
                    break
            except httpx.HTTPError:
                pass
            assert time.monotonic() < until, (folder / "apiserver.log").read_text()[-2000:]
            time.sleep(0.2)
        yield ApiServer(url, folder / "ca.crt", admin)


def _start(stack: ExitStack, log: Path, *command: str) -> None:
    process = subprocess.Popen(command, stdout=stack.enter_context(log.open("w")), stderr=subprocess.STDOUT)

    def end() -> None:
        process.kill()
        process.wait()

    stack.callback(end)


def _certificates(folder: Path) -> None:
    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *key, "-days", "2", "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=ca")
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "sa.key")
    for name, subject in (("server", "/CN=kube-apiserver"), ("admin", "/O=system:masters/CN=admin")):
        openssl("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", subject)
        (folder / f"{name}.ext").write_text(
            "extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=IP:127.0.0.1,DNS:localhost\n"
        )
        openssl(
            "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "2", "-out", f"{name}.crt", "-extfile", f"{name}.ext",
        )  # fmt: skip
