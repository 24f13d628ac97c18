"""What an agent may reach: the attempts it holds and the triggers it runs, looked up at most every two seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from tradewind_protocol import hostnames, paths
from tradewind_protocol.attempts import WorkKind
from tradewind_protocol.boundary import Caller, Owner, OwnRun, RouteMatch
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.states import Component
from tradewind_provider.api import transactions
from tradewind_provider.api.auth import credentials
from tradewind_provider.services import attempts, triggers
from tradewind_provider.services.agents import Agent

NO_SUBJECT: Final = UUID(int=0)
"""Whom Airflow takes a component for: it knows this id as "no task instance" and writes it down as a watcher."""

_MOST: Final = 20_000


@dataclass(frozen=True)
class AttemptCaller:
    """On whose behalf a request is made."""

    caller: Caller
    subject: UUID  # the task instance, callback or connection test; NO_SUBJECT for a component
    label: str
    hostname: str = ""  # where Airflow keeps one, for an attempt
    own: OwnRun | None = None  # the run of a task


class AttemptAuthorizer:
    """Attempts and what they run, remembered for as long as sessions are. Refusals are never remembered."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._known: dict[tuple[UUID, UUID, int], tuple[AttemptCaller, float]] = {}

    async def find(self, agent: Agent, header: str | None) -> AttemptCaller:
        """The caller that the attempt header names. Changes nothing.

        Raises Refused MALFORMED, COMPONENT_NOT_YOURS, and as `attempts.holder` does.
        """
        return await self._find(agent, header, None)

    async def grant_or_find(
        self, agent: Agent, header: str | None, *, task_instance: str, offer_lasts: float, now: datetime
    ) -> AttemptCaller:
        """As `find`, for a request that asks to run `task_instance`: an attempt of it that is on offer to the agent is
        granted with that, so that a task needs no request of its own for its grant. Idempotent.

        Raises Refused as `find` and `attempts.start` do.
        """
        subject = _id(task_instance)
        return await self._find(
            agent,
            header,
            lambda db, attempt_id, epoch: attempts.start(
                db, attempt_id, epoch, agent, now=now, offer_lasts=offer_lasts, subject=subject
            ),
        )

    async def _find(
        self,
        agent: Agent,
        header: str | None,
        grant: Callable[[Session, UUID, int], attempts.HeldAttempt] | None,
    ) -> AttemptCaller:
        if not header:
            raise Refused(
                Code.MALFORMED,
                f"a request to the Execution API needs the header {paths.ATTEMPT_HEADER}",
                remedy="send '<attempt id>:<epoch>' or the name of a component",
            )
        if header in (Component.DAG_PROCESSOR.value, Component.TRIGGERER.value):
            agent.require(Component(header))
            return AttemptCaller(Caller(header), NO_SUBJECT, header)
        attempt_id, epoch = _parsed(header)
        key = (agent.session_id, attempt_id, epoch)
        moment = self._monotonic()
        known = self._known.get(key)
        if known is not None and known[1] > moment:
            return known[0]
        self._known.pop(key, None)
        look = grant or (lambda db, attempt_id, epoch: attempts.holder(db, attempt_id, epoch, agent))
        held = await transactions.run(lambda db: look(db, attempt_id, epoch))
        caller = _caller(held, agent)
        self._remember(key, caller)
        return caller

    def granted(self, agent: Agent, held: attempts.HeldAttempt) -> None:
        """`agent` was granted this attempt at this moment: what it asks next needs no look at the database."""
        self._remember((agent.session_id, held.attempt_id, held.epoch), _caller(held, agent))

    def _remember(self, key: tuple[UUID, UUID, int], caller: AttemptCaller) -> None:
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[key] = (caller, self._monotonic() + credentials.FRESH_SECONDS)

    async def subject(self, agent: Agent, caller: AttemptCaller, found: RouteMatch | None) -> UUID:
        """Whose token the request needs. Raises Refused TRIGGER_NOT_YOURS when a triggerer asks about a task
        instance that does not wait for one of its triggers."""
        if (
            caller.caller is not Caller.TRIGGERER
            or found is None
            or found.route.owner is not Owner.TASK_INSTANCE
        ):
            return caller.subject
        task_instance = _id(found.params[Owner.TASK_INSTANCE.value])
        if not await run_in_threadpool(_waits_here, agent.session_id, task_instance):
            raise Refused(
                Code.TRIGGER_NOT_YOURS,
                f"task instance {task_instance} does not wait for a trigger of agent {agent.name!r}",
            )
        return task_instance


def _caller(held: attempts.HeldAttempt, agent: Agent) -> AttemptCaller:
    name = hostnames.of_attempt(agent.name, held.attempt_id, held.epoch)
    run = OwnRun(held.dag_id, held.run_id) if held.dag_id is not None and held.run_id is not None else None
    own = run if held.kind is WorkKind.TASK else None
    return AttemptCaller(Caller(held.kind.value), held.subject_id, held.label, name, own)


def _waits_here(session_id: UUID, task_instance: UUID) -> bool:
    return transactions.in_transaction(
        lambda db: triggers.trigger_of_task_instance(db, session_id, task_instance)
    )


def _id(named: str) -> UUID:
    try:
        return UUID(named)
    except ValueError:
        raise Refused(Code.MALFORMED, f"{named!r} is not the id of a task instance") from None


def _parsed(header: str) -> tuple[UUID, int]:
    attempt, colon, epoch = header.partition(":")
    try:
        if colon and epoch.isdecimal() and len(epoch) < 10:
            return UUID(attempt), int(epoch)
    except ValueError:
        pass
    raise Refused(
        Code.MALFORMED,
        f"the header {paths.ATTEMPT_HEADER} is neither '<attempt id>:<epoch>' nor the name of a component",
    )
