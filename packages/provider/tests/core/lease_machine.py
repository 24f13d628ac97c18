"""The real rules of leasing on a real database, two agents as the agent's own code behaves, and a network that loses, delays,
repeats and reorders: a machine that Hypothesis walks at random."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import Session

from tradewind_protocol.attempts import AttemptRef, HandBack, Outcome, WorkKind
from tradewind_protocol.errors import REOPEN_SESSION, Code, Refused
from tradewind_protocol.polling import Poll, Room
from tradewind_protocol.sessions import OpenSession, TaskEnvironment
from tradewind_protocol.states import ATTEMPT_MOVES, AttemptState, Component, OutcomeKind
from tradewind_provider.airflow import workloads
from tradewind_provider.services import (
    assignment,
    attempts,
    polls,
    reaper,
    session_authentication,
    sessions,
    tokens,
    work_queue,
)
from tradewind_provider.services.agents import Agent
from tradewind_provider.store.tables import AgentSession, AgentToken, Attempt, Event

from .scenes import NOON, SETTINGS

SLOTS = 2
OVER = frozenset({AttemptState.FINISHED, AttemptState.REVOKED})
AT_ONCE = frozenset({Code.SESSION_UNKNOWN, Code.SESSION_EXPIRED, Code.SESSION_FENCED})


AGENT = st.integers(0, 1)
FATE = st.sampled_from(
    [
        "goes well",
        "goes well",
        "arrives, and will again",
        "arrives, the answer is late",
        "arrives, the answer is lost",
        "late",
    ]
)


@dataclass(eq=False)
class Work:
    """An attempt in an agent's memory."""

    ref: AttemptRef
    phase: str = "held"  # held, confirming, running


@dataclass(eq=False)
class Process:
    """One life of an agent."""

    instance: UUID = field(default_factory=uuid4)
    token: str = ""
    session_id: UUID | None = None
    work: dict[UUID, Work] = field(default_factory=dict)


@dataclass(eq=False)
class Site:
    """An agent: what survives its processes, and the one there is now."""

    name: str
    agent_id: UUID = field(default_factory=uuid4)
    outbox: dict[UUID, AttemptRef] = field(default_factory=dict)
    process: Process = field(default_factory=Process)

    def room(self) -> int:
        return max(0, SLOTS - len(self.process.work))


@dataclass(eq=False)
class Request:
    """On its way: what the plane does with it, and what the process that sent it does with the answer."""

    what: str
    site: Site
    process: Process
    token: str
    act: Callable[[Session, Agent], Any]
    hear: Callable[[Any], None]
    refused: Callable[[Refused], None]


class LeaseMachine(RuleBasedStateMachine):
    """Invariants hold after every step; at the end the network is mended, and then everything must come to its end."""

    engine: Engine  # of the plane's database; set by whoever runs the machine

    def __init__(self) -> None:
        super().__init__()
        self.now: datetime = NOON
        self.network: list[Request] = []
        self.answers: list[Callable[[], None]] = []
        self.sites = [Site("one"), Site("two")]
        self.started: dict[UUID, int] = {}
        self.granted: dict[UUID, set[int]] = {}
        self.seen: dict[UUID, tuple[AttemptState, int, str | None]] = {}
        self.on_this_plane: list[UUID] = []

    @initialize()
    def an_empty_plane(self) -> None:
        with self._transaction() as db:
            for table in (Attempt, AgentSession, AgentToken, Event):
                db.execute(delete(table))
            made = tokens.create(db, name="ci", expires_in_days=None, created_by="ada", now=self.now, limit=9)
            self.token_id = made.token.id
            db.commit()
        for site in self.sites:
            self._open(site)
            self._arrive(self.network.pop())
            self.answers.pop()()
        for _ in range(2):
            self.work_comes()

    # ---- the scheduler, and time

    @rule()
    def work_comes(self) -> None:
        if len(self.on_this_plane) >= 6:
            return
        work = workloads.Workload(
            kind=WorkKind.CALLBACK,
            subject_id=uuid4(),
            queue="default",
            priority=1,
            label="work",
            workload={"type": "ExecuteCallback", "token": ""},
        )
        with self._transaction() as db:
            made = work_queue.queue(db, work, scheduler_job_id=1, executor=None, now=self.now)
            db.commit()
        self.seen[made] = (AttemptState.QUEUED, 0, None)
        self.on_this_plane.append(made)

    @precondition(lambda self: len(self.on_this_plane) > 3)
    @rule(data=st.data())
    def work_is_taken_back(self, data: st.DataObject) -> None:
        attempt_id = data.draw(st.sampled_from(self.on_this_plane))
        with self._transaction() as db:
            subject = db.scalars(select(Attempt.subject_id).where(Attempt.id == attempt_id)).one()
            work_queue.revoke(db, [subject], reason="cleared", now=self.now)
            db.commit()
        self._every_move_is_a_legal_one_and_an_outcome_stays()

    @rule(seconds=st.sampled_from([11, 11, 80]), swept=st.sampled_from([True, True, False]))
    def time_passes(self, seconds: int, swept: bool) -> None:
        self.now += timedelta(seconds=seconds)
        if swept:
            self._sweep()

    @rule(seconds=st.sampled_from([4000, -600]), chance=st.integers(0, 3))
    def the_clock_is_set(self, seconds: int, chance: int) -> None:
        if chance == 0:
            self.now += timedelta(seconds=seconds)

    def _sweep(self) -> None:
        with self._transaction() as db:
            reaper.expire_offers(db, now=self.now)
            reaper.lose_agents(db, SETTINGS, listening_since=NOON - timedelta(days=1), now=self.now)
            reaper.lose_missing(db, SETTINGS, now=self.now)
            db.commit()
        self._every_move_is_a_legal_one_and_an_outcome_stays()

    # ---- what an agent does, and how its request fares

    @rule(which=AGENT, fate=FATE)
    def polls(self, which: int, fate: str) -> None:
        with self._faring(fate):
            self._poll(self.sites[which])

    @rule(which=AGENT)
    def work_runs(self, which: int) -> None:
        """Everything goes well from the offer to the grant, as it nearly always does."""
        site = self.sites[which]
        with self._faring("goes well"):
            self._poll(site)
        for work in list(site.process.work.values()):
            if work.phase == "held":
                with self._faring("goes well"):
                    self._start(site, work)

    @precondition(lambda self: self._any("held", "confirming"))
    @rule(which=AGENT, fate=FATE, data=st.data())
    def asks_for_a_grant(self, which: int, fate: str, data: st.DataObject) -> None:
        if work := self._one(which, data, "held", "confirming"):
            with self._faring(fate):
                self._start(self.sites[which], work)

    @precondition(lambda self: self._any("held"))
    @rule(which=AGENT, fate=st.sampled_from(["goes well", "late", "late"]), data=st.data())
    def changes_its_mind(self, which: int, fate: str, data: st.DataObject) -> None:
        if work := self._one(which, data, "held"):
            del self.sites[which].process.work[work.ref.attempt_id]
            with self._faring(fate):
                self._hand_back(self.sites[which], work.ref)

    @precondition(lambda self: self._any("running"))
    @rule(which=AGENT, data=st.data())
    def code_ends(self, which: int, data: st.DataObject) -> None:
        if work := self._one(which, data, "running"):
            self._end(self.sites[which], work)

    @precondition(lambda self: any(site.outbox for site in self.sites))
    @rule(which=AGENT, fate=FATE)
    def sends_its_outbox(self, which: int, fate: str) -> None:
        with self._faring(fate):
            for ref in self.sites[which].outbox.values():
                self._finish(self.sites[which], ref)

    @rule(which=AGENT, fate=FATE)
    def opens_a_session(self, which: int, fate: str) -> None:
        with self._faring(fate):
            self._open(self.sites[which])

    @rule(which=AGENT, fate=FATE, chance=st.integers(0, 1))
    def crashes_and_comes_back(self, which: int, fate: str, chance: int) -> None:
        if chance:
            return
        self.sites[which].process = Process()
        with self._faring(fate):
            self._open(self.sites[which])

    @precondition(lambda self: any(site.outbox for site in self.sites))
    @rule(which=AGENT, restarted=st.booleans(), silent=st.booleans())
    def comes_back_with_an_outbox(self, which: int, restarted: bool, silent: bool) -> None:
        """After a crash, or after it was given up, or both; and the network is well again."""
        site = self.sites[which]
        if silent:
            self.time_passes(80, swept=True)
        if restarted:
            site.process = Process()
        for step in (self._open, self._poll):
            with self._faring("goes well"):
                step(site)
        self.sends_its_outbox(which, "goes well")

    def _any(self, *phases: str) -> bool:
        return any(one.phase in phases for site in self.sites for one in site.process.work.values())

    @contextmanager
    def _faring(self, fate: str) -> Iterator[None]:
        before = len(self.network)
        yield
        for request in self.network[before:]:
            if fate == "late":
                continue
            if fate != "arrives, and will again":
                self.network.remove(request)
            self._arrive(request)
            if fate == "arrives, the answer is late":
                continue
            answer = self.answers.pop()
            if fate != "arrives, the answer is lost":
                with self._faring("goes well"):  # a refusal may have it open another session
                    answer()

    def _one(self, which: int, data: st.DataObject, *phases: str) -> Work | None:
        fitting = [one for one in self.sites[which].process.work.values() if one.phase in phases]
        return data.draw(st.sampled_from(fitting)) if fitting else None

    # ---- the network

    @precondition(lambda self: self.network)
    @rule(data=st.data(), again=st.booleans())
    def a_request_arrives(self, data: st.DataObject, again: bool) -> None:
        """Any of those on their way, whenever it was sent; perhaps not for the last time."""
        request = self.network[data.draw(st.integers(0, len(self.network) - 1))]
        if not again:
            self.network.remove(request)
        self._arrive(request)

    @precondition(lambda self: self.network)
    @rule(data=st.data())
    def a_request_is_lost(self, data: st.DataObject) -> None:
        del self.network[data.draw(st.integers(0, len(self.network) - 1))]

    @precondition(lambda self: self.answers)
    @rule(data=st.data(), lost=st.booleans())
    def an_answer_is_read_or_lost(self, data: st.DataObject, lost: bool) -> None:
        answer = self.answers.pop(data.draw(st.integers(0, len(self.answers) - 1)))
        if not lost:
            answer()

    def _arrive(self, request: Request) -> None:
        answer: Any
        before = dict(self.seen)
        with self._transaction() as db:
            try:
                answer = self._handle(db, request)
                db.commit()
            except Refused as refused:
                db.rollback()
                answer = refused
        self._every_move_is_a_legal_one_and_an_outcome_stays()
        if isinstance(answer, Refused) and answer.code in AT_ONCE:
            assert self.seen == before, f"{request.what} of a session that is over changed something"

        def read() -> None:
            if request.site.process is not request.process:
                return  # nobody is there who asked
            (request.refused if isinstance(answer, Refused) else request.hear)(answer)

        self.answers.append(read)

    def _handle(self, db: Session, request: Request) -> Any:
        if request.what == "open":
            return request.act(db, None)  # type: ignore[arg-type]
        return request.act(db, session_authentication.authenticate(db, request.token, self.now))

    # ---- the agent's own rules: tradewind_agent.work.running and .attempt

    def _send(self, site: Site, what: str, act: Any, hear: Any, refused: Any) -> None:
        process = site.process

        def no(error: Refused) -> None:
            if error.code in REOPEN_SESSION:
                self._open(site)
            if error.code is Code.SESSION_FENCED:  # it ends, and whoever watches over it starts it again
                site.process = Process()
                self._open(site)
                return
            refused(error)

        self.network.append(Request(what, site, process, process.token, act, hear, no))

    def _open(self, site: Site) -> None:
        process = site.process
        ask = OpenSession(
            agent_id=site.agent_id,
            instance=process.instance,
            name=site.name,
            components=(Component.WORKER,),
            environments=(TaskEnvironment(name="main", queues=("default",), slots=SLOTS),),
            unreported=tuple(site.outbox.values()),
        )

        def act(db: Session, _: object) -> sessions.OpenedSession:
            token = db.get(AgentToken, self.token_id)
            assert token is not None
            return sessions.open_session(db, ask, token, now=self.now, lasts=3600)

        def hear(opened: sessions.OpenedSession) -> None:
            process.token, process.session_id = opened.session_token, opened.agent.session_id

        self._send(site, "open", act, hear, lambda _: None)

    def _poll(self, site: Site) -> None:
        process = site.process
        waiting = [one.ref for one in process.work.values() if one.phase != "running"]
        running = [one.ref for one in process.work.values() if one.phase == "running"]
        said = Poll(
            room=(Room(environment="main", queues=("default",), free=site.room()),),
            holding=tuple(waiting),
            running=(*running, *site.outbox.values()),
            hold=0,
        )

        def act(db: Session, agent: Agent) -> tuple[Any, list[Any]]:
            heard = polls.handle_poll(db, agent, said, settings=SETTINGS, now=self.now)
            places = [heard.candidate] if heard.candidate is not None else []
            found = assignment.assign(
                db, places, waiting=assignment.depths(db), now=self.now, lasts=SETTINGS.cadence.offer
            )
            return heard, [*heard.offers, *found.offers.get(agent.session_id, [])]

        def hear(answer: tuple[Any, list[Any]]) -> None:
            heard, offers = answer
            process.token = heard.session_token or process.token
            for ref in heard.unknown:
                known = process.work.get(ref.attempt_id)
                if known is not None and known.ref == ref and known.phase == "running":
                    self._end(site, known)
                site.outbox.pop(ref.attempt_id, None)
            for offer in offers:
                self._accept(site, AttemptRef(attempt_id=offer.attempt_id, epoch=offer.epoch))

        self._send(site, "poll", act, hear, lambda _: None)

    def _accept(self, site: Site, ref: AttemptRef) -> None:
        known = site.process.work.get(ref.attempt_id)
        if (known is not None and known.ref == ref) or site.outbox.get(ref.attempt_id) == ref:
            return
        if known is not None or site.room() == 0:
            self._hand_back(site, ref)
        else:
            site.process.work[ref.attempt_id] = Work(ref)

    def _start(self, site: Site, work: Work) -> None:
        work.phase, ref = "confirming", work.ref

        def hear(_: object) -> None:
            if site.process.work.get(ref.attempt_id) is work and work.phase == "confirming":
                work.phase = "running"
                self.started[ref.attempt_id] = self.started.get(ref.attempt_id, 0) + 1

        def act(db: Session, agent: Agent) -> Any:
            granted = attempts.start(db, ref.attempt_id, ref.epoch, agent, now=self.now)
            self.granted.setdefault(ref.attempt_id, set()).add(granted.epoch)
            return granted

        def refused(error: Refused) -> None:
            if (
                error.code not in REOPEN_SESSION
                and site.process.work.get(ref.attempt_id) is work
                and work.phase == "confirming"
            ):
                del site.process.work[ref.attempt_id]

        self._send(site, "start", act, hear, refused)

    def _hand_back(self, site: Site, ref: AttemptRef) -> None:
        back = HandBack(epoch=ref.epoch)
        self._send(
            site,
            "hand back",
            lambda db, agent: attempts.hand_back(db, ref.attempt_id, back, agent, now=self.now),
            lambda _: None,
            lambda _: None,
        )

    def _end(self, site: Site, work: Work) -> None:
        del site.process.work[work.ref.attempt_id]
        site.outbox[work.ref.attempt_id] = work.ref

    def _finish(self, site: Site, ref: AttemptRef) -> None:
        outcome = Outcome(epoch=ref.epoch, kind=OutcomeKind.SUCCEEDED)

        def settled(_: object) -> None:
            if site.outbox.get(ref.attempt_id) == ref:
                del site.outbox[ref.attempt_id]

        self._send(
            site,
            "finish",
            lambda db, agent: attempts.finish(db, ref.attempt_id, outcome, agent, now=self.now),
            settled,
            lambda error: None if error.code in REOPEN_SESSION else settled(error),
        )

    # ---- what must hold

    @invariant()
    def user_code_starts_once_and_one_epoch_is_granted(self) -> None:
        assert all(count == 1 for count in self.started.values()), "user code started twice"
        assert all(len(epochs) == 1 for epochs in self.granted.values()), "two epochs were granted"

    @invariant()
    def no_agent_holds_more_than_its_slots(self) -> None:
        assert all(len(site.process.work) <= SLOTS for site in self.sites)

    def _every_move_is_a_legal_one_and_an_outcome_stays(self) -> None:
        """Looked at after each transaction of the plane."""
        for attempt_id, (state, epoch, outcome) in self._rows().items():
            if (before := self.seen.get(attempt_id)) is not None:
                was, old_epoch, old_outcome = before
                assert state is was or _reachable(was, state), f"{was.value} became {state.value}"
                assert epoch >= old_epoch
                assert old_outcome is None or outcome == old_outcome, "an outcome changed"
            assert (outcome is not None) == (state is AttemptState.FINISHED)
            self.seen[attempt_id] = (state, epoch, outcome)

    @invariant()
    def nothing_waits_for_somebody_who_is_gone_or_does_not_know(self) -> None:
        with self._transaction() as db:
            leased = db.execute(
                select(Attempt.id, Attempt.epoch, Attempt.state, AgentSession.id, AgentSession.ended_at)
                .join(AgentSession, AgentSession.id == Attempt.session_id, isouter=True)
                .where(Attempt.state.in_([AttemptState.OFFERED.value, AttemptState.RUNNING.value]))
            ).all()
        for attempt_id, epoch, state, session_id, ended_at in leased:
            assert session_id is not None and ended_at is None, f"{state} in a session that is over"
            if state == AttemptState.RUNNING.value:
                self._is_known(AttemptRef(attempt_id=attempt_id, epoch=epoch), session_id)

    def _is_known(self, ref: AttemptRef, session_id: UUID) -> None:
        for site in self.sites:
            if site.process.session_id == session_id:
                known = site.process.work.get(ref.attempt_id)
                confirmed = known is not None and known.ref == ref and known.phase != "held"
                assert confirmed or site.outbox.get(ref.attempt_id) == ref, "it runs, and nobody knows"

    def teardown(self) -> None:
        """From here on nothing is lost: everything comes to its end, and what was lost on the way is offered again."""
        self.network.clear()
        self.answers.clear()
        for site in self.sites:
            if site.process.session_id is None:  # its asking was lost, and it asks again
                self._open(site)
        self._exchange()
        for calm in range(12):
            rows = self._rows()
            if all(state in OVER for state, _, _ in rows.values()) and not any(
                site.outbox for site in self.sites
            ):
                # An agent that was given up a moment ago learns with its next poll that its work is nobody's.
                told = [site for site in self.sites if calm or self._is_open(site)]
                assert not any(site.process.work for site in told), "a slot is taken, by nothing that lives"
                if not any(site.process.work for site in self.sites):
                    return
            for site in self.sites:
                self._calm_round(site)
            self.now += timedelta(seconds=12)
            self._sweep()
            self.user_code_starts_once_and_one_epoch_is_granted()
        left = {str(id_): row for id_, row in self._rows().items() if row[0] not in OVER}
        raise AssertionError(f"never came to an end: {left}, outboxes {[site.outbox for site in self.sites]}")

    def _is_open(self, site: Site) -> bool:
        with self._transaction() as db:
            session = db.get(AgentSession, site.process.session_id)
            return session is not None and session.ended_at is None

    def _calm_round(self, site: Site) -> None:
        self._poll(site)
        self._exchange()
        for work in list(site.process.work.values()):
            if work.phase != "running":
                self._start(site, work)
        self._exchange()
        for work in list(site.process.work.values()):
            if work.phase == "running":
                self._end(site, work)
        for ref in list(site.outbox.values()):
            self._finish(site, ref)
        self._exchange()

    def _exchange(self) -> None:
        while self.network:
            self._arrive(self.network.pop(0))
            while self.answers:
                self.answers.pop(0)()

    # ---- the database

    def _transaction(self) -> Session:
        return Session(self.engine)

    def _rows(self) -> dict[UUID, tuple[AttemptState, int, str | None]]:
        with self._transaction() as db:
            rows = db.execute(select(Attempt.id, Attempt.state, Attempt.epoch, Attempt.outcome))
            return {id_: (AttemptState(state), epoch, outcome) for id_, state, epoch, outcome in rows}


def _reachable(before: AttemptState, after: AttemptState) -> bool:
    """In one transaction an attempt may make more than one move: freed and offered in the same poll."""
    one = ATTEMPT_MOVES[before]
    return after in one or any(after in ATTEMPT_MOVES[each] for each in one if each is AttemptState.QUEUED)
