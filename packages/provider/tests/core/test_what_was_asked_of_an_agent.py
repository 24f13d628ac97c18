"""What an operator asks of an agent: it is sent until it is carried out, and outlives the agent's process."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tradewind_protocol.operator import SetSlots
from tradewind_protocol.polling import Verb
from tradewind_provider.airflow.database import create_session
from tradewind_provider.services.operator import agents as operator_agents
from tradewind_provider.store.tables import AgentCommand, AgentSession

from .scenes import Agent, Clock, Plane, queued, ref, sessions_of


async def test_a_cordoned_agent_is_offered_nothing_and_goes_on_with_what_it_has(
    plane: Plane, clock: Clock
) -> None:
    agent = await plane.agent().opens()
    queued(clock)
    (offer,) = await agent.offers()
    with create_session() as db:
        db.get_one(AgentSession, sessions_of(agent.agent_id)[0].id).cordoned_at = clock()
    queued(clock)
    assert (await agent.start(offer)).status_code == 200
    assert await agent.offers(running=[ref(offer)]) == []


def ask_of(agent: Agent, verb: str, clock: Clock) -> None:
    with create_session() as db:
        getattr(operator_agents, verb)(db, agent.agent_id, actor="olga", reason="bad disk", now=clock())


async def verbs_of(agent: Agent) -> list[str]:
    return [each["verb"] for each in (await agent.poll()).json()["commands"]]


@pytest.mark.parametrize("end", ["killed", "goodbye", "new state directory"])
async def test_a_cordon_outlives_the_agents_process(plane: Plane, clock: Clock, end: str) -> None:
    before = await plane.agent().opens()
    ask_of(before, "cordon", clock)
    if end != "killed":
        await before.goodbye()
    clock.forward(5)
    same = {} if end == "new state directory" else {"agent_id": before.agent_id}
    after = await plane.agent(**same).opens()
    queued(clock)
    assert await verbs_of(after) == ["cordon"]
    assert await after.offers() == []
    (session,) = [one for one in sessions_of(after.agent_id) if one.ended_at is None]
    assert (session.cordoned_by, session.cordoned_reason) == ("olga", "bad disk")

    ask_of(after, "resume", clock)
    clock.forward(5)
    again = await plane.agent(agent_id=after.agent_id).opens()
    assert await verbs_of(again) == []
    assert len(await again.offers()) == 1


async def test_an_agent_of_the_same_name_beside_a_cordoned_one_works(plane: Plane, clock: Clock) -> None:
    ask_of(await plane.agent().opens(), "cordon", clock)
    other = await plane.agent().opens()
    queued(clock)
    assert len(await other.offers()) == 1


async def test_a_cordoned_agent_that_is_gone_can_be_resumed(plane: Plane, clock: Clock) -> None:
    before = await plane.agent().opens()
    ask_of(before, "cordon", clock)
    await before.goodbye()
    ask_of(before, "resume", clock)
    clock.forward(5)
    after = await plane.agent(agent_id=before.agent_id).opens()
    queued(clock)
    assert len(await after.offers()) == 1


@pytest.mark.parametrize(("end", "verbs"), [("killed", ["drain"]), ("goodbye", [])])
async def test_a_drain_that_was_cut_off_goes_on_and_one_that_ended_is_over(
    plane: Plane, clock: Clock, end: str, verbs: list[str]
) -> None:
    before = await plane.agent().opens()
    ask_of(before, "drain", clock)
    if end == "goodbye":
        await before.goodbye()
    clock.forward(5)
    after = await plane.agent(agent_id=before.agent_id).opens()
    assert await verbs_of(after) == verbs


async def test_slots_that_were_asked_for_are_asked_of_the_next_session(plane: Plane, clock: Clock) -> None:
    before = await plane.agent().opens()
    with create_session() as db:
        ask = SetSlots(environment="main", slots=2)
        operator_agents.set_slots(db, before.agent_id, ask, actor="olga", now=clock())
    clock.forward(5)
    after = await plane.agent(agent_id=before.agent_id).opens()
    assert await verbs_of(after) == ["set_slots"]


async def test_a_command_is_sent_until_it_is_carried_out(plane: Plane, clock: Clock) -> None:
    agent = await plane.agent().opens()
    command = uuid4()
    with create_session() as db:
        db.add(
            AgentCommand(
                id=command,
                session_id=sessions_of(agent.agent_id)[0].id,
                verb=Verb.DRAIN.value,
                arguments={},
                reason="an upgrade",
                asked_by="ada",
                created_at=clock(),
            )
        )
    for _ in range(2):
        (sent,) = (await agent.poll()).json()["commands"]
        assert (sent["id"], sent["verb"], sent["asked_by"]) == (str(command), "drain", "ada")
    assert (await agent.poll(carried_out=[str(command)])).json()["commands"] == []
    assert (await agent.poll()).json()["commands"] == []
