"""Which shortcuts a process uses. One switch installs them, logs each once and keeps the result for metrics."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from typing import Final, Protocol

log = logging.getLogger(__name__)

NOT_CHOSEN: Final = "switched off by [tradewind] shortcuts"


class Shortcut(Protocol):
    """Something that saves time and changes no answer. One instance serves one process."""

    @property
    def name(self) -> str: ...

    def applies(self) -> str | None:
        """Why it stays off in this process; None when it can be on."""

    def install(self) -> None:
        """Put it to work. Called once, after `applies`."""


class ShortcutSwitch:
    """Installs shortcuts as `[tradewind] shortcuts` says: None chooses all, a set of names those."""

    def __init__(self, chosen: Collection[str] | None = None) -> None:
        self._chosen = None if chosen is None else frozenset(chosen)
        self._states: dict[str, str] = {}

    @property
    def states(self) -> Mapping[str, str]:
        """The reason why each shortcut is off, by name; empty for one that is on."""
        return dict(self._states)

    def install(self, shortcuts: Iterable[Shortcut]) -> None:
        """Install those that are chosen and apply, in this order. One that fails is off, and the process goes on."""
        for each in shortcuts:
            reason = self._install(each)
            self._states[each.name] = reason
            if reason:
                log.info(
                    "Shortcut %s is off: %s",
                    each.name,
                    reason,
                    extra={"action": "shortcut_off", "shortcut": each.name, "reason": reason},
                )
            else:
                log.info(
                    "Shortcut %s is on", each.name, extra={"action": "shortcut_on", "shortcut": each.name}
                )

    def _install(self, shortcut: Shortcut) -> str:
        """Why it is off; empty when it is on now."""
        if self._chosen is not None and shortcut.name not in self._chosen:
            return NOT_CHOSEN
        try:
            if (reason := shortcut.applies()) is not None:
                return reason
            shortcut.install()
        except Exception as problem:
            log.warning(
                "Shortcut %s has failed and stays off",
                shortcut.name,
                exc_info=problem,
                extra={"action": "shortcut_failed", "shortcut": shortcut.name},
            )
            return f"it failed: {type(problem).__name__}: {problem}"[:500]
        return ""
