"""What other agents take over when a session ends or its agent is given up."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from tradewind_protocol.attempts import WorkKind
from tradewind_protocol.states import AttemptState
from tradewind_provider.airflow.database import create_session
from tradewind_provider.services import reaper, session_termination, triggers
from tradewind_provider.services.dags import bundles
from tradewind_provider.settings import parse_on_agent_loss
from tradewind_provider.store.dag_tables import DagBundle
from tradewind_provider.store.tables import AgentSession, Attempt

from .conftest import Host, Plane


def leads(plane: Plane, host: Host, bundle: str) -> None:
    """The dag processor of the agent leads the bundle."""
    with create_session() as db:
        session = db.get_one(AgentSession, host.session_id)
        row = db.get(DagBundle, bundle) or DagBundle(name=bundle, mark="1", claimed_at=plane.clock())
        row.site, row.token_id = session.site, session.token_id
        row.agent_id, row.agent_name = session.agent_id, session.name
        row.session_id, row.instance = host.session_id, uuid4()
        db.add(row)


def runs_a_task(plane: Plane, host: Host) -> None:
    with create_session() as db:
        db.add(
            Attempt(
                id=uuid4(),
                kind=WorkKind.TASK.value,
                subject_id=uuid4(),
                queue="default",
                payload="",
                state=AttemptState.RUNNING.value,
                session_id=host.session_id,
                created_at=plane.clock(),
            )
        )


def leader(bundle: str) -> object:
    with create_session() as db:
        return db.get_one(DagBundle, bundle).session_id


def test_triggers_and_bundles_are_what_a_session_hands_over() -> None:
    assert set(session_termination.HAND_OVERS) == {triggers.release_triggers, bundles.release_bundles}


@pytest.mark.parametrize("patience", ["retry", "wait:1h"])
async def test_a_lost_agents_triggers_and_bundles_are_free_at_once(plane: Plane, patience: str) -> None:
    """Also where its running tasks wait for it, as on_agent_loss says, and the session has not ended yet."""
    trigger_id, _ = plane.deferral()
    host = plane.agent("eu-1")
    await host.sync()
    leads(plane, host, "dags")
    runs_a_task(plane, host)
    assert plane.owner(trigger_id) is not None
    settings = replace(plane.settings, on_agent_loss=parse_on_agent_loss(patience))
    began = plane.clock()
    plane.clock.pass_by(plane.settings.cadence.lost_after + 1)
    with create_session() as db:
        lost = reaper.lose_agents(db, settings, listening_since=began - timedelta(hours=1), now=plane.clock())
    assert lost == ["eu-1"]
    assert plane.owner(trigger_id) is None
    assert leader("dags") is None
