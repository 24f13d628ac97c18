"""The two threads that talk to the plane, through the agent's gateway: one reports, one claims and watches.

The parsing loop forks. A lock held by another thread at that moment stays held in the child for ever, so these threads
neither log nor print: what is worth a line travels to the loop as a `Note` and is logged there.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

from tradewind_protocol import dags
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.messages import Message
from tradewind_runtime.dags.sync_state import SyncState
from tradewind_runtime.gateway_client import GatewayUnreachable

HOLD: Final = 25.0
"""How long a watch may be held. Below the time limit a proxy on the way is likely to have."""

REPORT_TIMEOUT: Final = 120.0
WAIT_FIRST: Final = 0.5
WAIT_MOST: Final = 15.0
CLAIM_AGAIN: Final = 60.0
"""A bundle that was refused is claimed again after this long: an operator may have decided otherwise."""

PASSING: Final = frozenset(
    {
        Code.UNAVAILABLE,
        Code.INTERNAL,
        Code.RATE_LIMITED,
        Code.SESSION_UNKNOWN,
        Code.SESSION_EXPIRED,
        Code.ADDRESS_NOT_ALLOWED,
    }
)
"""Refusals the agent or the plane gets over by itself: the same request is worth sending again."""


class Transport(Protocol):
    """`gateway_client.Gateway`, as far as it is needed here."""

    def post(self, path: str, message: Message, *, timeout: float | None = None) -> dict[str, object]: ...


@dataclass(frozen=True)
class Note:
    """Something worth a line in the log: a stable key and a sentence."""

    action: str
    text: str
    level: str = "warning"


@dataclass(frozen=True)
class RolesChanged:
    """A claim was answered: the sync state knows the roles."""


@dataclass(frozen=True)
class ParseNow:
    """A person asked for this file to be parsed."""

    bundle: str
    path: str


@dataclass(frozen=True)
class RunCallback:
    """A granted callback: it runs here, and nowhere else."""

    offer: dags.CallbackOffer


News = Note | RolesChanged | ParseNow | RunCallback


class PlaneSync:
    """Carries between a sync state and the plane. `wake` is called from its threads after each piece of news."""

    def __init__(self, *, sync_state: SyncState, transport: Transport, wake: Callable[[], None]) -> None:
        self._sync_state = sync_state
        self._transport = transport
        self._wake = wake
        self._stopping = threading.Event()
        self._news: deque[News] = deque()
        self._done: deque[UUID] = deque()
        self._threads = [
            threading.Thread(target=self._report_for_ever, name="dags-report", daemon=True),
            threading.Thread(target=self._watch_for_ever, name="dags-watch", daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop reporting and watching. A request under way is left to end by itself; its answer is not waited for."""
        self._stopping.set()
        self._sync_state.wake()

    def flush(self, timeout: float) -> bool:
        """Wait until nothing waits to be sent, at most `timeout` seconds. True when that is so."""
        pause = threading.Event()
        steps = max(1, int(timeout / 0.05))
        for _ in range(steps):
            if not self._sync_state.waiting() and not self._sync_state.in_flight():
                return True
            pause.wait(0.05)
        return False

    def take_news(self) -> list[News]:
        """All news since the last call."""
        taken: list[News] = []
        while self._news:
            taken.append(self._news.popleft())
        return taken

    def callback_done(self, callback_id: UUID) -> None:
        """A granted callback ended, however it did; the plane is told with the next watch."""
        self._done.append(callback_id)

    # ---- reporting

    def _report_for_ever(self) -> None:
        wait = WAIT_FIRST
        while not self._stopping.is_set():
            report = self._sync_state.next_report(5.0)
            if report is None or self._stopping.is_set():
                if report is not None:
                    self._sync_state.failed(report, again=True)
                continue
            if self._send(report):
                wait = WAIT_FIRST
                continue
            self._stopping.wait(wait)
            wait = min(wait * 2, WAIT_MOST)

    def _send(self, report: dags.Report) -> bool:
        """True when there was an answer that settles the report, one way or the other."""
        try:
            answer = dags.Reported.model_validate(
                self._transport.post(dags.REPORT, report, timeout=REPORT_TIMEOUT)
            )
        except GatewayUnreachable as problem:
            self._sync_state.failed(report, again=True)
            self._tell(Note("dags_report_delayed", str(problem)))
            return False
        except Refused as refused:
            return self._report_refused(report, refused)
        except Exception as problem:  # an answer that is none, a defect: this thread must not die of it
            self._sync_state.failed(report, again=True)
            self._tell(Note("dags_report_failed", f"{type(problem).__name__}: {problem}", "error"))
            return False
        self._sync_state.reported(report, answer)
        for one in answer.refused:
            what = f"Dag {one.dag_id!r} of {one.path}" if one.dag_id else one.path
            self._tell(
                Note("dags_refused", f"The plane refused {what} in {report.bundle}: {one.refusal.message}")
            )
        if answer.resend:
            self._wake()
        return True

    def _report_refused(self, report: dags.Report, refused: Refused) -> bool:
        self._tell(Note("dags_report_refused", f"Bundle {report.bundle}: {refused}"))
        if refused.code in PASSING:
            self._sync_state.failed(report, again=True)
            return False
        if refused.code is Code.BUNDLE_NOT_YOURS:
            self._sync_state.give_up(report.bundle)
            self._tell(RolesChanged())
            return True
        if refused.code is Code.TOO_LARGE and len(report.files) > 1:
            self._sync_state.failed(
                report, again=True
            )  # a proxy allows less than we thought: it goes file by file
            self._sync_state.one_at_a_time()
            return True
        self._sync_state.failed(report, again=False, refusal=refused.refusal)
        return True

    # ---- claiming and watching

    def _watch_for_ever(self) -> None:
        wait = WAIT_FIRST
        claim = True
        watching = _Watching()
        while not self._stopping.is_set():
            try:
                if claim or self._sync_state.unknown():
                    answer = self._transport.post(dags.CLAIM, self._sync_state.claim())
                    self._claimed(dags.Claimed.model_validate(answer))
                    claim = False
                claim = self._watch(watching)
                wait = WAIT_FIRST
            except Exception as problem:
                if not isinstance(problem, GatewayUnreachable | Refused):
                    self._tell(Note("dags_watch_failed", f"{type(problem).__name__}: {problem}", "error"))
                elif wait > 2:
                    self._tell(Note("dags_watch_delayed", str(problem)))
                claim = True  # whatever it was, the plane may have changed meanwhile
                self._stopping.wait(wait)
                wait = min(wait * 2, WAIT_MOST)

    def _claimed(self, answer: dags.Claimed) -> None:
        before = self._sync_state.roles()
        self._sync_state.claimed(answer)
        for claimed in answer.bundles:
            if claimed.refusal is not None and before.get(claimed.name) is not claimed.role:
                refusal = claimed.refusal
                self._tell(Note("bundle_refused", f"{refusal.message}. {refusal.remedy}", "error"))
        self._tell(RolesChanged())

    def _watch(self, watching: _Watching) -> bool:
        """One watch. True when the bundles are to be claimed again."""
        marks = self._sync_state.marks()
        done = [self._done.popleft() for _ in range(len(self._done))]
        request = dags.Watch(
            instance=self._sync_state.instance,
            marks=marks,
            parsing=tuple(watching.parsing),
            confirm=tuple(watching.offered),
            done=tuple(done),
            hold=0.0 if watching.offered else HOLD if marks else CLAIM_AGAIN / 2,
        )
        try:
            news = dags.News.model_validate(self._transport.post(dags.WATCH, request, timeout=HOLD + 35))
        except BaseException:
            self._done.extendleft(reversed(done))
            raise
        watching.answered(news, self._tell)
        if news.claim and not self._sync_state.believes(marks, news.claim):
            return True
        return watching.refused_for_long(dags.Role.REFUSED in self._sync_state.roles().values())

    def _tell(self, news: News) -> None:
        self._news.append(news)
        self._wake()


class _Watching:
    """What a watch has to remember from one request to the next."""

    def __init__(self) -> None:
        self.parsing: list[str] = []  # parse requests taken over, to be acknowledged
        self.offered: dict[UUID, dags.CallbackOffer] = {}  # callbacks to be granted
        self._watches = 0

    def answered(self, news: dags.News, tell: Callable[[News], None]) -> None:
        for request in news.parse:
            tell(ParseNow(request.bundle, request.path))
        self.parsing = [request.id for request in news.parse]
        for granted in news.granted:
            if (offer := self.offered.get(granted)) is not None:
                tell(RunCallback(offer))
        # An offer that was not granted is not repeated when another agent has it: forgotten here too.
        self.offered = {offer.id: offer for offer in news.callbacks}

    def refused_for_long(self, refused: bool) -> bool:
        """True about once in CLAIM_AGAIN seconds while a bundle is refused (a watch lasts HOLD when nothing happens)."""
        self._watches = self._watches + 1 if refused else 0
        if self._watches * HOLD >= CLAIM_AGAIN:
            self._watches = 0
            return True
        return False
