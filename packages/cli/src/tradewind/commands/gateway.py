"""`tradewind gateway`: the host name of a cluster, under which each Deployment has a path."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import click

from tradewind.gateway import caddy, manifests, process, program, settings
from tradewind.gateway.settings import GatewaySettings

config_option = click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("gateway.toml"),
    show_default=True,
    help="What the gateway serves.",
)
state_option = click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("gateway-state"),
    show_default=True,
    help="Directory of the gateway's sockets and of the document that it serves.",
)


@click.group()
def gateway() -> None:
    """Serve every Deployment of a cluster under one host name, for agents only."""


@gateway.command()
@config_option
@state_option
@click.option(
    "--caddy",
    "own",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=f"Run this Caddy. Default: that of the package {program.PACKAGE}, if its contents are as known.",
)
@click.option("--watch", is_flag=True, help="Serve what the file has, within two seconds of a change of it.")
def run(config: Path, state_dir: Path, own: Path | None, watch: bool) -> None:
    """Run the gateway until SIGTERM or Ctrl-C."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    found = settings.read(config)
    chosen = program.find(own)
    watched = config if watch else None
    asyncio.run(
        process.run(
            found,
            state_dir.resolve(),
            chosen,
            watched=watched,
            say=lambda text: click.echo(text, err=True),
        )
    )


@gateway.command()
@config_option
@state_option
def apply(config: Path, state_dir: Path) -> None:
    """Make the running gateway serve the changed file. It answers the requests that it holds."""
    found = settings.read(config)
    process.apply(found, state_dir.resolve())
    click.echo(f"https://{found.host} serves {len(found.deployments)} Deployments", err=True)


@gateway.command()
@config_option
@state_option
@click.option(
    "--as",
    "form",
    type=click.Choice(["caddy", "httproute", "nginx", "haproxy"]),
    default="caddy",
    show_default=True,
    help="Caddy's document, or the same for another gateway.",
)
@click.option("--running", is_flag=True, help="Show what the running gateway serves.")
def show(config: Path, state_dir: Path, form: str, running: bool) -> None:
    """Print what the gateway serves as a document of Caddy or of another gateway."""
    if running:
        click.echo(manifests.as_json(program.Admin(caddy.admin_socket(state_dir.resolve())).document()))
        return
    click.echo(_document(settings.read(config), state_dir.resolve(), form), nl=False)


def _document(found: GatewaySettings, state: Path, form: str) -> str:
    if form == "caddy":
        return manifests.as_json(caddy.document(found, state)) + "\n"
    return {"httproute": manifests.http_route, "nginx": manifests.nginx, "haproxy": manifests.haproxy}[form](
        found
    )
