"""What the Kubernetes driver is made of. The controller's chart writes it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Image(_Part):
    """The plane's image, as the chart of a plane takes it."""

    repository: str
    tag: str = ""
    digest: str = ""
    pullPolicy: str = "IfNotPresent"
    pullSecrets: tuple[dict[str, str], ...] = ()

    @property
    def named(self) -> str:
        return f"{self.repository}@{self.digest}" if self.digest else f"{self.repository}:{self.tag}"


class GatewayRoutes(_Part):
    """What serves agents and people. `caddy`: the gateway of the controller's chart, by a ConfigMap. `httpRoute`: a
    gateway of Gateway API that the cluster has, by routes in the namespace of each Deployment; that of the chart answers
    for closed Deployments."""

    kind: Literal["caddy", "httpRoute"] = "caddy"
    config_map: str = "tradewind-gateway"  # what the gateway of the chart serves
    configuration: str = ""  # of that gateway, without the Deployments: TOML
    pod_labels: dict[str, str] = Field(default_factory=dict)  # of that gateway's pods
    pod_port: int = 8443  # where these serve agents; with httpRoute in plain HTTP
    closed_service: str = "tradewind-gateway"  # of httpRoute: the Service of that gateway, at port 80
    address: str = ""  # where the controller asks the gateway; empty: at the agents' address
    parent_refs: tuple[dict[str, Any], ...] = ()
    agents_parent_refs: tuple[dict[str, Any], ...] = ()  # empty: those of people


class Network(_Part):
    """What pods of a Deployment reach, and what reaches them. Everything else is denied."""

    ingress_from: tuple[dict[str, Any], ...] = ()  # besides the controller's namespace
    database_cidrs: tuple[str, ...] = ()
    database_port: int = 5432
    dns: dict[str, str] = Field(default_factory=lambda: {"kubernetes.io/metadata.name": "kube-system"})
    extra_egress: tuple[dict[str, Any], ...] = ()  # the platform, an identity provider, a bucket of logs


class CloudNativePG(_Part):
    """A Cluster of CloudNativePG. Its operator makes and drops the roles and databases of Deployments there."""

    namespace: str
    cluster: str


class Size(_Part):
    """What pods of a Deployment have, as the plane's chart takes it: replicas, workers, resources, autoscaling."""

    apiServer: dict[str, Any] = Field(default_factory=dict)
    scheduler: dict[str, Any] = Field(default_factory=dict)


SizeName = Annotated[str, StringConstraints(max_length=30, pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]


class KubernetesSettings(_Part):
    """A cluster. Databases are on the PostgreSQL of the URL, or made by CloudNativePG. `namespaces`: those that are there for Deployments; empty: the controller makes one for each."""

    image: Image
    version: str = ""  # of Airflow in it; empty: it is taken for every version that has no image of its own
    versions: dict[str, Image] = Field(default_factory=dict)  # images by their version of Airflow
    own_namespace: str
    platform_url: str
    database_url_file: Path | None = None  # of a role that may create roles and databases
    cloud_native_pg: CloudNativePG | None = None
    platform_ca_file: Path | None = None
    chart: Path = Path("/opt/charts/tradewind-plane")
    helm: str = "helm"
    namespace_prefix: str = "tradewind-"
    namespaces: tuple[str, ...] = ()
    role: str = (
        "tradewind-controller-deployments"  # the ClusterRole of the controller in a Deployment's namespace
    )
    service_account: str = "tradewind-controller"
    gateway: GatewayRoutes = GatewayRoutes()
    network: Network = Network()
    quota: dict[str, str] = Field(default_factory=dict)
    values: dict[str, Any] = Field(default_factory=dict)  # more values of the plane's chart
    sizes: dict[SizeName, Size] = Field(
        default_factory=dict
    )  # that Deployments may have, instead of what `values` says
    backups: Path | None = None  # where the controller keeps backups; None: it can make none
    probe_seconds: float = 600
    migration_seconds: float = 3600
    helm_seconds: float = 300

    @model_validator(mode="after")
    def _routes_have_parents(self) -> KubernetesSettings:
        if self.gateway.kind == "httpRoute" and not self.gateway.parent_refs:
            raise ValueError("gateway.parent_refs is empty: name the Gateway that serves people and agents")
        if (self.database_url_file is None) is (self.cloud_native_pg is None):
            raise ValueError(
                "name one of database_url_file and cloud_native_pg: where databases of Deployments are"
            )
        return self


def read(file: Path) -> KubernetesSettings:
    """Raises ValueError with the names of what is wrong, and no value."""
    try:
        return KubernetesSettings.model_validate_json(file.read_text(encoding="utf-8"))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise ValueError(f"{file}: {wrong}") from None
