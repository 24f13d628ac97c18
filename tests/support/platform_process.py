"""A platform that runs as its command does, and what a user does with it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, Final

import httpx
import psutil

from support import forked
from support.patience import stretched
from tradewind.embedded.plane import free_port
from tradewind.embedded.processes import LocalProcess, wait_until

_COMMANDS: Final = "import tradewind.cli, tradewind.commands.project, tradewind_platform.commands"
_COMMAND: Final = "from tradewind.cli import main; main(prog_name='tradewind')"


class PlatformProcess:
    """`tradewind platform run` on free ports. Deployments are processes of this user, or `apart` of one each, as root."""

    def __init__(self, home: Path, plane_python: Path, *more: str, apart: bool = False) -> None:
        self.home = home
        self.ports = {name: free_port() for name in ("api", "agents", "people")}
        self.url = f"http://127.0.0.1:{self.ports['api']}"
        self.token_file = home.with_name(f"{home.name}.token")
        self.log = home.with_name(f"{home.name}.log")
        self._arguments = [
            *("platform", "run", "--home", str(home)),
            *("--listen", f"127.0.0.1:{self.ports['api']}"),
            *("--agents-listen", f"127.0.0.1:{self.ports['agents']}"),
            *("--people-listen", f"127.0.0.1:{self.ports['people']}"),
            *("--plane-python", str(plane_python)),
            *(("--first-user", "0") if os.geteuid() == 0 and not apart else ()),
            *more,
        ]
        self.process = self._new()

    def _new(self) -> LocalProcess:
        command = [sys.executable, "-m", "tradewind", *self._arguments]
        return LocalProcess("platform", command, env=dict(os.environ), log=self.log)

    def start(self, *, administrator: bool = True) -> None:
        """Return once the API answers; at the first start, with the token of an `administrator` that the command makes."""
        self.process = self._new()
        self.process.start()
        wait_until(self.answers, timeout=stretched(60), what="the API answers", processes=[self.process])
        if administrator and not self.token_file.exists():
            self.command(
                "platform",
                "admin",
                "create",
                "ada",
                "--home",
                str(self.home),
                "--to-file",
                str(self.token_file),
            )

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", timeout=5, verify=False).status_code == 200
        except httpx.HTTPError:
            return False

    def stop_everything(self) -> None:
        """The platform, and what outlives it."""
        self.process.stop()
        found = self.processes()
        for one in found:
            one.kill()
        psutil.wait_procs(found, timeout=30)

    def command(self, *arguments: str, fails: bool = False) -> str:
        """What a `tradewind` command prints. It runs in a process of its own, forked from one that has imported the commands."""
        own = {
            **os.environ,
            "TRADEWIND_PLATFORM_URL": self.url,
            "TRADEWIND_API_TOKEN_FILE": str(self.token_file),
        }
        own.pop("TRADEWIND_API_TOKEN", None)
        common = {"PATH": os.defpath}
        done = forked.run(
            _COMMAND, *arguments, env=common, also=own, timeout=stretched(900), prepared=_COMMANDS
        )
        assert (done.returncode != 0) is fails, (
            f"{arguments}: {done.stdout}{done.stderr}\n{self.process.tail()}"
        )
        return done.stdout + (done.stderr if fails else "")

    def json(self, *arguments: str) -> Any:
        return json.loads(self.command("-o", "json", *arguments))

    def client(self) -> httpx.Client:
        """The API, as the administrator."""
        token = self.token_file.read_text().strip()
        return httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {token}"}, timeout=60, verify=False
        )

    def people(self, slug: str, path: str) -> httpx.Response:
        """What a browser gets at the Deployment's own name."""
        return httpx.get(
            f"http://127.0.0.1:{self.ports['people']}{path}",
            headers={"Host": f"{slug}.localhost"},
            timeout=30,
        )

    def processes(self, slug: str = "") -> list[psutil.Process]:
        """What runs in the home of a Deployment, or in any directory of the platform."""
        below = self.home / "local" / "deployments" / slug if slug else self.home
        found = []
        for one in psutil.process_iter():
            try:
                if Path(one.cwd()).is_relative_to(below.resolve()):
                    found.append(one)
            except psutil.Error:
                continue
        return found
