"""A canary of each queue: it goes the way of work, costs none, and names the part of the way that fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from tradewind_protocol import operator, states
from tradewind_protocol.attempts import CanaryHop
from tradewind_protocol.ids import TokenKind
from tradewind_protocol.operator import CanaryResult, CanaryView
from tradewind_protocol.sentinel import ReportTaken
from tradewind_provider.airflow.database import create_session
from tradewind_provider.api.agent.sweeper import Sweeper
from tradewind_provider.domain import canaries as rules
from tradewind_provider.domain.agents import HeartbeatLimits
from tradewind_provider.services import ended_attempts, metrics, queue_depths, tokens, work_queue
from tradewind_provider.services.operator import agent_views, attempts, queues, throughput
from tradewind_provider.services.operator.pages import PageRequest
from tradewind_provider.settings import Settings
from tradewind_provider.store.tables import Attempt, CanaryRow, Event, SentinelRow

from .scenes import SETTINGS, Agent, Clock, Plane, queued, ref, row, sweeper_of

INTERVAL = 300.0
BEATS = HeartbeatLimits(25.0, 75.0)
OK = {"kind": "succeeded", "canary": {"start": 0.2, "log": 0.01}}


@pytest.fixture
def settings() -> Settings:
    return replace(SETTINGS, canary_interval=INTERVAL)


@pytest.fixture
def sweeper(settings: Settings, clock: Clock) -> Iterator[Sweeper]:
    yield sweeper_of(settings, clock)


class Site:
    """A site's agent and the clock of its plane, swept."""

    def __init__(self, plane: Plane, clock: Clock, sweeper: Sweeper) -> None:
        self.plane, self.clock, self.sweeper = plane, clock, sweeper

    async def agent(self, name: str = "eu-1", *, canary: bool = True, slots: int = 4) -> Agent:
        environment = {"name": "main", "queues": ["default"], "slots": slots, "canary": canary}
        agent = await self.plane.agent(name, slots=slots).opens(environments=[environment])
        await agent.poll()
        return agent

    async def later(self, seconds: float, *agents: Agent, free: int | None = None, **more: Any) -> None:
        """Time passes, with the agents' polls; what they are offered meanwhile they do not take."""
        while seconds > 0:
            self.clock.forward(min(5.0, seconds))
            seconds -= 5.0
            for agent in agents:
                await agent.poll(free=free, **more)
            await self.sweeper.once()

    async def due(self, *agents: Agent, free: int = 0) -> None:
        """Until the canary of the queue waits. It is claimed by no one meanwhile."""
        await self.sweeper.once()
        for _ in range(100):
            if waiting():
                return
            await self.later(5.0, *agents, free=free)
        raise AssertionError("no canary began")


@pytest.fixture
def site(plane: Plane, clock: Clock, sweeper: Sweeper) -> Site:
    return Site(plane, clock, sweeper)


def waiting() -> list[UUID]:
    with create_session() as db:
        return list(db.scalars(select(Attempt.id).where(Attempt.kind == "canary", Attempt.state == "queued")))


def last(clock: Clock, queue: str = "default") -> CanaryView:
    with create_session() as db:
        (view,) = [one for one in queues.listed(db, now=clock(), beats=BEATS).items if one.queue == queue]
    assert view.canary is not None
    return view.canary


def events() -> list[tuple[str, str]]:
    with create_session() as db:
        rows = db.scalars(select(Event).where(Event.action.like("canary%")).order_by(Event.id)).all()
        return [(one.action, one.subject) for one in rows]


async def test_a_canary_goes_from_queue_to_report(site: Site, clock: Clock) -> None:
    agent = await site.agent()
    await site.due(agent)
    clock.forward(0.5)
    (offer,) = await agent.offers()
    assert (offer["kind"], offer["queue"], offer["workload"]["queue"]) == ("canary", "default", "default")
    clock.forward(0.25)
    assert (await agent.start(offer)).status_code == 200
    clock.forward(0.5)
    assert (await agent.finish(offer, **OK)).status_code == 204
    found = last(clock)
    assert (found.result, found.hop, found.agent, found.failures) == (CanaryResult.OK, None, "eu-1", 0)
    assert found.seconds == {
        CanaryHop.CLAIM: 0.75,
        CanaryHop.START: 0.2,
        CanaryHop.LOG: 0.01,
        CanaryHop.FINISH: 0.29,
    }
    assert (await agent.finish(offer, **OK)).status_code == 204, "a lost answer costs nothing"
    assert events() == []


async def test_the_next_one_begins_after_the_interval_and_no_two_are_under_way(
    site: Site, clock: Clock, settings: Settings
) -> None:
    agent = await site.agent()
    await site.due(agent)
    other = sweeper_of(settings, clock)
    began = clock()
    offers = []
    while not offers or len(offers) < 2:
        clock.forward(5.0)
        await site.sweeper.once()
        await other.once()
        for offer in await agent.offers():
            offers.append((clock(), offer))
            await agent.start(offer)
            await agent.finish(offer, **OK)
    assert INTERVAL <= (offers[1][0] - began).total_seconds() <= INTERVAL + 10


async def test_a_queue_whose_last_agent_has_left_fails_its_claim_and_is_forgotten_after_a_day(
    site: Site, clock: Clock
) -> None:
    agent = await site.agent()
    await site.due(agent)
    await agent.goodbye()
    await site.later(40.0)
    found = last(clock)
    assert (found.result, found.hop, found.failures) == (CanaryResult.FAILED, CanaryHop.CLAIM, 1)
    assert "no agent of this site is connected" in found.reason
    assert "Start an agent that serves queue 'default'" in found.remedy
    await site.later(INTERVAL + 40.0)
    assert last(clock).failures == 2
    assert events() == [("canary_failed", "queue:default")], "what goes on failing is one event"
    clock.forward(86_400.0)
    await site.sweeper.once()
    with create_session() as db:
        assert db.scalars(select(CanaryRow)).all() == []


async def test_a_queue_whose_agents_may_be_at_zero_is_asleep(site: Site, clock: Clock) -> None:
    agent = await site.agent()
    await site.due(agent)
    await agent.goodbye()
    group = {"name": "batch", "queues": ["default"], "least": 0}
    with create_session() as db:
        db.add(
            SentinelRow(
                id=uuid4(),
                site="default",
                name="watch",
                token_id=uuid4(),
                first_at=clock(),
                last_at=clock(),
                report={"instance": str(uuid4()), "name": "watch", "groups": [group]},
            )
        )
    await site.later(40.0)
    found = last(clock)
    assert (found.result, found.failures) == (CanaryResult.ASLEEP, 0)
    assert found.reason == "the agents of batch are at zero and wake on work"
    assert events() == []


async def test_a_queue_whose_slots_are_all_taken_is_busy_and_its_work_goes_first(
    site: Site, clock: Clock
) -> None:
    agent = await site.agent(slots=1)
    await site.due(agent)
    work = queued(clock)
    (offer,) = await agent.offers(free=1)
    assert offer["attempt_id"] == str(work), "work that came later goes before a canary"
    await agent.start(offer)
    await site.later(40.0, agent, free=0, running=[ref(offer)])
    found = last(clock)
    assert (found.result, found.failures, found.reason) == (
        CanaryResult.BUSY,
        0,
        "every slot of agent eu-1 is taken by work",
    )
    assert waiting() == [], "it is taken back, and costs no one a slot later"
    assert events() == []


async def test_an_agent_that_knows_no_canaries_is_offered_none(site: Site, clock: Clock) -> None:
    agent = await site.agent(canary=False)
    await site.due(agent)
    work = queued(clock)
    offers = await agent.offers()
    assert [offer["attempt_id"] for offer in offers] == [str(work)]
    await site.later(40.0, agent, holding=[ref(offers[0])])
    found = last(clock)
    assert found.result is CanaryResult.UNKNOWN
    assert "the version of agent eu-1 is older" in found.reason
    assert events() == []


async def test_a_canary_goes_past_an_agent_that_knows_none(site: Site) -> None:
    old = await site.agent("old", canary=False, slots=9)
    new = await site.agent("new")
    await site.due(old, new)
    assert await old.offers() == []
    (offer,) = await new.offers()
    assert offer["kind"] == "canary"


async def test_an_offer_that_is_not_confirmed_names_the_agent(site: Site, clock: Clock) -> None:
    agent = await site.agent()
    await site.due(agent)
    (offer,) = await agent.offers()
    await site.later(40.0, agent, holding=[ref(offer)])
    found = last(clock)
    assert (found.result, found.hop, found.agent) == (CanaryResult.FAILED, CanaryHop.CLAIM, "eu-1")
    assert found.reason == "agent eu-1 was offered it and did not confirm it"
    assert (await agent.start(offer)).status_code == 409, "a late confirmation is refused"


@pytest.mark.parametrize(
    ("outcome", "hop", "rule", "says"),
    [
        (
            {"kind": "failed", "reason": "the worker process is broken", "canary": {"failed": "start"}},
            CanaryHop.START,
            "",
            "agent eu-1 claimed it and did not start it: the worker process is broken",
        ),
        (
            {"kind": "failed", "reason": "no process could be started for it"},
            CanaryHop.START,
            "",
            "agent eu-1 claimed it and did not start it: no process could be started for it",
        ),
        (
            {
                "kind": "failed",
                "reason": "a log cannot be written: No space left on device",
                "canary": {"failed": "log", "start": 0.1, "log": 0.0},
            },
            CanaryHop.LOG,
            "",
            "agent eu-1 started it, and a log cannot be written: No space left on device",
        ),
        (
            {"kind": "failed", "reason": "the site's rule 'queues' refuses it: …", "rule": "queues"},
            CanaryHop.CLAIM,
            "queues",
            "agent eu-1 claims work of the queue and refuses it: the site's rule 'queues' refuses it: …",
        ),
    ],
)
async def test_what_an_agent_reports_names_the_part(
    site: Site, clock: Clock, outcome: dict[str, Any], hop: CanaryHop, rule: str, says: str
) -> None:
    agent = await site.agent()
    await site.due(agent)
    (offer,) = await agent.offers()
    await agent.start(offer)
    await agent.finish(offer, **outcome)
    found = last(clock)
    assert (found.result, found.hop, found.rule, found.reason) == (CanaryResult.FAILED, hop, rule, says)
    assert found.remedy
    assert events() == [("canary_failed", "queue:default")]
    await site.due(agent)
    (offer,) = await agent.offers()
    await agent.start(offer)
    await agent.finish(offer, **OK)
    assert events()[1:] == [("canary_recovered", "queue:default")]


async def test_an_agent_that_does_not_report_fails_the_finish_with_what_it_says_of_itself(
    site: Site, clock: Clock
) -> None:
    agent = await site.agent()
    await site.due(agent)
    (offer,) = await agent.offers()
    await agent.start(offer)
    disk = {"check": "disk", "message": "the disk of the state directory is full"}
    await site.later(40.0, agent, running=[ref(offer)], findings=[disk])
    found = last(clock)
    assert (found.result, found.hop, found.agent) == (CanaryResult.FAILED, CanaryHop.FINISH, "eu-1")
    assert found.reason.endswith("did not report how it ended: the disk of the state directory is full")
    assert (await agent.finish(offer, **OK)).status_code == 204, "a late report is taken"
    assert last(clock).result is CanaryResult.FAILED, "and changes nothing"


async def test_an_agent_that_is_lost_fails_the_finish(site: Site, clock: Clock) -> None:
    agent = await site.agent()
    await site.due(agent)
    (offer,) = await agent.offers()
    await agent.start(offer)
    await agent.goodbye()
    await site.sweeper.once()
    found = last(clock)
    assert (found.result, found.hop) == (CanaryResult.FAILED, CanaryHop.FINISH)
    assert "eu-1" in found.reason


@pytest.mark.parametrize(
    "marks",
    [
        {"start": -1},
        {"start": 1e9},
        {"log": "long"},
        {"failed": "elsewhere"},
        {"start": float("nan")},
    ],
)
async def test_what_is_no_answer_of_a_canary_is_refused(site: Site, marks: dict[str, Any]) -> None:
    agent = await site.agent()
    await site.due(agent)
    (offer,) = await agent.offers()
    await agent.start(offer)
    assert (await agent.finish(offer, canary=marks)).status_code == 422


async def test_a_canary_is_no_work_to_anything_that_counts_work(site: Site, clock: Clock) -> None:
    agent = await site.agent()
    await site.due(agent)
    work = queued(clock)

    def told() -> dict[str, Any]:
        with create_session() as db:
            (queue,) = queues.listed(db, now=clock(), beats=BEATS).items
            (view,) = agent_views.present(db, now=clock(), beats=BEATS)
            page = attempts.page(db, attempts.AttemptFilters(), PageRequest(50, 0), now=clock(), beats=BEATS)
            return {
                "depth": queue.depth,
                "running": queue.running,
                "used": view.slots_used,
                "listed": [one.id for one in page.items],
                "counts": queue_depths.count(db),
                "ended": len(ended_attempts.find(db, since=clock() - rules.ENDED_WITHIN)),
                "through": throughput.recent(db, minutes=60, now=clock()).queues,
                "keys": work_queue.keys_of_unfinished(db, scheduler_job_id=None),
                "adopted": work_queue.adopt_orphans(db, running_jobs=[1], scheduler_job_id=2),
                "reported": work_queue.ended(db, scheduler_job_id=None, now=clock()),
            }

    only_work = told()
    assert (only_work["depth"], only_work["listed"], only_work["adopted"]) == (1, [work], 0)
    offers = await agent.offers()
    assert Counter(offer["kind"] for offer in offers) == {"callback": 1, "canary": 1}
    (canary,) = [offer for offer in offers if offer["kind"] == "canary"]
    await agent.start(canary)
    running = told()
    assert (running["depth"], running["running"], running["used"]) == (0, 1, 1), "the callback is"
    await agent.finish(canary, **OK)
    clock.forward(120)
    ended = told()
    assert (ended["ended"], ended["through"], ended["reported"], ended["listed"]) == (0, (), [], [work])


async def test_its_attempt_is_deleted_soon_after(site: Site, clock: Clock) -> None:
    agent = await site.agent()
    await site.due(agent)
    (offer,) = await agent.offers()
    await agent.start(offer)
    await agent.finish(offer, **OK)
    assert row(UUID(offer["attempt_id"])).state == states.AttemptState.FINISHED.value
    clock.forward(601)
    await site.sweeper.once()
    with create_session() as db:
        assert db.get(Attempt, UUID(offer["attempt_id"])) is None


async def test_without_an_interval_there_are_none(site: Site, clock: Clock) -> None:
    agent = await site.agent()
    await site.due(agent)
    await sweeper_of(SETTINGS, clock).once()
    assert await agent.offers() == []
    with create_session() as db:
        assert db.scalars(select(CanaryRow)).all() == []
        assert queues.listed(db, now=clock(), beats=BEATS).items[0].canary is None


def test_queues_begin_at_moments_of_their_own(clock: Clock) -> None:
    moments = [rules.first_due("eu", f"q{number}", INTERVAL, clock()) for number in range(200)]
    parts = Counter(int((moment - clock()).total_seconds() // 60) for moment in moments)
    assert set(parts) == {0, 1, 2, 3, 4}
    assert max(parts.values()) < 70


def view(**more: Any) -> operator.QueueView:
    canary = {"at": "2026-03-01T12:00:00Z", "result": "ok", "ok_at": "2026-03-01T12:00:00Z", **more}
    return operator.QueueView(site="eu", queue="q", canary=CanaryView.model_validate(canary))


def test_metrics_name_the_part_that_fails() -> None:
    good = metrics.text(metrics.PlaneSnapshot(queues=(view(seconds={"claim": 0.5}),)))
    assert 'tradewind_plane_canary_up{site="eu",queue="q"} 1' in good
    assert 'tradewind_plane_canary_failures{site="eu",queue="q",hop=""} 0' in good
    assert 'tradewind_plane_canary_seconds{site="eu",queue="q",hop="claim"} 0.5' in good
    bad = metrics.text(metrics.PlaneSnapshot(queues=(view(result="failed", hop="log", failures=3),)))
    assert 'tradewind_plane_canary_up{site="eu",queue="q"} 0' in bad
    assert 'tradewind_plane_canary_failures{site="eu",queue="q",hop="log"} 3' in bad
    busy = view(result="busy", ok_at=None)
    assert "canary_up{" not in metrics.text(metrics.PlaneSnapshot(queues=(busy,))), "it was never tried"


async def test_a_sentinel_is_told_of_its_own_site_those_that_fail_first(
    site: Site, clock: Clock, plane: Plane
) -> None:
    agent = await site.agent()
    await site.due(agent)
    (offer,) = await agent.offers()
    await agent.start(offer)
    more = {"reason": "no fork", "canary": {"failed": "start"}}
    await agent.finish(offer, "failed", **more)
    told = {"served_at": clock(), "due_at": clock(), "seconds": {}, "judged_at": clock(), "result": "ok"}
    with create_session() as db:
        db.add(CanaryRow(site="default", queue="another", **told))
        db.add(CanaryRow(site="elsewhere", queue="theirs", **{**told, "result": "failed", "failures": 3}))
        secret = tokens.create(
            db,
            name="watch",
            kind=TokenKind.SENTINEL,
            expires_in_days=None,
            created_by="ada",
            now=clock(),
            limit=50,
        ).secret
    report = {"instance": str(uuid4()), "name": "lab"}
    answer = await plane.agent().call("POST", "/sentinel/report", report, bearer=secret)
    failed, good = ReportTaken.model_validate(answer.json()).canaries
    assert (failed.queue, failed.result, failed.hop, failed.failures) == ("default", "failed", "start", 1)
    assert "agent eu-1 claimed it and did not start it: no fork" in failed.reason and failed.remedy
    assert (failed.agent, failed.ok_at) == ("eu-1", None) and failed.seconds["claim"] >= 0
    assert (good.queue, good.failures) == ("another", 0)
