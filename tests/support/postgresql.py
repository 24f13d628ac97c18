"""A real PostgreSQL server, started for a test session and gone after it."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tradewind.embedded import plane, processes


class PostgreSQL:
    """One server on a loopback port, without durability. Databases are made by name and cost nothing to throw away."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = plane.free_port()
        self._binaries = binaries()
        # PostgreSQL refuses to run as root; Debian's package made this user.
        self._user = pwd.getpwnam("postgres").pw_uid if os.geteuid() == 0 else None
        self.process = processes.LocalProcess(
            "postgresql",
            [
                *(self._binaries / "postgres", "-D", directory / "data", "-p", str(self.port)),
                *("-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={directory}"),
                *("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"),
                *("-c", "max_connections=300"),
            ],
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
            log=directory / "postgresql.log",
            user=self._user,
        )

    def initialise(self) -> None:
        if self._user is not None:
            os.chown(self.directory, self._user, -1)
        command = [
            self._binaries / "initdb",
            "-D",
            self.directory / "data",
            "-U",
            "airflow",
            "-A",
            "trust",
            "-N",
        ]
        subprocess.run(
            [str(part) for part in (*command, "-E", "UTF8", "--locale=C")],
            check=True,
            capture_output=True,
            cwd=self.directory,
            user=self._user,
        )

    def start(self) -> None:
        self.process.start()
        ready = [str(self._binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        processes.wait_until(
            lambda: subprocess.run(ready).returncode == 0,
            timeout=30,
            what="PostgreSQL accepts connections",
            processes=[self.process],
        )

    def stop(self) -> None:
        """A fast shutdown: clients are cut off and nothing that was committed is lost. Idempotent."""
        self.process.signal(signal.SIGINT)  # SIGTERM would wait for every client to leave
        if self.process.running:
            with suppress(TimeoutError):
                self.process.wait(20)
        self.process.stop(grace=1)

    def new_database(self) -> str:
        """The SQLAlchemy URL of a database nobody has used."""
        name = f"airflow_{uuid.uuid4().hex[:12]}"
        command = [
            self._binaries / "createdb",
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-U",
            "airflow",
            name,
        ]
        subprocess.run([str(part) for part in command], check=True, capture_output=True)
        return f"postgresql+psycopg2://airflow@127.0.0.1:{self.port}/{name}"


def binaries() -> Path:
    """Where initdb and postgres are. Raises RuntimeError saying how to get them."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    for candidate in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (candidate / "initdb").exists():
            return candidate
    raise RuntimeError(
        "no PostgreSQL on this machine: `make postgresql` installs it (Debian: apt-get install postgresql)"
    )


def available() -> bool:
    try:
        binaries()
    except RuntimeError:
        return False
    return True


@contextmanager
def running() -> Iterator[PostgreSQL]:
    """A started server in a directory of its own."""
    directory = Path(tempfile.mkdtemp(prefix="tradewind-postgresql-"))
    directory.chmod(0o755)
    server = PostgreSQL(directory)
    try:
        server.initialise()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)
