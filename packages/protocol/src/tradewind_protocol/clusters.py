"""What people ask of the platform about clusters, and what they are told."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from tradewind_protocol.messages import Message
from tradewind_protocol.platform import Ask, ClusterView, Name, Reference

HostName = Annotated[
    str, StringConstraints(max_length=180, pattern=r"^([a-z0-9-]+\.|\{id\}\.)*[a-z0-9-]+(:[0-9]{1,5})?$")
]
"""A DNS name, with `{id}` for the cluster's id, and a port where it is not the usual one."""


Region = Annotated[str, StringConstraints(max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""Where a cluster is, for people: eu-central-1, Frankfurt."""


class NewCluster(Ask):
    """Register a cluster whose controller connects to the platform."""

    name: Name
    driver: Literal["kubernetes", "local"] = "kubernetes"
    region: Region = ""
    agents_host: HostName
    """Agents reach the cluster here; each Deployment has a path of its own."""
    people_domain: HostName
    """People reach a Deployment at its slug below this name."""
    scheme: Literal["https", "http"] = "https"  # http: for trials on one machine
    workspaces: tuple[Reference, ...] = ()  # that may use it; none: all


class ChangeCluster(Ask):
    """Only the fields that are sent change."""

    name: Name = ""
    region: Region = ""
    workspaces: tuple[Reference, ...] = ()


class RotateClusterToken(Ask):
    """Ask for a new value. The one before is good for so many minutes more."""

    overlap_minutes: int = Field(default=60, ge=0, le=10080)


class ClusterCreated(ClusterView):
    """The only message that carries the cluster token: it is shown once."""

    token: str = Field(repr=False)


class ClusterTokenView(Message):
    """The token of a cluster's controller, without its value."""

    prefix: str = ""
    created_at: datetime | None = None  # None: there is none, or it was revoked
    last_used_at: datetime | None = None
    old_values_until: datetime | None = None


class ClusterTokenCreated(ClusterTokenView):
    """The only message that carries the new value: it is shown once."""

    cluster: UUID
    token: str = Field(repr=False)
