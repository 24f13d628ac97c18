"""A release of the agents' chart in the test's cluster, and its site at the plane."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support import cluster as clusters
from support import cluster_plane
from support.airflow_rest import AirflowRest
from support.charts import AGENT
from support.cluster import LAB, Cluster, wait

SHARED = clusters.CACHE / "shared"
DAGS = LAB.parent / "dags"
KEY = "k" * 40
EXAMPLES = "/opt/tasks/lib/python3.11/site-packages/airflow/example_dags"


@dataclass
class Site:
    """A release of the agents' chart in a namespace of its own."""

    cluster: Cluster
    rest: AirflowRest
    name: str
    values: dict[str, Any]

    def token(self, name: str, kind: str = "agent") -> str:
        body = {"name": f"{self.name}-{name}-{os.urandom(3).hex()}", "kind": kind, "site": self.name}
        answer = self.rest.http.post("/tradewind/v1/tokens", json=body)
        answer.raise_for_status()
        return str(answer.json()["token"])

    def prepare(self, profile: str = "restricted") -> None:
        """The namespace, with Secrets, the Dags, and a volume that all pods of the site share."""
        self.cluster.kubectl("delete", "namespace", self.name, "--ignore-not-found", "--wait=true")
        self.cluster.kubectl("delete", "pv", self.name, "--ignore-not-found")
        self.cluster.make_namespace(self.name, profile)
        self.cluster.make_secret(self.name, "site-token", token=self.token("agents"))
        self.cluster.make_secret(self.name, "sentinel-token", token=self.token("sentinel", kind="sentinel"))
        self.cluster.make_secret(self.name, "site-key", site_key=KEY)
        self.folder.mkdir(parents=True, exist_ok=True)
        for each in self.folder.glob("marks/*"):
            each.unlink()
        self.folder.chmod(0o777)
        size = {"storage": "1Gi"}
        self.cluster.apply(
            {
                "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": self.name},
                "spec": {"capacity": size, "accessModes": ["ReadWriteMany"], "storageClassName": "", "hostPath": {"path": str(self.folder)},
                         "claimRef": {"name": "shared", "namespace": self.name}},
            },
            {
                "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "shared", "namespace": self.name},
                "spec": {"accessModes": ["ReadWriteMany"], "storageClassName": "", "volumeName": self.name, "resources": {"requests": size}},
            },
            {
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "dags", "namespace": self.name},
                "data": {"dags.py": (DAGS / f"{self.name}.py").read_text()},
            },
        )  # fmt: skip

    def is_installed(self) -> bool:
        """Whether a test session before has left the release."""
        return '"deployed"' in self.cluster.helm("list", "-n", self.name, "-o", "json", check=False)

    @property
    def folder(self) -> Path:
        return SHARED / self.name

    def marks(self) -> list[list[str]]:
        """What tasks have written: a word, the run, the number, the pod."""
        path = self.folder / "marks/all"
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def has_marked(self, word: str, run: str) -> bool:
        """Whether a task of the run has written this word."""
        return any((said, of) == (word, run) for said, of, *_ in self.marks())

    def upgrade(self, changes: Mapping[str, Any] | None = None, *, wait_for_it: bool = True) -> None:
        """Install or upgrade, with more values over those before."""
        self.values = merged(self.values, changes or {})
        arguments = ["upgrade", "--install", self.name, str(AGENT), "-n", self.name]
        if wait_for_it:
            arguments += ["--wait", "--timeout", "600s"]
        self.cluster.helm(*arguments, values=self.values)

    def pods(self, part: str = "default") -> list[dict[str, Any]]:
        return self.cluster.pods(
            self.name, **{"tradewind.io/part": part, "app.kubernetes.io/instance": self.name}
        )

    def images(self, part: str = "default") -> set[str]:
        """Images of the pods that stay."""
        return {each["spec"]["containers"][0]["image"] for each in self.pods(part)}

    def installed_values(self) -> dict[str, Any]:
        """The values of the release as Helm has them."""
        return dict(json.loads(self.cluster.helm("get", "values", self.name, "-n", self.name, "-o", "json")))

    def cost_of(self, pod: Mapping[str, Any]) -> int:
        """How dear the sentinel says it is to end a pod."""
        now = self.cluster.get("pod", pod["metadata"]["name"], "-n", self.name)["metadata"]
        return int(now.get("annotations", {}).get("controller.kubernetes.io/pod-deletion-cost", 0))

    def finding(self, *checks: str, within: float) -> dict[str, Any]:
        """What the site's sentinel finds wrong by one of these checks, as the plane shows it, within so many seconds."""
        found: list[dict[str, Any]] = []

        def is_found() -> bool:
            asked = self.rest.http.get("/tradewind/v1/sentinels/findings", params={"site": self.name})
            found[:] = asked.raise_for_status().json()["items"]
            return any(each["check"] in checks for each in found)

        took = wait(is_found, timeout=within, what=lambda: f"{found}\n{self.cluster.about(self.name)}")
        assert took <= within, f"found after {took:.0f} s"
        one = next(each for each in found if each["check"] in checks)
        print(
            f"\n{one['check']} of {one['subject']} after {took:.0f} s: {one['cause']}; {one['evidence']}; {one['remedy']}"
        )
        return one

    def agents(self, *states: str) -> list[dict[str, Any]]:
        """Agents of this site as the plane knows them."""
        found = self.rest.http.get("/tradewind/v1/agents", params={"limit": 500}).json()["items"]
        return [
            each for each in found if each["site"] == self.name and (not states or each["state"] in states)
        ]

    def wait_healthy(self, count: int) -> float:
        return wait(
            lambda: len(self.agents("healthy")) == count,
            timeout=180,
            what=lambda: (
                f"{[(each['name'], each['state'], each.get('findings')) for each in self.agents()]}\n{self.cluster.about(self.name)}"
            ),
        )


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    made = dict(below)
    for key, value in above.items():
        made[key] = (
            merged(made[key], value)
            if isinstance(value, Mapping) and isinstance(made.get(key), Mapping)
            else value
        )
    return made


def values(site: str, **bundles: str) -> dict[str, Any]:
    """A small site: its Dags from a ConfigMap, its values in a folder that all its pods mount."""
    return {
        "planeUrl": cluster_plane.ADDRESS,
        "token": {"existingSecret": "site-token"},
        "siteKey": {"existingSecret": "site-key"},
        "storage": "/mnt/shared/values",
        "image": {"repository": "localhost/tradewind-site", "tag": "1"},
        "bundles": [
            {"name": name, "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle", "kwargs": {"path": path}}
            for name, path in {site: "/dags", **bundles}.items()
        ],
        "podDefaults": {
            "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "1200Mi"}},
            "terminationGracePeriodSeconds": 180,
            "volumes": [
                {"name": "dags", "configMap": {"name": "dags"}},
                {"name": "shared", "persistentVolumeClaim": {"claimName": "shared"}},
            ],
            "volumeMounts": [{"name": "dags", "mountPath": "/dags/dags.py", "subPath": "dags.py"}, {"name": "shared", "mountPath": "/mnt/shared"}],
        },
        "workers": {"default": {"queues": ["default"], "slots": 4, "kubernetesPods": True}},
        "triggerer": {"kubernetesPods": True},
        "sentinel": {"enabled": True, "existingSecret": "sentinel-token"},
        "networkPolicy": {
            "enabled": True,
            "extraEgress": [{"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "plane"}}}], "ports": [{"port": 8080}]}],
        },
    }  # fmt: skip
