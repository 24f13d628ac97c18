"""`tradewind login` as a process of its own at a terminal, whose browser is the test's."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.patience import eventually, stretched


@dataclass
class TerminalLogin:
    """A command that waits for its browser."""

    process: subprocess.Popen[str]
    opened: Path
    env: dict[str, str]

    def address(self) -> str:
        """Where the browser shall go."""
        eventually(self.opened.exists, timeout=stretched(20), what="the browser is opened")
        return self.opened.read_text()

    def ended(self) -> tuple[int, str]:
        """Its exit code and what it said, on both streams."""
        out, err = self.process.communicate(timeout=stretched(20))
        return self.process.returncode, out + err

    def run(self, *arguments: str) -> tuple[int, str]:
        """Another command, with the same contexts."""
        done = subprocess.run(
            [sys.executable, "-m", "tradewind", *arguments],
            env=self.env,
            capture_output=True,
            text=True,
            timeout=stretched(30),
        )
        return done.returncode, done.stdout + done.stderr


@contextmanager
def login(url: str, directory: Path) -> Iterator[TerminalLogin]:
    """Sign in to the platform at `url`. Contexts are kept in the directory."""
    opened, browser = directory / "opened", directory / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {opened}.new && mv {opened}.new {opened}\n')
    browser.chmod(0o700)
    env = {key: value for key, value in os.environ.items() if not key.startswith("TRADEWIND_")}
    env |= {"BROWSER": f"{browser} %s", "TRADEWIND_CONTEXTS": str(directory / "contexts.json")}
    person, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "tradewind", "login", url],
        env=env,
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield TerminalLogin(process, opened, env)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
        os.close(person)
        os.close(terminal)
