"""Helm, as a program: a release that it makes is one that a person can read, change and keep without us."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tradewind_platform.kubernetes.recovery import Act, Recovery, Revision
from tradewind_platform.kubernetes.settings import KubernetesSettings
from tradewind_platform.reconciler.driver import StepFailed

_HISTORY: Final = "10"
_MISSING: Final = re.compile(r"release: not found|not found$", re.MULTILINE)


@dataclass(frozen=True)
class Release:
    """A release in a namespace."""

    name: str
    namespace: str


class Helm:
    """Each method raises StepFailed with what Helm says. Values have no secret, and go in by standard input."""

    def __init__(self, settings: KubernetesSettings, environment: Mapping[str, str] | None = None) -> None:
        self._settings = settings
        self._environment = dict(os.environ if environment is None else environment)

    def history(self, release: Release) -> list[Revision]:
        """Its revisions, the oldest first; empty for a release that is not there."""
        done = self._run(release, "history", release.name, "--max", "256", "--output", "json")
        if done.returncode != 0:
            if _MISSING.search(done.stderr):
                return []
            raise _failed("history", done)
        return [Revision(int(one["revision"]), str(one["status"])) for one in json.loads(done.stdout)]

    def upgrade(self, release: Release, values: Mapping[str, Any]) -> None:
        """Install it, or change it. Waits for no pod: the driver observes them."""
        self._must(
            release,
            *("upgrade", release.name, str(self._settings.chart), "--install", "--values", "-"),
            *("--history-max", _HISTORY),
            values=values,
        )

    def recover(self, release: Release, recovery: Recovery) -> None:
        """Do what `recovery.recovery` decided, except for FORGET, which Helm has no command for."""
        if recovery.act is Act.ROLL_BACK:
            self._must(release, "rollback", release.name, str(recovery.revision), "--history-max", _HISTORY)
        elif recovery.act is Act.UNINSTALL:
            self.uninstall(release)

    def uninstall(self, release: Release) -> None:
        """Nothing for a release that is not there."""
        self._must(release, "uninstall", release.name, "--ignore-not-found")

    def migration(self, release: Release, values: Mapping[str, Any]) -> tuple[str, str]:
        """The Job that migrates the database, as the chart has it: its name and its YAML."""
        migrates = {**values, "migration": {**values.get("migration", {}), "enabled": True}}
        made = self._must(
            release,
            *("template", release.name, str(self._settings.chart), "--values", "-"),
            *("--show-only", "templates/migration.yaml"),
            values=migrates,
        )
        found = re.search(r"^kind: Job\nmetadata:\n  name: (\S+)$", made, re.MULTILINE)
        if found is None:
            raise StepFailed("the chart has no migration Job", final=True)
        return found[1].strip('"'), made

    def _must(self, release: Release, *arguments: str, values: Mapping[str, Any] | None = None) -> str:
        done = self._run(release, *arguments, values=values)
        if done.returncode != 0:
            raise _failed(arguments[0], done)
        return done.stdout

    def _run(
        self, release: Release, *arguments: str, values: Mapping[str, Any] | None = None
    ) -> subprocess.CompletedProcess[str]:
        command: Sequence[str] = (self._settings.helm, *arguments, "--namespace", release.namespace)
        try:
            return subprocess.run(
                command,
                input="" if values is None else json.dumps(values),
                env=self._environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=self._settings.helm_seconds,
            )
        except FileNotFoundError:
            raise StepFailed(f"there is no program {self._settings.helm}", final=True) from None
        except subprocess.TimeoutExpired:
            raise StepFailed(
                f"helm {arguments[0]} took longer than {self._settings.helm_seconds:g} s"
            ) from None


def _failed(verb: str, done: subprocess.CompletedProcess[str]) -> StepFailed:
    output = done.stderr.strip()[-1500:] or f"exit code {done.returncode}"
    return StepFailed(f"helm {verb}: {output}")
