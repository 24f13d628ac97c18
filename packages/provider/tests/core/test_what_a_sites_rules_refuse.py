"""What the rules of a site's owner refuse is an event, once."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

from sqlalchemy import select

from tradewind_protocol.polling import Verb
from tradewind_provider.airflow.database import create_session
from tradewind_provider.services import rule_refusals
from tradewind_provider.services.rule_refusals import RuleRefusal
from tradewind_provider.store.tables import AgentCommand, AgentSession, Event

from .scenes import Clock, Plane, queued, row


def events(action: str) -> list[Event]:
    with create_session() as db:
        return list(db.scalars(select(Event).where(Event.action == action)))


async def test_refused_work_is_an_event_with_the_name_of_the_rule(plane: Plane, clock: Clock) -> None:
    agent = await plane.agent().opens()
    attempt = queued(clock)
    (offer,) = await agent.offers()
    await agent.start(offer)
    for _ in range(2):  # an answer was lost
        answer = await agent.finish(
            offer, "failed", rule="dags", reason="the site's rule 'dags' refuses it: no"
        )
        assert answer.status_code == 204
    assert row(attempt).reason == "the site's rule 'dags' refuses it: no"
    (event,) = events("work_refused")
    assert event.detail["rule"] == "dags"
    assert (event.subject, event.reason) == (
        "attempt:work of default",
        "the site's rule 'dags' refuses it: no",
    )


async def test_refused_reads_are_an_event_for_each_rule_whatever_became_of_the_task(
    plane: Plane, clock: Clock
) -> None:
    agent = await plane.agent().opens()
    queued(clock)
    (offer,) = await agent.offers()
    await agent.start(offer)
    for _ in range(2):
        await agent.finish(offer, "succeeded", reads_refused=["xcoms", "finance.variables"])
    found = events("read_refused")
    assert [one.detail["rule"] for one in found] == ["xcoms", "finance.variables"]
    assert {one.subject for one in found} == {"attempt:work of default"}
    assert events("work_refused") == []


async def test_work_that_fails_for_another_reason_is_no_such_event(plane: Plane, clock: Clock) -> None:
    agent = await plane.agent().opens()
    queued(clock)
    (offer,) = await agent.offers()
    await agent.start(offer)
    await agent.finish(offer, "failed", exit_code=1)
    assert events("work_refused") == []


async def test_a_refused_command_is_done_with_and_an_event(plane: Plane, clock: Clock) -> None:
    agent = await plane.agent().opens()
    command = uuid4()
    with create_session() as db:
        session = db.scalars(select(AgentSession.id)).one()
        db.add(
            AgentCommand(
                id=command,
                session_id=session,
                verb=Verb.SET_SLOTS.value,
                arguments={},
                reason="",
                asked_by="ada",
                created_at=clock(),
            )
        )
    refused = [{"id": str(command), "rule": "commands"}, {"id": str(uuid4()), "rule": "commands"}]
    for _ in range(2):
        answer = await agent.poll(carried_out=[str(command)], refused=refused)
        assert answer.json()["commands"] == []
    (event,) = events("command_refused")
    assert event.reason == "the site's rule 'commands' refuses the command 'set_slots' of ada"


def test_what_is_refused_again_and_again_is_one_event_an_hour(clock: Clock) -> None:
    first = RuleRefusal("log_refused", "eu-1", "s", "log:one", "live_logs", "no")
    for seconds, count in ((0, 1), (3599, 1), (1, 2)):
        now = clock.forward(seconds)
        with create_session() as db:
            rule_refusals.record_once(db, first, now=now)
            rule_refusals.record_once(db, replace(first, subject=f"log:{seconds}"), now=now)
        assert [one.subject for one in events("log_refused")].count("log:one") == count
