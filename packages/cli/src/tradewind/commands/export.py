"""`tradewind export`: a platform as data, for Terraform and for a look at what has changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeVar
from uuid import UUID

import click

from tradewind.client.platform_client import PlatformClient
from tradewind.commands.session import Session, pass_session
from tradewind.errors import Refused
from tradewind_protocol import operator, people, platform
from tradewind_protocol.errors import Code
from tradewind_protocol.messages import Message

FORMAT: Final = 1
"""Grows when a field changes its meaning. New fields do not count."""
_PAGE: Final = 1000
_GONE: Final = frozenset({"deleted", "purging", "purged", "purge_failed"})

_M = TypeVar("_M", bound=Message)


@click.command()
@pass_session
def export(session: Session) -> None:
    """Print the platform as JSON: clusters, workspaces, Deployments, teams, custom roles, role bindings and layers of configuration.

    Names stand for things, in a fixed order: two exports of the same platform are the same text. No
    secret is in it: of a secret environment variable, only the name. What the token may not read is left out.
    """
    with session.platform() as client:
        made = exported(client)
    click.echo(json.dumps(made, indent=2, sort_keys=True))


def exported(client: PlatformClient) -> dict[str, Any]:
    """The platform as the caller sees it. Nothing in it changes while the platform stays as it is."""
    me = client.me()
    workspaces = _all(client.workspaces)
    clusters = _all(client.clusters)
    deployments = [one for one in _all(client.deployments) if one.phase not in _GONE]
    scopes = (
        *(("cluster", one.name) for one in clusters),
        *(("workspace", one.name) for one in workspaces),
        *(("deployment", one.name) for one in deployments),
    )
    return {
        "format": FORMAT,
        "organization": {"name": me.organization, "id": str(me.organization_id)},
        "clusters": _by_name(_cluster(one, workspaces) for one in clusters),
        "workspaces": _by_name(_workspace(one) for one in workspaces),
        "deployments": _by_name(_deployment(client, one) for one in deployments),
        "teams": _by_name(_team(one) for one in _all(client.teams)),
        "roles": _by_name(_role(one, workspaces) for one in client.roles().roles if one.custom),
        "role_bindings": _role_bindings(_all(client.role_bindings)),
        "layers": {
            f"{kind}/{name}": layer for kind, name in sorted(scopes) if (layer := _layer(client, kind, name))
        },
    }


def _all(list_: Callable[..., operator.Page[_M]]) -> list[_M]:
    """Every page of a list; empty for one that the caller may not read."""
    found: list[_M] = []
    while True:
        try:
            page = list_(limit=_PAGE, offset=len(found))
        except Refused as refused:
            if refused.code == Code.NOT_PERMITTED:
                return []
            raise
        found += page.items
        if not page.items or len(found) >= page.total:
            return found


def _by_name(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda one: str(one["name"]))


def _cluster(one: platform.ClusterView, workspaces: Iterable[platform.WorkspaceView]) -> dict[str, Any]:
    names: dict[UUID, str] = {each.id: each.name for each in workspaces}
    return {
        "name": one.name,
        "id": str(one.id),
        "slug": one.slug,
        "driver": one.driver,
        "region": one.region,
        "agents_url": one.agents_url,
        "people_url": one.people_url,
        "workspaces": sorted(names.get(each, str(each)) for each in one.workspaces),
    }


def _workspace(one: platform.WorkspaceView) -> dict[str, Any]:
    return {
        "name": one.name,
        "id": str(one.id),
        "description": one.description,
        "deployments_at_most": one.deployments_at_most,
        "default_cluster": one.default_cluster_name or None,
    }


def _deployment(client: PlatformClient, one: platform.DeploymentView) -> dict[str, Any]:
    schedules = client.hibernation(str(one.id)).schedules
    return {
        "name": one.name,
        "id": str(one.id),
        "slug": one.slug,
        "workspace": one.workspace_name,
        "cluster": one.cluster_name,
        "description": one.description,
        "contact_emails": list(one.contact_emails),
        "policy": one.policy,
        "version": one.version,
        "deletion_protection": one.deletion_protection,
        "agent_url": one.agent_url,
        "people_url": one.people_url,
        "hibernation_schedules": [each.model_dump(mode="json") for each in schedules],
    }


def _team(one: people.TeamView) -> dict[str, Any]:
    return {
        "name": one.name,
        "id": str(one.id),
        "description": one.description,
        "idp_managed": one.idp_managed,
        # Those that the identity provider names are its own to say.
        "members": sorted(each.name for each in one.members if each.source == "manual"),
    }


def _role(one: people.RoleView, workspaces: Iterable[platform.WorkspaceView]) -> dict[str, Any]:
    names: dict[UUID, str] = {each.id: each.name for each in workspaces}
    return {
        "name": one.name,
        "id": str(one.id),
        "description": one.description,
        "permissions": list(one.permissions),
        "airflow_role": one.airflow_role,
        "workspaces": None
        if one.workspaces is None
        else sorted(names.get(each, str(each)) for each in one.workspaces),
    }


def _role_bindings(rows: Iterable[people.RoleBindingView]) -> list[dict[str, str]]:
    found = [
        {
            "kind": one.kind,
            "subject": one.subject_name,
            "role": one.role,
            "workspace": one.workspace_name,
            "deployment": one.deployment_name,
        }
        for one in rows
    ]
    return sorted(found, key=lambda one: tuple(one.values()))


def _layer(client: PlatformClient, kind: str, name: str) -> dict[str, Any]:
    """What the scope itself says; empty when it says nothing."""
    scope = f"{kind}s/{name}"
    options = {
        one.option: {"value": one.value, "locked": one.locked}
        for one in _of_layer(_all(lambda **page: client.options(scope, **page)), kind)
    }
    variables = {
        one.name: {"is_secret": one.is_secret, "locked": one.locked}
        | ({} if one.is_secret else {"value": one.value})
        for one in _of_layer(_all(lambda **page: client.variables(scope, **page)), kind)
    }
    return {key: value for key, value in (("configuration", options), ("environment", variables)) if value}


def _of_layer(rows: Iterable[Any], kind: str) -> Iterator[Any]:
    return (one for one in rows if one.origin == kind)
