"""The values of the plane's chart for a Deployment. They have no secret: those are in Secrets that they name."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final
from urllib.parse import urlsplit

from tradewind_platform.domain.deploys import code_of
from tradewind_platform.kubernetes import manifests
from tradewind_platform.kubernetes.settings import Image, KubernetesSettings
from tradewind_platform.reconciler.driver import Document, StepFailed


class Running(str, Enum):
    """Which pods a release has."""

    ALL = "all"
    API_SERVER = "api-server"
    NONE = "none"


_STOPPED: Final[Mapping[Running, Mapping[str, Any]]] = {
    Running.ALL: {},
    Running.API_SERVER: {"scheduler": {"replicas": 0}},
    Running.NONE: {
        "apiServer": {"replicas": 0, "autoscaling": {"enabled": False}},
        "scheduler": {"replicas": 0},
    },
}
_USUAL: Final = {"migration": {"backoffLimit": 1}}
"""The reconciler tries a migration that has failed again, and an upgrade shall not wait long for one that cannot succeed."""


def values(
    document: Document, settings: KubernetesSettings, running: Running = Running.ALL
) -> dict[str, Any]:
    """What the platform decides wins over the cluster's own values."""
    agents = urlsplit(document.agent_url).hostname or ""
    ours: dict[str, Any] = {
        "fullnameOverride": document.slug,
        "image": image_of(document, settings).model_dump(mode="json"),
        "publicUrl": document.people_url,
        "agentHosts": [] if agents.replace(".", "").isdecimal() else [agents],
        "database": {"existingSecret": manifests.DATABASE, "key": "connection"},
        "keys": {"existingSecret": manifests.KEYS},
        "serviceAccount": {"create": False, "name": manifests.ACCOUNT},
        # The driver migrates before the release changes, with a Job that it watches.
        "migration": {"enabled": False},
        # The driver's own policy is there before the first pod is, and is for the migration's, too.
        "networkPolicy": {"enabled": False},
        "settings": {
            "deployment": document.name,
            "agent_url": document.agent_url,
            "policy": document.spec["policy"],
        },
        "config": {
            "api": {"instance_name": document.name},
            "api_auth": {"jwt_audience": f"urn:tradewind:{document.id}"},
        },
        "envFrom": [{"secretRef": {"name": manifests.ENVIRONMENT}}],
        "pods": {"podAnnotations": {"tradewind.io/environment": _mark(document)}},
        "commonLabels": {manifests.LABEL: document.slug},
    }
    cluster = _merged(_merged(_USUAL, settings.values), _of_its_size(document, settings))
    found = _merged(cluster, _merged(ours, _STOPPED[running]))
    if manifests.CREDENTIAL in document.secrets:
        return _of_the_platform(found, document, settings)
    return _merged(found, {"auth": {"manager": _SIMPLE}})


def _of_its_size(document: Document, settings: KubernetesSettings) -> Mapping[str, Any]:
    """Raises StepFailed for a size that the cluster no longer has."""
    size = str(document.spec.get("size") or "")
    if not size:
        return {}
    if size not in settings.sizes:
        raise StepFailed(
            f"this cluster has no size {size!r}; it has: {', '.join(settings.sizes) or 'none'} (`plane.sizes` of the controller's chart)",
            final=True,
        )
    return {part: values for part, values in settings.sizes[size].model_dump().items() if values}


_SIMPLE: Final = "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"
_MANAGER: Final = "tradewind_provider.auth_manager.manager.TradewindAuthManager"
_MOUNTED: Final = "/run/secrets/tradewind"


def image_of(document: Document, settings: KubernetesSettings) -> Image:
    """The one that was deployed to it, else one with the version that the document asks for. Raises StepFailed."""
    if deployed := code_of(document.spec).image:
        repository, _, digest = deployed.rpartition("@")
        usual = settings.image
        return Image(
            repository=repository, digest=digest, pullPolicy=usual.pullPolicy, pullSecrets=usual.pullSecrets
        )
    version = str(document.spec.get("version") or "")
    if version in settings.versions:
        return settings.versions[version]
    if settings.version in ("", version) or not version:
        return settings.image
    raise StepFailed(
        f"this cluster has no image with Airflow {version}; name one in `plane.versions` of the controller's chart",
        final=True,
    )


def _mark(document: Document) -> str:
    """Changes with the environment, so that pods are replaced; says nothing of what is in it."""
    text = json.dumps(manifests.environment(document), sort_keys=True)
    return hmac.new(document.secrets["jwt"].encode(), text.encode(), "sha256").hexdigest()[:32]


def _of_the_platform(
    found: Mapping[str, Any], document: Document, settings: KubernetesSettings
) -> dict[str, Any]:
    """People sign in by the platform, and its credential is a file."""
    pods = found.get("pods", {})
    volume = {"name": "platform", "secret": {"secretName": manifests.PLATFORM}}
    mount = {"name": "platform", "mountPath": _MOUNTED, "readOnly": True}
    link = {
        "managed_by": "platform",
        "platform_url": settings.platform_url,
        "deployment_id": str(document.id),
        "platform_credential_file": f"{_MOUNTED}/credential",
    }
    if settings.platform_ca_file is not None:
        link["platform_ca_file"] = f"{_MOUNTED}/ca.crt"
    return _merged(
        found,
        {
            "auth": {"manager": _MANAGER},
            "settings": link,
            "pods": {
                "volumes": [*pods.get("volumes", []), volume],
                "volumeMounts": [*pods.get("volumeMounts", []), mount],
            },
        },
    )


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(under)
    for key, value in over.items():
        below = found.get(key)
        found[key] = (
            _merged(below, value) if isinstance(value, Mapping) and isinstance(below, Mapping) else value
        )
    return found
