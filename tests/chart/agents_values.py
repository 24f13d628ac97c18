"""Values of the agents' chart: the least, everything, and alternatives of these."""

from __future__ import annotations

from typing import Any

from support import charts

LEAST: dict[str, Any] = {
    "planeUrl": "https://airflow.example.com/eu",
    "token": {"existingSecret": "site-token"},
    "siteKey": {"existingSecret": "site-key"},
    "storage": "s3://site@bucket/tradewind",
    "image": {"repository": "registry.example.com/etl", "tag": "7"},
}
GIT = {
    "name": "dags",
    "classpath": "airflow.providers.git.bundles.git.GitDagBundle",
    "kwargs": {"repo_url": "https://git.example.com/team/dags.git", "tracking_ref": "main"},
}
KEDA = {"scaler": {"existingSecret": "scaler"}}
EVERYTHING: dict[str, Any] = {
    "bundles": [GIT],
    "secretsBackend": {"class": "airflow.providers.hashicorp.secrets.vault.VaultBackend", "kwargs": {"url": "https://vault"}},
    "logs": {"remote": "s3://bucket/logs", "connection": "site", "container": "site", "uploadEvery": 60},
    "openLineage": {"url": "https://lineage", "namespace": "eu", "existingSecret": "lineage"},
    "traces": {"endpoint": "http://collector:4318", "existingSecret": "collector"},
    "ca": {"configMap": "company-ca", "alsoForTasks": True},
    "proxy": {"existingSecret": "company-proxy", "noProxy": ["10.0.0.0/8"]},
    "clientCertificate": {"existingSecret": "client"},
    "env": [{"name": "AWS_REGION", "value": "eu-1"}],
    "envFrom": [{"secretRef": {"name": "more"}}],
    "image": {**LEAST["image"], "digest": "sha256:" + "0" * 64, "pullSecrets": [{"name": "pull"}]},
    "podDefaults": {
        "hostAliases": [{"ip": "10.20.0.5", "hostnames": ["airflow.example.com"]}],
        "priorityClassName": "batch",
        "volumes": [{"name": "x", "emptyDir": {}}],
        "volumeMounts": [{"name": "x", "mountPath": "/x"}],
        "initContainers": [],
        "tolerations": [{"key": "spot", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "podLabels": {"team": "data"},
        "safeToEvict": False,
    },
    "workers": {
        "default": {"queues": ["default"], "replicas": 3, "kubernetesPods": True},
        "gpu": {"queues": ["gpu", "train"], "slots": 2, "autoscaling": {"type": "keda", "max": 8}},
        "big": {"queues": ["big"], "state": {"type": "ephemeral"}, "autoscaling": {"type": "hpa", "min": 1, "metrics": [{"type": "External", "external": {"metric": {"name": "m"}, "target": {"type": "Value", "value": "1"}}}]}},
        "kept": {"queues": ["kept"], "state": {"type": "claim", "size": "5Gi", "storageClass": "fast"}},
    },
    "dagProcessor": {"replicas": 2},
    "triggerer": {"replicas": 2, "kubernetesPods": True},
    "sentinel": {"enabled": True, "existingSecret": "sentinel"},
    "metrics": {
        "podMonitor": {"enabled": True},
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "prometheusRule": {"enabled": True, "rules": [{"alert": "Mine", "expr": "1"}]},
        "dashboard": {"enabled": True},
    },
    "networkPolicy": {"enabled": True, "planeCidrs": ["10.20.0.5/32"], "extraEgress": [{"to": [{"ipBlock": {"cidr": "10.9.0.0/16"}}]}]},
    "logShipper": {"enabled": True, "image": "registry.example.com/shipper:1", "files": {"shipper.conf": "a\n"}},
    "extraObjects": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-extra"}}],
    **KEDA,
}  # fmt: skip


def rendered(*values: dict[str, Any], **options: Any) -> charts.Rendered:
    whole = dict(LEAST)
    for each in values:
        whole |= each
    return charts.render(charts.AGENT, whole, **options)


def part(made: charts.Rendered, name: str) -> dict[str, Any]:
    return made.workloads()[f"site-tradewind-agent-{name}"]


ALTERNATIVES = {
    "least": {},
    "everything": EVERYTHING,
    "standalone": {"standalone": {"enabled": True}},
    "two of one": {"workers": {"default": {"queues": ["default"], "replicas": 2}}},
    "a proxy in the open": {"proxy": {"url": "http://proxy:3128", "alsoForTasks": False}},
    "no dag processor": {"dagProcessor": {"enabled": False}, "triggerer": {"enabled": False}},
    "own account": {"podDefaults": {"serviceAccount": {"create": False, "name": "mine"}}},
    "the sentinel relays": {"sentinel": {"enabled": True, "existingSecret": "s"}, "workers": {"gpu": {"autoscaling": {"type": "keda", "source": "sentinel"}}}},
    "environments": {"workers": {"default": {"queues": None, "environments": [{"name": "ml", "queues": ["gpu"], "slots": 2}]}}},
}  # fmt: skip
