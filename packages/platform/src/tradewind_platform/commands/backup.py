"""`tradewind platform backup` and `restore`: the platform's own database."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import click
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from tradewind.errors import BadUsage, CommandError
from tradewind_platform.clock import utc_now
from tradewind_platform.commands.home import FILE, local_home
from tradewind_platform.home import AlreadyRuns, PlatformSettings, alone
from tradewind_platform.security import at_rest
from tradewind_platform.security.key_ring import KeyProblem, KeyRing
from tradewind_platform.services import restoration
from tradewind_platform.store import copies, platform_backups
from tradewind_platform.store.migration import migrate
from tradewind_platform.store.plane_archives import FOLDER, PlaneArchives
from tradewind_platform.store.sessions import Store, open_engine

_home = click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("tradewind-platform"),
    show_default=True,
    help="Directory of the platform.",
)


@click.command()
@_home
@click.option("--to", "target", type=click.Path(path_type=Path), required=True, help="The file to write.")
def backup(home: Path, target: Path) -> None:
    """Back up the platform's own SQLite database and the code that was deployed, while the platform runs.

    The keys are not in it: without the file `keys` of the home, its secrets cannot be read. Keep both, apart from each other.
    For a platform on PostgreSQL use `pg_dump --format=custom`.
    """
    source = _database(home)
    try:
        written = platform_backups.write(source, _archives(home), target)
    except FileExistsError as error:
        raise BadUsage(str(error), remedy="Name a new file with --to.") from None
    except (sqlite3.Error, OSError) as error:
        raise CommandError(f"{source} cannot be backed up: {error}") from None
    click.echo(f"{target}: {written.size / 1e6:.1f} MB, with {written.archives} archives of deployed code.")
    click.echo(f"The keys are not in it: keep {home / 'keys'} as well, in another place.", err=True)


@click.command()
@click.argument("file", type=FILE)
@_home
@click.option("--accept-loss", is_flag=True, help="Forget what was changed since the backup.")
def restore(file: Path, home: Path, accept_loss: bool) -> None:
    """Put a backup in the place of the platform's own SQLite database, once the platform is stopped.

    Archives of deployed code that are missing come back; existing ones stay.

    Access that was taken away since stays so, and every session ends. Without --accept-loss it says what is forgotten, and
    changes nothing. The database that is replaced is kept beside it.
    """
    if not home.is_dir():
        raise BadUsage(f"there is no platform in {home}", remedy="Name its directory with --home.")
    settings = PlatformSettings(home.resolve())
    try:
        with alone(settings):
            _restore(file, settings, accept_loss)
    except AlreadyRuns as error:
        raise CommandError(str(error), remedy="Stop the platform first; Deployments go on.") from None


def _restore(file: Path, settings: PlatformSettings, accept_loss: bool) -> None:
    target, part = settings.home / "platform.db", settings.home / "platform.db.restored"
    now, part_engine = utc_now(), None
    part.unlink(missing_ok=True)
    try:
        platform_backups.take_database(file, part)
        part_engine = open_engine(f"sqlite:///{part}")
        migrate(part_engine)
        store, found = Store(part_engine), _present(target)
        at_rest.check_keys(store, KeyRing(settings.key_file), now=now)
        with store.across_organizations() as db:
            if found is not None and found.organizations != restoration.present(db).organizations:
                raise CommandError(
                    f"{file} is a backup of another platform", remedy="Name one of this platform."
                )
            for sentence in restoration.losses(db, found):
                click.echo(sentence, err=True)
            if not accept_loss:
                raise CommandError("nothing was changed", remedy="To restore it, add --accept-loss.")
            for sentence in restoration.keep_revocations(db, found, now):
                click.echo(sentence, err=True)
        part_engine.dispose()
        count = platform_backups.put_archives_back(file, _archives(settings.home))
        if target.exists():
            kept = settings.home / f"platform.db.before-{now:%Y%m%dT%H%M%S}"
            _keep(target, kept, readable=found is not None)
            click.echo(f"The database that was there: {kept}", err=True)
        copies.replace(target, part)
    except KeyProblem as problem:
        raise CommandError(
            str(problem), remedy="Put the file of keys back that belongs to the backup."
        ) from None
    except (sqlite3.Error, SQLAlchemyError, platform_backups.NoBackup) as error:
        raise CommandError(f"{file} is no whole backup of a platform: {error}") from None
    finally:
        if part_engine is not None:
            part_engine.dispose()
        for suffix in ("", "-wal", "-shm"):
            part.with_name(part.name + suffix).unlink(missing_ok=True)
    click.echo(f"{target} is as in {file}. Archives of deployed code that came back: {count}.")


def _keep(target: Path, kept: Path, *, readable: bool) -> None:
    if readable:
        copies.copy(target, kept)
    else:
        kept.write_bytes(target.read_bytes())
        kept.chmod(0o600)


def _present(target: Path) -> restoration.Present | None:
    """Of the database that is replaced; None when it cannot be read."""
    if not target.exists():
        return None
    engine: Engine = open_engine(f"sqlite:///{target}")
    try:
        migrate(engine)
        with Store(engine).reading_all() as db:
            return restoration.present(db)
    except SQLAlchemyError:
        return None
    finally:
        engine.dispose()


def _archives(home: Path) -> PlaneArchives:
    return PlaneArchives(local_home(home) / FOLDER)


def _database(home: Path) -> Path:
    found = home / "platform.db"
    if not found.exists():
        raise BadUsage(
            f"there is no SQLite database of a platform in {home}",
            remedy="Name its directory with --home. A platform on PostgreSQL is backed up with pg_dump.",
        )
    return found
