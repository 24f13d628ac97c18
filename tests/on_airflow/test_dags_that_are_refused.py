"""Dags and bundles a plane does not take: each says why, where a person looks, and nothing else is lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from support.airflow_rest import eventually
from support.deployment import Deployment, new_token, run_site
from tradewind_protocol import dags as wire
from tradewind_protocol import paths, versions
from tradewind_protocol.sessions import OpenSession
from tradewind_protocol.states import Component

SMALL = """
from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator

with DAG("{dag_id}", schedule=None, doc_md="words " * {words}):
    EmptyOperator(task_id="nothing")
"""


class Agent:
    """Speaks the protocol by hand: what an agent of ours never says."""

    def __init__(self, deployment: Deployment, http: httpx.Client) -> None:
        self.http = http
        self.instance = uuid4()
        introduction = OpenSession(
            agent_id=uuid4(), instance=uuid4(), name="by-hand", components=(Component.DAG_PROCESSOR,)
        )
        token = new_token(deployment.plane, f"by-hand-{self.instance}", site="by-hand")
        opened = self.send(paths.SESSIONS, introduction.model_dump(mode="json"), bearer=token)
        assert opened.status_code in (200, 201), opened.text
        self.bearer = opened.json()["session_token"]

    def send(self, path: str, body: Any, *, bearer: str | None = None) -> httpx.Response:
        headers = {
            "Authorization": f"Bearer {bearer or self.bearer}",
            versions.HEADER: str(versions.PROTOCOL),
            paths.ATTEMPT_HEADER: "dag_processor",
        }
        return self.http.post(path, json=body, headers=headers)

    def claim(self, bundle: str) -> wire.BundleClaimed:
        asked = wire.Claim(instance=self.instance, bundles=(wire.BundleClaim(name=bundle),))
        answer = self.send(wire.CLAIM, asked.model_dump(mode="json"))
        assert answer.status_code == 200, answer.text
        return wire.Claimed.model_validate_json(answer.content).bundles[0]

    def report(self, bundle: str, *files: dict[str, Any]) -> httpx.Response:
        return self.send(
            wire.REPORT, {"instance": str(self.instance), "bundle": bundle, "files": list(files)}
        )


@contextmanager
def by_hand(deployment: Deployment) -> Iterator[Agent]:
    with httpx.Client(base_url=deployment.plane.url + paths.PREFIX, timeout=60) as http:
        agent = Agent(deployment, http)
        try:
            yield agent
        finally:
            http.delete(paths.SESSIONS, headers={"Authorization": f"Bearer {agent.bearer}"})


def findings(deployment: Deployment, name: str) -> list[dict[str, Any]]:
    agents = deployment.rest.http.get("/tradewind/v1/agents", params={"name": name}).json()["items"]
    return [each for agent in agents for each in agent["findings"]]


def test_a_bundle_of_another_site_is_a_finding_of_the_agent_that_has_it(
    deployment: Deployment, directory: Path
) -> None:
    folder = directory / "not-ours"
    folder.mkdir()
    (folder / "not_ours.py").write_text(SMALL.format(dag_id="not_ours", words=1))
    deployment.rest.wait_for_dags(["hello"])
    site = run_site(
        directory / "second-site",
        deployment.plane,
        name="second-site",
        bundle="dags",  # the first site's
        dags=folder,
        queues=["second"],
        components=["dag_processor"],
        token_site="second",
    )
    with site as (agent, _):
        eventually(
            lambda: bool(findings(deployment, "second-site")),
            timeout=60,
            what=lambda: f"a finding; the log: {agent.process.tail()}",
        )
        [finding] = findings(deployment, "second-site")
        assert finding["check"] == "bundle:dags"
        assert "belongs to site 'default' (agent 'site')" in finding["message"]
        assert "name the bundle differently" in finding["remedy"]
        [shown] = deployment.rest.http.get("/tradewind/v1/agents", params={"name": "second-site"}).json()[
            "items"
        ]
        assert shown["state"] == "degraded"
    known = deployment.rest.dags()
    assert "not_ours" not in known
    assert "hello" in known


def test_a_dag_too_large_to_store_is_an_import_error_and_the_others_of_the_bundle_are_there(
    deployment: Deployment, directory: Path
) -> None:
    folder = directory / "oversize"
    folder.mkdir()
    (folder / "oversize.py").write_text(SMALL.format(dag_id="oversize", words=3_000_000))
    (folder / "beside.py").write_text(SMALL.format(dag_id="beside_oversize", words=1))
    site = run_site(
        directory / "oversize-site",
        deployment.plane,
        name="oversize-site",
        bundle="oversize",
        dags=folder,
        queues=["oversize"],
        components=["dag_processor"],
    )
    with site:
        deployment.rest.wait_for_dags(["beside_oversize"])

        def errors() -> list[str]:
            found = deployment.rest.import_errors()
            return [each["stack_trace"] for each in found if each["bundle_name"] == "oversize"]

        eventually(lambda: bool(errors()), timeout=60, what="the import error is in the UI")
        assert "Dag 'oversize'" in errors()[0] and "MiB" in errors()[0]
        (folder / "oversize.py").write_text(SMALL.format(dag_id="oversize", words=10))
        deployment.rest.wait_for_dags(["oversize"])
        eventually(lambda: not errors(), timeout=30, what="the error is gone")


@pytest.mark.parametrize(
    ("dag", "words"),
    [
        ({}, "without a dag_id"),
        ({"dag_id": "malformed"}, "another file"),
        ({"dag_id": "malformed", "relative_fileloc": "malformed.py", "tasks": 7}, "cannot be read"),
        ({"dag_id": "../../etc", "relative_fileloc": "malformed.py"}, "cannot be read"),
        ({"dag_id": "hello", "relative_fileloc": "../dags/everyday.py"}, "another file"),
    ],
)
def test_a_malformed_dag_is_refused_by_name_and_changes_nothing(
    deployment: Deployment, dag: dict[str, Any], words: str
) -> None:
    deployment.rest.wait_for_dags(["hello"])
    before = deployment.rest.dags().keys()
    with by_hand(deployment) as agent:
        bundle = f"by-hand-{agent.instance}"
        assert agent.claim(bundle).role is wire.Role.SPEAKS
        whole = {"__version": 3, "dag": dag}
        answer = agent.report(bundle, {"path": "malformed.py", "content": "ab", "dags": [whole]})
        assert answer.status_code == 200, answer.text
        reported = wire.Reported.model_validate_json(answer.content)
        [refused] = reported.refused
        assert words in refused.refusal.message
    assert deployment.rest.dags().keys() == before


def test_a_file_outside_its_bundle_is_refused_alone(deployment: Deployment) -> None:
    with by_hand(deployment) as agent:
        bundle = f"by-hand-{agent.instance}"
        agent.claim(bundle)
        beside = {"path": "beside.py", "content": "cd", "import_errors": {"beside.py": "as planned"}}
        answer = agent.report(bundle, {"path": "/etc/passwd", "content": "ab"}, beside)
        reported = wire.Reported.model_validate_json(answer.content)
        assert [each.path for each in reported.refused] == ["/etc/passwd"]
        assert reported.stored == ("beside.py",)


def test_a_report_that_is_no_report_is_refused_whole(deployment: Deployment) -> None:
    with by_hand(deployment) as agent:
        agent.claim("by-hand")
        answer = agent.send(wire.REPORT, {"instance": str(agent.instance), "bundle": 7, "files": "all"})
        assert (answer.status_code, answer.json()["error"]) == (422, "malformed")


def test_nobody_reports_for_a_bundle_of_another_site(deployment: Deployment) -> None:
    deployment.rest.wait_for_dags(["hello"])
    with by_hand(deployment) as agent:
        claimed = agent.claim("dags")
        assert claimed.role is wire.Role.REFUSED
        assert claimed.refusal is not None and claimed.refusal.remedy
        answer = agent.report("dags", {"path": "everyday.py", "content": "ab"})
        assert (answer.status_code, answer.json()["error"]) == (403, "bundle_not_yours")
    assert "hello" in deployment.rest.dags()
