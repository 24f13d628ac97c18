"""Which accelerators a process uses. One switch installs them, logs each once and keeps the result for the agent."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final, Protocol

import structlog

log = structlog.get_logger(__name__)

ALL: Final = "all"
NOT_CHOSEN: Final = "switched off in the agent's settings"


class Accelerator(Protocol):
    """Something that saves CPU or memory and changes nothing that a task sees or logs. One instance serves one process."""

    @property
    def name(self) -> str: ...

    def applies(self) -> str | None:
        """Why it stays off in this environment; None when it can be on."""

    def install(self) -> None:
        """Put it to work. Called once, after `applies`, before the process forks."""


class Switch:
    """Installs accelerators as the agent's setting `accelerators` says: `all`, `none`, or a list of names."""

    def __init__(self, setting: object, *, process: str) -> None:
        self._named, self._process = _named(setting), process
        self._states: dict[str, str] = {}

    @property
    def states(self) -> Mapping[str, str]:
        """The reason why each accelerator is off, by name; empty for one that is on."""
        return dict(self._states)

    def reason(self, accelerator: Accelerator) -> str | None:
        """Why the accelerator stays off; None when it can be on. A fault of the accelerator's is such a reason."""
        if ALL not in self._named and accelerator.name not in self._named:
            return NOT_CHOSEN
        try:
            return accelerator.applies()
        except Exception as problem:
            return self._fault(accelerator, problem)

    def install(self, *accelerators: Accelerator) -> None:
        """Install those that are chosen and apply, in this order. One that fails is off and the process goes on."""
        for each in accelerators:
            if (reason := self.reason(each)) is None:
                try:
                    each.install()
                except Exception as problem:
                    reason = self._fault(each, problem)
            self._states[each.name] = reason or ""
            about = {"accelerator": each.name, "process": self._process}
            if reason:
                log.info("An accelerator is off", action="accelerator_off", reason=reason, **about)
            else:
                log.info("An accelerator is on", action="accelerator_on", **about)

    def warn_of_unknown(self, known: Collection[str]) -> None:
        """Log each name of the setting that is no accelerator's."""
        for name in sorted(self._named - {ALL, *known}):
            log.warning(
                "The setting `accelerators` names one that does not exist",
                action="accelerator_unknown",
                accelerator=name,
                known=", ".join(sorted(known)),
            )

    def _fault(self, accelerator: Accelerator, problem: Exception) -> str:
        log.warning(
            "An accelerator has failed and stays off",
            action="accelerator_failed",
            accelerator=accelerator.name,
            process=self._process,
            exc_info=problem,
        )
        return f"it failed: {type(problem).__name__}: {problem}"[:500]


def _named(setting: object) -> frozenset[str]:
    """The names in the setting; `all` is one of them, and the default."""
    named: Any = setting if setting is not None else ALL
    names = [named] if isinstance(named, str) else list(named)
    return frozenset(map(str, names)) - {"none"}
