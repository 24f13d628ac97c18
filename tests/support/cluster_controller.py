"""The controller of a test's cluster, from its chart, for a platform beside that."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.charts import CONTROLLER
from support.cluster import NODE_IP, Cluster, wait
from support.cluster_platform import ClusterPlatform

NAMESPACE = "tradewind"
SMALL = {"requests": {"cpu": "50m", "memory": "256Mi"}}
OLD, NEW = "3.3.0", "3.3.2"
_SIZE = {"storage": "1Gi"}
_VOLUME = {"accessModes": ["ReadWriteOnce"], "storageClassName": ""}


def install(
    platform: ClusterPlatform,
    name: str,
    *,
    namespace: str = NAMESPACE,
    aliases: Mapping[str, str] | None = None,
    values: Mapping[str, Any],
) -> None:
    """In a namespace that is there, of a cluster that was added. Returns when it is connected. `values`: more of the chart; `aliases`: the
    addresses of more host names for its pods. The release is named for the namespace."""
    platform.namespaces.append(namespace)
    cluster, slug = platform.cluster, platform.slug(name)
    certificate, key = platform.authority.certificate(f"{slug}.external.test", f"*.{slug}.apps.test")
    cluster.make_secret(namespace, "database", url=f"postgresql://airflow@{NODE_IP}:5432/postgres")
    cluster.make_secret(namespace, "token", token=platform.cluster_token(name))
    cluster.make_secret(namespace, "authority", ca_crt=platform.authority.file.read_text())
    cluster.kubectl(
        *("-n", namespace, "create", "secret", "tls", "gateway-tls", f"--cert={certificate}", f"--key={key}")
    )
    names = [{"ip": NODE_IP, "hostnames": ["platform.test"]}]
    more = [{"ip": address, "hostnames": [host]} for host, address in (aliases or {}).items()]
    hosts = {"agentsHost": f"{slug}.external.test", "peopleDomain": f"{slug}.apps.test"}
    cluster.helm(
        *("upgrade", "--install", f"{namespace}-controller", str(CONTROLLER), "-n", namespace),
        values={
            "image": {"repository": "localhost/tradewind-controller", "tag": "1"},
            "platform": {"url": platform.url, "existingSecret": "token", "caSecret": "authority"},
            "plane": {
                "image": {"repository": "localhost/tradewind-plane", "tag": "1"},
                "version": NEW,
                "versions": {OLD: {"repository": "localhost/tradewind-plane-oldest", "tag": "1"}},
                "values": {
                    "apiServer": {"replicas": 1, "resources": SMALL},
                    "scheduler": {"replicas": 1, "resources": SMALL},
                    "migration": {"resources": SMALL},
                    "pods": {"hostAliases": names},
                },
            },
            "database": {"existingSecret": "database", "cidrs": [f"{NODE_IP}/32"]},
            "extraEgress": [
                {"ports": [{"port": 8700, "protocol": "TCP"}], "to": [{"ipBlock": {"cidr": f"{NODE_IP}/32"}}]}
            ],
            "pods": {"hostAliases": [*names, *more]},
            **values,
            "gateway": {**hosts, **values["gateway"]},
        },
    )
    wait(
        lambda: platform.json("clusters", "get", name)["controller"]["state"] == "connected",
        timeout=180,
        what=lambda: cluster.about(namespace),
    )


def make_volume(cluster: Cluster, folder: Path, *, namespace: str = NAMESPACE) -> None:
    """The claim `backups` of the controller's namespace, on the node's disk."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o770)  # of root's group, as the controller's user is
    give_volume(cluster, folder, namespace, "backups")
    claim = {"name": "backups", "namespace": namespace}
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": claim,
            "spec": {**_VOLUME, "volumeName": f"{namespace}-backups", "resources": {"requests": _SIZE}},
        },
    )


def give_volume(cluster: Cluster, folder: Path, namespace: str, claim: str) -> None:
    """A volume of the node's disk for a claim that is made later: the lab has nothing that makes one."""
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": f"{namespace}-{claim}"},
            "spec": {
                **_VOLUME,
                "capacity": _SIZE,
                "hostPath": {"path": str(folder)},
                "claimRef": {"name": claim, "namespace": namespace},
            },
        },
    )
