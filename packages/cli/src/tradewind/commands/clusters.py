"""`tradewind clusters`: where the Deployments of a platform run."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

import click

from tradewind.commands import operations as operation_commands
from tradewind.commands.options import output_option, page_options, reason_option
from tradewind.commands.session import Session, pass_session
from tradewind.output import Column, moment
from tradewind_protocol import clusters as messages
from tradewind_protocol.operator import Page
from tradewind_protocol.platform import ClusterView

_COLUMNS = (
    Column("NAME", lambda one: one.name),
    Column("ID", lambda one: one.slug),
    Column("DRIVER", lambda one: one.driver),
    Column("REGION", lambda one: one.region),
    Column("CONTROLLER", lambda one: "none" if one.controller is None else one.controller.state),
    Column("DEPLOYMENTS", lambda one: str(one.deployments)),
    Column("AGENTS' ADDRESS", lambda one: one.agents_url),
)
_OF_WORKSPACE = (
    Column("NAME", lambda one: one.name),
    Column("DRIVER", lambda one: one.driver),
    Column("REGION", lambda one: one.region),
    Column("CONTROLLER", lambda one: one.state),
    Column("DEFAULT", lambda one: "yes" if one.is_default else ""),
    Column("SIZES", lambda one: ", ".join(one.sizes)),
    Column("AGENTS' ADDRESS", lambda one: one.agents_url),
)
_to_file = click.option(
    "--to-file", type=click.Path(path_type=Path), help="Write the token to this new file, mode 0600."
)


@click.group()
def clusters() -> None:
    """Add, list, change and delete the clusters of a platform."""


@clusters.command()
@click.argument("name")
@click.option(
    "--driver",
    type=click.Choice(["kubernetes", "local"]),
    default="kubernetes",
    show_default=True,
    help="How its controller runs Deployments: as releases of Helm, or as processes of one machine.",
)
@click.option("--region", default="", help="Region, shown where a cluster is chosen: eu-central-1.")
@click.option(
    "--agents-host",
    required=True,
    help="Agents reach the cluster here; {id} is its id: {id}.external.example.com.",
)
@click.option(
    "--people-domain", required=True, help="People reach <Deployment>.<this>; {id} is the cluster's id."
)
@click.option("--plain-http", is_flag=True, help="Its addresses begin with http: for trials on one machine.")
@click.option("--workspace", "workspaces", multiple=True, help="A workspace that may use it. Default: all.")
@_to_file
@reason_option
@output_option
@pass_session
def add(
    session: Session,
    name: str,
    driver: str,
    region: str,
    agents_host: str,
    people_domain: str,
    plain_http: bool,
    workspaces: tuple[str, ...],
    to_file: Path | None,
    reason: str,
) -> None:
    """Add a cluster, and print how its controller is installed. The cluster token is shown this once."""
    ask = operation_commands.valid(
        messages.NewCluster,
        name=name,
        driver=driver,
        region=region,
        agents_host=agents_host,
        people_domain=people_domain,
        scheme="http" if plain_http else "https",
        workspaces=workspaces,
    )
    with session.platform() as client:
        made = client.create_cluster(ask, reason=reason)
        platform = client.plane
    _give(session, made, made.token, to_file)
    if session.output.is_json:
        return
    file = str(to_file) if to_file is not None else "cluster-token"
    click.echo(
        f"Cluster {name!r} has the id {made.slug}. With the token in the file {file}, install its controller:",
        err=True,
    )
    click.echo(_install_line(driver, platform, file), err=True)
    for record in made.dns_records:
        click.echo(f"Point the name {record.name} at its gateway: {record.purpose}.", err=True)


@clusters.command("list")
@click.option("--workspace", help="Only clusters that this workspace may use, as its members see them.")
@page_options
@output_option
@pass_session
def list_(session: Session, workspace: str | None, limit: int, offset: int) -> None:
    """List clusters."""
    with session.platform() as client:
        if workspace is None:
            page: Page[Any] = client.clusters(limit=limit, offset=offset)
        else:
            page = client.workspace_clusters(workspace, limit=limit, offset=offset)
    if session.output.is_json:
        session.output.data(page)
    else:
        columns = _COLUMNS if workspace is None else _OF_WORKSPACE
        session.output.rows(page.items, columns, none="There is no cluster.")


@clusters.command()
@click.argument("cluster")
@output_option
@pass_session
def get(session: Session, cluster: str) -> None:
    """Show a cluster: its id, its addresses, its controller, and the names that lead to it."""
    with session.platform() as client:
        found = client.cluster(cluster)
    if session.output.is_json:
        session.output.data(found)
        return
    for name, value in _facts(found):
        click.echo(f"{name + ':':22}{value}")


@clusters.command()
@click.argument("cluster")
@click.option("--name", help="A new name. Its id stays.")
@click.option("--region", help="Region, shown where a cluster is chosen; '' for none.")
@click.option("--workspace", "workspaces", multiple=True, help="Only these workspaces may use it.")
@click.option("--all-workspaces", is_flag=True, help="All workspaces may use it.")
@click.option("--if-revision", type=int, help="Refuse the change when the cluster has another revision.")
@reason_option
@output_option
@pass_session
def edit(
    session: Session,
    cluster: str,
    name: str | None,
    region: str | None,
    workspaces: tuple[str, ...],
    all_workspaces: bool,
    if_revision: int | None,
    reason: str,
) -> None:
    """Change a cluster's name, its region, or the workspaces that may use it. Deployments that it has stay."""
    given = {"name": name, "region": region}
    asked: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if workspaces or all_workspaces:
        asked["workspaces"] = () if all_workspaces else workspaces
    ask = operation_commands.valid(messages.ChangeCluster, **asked)
    with session.platform() as client:
        changed = client.change_cluster(cluster, ask, if_revision=if_revision, reason=reason)
    if session.output.is_json:
        session.output.data(changed)
    session.output.say(f"Cluster {changed.name!r} is changed.")


@clusters.command("rotate-token")
@click.argument("cluster")
@click.option(
    "--overlap-minutes",
    type=click.IntRange(0, 10080),
    default=60,
    show_default=True,
    help="Minutes for which the previous value stays valid.",
)
@_to_file
@reason_option
@output_option
@pass_session
def rotate_token(
    session: Session, cluster: str, overlap_minutes: int, to_file: Path | None, reason: str
) -> None:
    """Give a cluster's token a new value. The previous value stays valid for the overlap."""
    ask = messages.RotateClusterToken(overlap_minutes=overlap_minutes)
    with session.platform() as client:
        made = client.rotate_cluster_token(cluster, ask, reason=reason)
    _give(session, made, made.token, to_file)


@clusters.command("revoke-token")
@click.argument("cluster")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@reason_option
@pass_session
def revoke_token(session: Session, cluster: str, yes: bool, reason: str) -> None:
    """Revoke a cluster's token: its controller is refused. Its Deployments go on running."""
    if not yes:
        click.confirm(f"Revoke the token of the cluster {cluster!r}?", abort=True, err=True)
    with session.platform() as client:
        client.revoke_cluster_token(cluster, reason=reason)
    session.output.say(f"The token of cluster {cluster!r} is revoked.")


@clusters.command()
@click.argument("cluster")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@reason_option
@pass_session
def delete(session: Session, cluster: str, yes: bool, reason: str) -> None:
    """Delete a cluster that has no Deployment."""
    if not yes:
        click.confirm(f"Delete the cluster {cluster!r}?", abort=True, err=True)
    with session.platform() as client:
        client.delete_cluster(cluster, reason=reason)
    session.output.say(f"Cluster {cluster!r} is deleted.")


def _install_line(driver: str, platform: str, file: str) -> str:
    if driver == "local":
        return f"tradewind platform controller run --platform {platform} --cluster-token-file {shlex.quote(file)}"
    return (
        "helm upgrade --install tradewind-controller deploy/helm/tradewind-controller --namespace tradewind "
        f"--create-namespace --set platform.url={platform} --set-file platform.token={shlex.quote(file)} -f values.yaml"
    )


def _facts(one: ClusterView) -> list[tuple[str, str]]:
    controller = "none: the platform itself does its work"
    if one.controller is not None:
        beat = one.controller.last_beat_at
        controller = f"{one.controller.state}, version {one.controller.version or 'unknown'}" + (
            f", last poll {moment(beat)}" if beat is not None else ""
        )
    return [
        ("Name", one.name),
        ("Cluster id", one.slug),
        ("Driver", one.driver),
        *([("Region", one.region)] if one.region else []),
        ("Agents' address", one.agents_url),
        ("People's address", one.people_url.replace("{slug}", "<Deployment>")),
        ("Controller", controller),
        *((f"  {name}", value) for name, value in (one.controller.facts if one.controller else {}).items()),
        *([("Sizes", ", ".join(one.controller.sizes))] if one.controller and one.controller.sizes else []),
        ("Token", f"{one.token_prefix}…" if one.token_prefix else "none"),
        ("Deployments", str(one.deployments)),
        ("Workspaces", "all" if not one.workspaces else ", ".join(str(id) for id in one.workspaces)),
        *((f"DNS, for {record.purpose}", record.name) for record in one.dns_records),
        ("Check", f"{one.check}  # answers: 404 page not found"),
    ]


def _give(session: Session, made: Any, token: str, to_file: Path | None) -> None:
    if to_file is not None:
        with open(to_file, "x", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(token + "\n")
        session.output.say(f"The cluster token is in {to_file}.")
    elif session.output.is_json:
        session.output.data(made)
    else:
        click.echo("The cluster token. This is the only time it is shown:", err=True)
        click.echo(token)
