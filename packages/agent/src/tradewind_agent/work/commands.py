"""What the plane can ask of this agent, carried out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final
from uuid import UUID

import structlog
from pydantic import ValidationError

from tradewind_agent.environments.task_environments import TaskEnvironments
from tradewind_agent.work.draining import Draining
from tradewind_agent.work.log_streams import LogStreams
from tradewind_agent.work.running import Running
from tradewind_protocol.attempts import AttemptRef
from tradewind_protocol.logs import StreamLog
from tradewind_protocol.polling import Command, CommandRefused, Verb

log = structlog.get_logger(__name__)

_REMEMBERED = 1000

RULE: Final = "commands"
"""The owner's rule about commands."""


class Commands:
    """Carries out each command once; one that comes again after a lost answer is only confirmed again."""

    def __init__(
        self,
        *,
        running: Running,
        environments: TaskEnvironments,
        draining: Draining,
        logs: LogStreams,
        allowed: Callable[[Verb], bool],
        on_refused: Callable[[Command], None],
    ) -> None:
        self._running = running
        self._environments = environments
        self._draining = draining
        self._logs = logs
        self._allowed = allowed  # by the site's owner
        self._on_refused = on_refused
        self._refused: dict[UUID, None] = {}  # of those in `_unconfirmed`
        self._done: dict[UUID, None] = {}  # in order, the oldest forgotten first
        self._unconfirmed: dict[UUID, None] = {}

    def carried_out(self) -> tuple[UUID, ...]:
        """Done, and the plane may not know yet."""
        return tuple(self._unconfirmed)[:_REMEMBERED]

    def refused(self) -> tuple[CommandRefused, ...]:
        """Those of them that were not done, because a rule of the site's owner refuses them."""
        return tuple(
            CommandRefused(id=each, rule=RULE) for each in self.carried_out() if each in self._refused
        )

    def confirmed(self, ids: Iterable[UUID]) -> None:
        """The plane has answered a poll that named these."""
        for each in ids:
            self._unconfirmed.pop(each, None)
            self._refused.pop(each, None)

    def carry_out(self, commands: Iterable[Command]) -> None:
        """Do what is asked. A command that makes no sense here is logged and counts as done: it would come for ever."""
        for command in commands:
            if command.id not in self._done:
                try:
                    self._do(command)
                except (ValidationError, ValueError, TypeError, KeyError) as error:
                    log.error(
                        "Cannot read a command",
                        action="command_malformed",
                        verb=command.verb.value,
                        error=str(error),
                    )
                self._done[command.id] = None
                while len(self._done) > _REMEMBERED:
                    del self._done[next(iter(self._done))]
            self._unconfirmed[command.id] = None

    def _do(self, command: Command) -> None:
        reason = command.reason or (
            f"asked by {command.asked_by}" if command.asked_by else "asked by the plane"
        )
        if command.verb is Verb.STREAM_LOG:  # a reader's page asks every few seconds: not worth a line each
            self._logs.start(StreamLog.model_validate(command.arguments))
            return
        if not self._allowed(command.verb):
            self._refused[command.id] = None
            self._on_refused(command)
            log.warning(
                "A rule of the site refuses a command",
                action="command_refused",
                verb=command.verb.value,
                rule=RULE,
                asked_by=command.asked_by,
            )
            return
        log.info(
            "Carrying out a command of the plane",
            action="command",
            verb=command.verb.value,
            reason=command.reason,
            asked_by=command.asked_by,
        )
        if command.verb is Verb.STOP_ATTEMPT:
            self._running.stop(AttemptRef.model_validate(command.arguments), reason)
        elif command.verb is Verb.DRAIN:
            self._draining.request(reason)
        elif command.verb is Verb.CORDON:
            self._running.cordoned = True
        elif command.verb is Verb.RESUME:
            self._running.cordoned = False
        elif command.verb is Verb.SET_SLOTS:
            slots = int(command.arguments["slots"])
            if not 0 <= slots <= 10_000:
                raise ValueError(f"{slots} slots")
            self._environments.set_slots(str(command.arguments["environment"]), slots)
        else:
            log.warning(
                "This agent does not support the command",
                action="command_unsupported",
                verb=command.verb.value,
            )
