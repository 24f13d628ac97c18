"""Each rule of a site's owner: what it refuses does not happen, the plane is told with the rule's name, the ledger has a line, and
`rules check` names the rule. A rule that is not in the table fails.

That the plane makes an event of each way of telling it is in the provider's `test_what_a_sites_rules_refuse.py`.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest
from agent_kit import AgentUnderTest
from click.testing import CliRunner

from tradewind_agent.access.local_secrets import ComponentPrincipal
from tradewind_agent.cli.main import main
from tradewind_agent.rules import Limits, OwnerRules
from tradewind_agent.testing import FakePlane, LosingAnswers, http
from tradewind_protocol import triggers, versions
from tradewind_protocol.attempts import WorkKind
from tradewind_protocol.logs import LogPiece
from tradewind_protocol.polling import Verb
from tradewind_protocol.states import Component, OutcomeKind

NO_RULES = frozenset({"rule", "timezone", "run_starters", "run_starters_hours"})
"""Fields of the rules that refuse nothing by themselves: one names limits of some Dags, one explains `hours`, two say what
`run_keys` lets pass."""

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFXvwxTjXn9rGmZCWoiWVxFVoFd7sZhwZqyCyIHRdcCa ada"
TASK = {
    "ti": {"id": "0194a0d5-0000-7000-8000-000000000001", "dag_id": "sales", "task_id": "t", "run_id": "r"},
    "bundle_info": {"name": "main", "version": None},
}
RUN = {
    "dag_id": "sales",
    "run_id": "r",
    "run_type": "manual",
    "triggering_user_name": "ada",
    "conf": {"day": "x"},
}


@dataclass(frozen=True)
class Site:
    """An agent whose owner has one rule, and the plane that asks for what it refuses."""

    agent: AgentUnderTest
    plane: FakePlane
    given: list[dict[str, Any]]  # triggers that the plane has run there
    sync: list[dict[str, Any]]  # what its triggerer has sent that reached the plane

    async def reports(self, trigger: dict[str, Any]) -> dict[str, Any]:
        """A triggerer is given a trigger and reports what came of it: the failure as it reaches the plane."""
        secret = self.agent.agent.secrets.issue(ComponentPrincipal(Component.TRIGGERER, "default"))
        gateway = httpx.ASGITransport(app=self.agent.agent.gateway)
        headers = {"Authorization": f"Bearer {secret}"}
        async with httpx.AsyncClient(transport=gateway, base_url="http://gateway", headers=headers) as client:
            source = str(uuid4())
            answer = await client.post(triggers.SYNC, json={"source": source})
            (created,) = answer.json()["create"]
            arguments = json.loads(created["arguments"])
            assert list(arguments) == ["tradewind_undeclared"], "its class gets nothing to run with"
            report = {"seq": 1, "trigger_id": trigger["id"], "failure": {"traceback": [*arguments.values()]}}
            await client.post(triggers.SYNC, json={"source": source, "reports": [report]})
        failure: dict[str, Any] = self.sync[-1]["reports"][0]["failure"]
        return failure


Asked = Callable[[Site], Awaitable[str]]
"""Has the plane ask for what is refused; the rule's name as the plane is told it."""


def work(kind: WorkKind = WorkKind.TASK, **workload: Any) -> Asked:
    """The outcome names the rule, and no process has run it."""

    async def asked(site: Site) -> str:
        attempt = site.plane.queue(kind=kind, **workload)
        await site.plane.until(lambda: attempt.outcomes)
        (outcome,) = attempt.outcomes
        assert outcome.kind is OutcomeKind.FAILED
        if "rule" not in workload:
            assert f"the site's rule {outcome.rule!r} refuses it" in outcome.reason
            assert site.agent.launcher.ran() == []
        return outcome.rule

    return asked


def read(path: str) -> Asked:
    """The outcome names the rule that refused what the task asked for."""

    async def asked(site: Site) -> str:
        attempt = site.plane.queue(**TASK, asks=path)
        await site.plane.until(lambda: attempt.outcomes)
        (outcome,) = attempt.outcomes
        assert [each for each in site.plane.forwarded if each[1].endswith(path)] == [], "it has not left"
        (rule,) = outcome.reads_refused
        return rule

    return asked


def trigger(classpath: str, **arguments: Any) -> Asked:
    """The trigger's failure names the rule."""

    async def asked(site: Site) -> str:
        await site.agent.ready()
        created = {"id": 7, "classpath": classpath, "arguments": json.dumps(arguments), "ti": TASK["ti"]}
        site.given.append(created)
        failure = await site.reports(created)
        assert "refuses it" in failure["traceback"][0]
        return str(failure.get("rule"))

    return asked


async def command(site: Site) -> str:
    await site.agent.ready()
    told = site.plane.command(Verb.SET_SLOTS, environment="default", slots=1)
    await site.plane.until(lambda: any(told.id in poll.carried_out for _, poll in site.plane.session.polls))
    (poll, *_) = [poll for _, poll in site.plane.session.polls if told.id in poll.carried_out]
    assert site.agent.agent.environments.slots["default"] == 20
    (one,) = poll.refused
    assert one.id == told.id
    return one.rule


async def log(site: Site) -> str:
    await site.agent.ready()
    pieces: list[LogPiece] = []

    class Reader:
        def take(self, piece: LogPiece) -> bool:
            pieces.append(piece)
            return True

    site.plane.reader = Reader()
    path = "dag_id=d/run_id=r/task_id=t/attempt=1.log"
    file = site.agent.agent.environments.log_directory / path
    file.parent.mkdir(parents=True)
    file.write_text("a line of the log\n")
    site.plane.command(Verb.STREAM_LOG, stream_id=str(uuid4()), server=str(uuid4()), path=path, most=1000)
    await site.plane.until(lambda: pieces)
    (piece,) = pieces
    assert piece.last and not piece.content
    return piece.rule


@dataclass(frozen=True)
class Kind:
    """One kind of rule."""

    rules: dict[str, Any]
    asked: Asked
    check: tuple[str, ...]  # of `rules check`, for the same
    name: str = ""  # of the rule, where it is not the field's


CALLBACK = {"callback": {"id": "c", "data": {"path": "acme.late", "kwargs": {}}}, "log_path": "x"}
SCHEMA = {"properties": {"day": {"type": "integer"}}}

TABLE = {
    "queues": Kind({"queues": ["fast"]}, work(**TASK), ("--queue", "default")),
    "bundles": Kind({"bundles": ["other"]}, work(**TASK), ("--bundle", "main")),
    "dags": Kind({"dags": ["other"]}, work(**TASK), ("--dag", "sales")),
    "operators": Kind(
        {"operators": ["acme.*"]},
        work(**TASK, outcome="failed", rule="operators"),
        ("--operator", "other.Op"),
    ),
    "pools": Kind({"pools": ["p"]}, work(**TASK, outcome="failed", rule="pools"), ("--pool", "other")),
    "triggers": Kind({"triggers": ["acme.*"]}, trigger("other.Waits"), ("--trigger", "other.Waits")),
    "callbacks": Kind(
        {"callbacks": ["other.*"]}, work(WorkKind.CALLBACK, **CALLBACK), ("--callback", "acme.late")
    ),
    "connections": Kind({"connections": []}, read("/connections/db"), ("--reads", "connections:db")),
    "variables": Kind({"variables": []}, read("/variables/v"), ("--reads", "variables:v")),
    "xcoms": Kind({"xcoms": []}, read("/xcoms/pay/r2/t/k"), ("--reads", "xcoms:pay")),
    "states": Kind(
        {"states": []}, read("/task-instances/count?dag_id=pay"), ("--dag", "sales", "--reads", "states:pay")
    ),
    "users": Kind({"users": ["bob"]}, work(**TASK), ("--user", "ada")),
    "run_keys": Kind({"run_keys": [KEY]}, work(**TASK), ("--user", "ada", "--conf", '{"day": "x"}')),
    "hours": Kind({"hours": []}, work(**TASK), ("--dag", "sales")),
    "params": Kind(
        {"params": {"sales": SCHEMA}},
        work(**TASK),
        ("--dag", "sales", "--conf", '{"day": "x"}'),
        "params.sales",
    ),
    "connection_tests": Kind(
        {"connection_tests": False}, work(WorkKind.CONNECTION_TEST), ("--connection-test",)
    ),
    "live_logs": Kind({"live_logs": False}, log, ("--log",)),
    "commands": Kind({"commands": ["drain"]}, command, ("--command", "set_slots")),
}


def triggers_and(plane: FakePlane, site: Site) -> Callable[..., Awaitable[None]]:
    """The plane, with the triggers that the site is given."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if not scope["path"].endswith(triggers.SYNC):
            await plane(scope, receive, send)
            return
        site.sync.append(json.loads((await receive())["body"]))
        answer = {"create": site.given if len(site.sync) == 1 else []}
        await http.send(send, 200, answer, {versions.HEADER: str(versions.PROTOCOL)})

    return app


def test_each_rule_is_in_the_table():
    assert set(TABLE) == (set(OwnerRules.model_fields) | set(Limits.model_fields)) - NO_RULES


@pytest.mark.looptime(resolution=1e-9)
@pytest.mark.parametrize("field", TABLE)
async def test_what_a_rule_refuses_is_told_and_written_down(
    agent: AgentUnderTest, plane: FakePlane, field: str
):
    kind = TABLE[field]
    rule = kind.name or field
    site = Site(agent, plane, [], [])
    plane.answer_execution = lambda method, path, body: (200, {"dag_run": RUN, "max_tries": 0})
    agent.network = LosingAnswers(httpx.ASGITransport(app=triggers_and(plane, site)))
    options = dict.fromkeys(("connections", "variables"), "open")
    async with agent.with_settings(rules=kind.rules, **options):
        assert await kind.asked(site) == rule
        lines = [line for line in agent.agent.ledger.read() if line["decision"] == "refused"]
    assert any(repr(rule) in line["what"] for line in lines), lines


@pytest.mark.parametrize("field", TABLE)
def test_the_check_names_the_rule(monkeypatch: pytest.MonkeyPatch, field: str):
    kind = TABLE[field]
    for rules, code, last in ((kind.rules, 1, "it is refused"), ({}, 0, "it may run")):
        monkeypatch.setenv("TRADEWIND_AGENT_RULES", json.dumps(rules))
        found = CliRunner().invoke(main, ["rules", "check", *kind.check])
        assert (found.exit_code, found.output.splitlines()[-1]) == (code, last), found.output
        assert (f"refuses  {kind.name or field} " in found.output) is bool(rules)
