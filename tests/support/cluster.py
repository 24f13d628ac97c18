"""A real cluster of one node (tests/kubernetes/lab), and what a test does with it: kubectl, Helm, a way to a Service."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from support import postgresql
from support.installed import ROOT
from support.patience import stretched
from tradewind.embedded.processes import LocalProcess

LAB = ROOT / "tests/kubernetes/lab"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kubernetes-lab"
NODE = "node1"
NODE_IP = "192.168.77.1"
CONTAINERD = ("ctr", "-a", str(CACHE / "run/containerd.sock"), "-n", "k8s.io")


def unavailable() -> str:
    """Why no cluster can run here; empty when one can."""
    if os.geteuid() != 0:
        return "a cluster of this test needs root"
    lacking = [
        tool
        for tool in ("containerd", "runc", "etcd", "buildah", "nsenter", "socat")
        if shutil.which(tool) is None
    ]
    if lacking:
        return f"no {', '.join(lacking)} on this machine: `make kubernetes`"
    return "" if (CACHE / "bin/kube").exists() else "Kubernetes is not built: `make kubernetes`"


class Cluster:
    """Commands in the node's network namespace."""

    def __init__(self) -> None:
        self.env = {
            **os.environ,
            "PATH": f"{CACHE / 'bin'}:/usr/sbin:/sbin:{os.environ['PATH']}",
            "KUBECONFIG": str(CACHE / "run/pki/admin.conf"),
        }

    def start(self) -> None:
        subprocess.run([LAB / "up"], check=True)

    def stop(self) -> None:
        subprocess.run([LAB / "down", "--purge"], check=True)

    def load(self, image: str) -> None:
        """Give an image of buildah's to the node."""
        subprocess.run([LAB / "load", image], check=True)

    def database(self, program: str, *arguments: str) -> str:
        """Run a program of PostgreSQL's against the server beside the cluster."""
        return self.run(str(postgresql.binaries() / program), "-h", "127.0.0.1", "-U", "airflow", *arguments)

    def run(self, *command: str, stdin: str | None = None, check: bool = True) -> str:
        done = subprocess.run(
            ["nsenter", "--net=/run/netns/k8snode", *command],
            input=stdin, capture_output=True, text=True, env=self.env, check=False,
        )  # fmt: skip
        assert not check or done.returncode == 0, f"{' '.join(command)}: {done.stderr}{done.stdout}"
        return done.stdout if done.returncode == 0 else done.stdout + done.stderr

    def kubectl(self, *arguments: str, **more: Any) -> str:
        return self.run("kubectl", *arguments, **more)

    def helm(self, *arguments: str, values: Mapping[str, Any] | None = None, check: bool = True) -> str:
        given = ["--values", "-"] if values is not None else []
        return self.run(
            "helm", *arguments, *given, stdin=json.dumps(values) if values is not None else None, check=check
        )

    def apply(self, *objects: Mapping[str, Any] | str) -> None:
        for each in objects:
            self.kubectl("apply", "-f", "-", stdin=each if isinstance(each, str) else json.dumps(each))

    def get(self, *arguments: str) -> Any:
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def pods(self, namespace: str, **labels: str) -> list[dict[str, Any]]:
        """Pods that are not on their way out."""
        selector = ",".join(f"{name}={value}" for name, value in labels.items())
        found = self.get("pods", "-n", namespace, *(["-l", selector] if selector else []))["items"]
        return [each for each in found if "deletionTimestamp" not in each["metadata"]]

    def about(self, namespace: str) -> str:
        """What a person would look at, for a test that fails."""
        return "\n".join(
            self.kubectl(*arguments, "-n", namespace, check=False)[-6000:]
            for arguments in (
                ("get", "pods", "-o", "wide"),
                ("get", "events", "--sort-by=.lastTimestamp"),
                (
                    "logs",
                    "--selector=app.kubernetes.io/name=tradewind-agent",
                    "--tail=30",
                    "--prefix",
                    "--all-containers",
                ),
            )
        )

    def kill_container(self, pod: Mapping[str, Any]) -> None:
        """Kill every process of a pod's first container, as a machine does that loses it. One that is just started again is waited
        for."""
        place = ("pod", pod["metadata"]["name"], "--namespace", pod["metadata"]["namespace"])

        def killed() -> bool:
            found = self.get(*place)["status"]["containerStatuses"][0]["containerID"]
            container = found.removeprefix("containerd://")
            said = self.run(
                *CONTAINERD, "tasks", "kill", "--signal", "SIGKILL", "--all", container, check=False
            )
            assert not said or "no running task" in said, said
            return not said

        wait(killed, timeout=120, what=f"no container of {pod['metadata']['name']} runs")

    def make_namespace(self, name: str, profile: str = "restricted") -> None:
        """Of this Pod Security Standard, and with no traffic allowed."""
        self.apply(
            {
                "apiVersion": "v1", "kind": "Namespace",
                "metadata": {"name": name, "labels": {"pod-security.kubernetes.io/enforce": profile}},
            },
            {
                "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
                "metadata": {"name": "default-deny", "namespace": name},
                "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
            },
        )  # fmt: skip

    def make_secret(self, namespace: str, name: str, **entries: str) -> None:
        self.apply(
            {
                "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace},
                "stringData": {key.replace("_", "."): value for key, value in entries.items()},
            }
        )  # fmt: skip

    @contextmanager
    def way_to(self, namespace: str, service: str, port: int) -> Iterator[httpx.BaseTransport]:
        """A transport to a Service, whose address only the node's namespace has."""
        address = self.get("service", service, "-n", namespace)["spec"]["clusterIP"]
        with tempfile.TemporaryDirectory(prefix="tw-k-") as place:
            socket = Path(place) / "s"
            bridge = LocalProcess(
                f"way-to-{service}",
                ["nsenter", "--net=/run/netns/k8snode", "socat", f"UNIX-LISTEN:{socket},fork", f"TCP:{address}:{port}"],
                env=dict(os.environ), log=Path(place) / "log",
            )  # fmt: skip
            bridge.start()
            try:
                wait(socket.exists, timeout=10, what="the way to a Service")
                yield httpx.HTTPTransport(uds=str(socket), retries=3)
            finally:
                bridge.stop(grace=5)


def wait(condition: Callable[[], bool], *, timeout: float, what: Callable[[], str] | str) -> float:
    """As `eventually`, less often, since each question is a process. Returns the seconds it took."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > stretched(timeout):
            raise AssertionError(f"not within {timeout:g} s: {what() if callable(what) else what}")
        time.sleep(0.5)
    return time.monotonic() - began


def stays(condition: Callable[[], bool], *, seconds: float, what: Callable[[], str] | str) -> None:
    """Fail when the condition ends within so many seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert condition(), what() if callable(what) else what
        time.sleep(0.5)
