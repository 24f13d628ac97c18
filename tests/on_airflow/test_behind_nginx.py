"""A site reaches its plane through an ordinary nginx: TLS of a private authority, a path prefix, nginx's own defaults."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support import nginx
from support.airflow_rest import eventually
from support.deployment import Deployment, new_token, run_site
from support.installed import agent_settings
from tradewind.embedded.agent import Agent
from tradewind.embedded.plane import free_port
from tradewind_protocol import paths

pytestmark = pytest.mark.skipif(not nginx.available(), reason="no nginx on this machine: `make nginx`")

QUEUE = "behind-nginx"


@dataclass
class Behind(Deployment):
    """A site that knows its plane by the proxy's address alone."""

    proxy: nginx.Nginx

    def polls(self) -> list[nginx.Passed]:
        return [each for each in self.proxy.passed() if each.path.endswith(paths.POLL)]


@pytest.fixture(scope="module")
def proxy(deployment: Deployment, directory: Path) -> Iterator[nginx.Nginx]:
    with nginx.Nginx(directory / "nginx", deployment.plane.url) as running:
        yield running


@pytest.fixture(scope="module")
def behind(deployment: Deployment, directory: Path, proxy: nginx.Nginx) -> Iterator[Behind]:
    site = run_site(
        directory / "behind",
        deployment.plane,
        name="behind",
        bundle="behind",
        dags=Path(__file__).parent / "dags_behind",
        queues=[QUEUE],
        plane_url=proxy.url,
        options={"ca_file": str(proxy.ca_file)},
    )
    with site as (agent, home):
        made = Behind(deployment.plane, agent, home, deployment.rest, proxy)
        made.rest.wait_for_dags(["behind_a_proxy"])
        yield made


def test_a_dag_with_a_wait_and_an_xcom_runs_through_it(behind: Behind) -> None:
    run = behind.rest.run("behind_a_proxy")
    assert run.state == "success", run
    assert [each["text"] for each in behind.journal("received")] == ["made at the site"]

    def unused() -> list[str]:
        used = [each.path.removeprefix(nginx.PREFIX + paths.PREFIX) for each in behind.proxy.passed()]
        ways = (paths.SESSIONS, paths.POLL, "/dags/", "/triggers", "/execution/task-instances/")
        return [way for way in ways if not any(path.startswith(way) for path in used)]

    # nginx writes a request down when it has ended, and one that waits for triggers is held for 25 s
    eventually(lambda: not unused(), timeout=60, what=lambda: f"all of them go through nginx but {unused()}")


def test_an_idle_agents_poll_is_held_and_none_is_cut(behind: Behind) -> None:
    def held() -> list[nginx.Passed]:
        return [each for each in behind.polls() if each.seconds > 20]

    eventually(lambda: bool(held()), timeout=90, what=lambda: f"a poll was held: {behind.polls()[-5:]}")
    assert {each.status for each in held()} == {200}
    assert not [each for each in behind.proxy.passed() if each.status in (408, 499, 502, 504)]


def test_a_dag_larger_than_the_proxy_lets_through_is_named_with_its_remedy(
    deployment: Deployment, directory: Path
) -> None:
    dags = directory / "large-dags"
    dags.mkdir()
    (dags / "large.py").write_text(LARGE)
    with nginx.Nginx(directory / "small", deployment.plane.url, body="64k") as small:
        site = run_site(
            directory / "large",
            deployment.plane,
            name="large",
            bundle="large",
            dags=dags,
            queues=["large"],
            components=["dag_processor"],
            plane_url=small.url,
            options={"ca_file": str(small.ca_file)},
        )
        with site as (agent, _):

            def finding() -> dict[str, Any]:
                found = deployment.rest.http.get("/tradewind/v1/agents", params={"name": "large"}).json()
                findings = [each for agent in found["items"] for each in agent["findings"]]
                return next((each for each in findings if "413" in each["message"]), {})

            eventually(
                lambda: bool(finding()),
                timeout=60,
                what=lambda: f"a finding; the log: {agent.process.tail()}",
            )
            assert "client_max_body_size" in finding()["remedy"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("portal", ("answered 200 with text/html", "check plane_url")),
        ("redirect", ("redirects to https://localhost", "Set plane_url to the final address")),
        ("closed", ("cannot connect", "refused", "Check plane_url")),
        ("authority", ("not trusted", "ca_file")),
        ("no authority", ("not trusted", "ca_file")),
        ("prefix", ("answered 404", "path prefix")),
        ("no prefix", ("answered 404", "path prefix")),
        ("name", ("cannot connect", "no-such-host", "Check plane_url")),
    ],
)
def test_an_address_that_is_no_plane_is_named_with_what_to_change(
    deployment: Deployment, proxy: nginx.Nginx, tmp_path: Path, wrong: str, words: tuple[str, ...]
) -> None:
    url = {
        "portal": proxy.base + "/portal",
        "redirect": proxy.plain + nginx.PREFIX,
        "closed": f"https://localhost:{free_port()}{nginx.PREFIX}",
        "authority": proxy.url,
        "no authority": proxy.url,
        "prefix": proxy.base + "/deployments/b",
        "no prefix": proxy.base,
        "name": "https://no-such-host.invalid/deployments/a",
    }[wrong]
    authority = "stranger.pem" if wrong == "authority" else "ca.pem"
    options = {} if wrong == "no authority" else {"ca_file": str(proxy.directory / authority)}
    token = new_token(deployment.plane, f"lost-{wrong.replace(' ', '-')}")
    settings = agent_settings(
        home=tmp_path, plane_url=url, token=token, name="lost", components=["worker"], options=options
    )
    with Agent(settings) as agent:
        eventually(
            lambda: bool(failures(agent)), timeout=60, what=lambda: f"it says so: {agent.process.tail()}"
        )
        assert agent.process.running  # whoever repairs the way need not start it again
        assert token not in agent.process.log.read_text()
    reason = failures(agent)[0]
    for each in words:
        assert each in reason


def failures(agent: Agent) -> list[str]:
    """What the agent's log says of polls that failed."""
    found = []
    for line in agent.process.log.read_text().splitlines():
        entry = json.loads(line) if line.startswith("{") else {}
        if entry.get("action") == "poll_failed":
            found.append(str(entry["reason"]))
    return found


LARGE = """
from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator

with DAG("large", schedule=None, doc_md="words " * 40_000):
    for number in range(50):
        EmptyOperator(task_id=f"task_{number}")
"""
