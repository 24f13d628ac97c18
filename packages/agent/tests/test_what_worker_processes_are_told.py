"""What a worker process gets of its agent and of the plane."""

from __future__ import annotations

import json

import pytest
from agent_kit import AgentUnderTest

from tradewind_agent.testing import FakePlane
from tradewind_protocol.sessions import Policy

# finer than the loop's own clock: with the coarser default of Python 3.10's looptime its time can stand still
pytestmark = pytest.mark.looptime(resolution=1e-9)


async def test_the_agents_bundles_win_over_those_of_its_own_environment(
    agent: AgentUnderTest, plane: FakePlane, monkeypatch: pytest.MonkeyPatch
):
    name = "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"
    monkeypatch.setenv(name, "[]")
    bundles = [{"name": "dags", "classpath": "x.Y", "kwargs": {"path": "/dags"}}]
    async with agent.with_settings(bundles=bundles):
        await agent.ready()
        host = agent.launcher.worker
        assert json.loads(host.command.env[name]) == bundles
        assert host.configured is not None and host.configured.options["bundles"] == bundles
        assert plane.session.opened.bundles == ("dags",)


async def test_hosts_are_told_where_people_reach_the_plane(agent: AgentUnderTest, plane: FakePlane):
    plane.base_url = "https://airflow.example.com"
    async with agent:
        await agent.ready()
        configured = agent.launcher.worker.configured
        assert configured is not None and configured.options["base_url"] == "https://airflow.example.com"


async def test_links_lead_to_the_agents_own_address_of_a_plane_that_names_no_other(
    agent: AgentUnderTest, plane: FakePlane
):
    async with agent:
        await agent.ready()
        configured = agent.launcher.worker.configured
        assert configured is not None
        assert configured.options["base_url"] == agent.agent.settings.plane_url


@pytest.mark.parametrize(
    ("opened", "asked", "xcom"),
    [({}, "strict", "strict"), ({"templates": "open"}, "open", "strict"), ({"xcom": "open"}, "open", "open")],
)
async def test_opening_one_kind_of_data_opens_no_other(
    agent: AgentUnderTest, plane: FakePlane, opened: dict[str, str], asked: str, xcom: str
):
    async with agent.with_settings(**opened):
        await agent.ready()
        assert plane.session.opened.policy.value == asked
        configured = agent.launcher.worker.configured
        assert configured is not None and configured.xcom is not None
        assert configured.xcom.value == xcom


async def test_an_agent_that_sends_source_asks_the_plane_to_take_it(agent: AgentUnderTest, plane: FakePlane):
    async with agent.with_settings(source="open"):
        await agent.ready()
        assert plane.session.opened.policy is Policy.OPEN


async def test_a_worker_host_is_given_no_secret_that_an_attempt_could_inherit(
    agent: AgentUnderTest, plane: FakePlane
):
    attempt = plane.queue()
    async with agent:
        await plane.until(lambda: attempt.outcomes)
        assert agent.launcher.worker.configured is not None
        assert agent.launcher.worker.configured.secret == ""
        assert agent.agent.secrets.resolve("") is None
