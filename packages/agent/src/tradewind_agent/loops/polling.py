"""The poll loop: reports the agent's state to the plane, acts on the answers, and is the agent's heartbeat."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from tradewind_agent.environments.task_environments import TaskEnvironments
from tradewind_agent.errors import Fenced, PlaneUnreachable, RefusedForGood
from tradewind_agent.kits import aiotasks
from tradewind_agent.kits.backoff import Backoff
from tradewind_agent.plane import retry
from tradewind_agent.plane.client import PlaneClient
from tradewind_agent.plane.closed import Closed, closed_by
from tradewind_agent.work.commands import Commands
from tradewind_agent.work.draining import Draining
from tradewind_agent.work.running import Running
from tradewind_protocol.errors import Refused
from tradewind_protocol.polling import Finding, Poll, PollAnswer
from tradewind_protocol.sessions import TaskEnvironment

log = structlog.get_logger(__name__)

_ALWAYS_SLOW = 60.0  # seconds between tries while an operator has to change an allow-list
_AT_ONCE = 2  # polls in flight: one that holds, one that says what has changed since


@dataclass(frozen=True)
class _Reported:
    """What the plane is told at once when it changes, rather than with the next poll."""

    room: tuple[str, ...]  # environments with a free slot
    findings: tuple[Finding, ...]
    environments: tuple[TaskEnvironment, ...]
    draining: bool
    carried_out: int


class Polling:
    """Polls for as long as the agent lives, also while it drains: the poll is what keeps its leases.

    When something changes that the plane must know, a second poll goes out beside the one that holds; the first is
    left to be answered and not cut, since its answer may carry an offer.
    """

    def __init__(
        self,
        *,
        plane: PlaneClient,
        running: Running,
        environments: TaskEnvironments,
        commands: Commands,
        draining: Draining,
        findings: Callable[[], Sequence[Finding]],
        on_turn: Callable[[str], None],
    ) -> None:
        self._plane = plane
        self._running = running
        self._environments = environments
        self._commands = commands
        self._draining = draining
        self._findings = findings
        self._on_turn = on_turn
        self._news = asyncio.Event()
        self._backoff = Backoff()
        self._in_flight: dict[asyncio.Task[PollAnswer], Poll] = {}
        self._newest: asyncio.Task[PollAnswer] | None = None
        self._reported: _Reported | None = None
        self._closed = ""  # why the Deployment is not served, as it was logged
        self._known_environments: tuple[TaskEnvironment, ...] = ()
        # Polls sent while one that says something else of the environments was under way: whichever the plane takes
        # last counts there, so the answer to such a poll proves nothing.
        self._contested: set[asyncio.Task[PollAnswer]] = set()

    def nudge(self) -> None:
        """Something has changed: find out whether the plane must be told of it now. Cheap, idempotent."""
        self._news.set()

    async def run(self) -> None:
        """Never returns. Raises RefusedForGood or Fenced when the agent has to end."""
        news = asyncio.create_task(self._news.wait(), name="poll news")
        try:
            while True:
                self._news.clear()
                if self._due():
                    self._send()
                if news.done():
                    news = asyncio.create_task(self._news.wait(), name="poll news")
                await asyncio.wait([*self._in_flight, news], return_when=asyncio.FIRST_COMPLETED)
                for task in [task for task in self._in_flight if task.done()]:
                    await self._handle(task, self._in_flight.pop(task))
        finally:
            await aiotasks.cancel(news, *self._in_flight)

    # ---- inside

    def _due(self) -> bool:
        # The plane goes by the newest poll. When it is answered first, an older one that the network has held up may
        # have taken its place there: the plane then counts slots that are taken, or misses free ones.
        if self._newest not in self._in_flight:
            return True
        # The plane is in doubt: find out at once, beside the poll that may hang on a dead connection.
        doubt = not self._plane.reachable and all(poll.hold != 0 for poll in self._in_flight.values())
        return doubt or self._to_report() != self._reported

    def _send(self) -> None:
        under_way = [poll.environments for poll in self._in_flight.values() if poll.environments is not None]
        while len(self._in_flight) >= _AT_ONCE:
            # Two changes in one hold. The oldest poll is the one the plane has had the most time to answer; an offer
            # lost with it is offered again, because no poll will name it as held.
            oldest = next(iter(self._in_flight))
            del self._in_flight[oldest]
            self._contested.discard(oldest)
            oldest.cancel()
        poll = self._compose()
        self._reported = self._to_report()
        self._newest = asyncio.create_task(self._ask(poll), name="poll")
        self._in_flight[self._newest] = poll
        if any(environments != poll.environments for environments in under_way):
            self._contested.add(self._newest)
        self._on_turn(
            "waiting for news"
            if self._plane.reachable
            else f"asking again: {self._plane.reachability.problem}"
        )

    async def _ask(self, poll: Poll) -> PollAnswer:
        await self._plane.renew_if_token_changed()
        return await self._plane.poll(poll)

    def _to_report(self) -> _Reported:
        return _Reported(
            room=tuple(each.environment for each in self._running.room() if each.free > 0),
            findings=tuple(self._findings()),
            environments=self._environments.task_environments(),
            draining=self._running.draining,
            carried_out=len(self._commands.carried_out()),
        )

    def _compose(self) -> Poll:
        environments = self._environments.task_environments()
        first_of_drain = self._running.draining and not self._draining.announced.is_set()
        at_once = first_of_drain or not self._plane.reachable
        return Poll(
            room=self._running.room(),
            holding=self._running.holding(),
            running=self._running.running(),
            carried_out=self._commands.carried_out(),
            refused=self._commands.refused(),
            findings=tuple(self._findings())[:100],
            environments=environments if environments != self._known_environments else None,
            draining=self._running.draining,
            hold=0 if at_once else None,
        )

    async def _handle(self, task: asyncio.Task[PollAnswer], poll: Poll) -> None:
        contested = task in self._contested
        self._contested.discard(task)
        try:
            answer = task.result()
        except (PlaneUnreachable, Refused) as error:
            await self._failed(error)
            return
        except (RefusedForGood, Fenced):
            raise
        except Exception as error:
            # At the start a wrong setting ends the agent. Later a token file may be missing for a moment, and whatever
            # else breaks here must not end what runs: the agent polls on and logs it.
            if self._plane.last_success is None:
                raise
            log.exception("The poll loop failed", action="poll_broken")
            await self._failed(PlaneUnreachable(f"{type(error).__name__}: {error}"))
            return
        self._backoff.after_success()
        if task is self._newest:  # an older one may have been held since before it was closed
            self._closed = ""
        self._commands.confirmed(poll.carried_out)
        if poll.environments is not None and not contested:
            self._known_environments = poll.environments
        if poll.draining:
            self._draining.announced.set()
        self._running.drop(answer.unknown)
        self._commands.carry_out(answer.commands)
        self._running.accept(answer.offers)
        self._on_turn(f"answered: {len(answer.offers)} offers, {len(answer.commands)} commands")

    async def _failed(self, error: PlaneUnreachable | Refused) -> None:
        cadence = self._plane.cadence
        if retry.verdict(error) is retry.Verdict.SLOWLY:
            wait = _ALWAYS_SLOW
            log.error(
                "The plane refuses this address", action="address_refused", reason=str(error), wait=wait
            )
        else:
            wait = self._backoff.after_failure(first=cadence.retry_first, most=cadence.retry_most)
            asked = error.retry_after if isinstance(error, PlaneUnreachable) else None
            wait = max(wait, asked or 0.0)
            if (closed := closed_by(error)) is not None:
                await self._wait_while(closed)
                return
            last = self._plane.last_success
            age = None if last is None else round(asyncio.get_running_loop().time() - last, 1)
            log.warning(
                "Poll failed",
                action="poll_failed",
                reason=str(error),
                wait=round(wait, 2),
                last_success_age=age,
            )
        self._on_turn(f"waiting {wait:.1f} s after: {error}")
        await asyncio.sleep(wait)

    async def _wait_while(self, closed: Closed) -> None:
        """Wait, and log the reason once: a Deployment may sleep for a night."""
        if closed.reason != self._closed:
            log.info(
                "The Deployment is not served at the moment",
                action="deployment_closed",
                reason=closed.message,
            )
            self._closed = closed.reason
        self._on_turn(f"waiting {closed.retry_after:.0f} s: {closed.message}")
        await asyncio.sleep(closed.retry_after)
