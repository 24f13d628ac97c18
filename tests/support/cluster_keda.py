"""KEDA in the test's cluster: its operator where `make keda` has built it, or a loop that makes its requests and does its arithmetic."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx

from support import cluster as clusters
from support.cluster import LAB, Cluster

CRDS = [
    {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": f"{kind.lower()}s.keda.sh"},
        "spec": {
            "group": "keda.sh", "scope": "Namespaced",
            "names": {"kind": kind, "plural": f"{kind.lower()}s", "singular": kind.lower(), "listKind": f"{kind}List"},
            "versions": [{"name": "v1alpha1", "served": True, "storage": True,
                          "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}],
        },
    }
    for kind in ("ScaledObject", "TriggerAuthentication")
]  # fmt: skip


def is_built() -> bool:
    return (clusters.CACHE / "bin/keda-adapter").exists()


def install(cluster: Cluster) -> None:
    """The operator, its metrics server and its kinds; without the operator its kinds alone."""
    if is_built():
        cluster.run(str(LAB / "keda"))
        return
    cluster.apply(*CRDS)
    cluster.kubectl(
        "wait", "--for=condition=Established", "--timeout=60s",
        *(f"crd/{each['metadata']['name']}" for each in CRDS),
    )  # fmt: skip


@contextmanager
def scaling(cluster: Cluster, namespace: str, name: str) -> Iterator[None]:
    """A ScaledObject is acted on inside the context."""
    if is_built():
        yield
        return
    stop = threading.Event()
    loop = threading.Thread(target=_replay, args=(cluster, namespace, name, stop), name="KEDA's requests")
    loop.start()
    try:
        yield
    finally:
        stop.set()
        loop.join()


def _replay(cluster: Cluster, namespace: str, name: str, stop: threading.Event) -> None:
    """What KEDA 2.21 does with one `metrics-api` trigger: pkg/scalers/metrics_api_scaler.go, pkg/scaling/executor."""
    spec = cluster.get("scaledobject", name, "-n", namespace)["spec"]
    (trigger,) = spec["triggers"]
    known = trigger["metadata"]
    deployment = f"deployment/{name}"
    active_at = 0.0
    asked = urlsplit(known["url"])  # name.namespace.svc
    assert asked.hostname and asked.port
    service, inside, *_ = asked.hostname.split(".")
    headers = _headers(cluster, namespace, trigger)
    with (
        cluster.way_to(inside, service, asked.port) as way,
        httpx.Client(transport=way, timeout=3) as keda,
    ):
        while not stop.wait(float(spec["pollingInterval"])):
            # After an error KEDA holds what runs, and makes its scaler anew, with what the Secret holds now.
            try:
                answer = keda.get(known["url"], headers=headers).raise_for_status()
            except httpx.HTTPError as refused:
                print(f"\n{known['url']}: {refused!r}")
                headers = _headers(cluster, namespace, trigger)
                continue
            work = answer.json()[known["valueLocation"]]
            now = int(cluster.kubectl("-n", namespace, "get", deployment, "-o", "jsonpath={.spec.replicas}"))
            wanted = now
            if work > 0:
                active_at = time.monotonic()
                wanted = min(max(1, math.ceil(work / float(known["targetValue"]))), spec["maxReplicaCount"])
            elif now > spec["minReplicaCount"] and time.monotonic() - active_at > spec["cooldownPeriod"]:
                wanted = spec["minReplicaCount"]
            if wanted != now:
                cluster.kubectl("-n", namespace, "scale", deployment, f"--replicas={wanted}")


def _headers(cluster: Cluster, namespace: str, trigger: dict[str, Any]) -> dict[str, str]:
    """Those of its requests, with the token that the Secret holds now."""
    if trigger["metadata"].get("authMode") != "bearer":
        return {}
    name = trigger["authenticationRef"]["name"]
    (reference,) = cluster.get("triggerauthentication", name, "-n", namespace)["spec"]["secretTargetRef"]
    template = f'go-template={{{{index .data "{reference["key"]}" | base64decode}}}}'
    token = cluster.kubectl("-n", namespace, "get", "secret", reference["name"], "-o", template)
    return {"Authorization": f"Bearer {token}"}
