"""`tradewind platform run`."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from tradewind.errors import BadUsage, CommandError
from tradewind_platform.commands.home import FILE, home_options, local_home, url_in
from tradewind_platform.commands.local_cluster_options import (
    GatewayOptions,
    ProcessOptions,
    gateway_options,
    local_settings,
    process_options,
)
from tradewind_platform.commands.request_rate_options import request_rate_options
from tradewind_platform.composition import serve
from tradewind_platform.domain.origins import origin_of
from tradewind_platform.domain.request_rates import RequestRates
from tradewind_platform.home import AlreadyRuns, PlatformSettings
from tradewind_platform.local.settings import LocalSettings
from tradewind_platform.security.key_ring import KeyProblem
from tradewind_protocol.errors import Refused


@click.command()
@home_options
@click.option(
    "--listen", default="127.0.0.1:8700", show_default=True, help="Address and port of the API and its pages."
)
@click.option(
    "--url",
    help="Where browsers reach the platform: https://platform.example.com. Default: the address where it listens.",
)
@click.option(
    "--organization",
    default="Tradewind",
    show_default=True,
    help="Name of the organization; used at the first start.",
)
@click.option("--releases", type=FILE, help="A catalogue of releases. Default: the one that is shipped.")
@click.option("--certificate", type=FILE, help="PEM: for the host names of agents and people, and the API.")
@click.option("--key", type=FILE, help="PEM: the key of the certificate.")
@process_options
@gateway_options
@click.option(
    "--no-local-cluster",
    is_flag=True,
    help="Serve the API and clusters with controllers: this machine has no Deployments.",
)
@click.option(
    "--replace-home",
    is_flag=True,
    help="This directory takes the place of the one that had the Deployments of the database and is lost. Never while a "
    "platform runs with that one.",
)
@request_rate_options
def run(
    home: Path,
    database_url_file: Path | None,
    listen: str,
    url: str | None,
    organization: str,
    releases: Path | None,
    certificate: Path | None,
    key: Path | None,
    processes: ProcessOptions,
    gateway: GatewayOptions,
    no_local_cluster: bool,
    replace_home: bool,
    request_rates: RequestRates,
) -> None:
    """Run the platform until SIGTERM or Ctrl-C. Deployments and their gateway go on afterwards."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    if (certificate is None) is not (key is None):
        raise BadUsage("--certificate and --key go together")
    if certificate is None and not listen.startswith(("127.", "localhost:", "[::1]:")):
        raise BadUsage(
            f"without a certificate the API listens on 127.0.0.1 only, not at {listen}",
            remedy="Name --certificate and --key, or put a proxy with TLS in front of 127.0.0.1.",
        )
    home = home.resolve()
    settings = PlatformSettings(
        home=home,
        listen=listen,
        organization=organization,
        database_url=url_in(database_url_file),
        certificate=certificate,
        key=key,
        url=_origin(url),
        releases=releases,
        request_rates=request_rates,
    )
    if no_local_cluster and replace_home:
        raise BadUsage("--no-local-cluster and --replace-home exclude each other")
    local = None
    if not no_local_cluster:
        local = local_settings(
            local_home(home),
            processes,
            gateway,
            platform_url=settings.origin,
            certificate=certificate,
            key=key,
        )
    _serve(settings, local, replaces_home=replace_home)


def _serve(settings: PlatformSettings, local: LocalSettings | None, *, replaces_home: bool) -> None:
    try:
        serve(settings, local, replaces_home=replaces_home, say=lambda text: click.echo(text, err=True))
    except (AlreadyRuns, KeyProblem) as error:
        raise CommandError(str(error)) from error
    except Refused as error:
        raise CommandError(error.refusal.message, remedy=error.refusal.remedy) from error


def _origin(url: str | None) -> str | None:
    try:
        return None if url is None else origin_of(url)
    except ValueError as error:
        raise BadUsage(f"--url: {error}") from None
