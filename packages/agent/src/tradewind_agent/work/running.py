"""The attempts in flight: what is taken, how much room is left, what the poll says of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from uuid import UUID

import structlog

from tradewind_agent.access.local_secrets import LocalSecrets
from tradewind_agent.environments.task_environments import TaskEnvironments
from tradewind_agent.kits import aiotasks
from tradewind_agent.plane.client import PlaneClient
from tradewind_agent.state.outbox import Outbox
from tradewind_agent.traces.attempt import AttemptTrace
from tradewind_agent.work.attempt import Attempt, Phase
from tradewind_agent.work.confirmation import decline
from tradewind_agent.work.permission import Permissions
from tradewind_protocol.attempts import AttemptRef, Offer, Outcome, WorkKind
from tradewind_protocol.boundary import Unseal
from tradewind_protocol.polling import Room
from tradewind_protocol.states import process_end

log = structlog.get_logger(__name__)


class Running:
    """Slots equal attempts that are held, being confirmed or alive: never more than an environment has."""

    def __init__(
        self,
        *,
        plane: PlaneClient,
        environments: TaskEnvironments,
        outbox: Outbox,
        secrets: LocalSecrets,
        now: Callable[[], float],
        on_change: Callable[[], None],
        trace: Callable[[Offer, str], AttemptTrace],
        open_: Unseal,
        permissions: Permissions,
        on_log: Callable[[str, str], None] = lambda environment, path: None,
    ) -> None:
        self.cordoned = False
        self.draining = False
        # attempts since the start by the end of their process and the state it left their task in, for metrics
        self.ended: Counter[tuple[str, str]] = Counter()
        self._plane = plane
        self._environments = environments
        self._outbox = outbox
        self._secrets = secrets
        self._now = now
        self._on_change = on_change
        self._trace = trace
        self._open = open_  # what this site sealed
        self._permissions = permissions
        self._on_log = on_log  # an attempt has ended that wrote the log at this path, in that environment
        self._traces: dict[UUID, AttemptTrace] = {}  # of those whose outcome is being delivered
        self._attempts: dict[UUID, Attempt] = {}
        # What an earlier life left in the outbox ended there, and the plane may not know it yet.
        self._undelivered = {ref.attempt_id: ref for ref in outbox.refs()}
        self._tasks: set[asyncio.Task[None]] = set()
        self._empty = asyncio.Event()
        self._empty.set()

    # ---- what the poll says

    def room(self) -> tuple[Room, ...]:
        """Free slots of each environment that can take work."""
        open_ = not (self.cordoned or self.draining)
        return tuple(
            Room(environment=each.name, queues=each.queues, free=self._free(each.name) if open_ else 0)
            for each in self._environments.task_environments()
            if each.queues and self._environments.usable(each.name)
        )

    def holding(self) -> tuple[AttemptRef, ...]:
        """Offered, not granted as far as this agent knows."""
        return tuple(a.ref for a in self._attempts.values() if a.phase in (Phase.HELD, Phase.CONFIRMING))

    def running(self) -> tuple[AttemptRef, ...]:
        """Granted, and the plane has not heard yet how it ended."""
        alive = (a.ref for a in self._attempts.values() if a.phase is Phase.RUNNING)
        return (*alive, *self._undelivered.values())

    def unreported(self) -> tuple[AttemptRef, ...]:
        """Ended, here or in an earlier life, and the plane has not heard yet how."""
        return tuple(self._undelivered.values())

    @property
    def live(self) -> tuple[Attempt, ...]:
        return tuple(self._attempts.values())

    # ---- news

    def accept(self, offers: Iterable[Offer]) -> None:
        """Take offers, or decline at once what cannot start here. An offer already held is the same one again."""
        for offer in offers:
            known = self._attempts.get(offer.attempt_id)
            if known is not None and known.ref.epoch == offer.epoch:
                continue
            # Offers are repeated when an answer is late. This one ran and ended here, and the plane would grant it again.
            if self._undelivered.get(offer.attempt_id) == AttemptRef(
                attempt_id=offer.attempt_id, epoch=offer.epoch
            ):
                continue
            environment, why_not = self._place(offer, known)
            if environment is None:
                ref = AttemptRef(attempt_id=offer.attempt_id, epoch=offer.epoch)
                self._in_background(
                    decline(self._plane, ref, reason=why_not, within=offer.confirm_within),
                    f"decline {ref}",
                )
                continue
            attempt = Attempt(
                offer,
                worker=self._environments.workers[environment],
                plane=self._plane,
                outbox=self._outbox,
                secrets=self._secrets,
                now=self._now,
                on_change=self._on_change,
                trace=self._trace(offer, environment),
                open_=self._open,
                permission=self._permissions.of(offer),
            )
            self._attempts[offer.attempt_id] = attempt
            self._empty.clear()
            self._in_background(self._serve(attempt), f"attempt {offer.attempt_id}")

    def stop(self, ref: AttemptRef, reason: str) -> None:
        """Stop one attempt. Does nothing for one that is not here, or of another epoch."""
        attempt = self._attempts.get(ref.attempt_id)
        if attempt is not None and attempt.ref.epoch == ref.epoch:
            attempt.stop(reason)

    def drop(self, refs: Iterable[AttemptRef]) -> None:
        """The plane says that these attempts are not this agent's any more: stop them, and do not report them."""
        for ref in refs:
            self.stop(ref, "the plane has given it up: its lease was lost or it was taken back")
            self._undelivered.pop(ref.attempt_id, None)
            self._traces.pop(ref.attempt_id, None)

    def delivered(self, attempt_id: UUID) -> None:
        """The plane has heard everything about an attempt."""
        self._undelivered.pop(attempt_id, None)
        if (trace := self._traces.pop(attempt_id, None)) is not None:
            trace.delivered()

    def drain(self, reason: str) -> None:
        """Take nothing more and decline what was not confirmed; what runs goes on. Idempotent."""
        self.draining = True
        for attempt in self.live:
            if attempt.phase is Phase.HELD:
                attempt.stop(reason)
        self._on_change()

    def stop_all(self, reason: str) -> None:
        """Stop everything that runs. Idempotent."""
        for attempt in self.live:
            attempt.stop(reason)

    async def settled(self) -> None:
        """Return when nothing is held or alive."""
        await self._empty.wait()

    async def close(self) -> None:
        """Leave no task behind. What still ran has been stopped with its worker process by now."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5.0)
        await aiotasks.cancel(*self._tasks)

    # ---- inside

    def _place(self, offer: Offer, known: Attempt | None) -> tuple[str | None, str]:
        if self.draining or self.cordoned:
            return None, "the agent is draining" if self.draining else "the agent is cordoned"
        if known is not None:
            return None, "an earlier grant of it is still ending here"
        serving = [each.name for each in self._environments.task_environments() if offer.queue in each.queues]
        if not serving:
            return None, f"no environment of this agent serves queue {offer.queue!r}"
        ready = [name for name in serving if self._environments.usable(name)]
        if not ready:
            return None, f"the environment that serves queue {offer.queue!r} is not ready"
        most_free = max(ready, key=self._free)
        return (most_free, "") if self._free(most_free) > 0 else (None, "no free slot")

    def _free(self, environment: str) -> int:
        # A canary looks whether a slot works, and takes none from work that comes meanwhile.
        taken = sum(
            1
            for each in self._attempts.values()
            if each.environment == environment and each.offer.kind is not WorkKind.CANARY
        )
        return max(0, self._environments.slots[environment] - taken)

    async def _serve(self, attempt: Attempt) -> None:
        try:
            await attempt.serve()
        finally:
            del self._attempts[attempt.ref.attempt_id]
            if attempt.outcome is not None:
                if isinstance(path := attempt.offer.workload.get("log_path"), str) and path:
                    self._on_log(attempt.environment, path)
                self._undelivered[attempt.ref.attempt_id] = attempt.ref
                self._traces[attempt.ref.attempt_id] = attempt.trace
                if attempt.offer.kind is not WorkKind.CANARY:
                    self.ended[_end_of(attempt.outcome)] += 1
            if not self._attempts:
                self._empty.set()
            self._on_change()

    def _in_background(self, work: object, name: str) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work, name=name)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error(
                "An attempt failed inside the agent",
                action="attempt_broken",
                task=task.get_name(),
                exc_info=error,
            )


def _end_of(outcome: Outcome) -> tuple[str, str]:
    process = process_end(outcome.kind, exit_code=outcome.exit_code, signal=outcome.signal)
    return process.value, outcome.task_state or ""
