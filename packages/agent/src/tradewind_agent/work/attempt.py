"""One attempt on this agent, from the offer to the outcome on disk."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from enum import Enum
from typing import Any

import structlog

from tradewind_agent.access.grants import Grant, GrantState
from tradewind_agent.access.local_secrets import AttemptPrincipal, LocalSecrets
from tradewind_agent.environments.worker import Worker, WorkerLost
from tradewind_agent.kits import aiotasks
from tradewind_agent.plane.client import PlaneClient
from tradewind_agent.rules import RuleRefusal, task_rules
from tradewind_agent.state.outbox import Outbox
from tradewind_agent.traces.attempt import AttemptTrace
from tradewind_agent.work import canaries, confirmation, offers
from tradewind_agent.work.confirmation import StopRequest
from tradewind_agent.work.permission import Permission
from tradewind_protocol import paths
from tradewind_protocol.attempts import AttemptRef, Offer, Outcome, WorkKind
from tradewind_protocol.boundary import StartedBy, Unseal
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.hosts import RunAttempt
from tradewind_protocol.states import OutcomeKind, process_end

log = structlog.get_logger(__name__)

_DISK_AGAIN = 5.0  # seconds between tries to write an outcome down
_MOST_RULES = 50  # told of with one outcome


class Phase(str, Enum):
    """Where in its life an attempt is."""

    HELD = "held"  # offered; the grant has not been asked for yet
    CONFIRMING = "confirming"  # asked for, or a task that asks as it starts: the plane may think it runs
    RUNNING = "running"  # granted, in a worker process
    ENDED = "ended"  # its process group is gone; the outcome is in the outbox
    DROPPED = "dropped"  # declined, or not ours any more: user code never ran


class Attempt:
    """Serves one offer. `serve` is run once, as a task of its own."""

    def __init__(
        self,
        offer: Offer,
        *,
        worker: Worker,
        plane: PlaneClient,
        outbox: Outbox,
        secrets: LocalSecrets,
        now: Callable[[], float],
        on_change: Callable[[], None],
        trace: AttemptTrace,
        open_: Unseal,
        permission: Permission,
    ) -> None:
        self.offer = offer
        self.ref = AttemptRef(attempt_id=offer.attempt_id, epoch=offer.epoch)
        self.environment = worker.environment
        self.phase = Phase.HELD
        self.outcome: Outcome | None = None
        self.task_state: str | None = None  # in which the task's supervisor left it
        self._worker = worker
        self._plane = plane
        self._outbox = outbox
        self._secrets = secrets
        self._now = now
        self._on_change = on_change
        self.trace = trace
        self._open = open_
        self._permission = permission
        self._refusal: RuleRefusal | None = None  # the owner's, of what has been let in by the plane
        self._reads_refused: dict[str, None] = {}  # rules
        self._closed = ""  # why something that the plane keeps for the attempt could not be opened
        self._stop = StopRequest()
        self._in_worker = False
        # The first thing a task's supervisor asks is whether the task may run, before it lets any user code in; the plane
        # grants with the answer. Other work asks nothing of the kind.
        self._grant = Grant(self._granted) if offer.kind is WorkKind.TASK else None
        self._log = log.bind(attempt=str(offer.attempt_id), epoch=offer.epoch, work=offer.label)

    async def serve(self) -> None:
        """Confirm, run, and put the outcome in the outbox. Returns when the slot is free again."""
        started = self._moment()
        if (refusal := self._permission.of_offer()) is not None:
            outcome = await self._refused(refusal)
        else:
            outcome = await (self._ask_and_run() if self._grant is None else self._run_and_ask(self._grant))
        if outcome is None:
            self.trace.dropped()
            self._become(Phase.DROPPED)
            return
        self.trace.recorded(await self._record(outcome, started))

    async def _refused(self, refusal: RuleRefusal) -> Outcome | None:
        """The outcome of work that a rule refuses. The plane takes it of what it has granted: it is confirmed, and not run."""
        return self._failed(str(refusal), rule=refusal.rule) if await self._confirmed() else None

    async def _ask_and_run(self) -> Outcome | None:
        """The grant first. None when it does not run here."""
        self.trace.confirming()
        if not await self._confirmed():
            return None
        self.trace.confirmed()
        if self._stop.reason is not None:
            return self._stopped(self._stop.reason)
        self._become(Phase.RUNNING)
        outcome, _ = await self._run(None)
        return outcome

    async def _run_and_ask(self, grant: Grant) -> Outcome | None:
        """A process first, which asks for the grant. None when it does not run here."""
        if self._stop.reason is None:
            self._become(Phase.CONFIRMING)
            late = asyncio.create_task(self._confirm_late(grant), name=f"late grant of {self.ref.attempt_id}")
            try:
                outcome, lost = await self._run(grant)
            finally:
                await aiotasks.cancel(late)
        else:
            outcome, lost = self._stopped(self._stop.reason), False
        if grant.state is GrantState.GRANTED:
            return outcome
        if grant.state is GrantState.GONE:
            self._log.info("Offer has expired or was withdrawn", action="offer_gone")
            return None
        # A request of a process that has just died may still be in the gateway: it finds the grant withdrawn.
        if (lost or self._stop.reason is not None) and grant.withdraw():
            await confirmation.decline(
                self._plane, self.ref, reason=outcome.reason, within=self.offer.confirm_within
            )
            return None
        # It ended before the answer came, or before it asked, for a reason of its own: that is to be told, too.
        return outcome if await self._confirmed(maybe_granted=grant.state is GrantState.MAYBE) else None

    async def _confirm_late(self, grant: Grant) -> None:
        """Ask for the grant before the offer ends, in place of a worker process that has not asked yet on a busy machine."""
        await asyncio.sleep(self.offer.confirm_within / 2)
        if self._stop.reason is not None or grant.state is not GrantState.NOT_ASKED:
            return
        grant.asked()
        if await self._confirmed(maybe_granted=True):
            grant.answered(None)
        else:
            grant.answered(Refused(Code.LEASE_LOST, "the offer is gone"))
            self._worker.stop_attempt(self.ref.attempt_id, reason="the plane has taken it back")

    def _granted(self, known: GrantState) -> None:
        """News of the grant a task's supervisor asks for."""
        if known is GrantState.MAYBE:
            self.trace.confirming()
        elif known is GrantState.GRANTED:
            self.trace.confirmed()
            if self.phase is Phase.CONFIRMING:
                self._become(Phase.RUNNING)

    def stop(self, reason: str) -> None:
        """End it: the process group when there is one, else it will not start. Idempotent; the first reason counts."""
        if self._stop.ask(reason):
            self._log.info("Stopping the attempt", action="attempt_stopped", reason=reason)
        if self._in_worker:
            self._worker.stop_attempt(self.ref.attempt_id, reason=reason)

    async def _confirmed(self, *, maybe_granted: bool = False) -> bool:
        return await confirmation.confirmed(
            self._plane,
            self.offer,
            self._stop,
            maybe_granted=maybe_granted,
            on_ask=lambda: self._become(Phase.CONFIRMING),
        )

    async def _run(self, grant: Grant | None) -> tuple[Outcome, bool]:
        """How it ended, and whether it ended because its worker process was lost."""
        principal = AttemptPrincipal(
            attempt_id=self.ref.attempt_id,
            epoch=self.ref.epoch,
            kind=self.offer.kind,
            subject=offers.subject(self.offer),
            label=self.offer.label,
            own=offers.own_run(self.offer),
            grant=grant,
            on_task_state=self._left,
            may_run=self._may_run,
            failed=self._cannot_open,
            read_refused=self._read_refused,
        )
        secret = self._secrets.issue(principal)
        self._in_worker = True
        lost = False
        try:
            self._log.info("Attempt started", action="attempt_started", environment=self.environment)
            outcome = await self._executed(
                RunAttempt(
                    attempt_id=self.ref.attempt_id,
                    epoch=self.ref.epoch,
                    kind=self.offer.kind,
                    secret=secret,
                    workload=offers.workload(self.offer, self.trace.handed_over(), self._open),
                    rules=task_rules(self._permission.rules, self._permission.work.dag),
                )
            )
        except WorkerLost as gone:
            outcome, lost = self._failed(str(gone)), True
        finally:
            self._in_worker = False
            self._secrets.revoke(secret)
        outcome = self._explained(outcome)
        self.trace.ended(outcome)
        return outcome, lost

    def _explained(self, outcome: Outcome) -> Outcome:
        """The outcome of the process with what this agent knows of its cause: a rule of the owner, a missing key, a stop."""
        if self._refusal is not None:
            return self._failed(str(self._refusal), rule=self._refusal.rule)
        if outcome.rule:
            self._permission.refused_in_task(outcome)
            return outcome
        if outcome.kind is not OutcomeKind.FAILED:
            return outcome
        if self._closed and self.task_state is None:
            return self._failed(self._closed)
        if self._stop.reason is not None:
            return outcome.model_copy(update={"kind": OutcomeKind.STOPPED, "reason": self._stop.reason})
        return outcome

    async def _executed(self, message: RunAttempt) -> Outcome:
        """How it ended in the worker process. Raises WorkerLost."""
        if self.offer.kind is WorkKind.CANARY:
            return await canaries.run(self._worker, message)
        return await self._worker.execute(message, on_forked=self.trace.forked)

    def _may_run(self, answer: Mapping[str, Any], started: StartedBy | None) -> str:
        """Why the task may not start, by what the plane says of its run; empty when it may."""
        self._refusal = self._permission.of_start(answer, started)
        return str(self._refusal) if self._refusal is not None else ""

    def _cannot_open(self, why: str) -> None:
        """What the plane gave the gateway for this attempt is sealed with a key that the agent has not."""
        self._closed = self._closed or why

    def _read_refused(self, rule: str) -> None:
        if len(self._reads_refused) < _MOST_RULES:
            self._reads_refused[rule] = None

    def _left(self, state: str) -> None:
        """The task's supervisor has said how it leaves the task. A state that is not one of Airflow's is dropped."""
        if re.fullmatch("[a-z_]{1,20}", state):
            self.task_state = state

    def _stopped(self, reason: str) -> Outcome:
        return Outcome(epoch=self.ref.epoch, kind=OutcomeKind.STOPPED, reason=reason)

    def _failed(self, reason: str, *, rule: str = "") -> Outcome:
        return Outcome(epoch=self.ref.epoch, kind=OutcomeKind.FAILED, reason=reason[:4000], rule=rule)

    async def _record(self, outcome: Outcome, started: datetime) -> Outcome:
        """The outcome as it is on disk now, whole."""
        self.outcome = whole = outcome.model_copy(
            update={
                "started_at": outcome.started_at or started,
                "ended_at": outcome.ended_at or self._moment(),
                "task_state": self.task_state,
                "reads_refused": tuple(self._reads_refused),
            }
        )
        await self._put(whole)
        process = process_end(outcome.kind, exit_code=outcome.exit_code, signal=outcome.signal)
        self._log.info(
            "Attempt ended",
            action="attempt_ended",
            process=process.value,
            exit_code=outcome.exit_code,
            task_state=self.task_state,
            reason=outcome.reason or None,
        )
        self._become(Phase.ENDED)
        return whole

    async def _put(self, whole: Outcome) -> None:
        """Write the outcome into the outbox. A disk that refuses keeps the slot: an outcome that is not on disk must not be followed
        by more work."""
        while True:
            try:
                self._outbox.put(
                    kind="finish",
                    attempt_id=self.ref.attempt_id,
                    epoch=self.ref.epoch,
                    method="POST",
                    path=paths.finish(self.ref.attempt_id),
                    body=whole.model_dump_json().encode(),
                    headers={"Content-Type": "application/json"},
                )
                return
            except sqlite3.Error as error:
                self._log.error("Outcome not written", action="outcome_not_written", error=str(error))
                await asyncio.sleep(_DISK_AGAIN)

    def _become(self, phase: Phase) -> None:
        self.phase = phase
        self._on_change()

    def _moment(self) -> datetime:
        return datetime.fromtimestamp(self._now(), timezone.utc)
