"""A program that serves one cloud's API."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol, TypeVar

from support.installed import ROOT, checkout
from tradewind.embedded.processes import LocalProcess, wait_until

LOCK = ROOT / "tests" / "backends" / "requirements.lock"


def program(name: str) -> Path:
    """A program of the servers' environment, which holds what `tests/backends/requirements.lock` names."""
    wanted = [line for line in LOCK.with_suffix(".in").read_text().splitlines() if line and line[0] != "#"]
    return checkout().environment("servers", (), wanted, lock=LOCK).parent / name


class Running(Protocol):
    """What a test report shows of a server."""

    name: str

    def tail(self, lines: int = 30) -> str:
        """The last lines of its log."""
        ...


class Server:
    """One program that runs inside `with`, its files and its log in `home`. Ready when it accepts connections."""

    name: str

    def __init__(
        self,
        home: Path,
        command: Sequence[str | Path],
        *,
        port: int,
        host: str = "127.0.0.1",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home, self.port, self.host = home, port, host
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self.process = LocalProcess(
            self.name, command, env={**kept, **(environment or {})}, log=home / f"{self.name}.log", cwd=home
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Server:
        self.process.start()
        wait_until(self.ready, timeout=60, what=f"{self.name} answers", processes=[self.process])
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stop(grace=5)

    def ready(self) -> bool:
        try:
            with socket.create_connection((self.host, self.port), timeout=1):
                return True
        except OSError:
            return False

    def tail(self, lines: int = 30) -> str:
        return self.process.tail(lines)


Kind = TypeVar("Kind", bound=Server)


class Servers:
    """The servers of a test session: each is started for the first test that asks, and ends with the session."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._stack = ExitStack()
        self._started: dict[type[Server], Server] = {}

    def __enter__(self) -> Servers:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def get(self, kind: type[Kind]) -> Kind:
        """The running server of that kind."""
        if kind not in self._started:
            made = kind(self._home / kind.name)  # type: ignore[call-arg]  # each kind knows its command
            self._started[kind] = self._stack.enter_context(made)
        found = self._started[kind]
        assert isinstance(found, kind)
        return found

    def running(self) -> list[Running]:
        return list(self._started.values())
