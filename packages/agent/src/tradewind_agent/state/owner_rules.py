"""The rules of the site's owner that are in force, read again when their file changes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from tradewind_agent.errors import SettingsWrong
from tradewind_agent.rules import OwnerRules, RulesWrong, parse
from tradewind_agent.settings import PREFIX
from tradewind_agent.state.reread import Reread

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

log = structlog.get_logger(__name__)

REMEDY: Final = "Correct the file; `tradewind-agent rules check` says whether it can be read"


class RulesInForce:
    """Those of the settings, or of `file`. A change that cannot be read, and a file that is gone, leave the old ones in force and are
    a `problem`. Raises SettingsWrong when the first ones cannot be read: an agent without its rules does not start."""

    def __init__(
        self, rules: OwnerRules | None = None, *, file: Path | None = None, now: Callable[[], float]
    ) -> None:
        self.problem = ""
        self._rules = rules or OwnerRules()
        self._file = (
            None if file is None else Reread(file, read, now=now, taken=self._taken, refused=self._refused)
        )

    def __call__(self) -> OwnerRules:
        """The rules now."""
        return self._rules if self._file is None else self._file()

    def _taken(self, rules: OwnerRules) -> None:
        self.problem = ""
        log.info("Rules were read", action="rules_read")

    def _refused(self, why: str) -> None:
        self.problem = f"the rules before stay in force: {why}"
        log.error("Changed rules cannot be read", action="rules_broken", reason=why)


def read(file: Path) -> OwnerRules:
    """The rules of a file. Raises SettingsWrong."""
    try:
        return parse(tomllib.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        why = error.strerror or str(error)
    except RulesWrong as wrong:
        why = str(wrong)
    except ValueError as error:  # no UTF-8, or no TOML
        why = f"it is no TOML: {error}"
    raise SettingsWrong(f"the rules in {file} cannot be read: {why}", remedy=REMEDY)


def of_config(config: Path | None) -> OwnerRules:
    """The rules that an agent with these settings has; needs no token and checks nothing else. Raises SettingsWrong."""
    try:
        table = tomllib.loads(config.read_text(encoding="utf-8")) if config is not None else {}
        if file := os.environ.get(f"{PREFIX}RULES_FILE") or table.get("rules_file"):
            return read(Path(file).expanduser().absolute())
        named = os.environ.get(f"{PREFIX}RULES")
        return parse(json.loads(named) if named else table.get("rules", {}))
    except OSError as error:
        raise SettingsWrong(f"the settings file {config} cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise SettingsWrong(f"the rules of the settings cannot be read: {error}", remedy=REMEDY) from None
