"""What a Deployment has in its namespace beside the release: pure functions of its document and the settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from tradewind_platform.kubernetes.settings import KubernetesSettings
from tradewind_platform.reconciler.driver import Document

Json = dict[str, Any]

LABEL: Final = "tradewind.io/deployment"
MANAGER: Final = "tradewind-controller"
RECORD: Final = "tradewind-deployment"
"""The ConfigMap that says whose a namespace is, and which revision of the release was applied."""
CORDONED: Final = "tradewind-cordoned"
"""The ConfigMap with the agents that were cordoned so that the Deployment can hibernate."""
ACCOUNT: Final = "tradewind-plane"
DATABASE: Final = "tradewind-database"
KEYS: Final = "tradewind-keys"
PLATFORM: Final = "tradewind-platform"
"""The Secret with the credential by which the platform knows the Deployment."""
CREDENTIAL: Final = "platform_credential"
ENVIRONMENT: Final = "tradewind-environment"
"""The Secret with the variables and the options that people have set."""
_RESTRICTED: Final = {
    f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")
}


def labels(document: Document) -> dict[str, str]:
    return {LABEL: document.slug, "app.kubernetes.io/managed-by": MANAGER}


def namespace(document: Document, name: str) -> Json:
    """Pods that do not pass the profile `restricted` are refused in it."""
    return _object("v1", "Namespace", name, {**labels(document), **_RESTRICTED})


def role_binding(document: Document, settings: KubernetesSettings) -> Json:
    """The controller's rights in the namespace of a Deployment, and nowhere else."""
    return {
        **_object("rbac.authorization.k8s.io/v1", "RoleBinding", MANAGER, labels(document)),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": settings.role},
        "subjects": [
            {
                "kind": "ServiceAccount",
                "name": settings.service_account,
                "namespace": settings.own_namespace,
            }
        ],
    }


def record(document: Document, data: Mapping[str, str]) -> Json:
    return {
        **_object("v1", "ConfigMap", RECORD, labels(document)),
        "data": {"slug": document.slug, **data},
    }


def cordoned(document: Document, data: Mapping[str, str]) -> Json:
    return {**_object("v1", "ConfigMap", CORDONED, labels(document)), "data": dict(data)}


def beside(document: Document, settings: KubernetesSettings, database_url: str) -> list[Json]:
    """Everything but the release: made before it, and kept when it is uninstalled."""
    found = [
        {
            **_object("v1", "ServiceAccount", ACCOUNT, labels(document)),
            "automountServiceAccountToken": False,
        },
        _secret(DATABASE, document, {"connection": database_url}),
        _secret(
            KEYS,
            document,
            {
                "fernet-key": document.secrets["fernet"],
                "jwt-secret": document.secrets["jwt"],
                "api-secret-key": document.secrets["api"],
            },
        ),
        _secret(ENVIRONMENT, document, environment(document)),
        _denied(document),
        _allowed(document, settings),
    ]
    if CREDENTIAL in document.secrets:
        data = {"credential": document.secrets[CREDENTIAL]}
        if settings.platform_ca_file is not None:
            data["ca.crt"] = settings.platform_ca_file.read_text(encoding="utf-8")
        found.append(_secret(PLATFORM, document, data))
    if settings.quota:
        quota = _object("v1", "ResourceQuota", "tradewind", labels(document))
        found.append({**quota, "spec": {"hard": dict(settings.quota)}})
    return found


def environment(document: Document) -> dict[str, str]:
    """What people have set. What the platform sets is in the pod itself, which is stronger."""
    options = {
        f"AIRFLOW__{section.upper().replace('.', '_')}__{name.upper()}": value
        for section, named in document.configuration.items()
        for name, value in named.items()
    }
    return {**options, **document.environment}


def grant(document: Document, settings: KubernetesSettings, namespace: str) -> Json:
    """In the controller's own namespace: the routes of a Deployment may lead to what answers while it is closed."""
    made = _object(
        "gateway.networking.k8s.io/v1beta1", "ReferenceGrant", f"{document.slug}-closed", labels(document)
    )
    route = {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": namespace}
    service = {"group": "", "kind": "Service", "name": settings.gateway.closed_service}
    return {**made, "spec": {"from": [route], "to": [service]}}


def routes(document: Document, settings: KubernetesSettings, *, closed: bool = False) -> list[Json]:
    """Routes of Gateway API: agents by the path of the Deployment, people by its name. The longer of two paths wins, so
    that people's name serves nothing of agents' and tasks' APIs but the gateway's refusal of a route without a backend.
    `closed`: both lead, with their paths as they are, to the Service that says why."""
    agents, people = urlsplit(document.agent_url), urlsplit(document.people_url)
    gateway = settings.gateway
    backend: list[Json] = [{"name": document.slug, "port": 80}]
    prefix = "/remote-execution"
    path = {"type": "ReplacePrefixMatch", "replacePrefixMatch": prefix}
    rewritten: Json = {"filters": [{"type": "URLRewrite", "urlRewrite": {"path": path}}]}
    if closed:
        backend = [{"name": gateway.closed_service, "namespace": settings.own_namespace, "port": 80}]
        rewritten = {}
    ways = {"request": "75s", "backendRequest": "75s"}
    return [
        {
            **_object(
                "gateway.networking.k8s.io/v1", "HTTPRoute", f"{document.slug}-agents", labels(document)
            ),
            "spec": {
                "parentRefs": list(gateway.agents_parent_refs or gateway.parent_refs),
                "hostnames": [agents.hostname],
                "rules": [
                    {
                        "matches": [{"path": {"type": "PathPrefix", "value": agents.path + prefix}}],
                        **rewritten,
                        "timeouts": ways,
                        "backendRefs": backend,
                    }
                ],
            },
        },
        {
            **_object(
                "gateway.networking.k8s.io/v1", "HTTPRoute", f"{document.slug}-people", labels(document)
            ),
            "spec": {
                "parentRefs": list(gateway.parent_refs),
                "hostnames": [people.hostname],
                "rules": [
                    {
                        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                        "timeouts": ways,
                        "backendRefs": backend,
                    },
                    {
                        "matches": [
                            {"path": {"type": "PathPrefix", "value": path}} for path in (prefix, "/execution")
                        ]
                    },
                ],
            },
        },
    ]


def _denied(document: Document) -> Json:
    return {
        **_object("networking.k8s.io/v1", "NetworkPolicy", "tradewind-denied", labels(document)),
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
    }


def _allowed(document: Document, settings: KubernetesSettings) -> Json:
    network = settings.network
    own = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": settings.own_namespace}}}
    return {
        **_object("networking.k8s.io/v1", "NetworkPolicy", "tradewind-allowed", labels(document)),
        "spec": {
            "podSelector": {},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"ports": [{"port": 8080, "protocol": "TCP"}], "from": [own, *network.ingress_from]}],
            "egress": [
                {
                    "ports": [{"port": network.database_port, "protocol": "TCP"}],
                    "to": databases(settings),
                },
                {
                    "ports": [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")],
                    "to": [{"namespaceSelector": {"matchLabels": dict(network.dns)}}],
                },
                *network.extra_egress,
            ],
        },
    }


def databases(settings: KubernetesSettings) -> list[Json]:
    """Where the PostgreSQL of Deployments is, for a NetworkPolicy."""
    if (made := settings.cloud_native_pg) is not None:
        namespace = {"matchLabels": {"kubernetes.io/metadata.name": made.namespace}}
        return [
            {
                "namespaceSelector": namespace,
                "podSelector": {"matchLabels": {"cnpg.io/cluster": made.cluster}},
            }
        ]
    return [{"ipBlock": {"cidr": one}} for one in settings.network.database_cidrs or ("0.0.0.0/0", "::/0")]


def _secret(name: str, document: Document, data: Mapping[str, str]) -> Json:
    return {
        **_object("v1", "Secret", name, labels(document)),
        "type": "Opaque",
        "stringData": dict(data),
    }


def _object(version: str, kind: str, name: str, labelled: Mapping[str, str]) -> Json:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "labels": dict(labelled)}}
