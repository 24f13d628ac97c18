"""The rules of a site's owner: what each says, and what an agent does with work that one refuses."""

from __future__ import annotations

import json
import os
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from agent_kit import AgentUnderTest
from click.testing import CliRunner

from tradewind_agent.cli.main import main
from tradewind_agent.errors import SettingsWrong
from tradewind_agent.gateway.ledger import Ledger
from tradewind_agent.rules import OwnerRules, RulesWrong, Work, parse, refusal, task_rules
from tradewind_agent.settings import load
from tradewind_agent.state.owner_rules import RulesInForce
from tradewind_agent.state.site_key import SiteKey
from tradewind_agent.testing import FakePlane
from tradewind_agent.work.permission import Permissions, work_of
from tradewind_protocol.attempts import Offer, WorkKind
from tradewind_protocol.boundary.sealing import sealed
from tradewind_protocol.polling import Verb
from tradewind_protocol.states import OutcomeKind

MONDAY = datetime(2026, 6, 1, 12, 0, tzinfo=timezone.utc)
RUN = {
    "dag_id": "sales",
    "run_id": "r",
    "run_type": "manual",
    "triggering_user_name": "ada",
    "conf": {"day": "x"},
}


def refused(rules: dict[str, Any], at: datetime = MONDAY, **work: Any) -> str:
    """The name of the rule that refuses it; empty when none does."""
    found = refusal(parse(rules), Work(**work), at)
    return found.rule if found is not None else ""


# ---- what each rule says


@pytest.mark.parametrize(
    ("rule", "attribute"),
    [
        ("queues", "queue"),
        ("bundles", "bundle"),
        ("dags", "dag"),
        ("operators", "operator"),
        ("pools", "pool"),
        ("triggers", "trigger"),
        ("callbacks", "callback"),
    ],
)
def test_a_list_lets_what_fits_pass_and_refuses_the_rest(rule: str, attribute: str):
    assert refused({}, **{attribute: "acme.one"}) == ""
    assert refused({rule: ["acme.*"]}, **{attribute: "acme.one"}) == ""
    assert refused({rule: ["acme.*"]}, **{attribute: "other"}) == rule
    assert refused({rule: ["acme.*", "!acme.one"]}, **{attribute: "acme.one"}) == rule
    assert refused({rule: ["!acme.*"]}, **{attribute: "other"}) == ""
    assert refused({rule: []}, **{attribute: "other"}) == rule
    assert refused({rule: ["acme.*"]}) == "", "what is not known is not judged"


def test_users_may_start_runs_by_hand_and_schedules_need_none():
    rules = {"users": ["ada", "*@acme.example"]}
    assert refused(rules, run_type="manual", user="ada") == ""
    assert refused(rules, run_type="manual", user="mallory") == "users"
    assert refused(rules, run_type="manual", user="") == "users"
    assert refused(rules, run_type="scheduled", user="") == ""
    assert refused(rules, run_type="backfill", user="mallory") == "users"


@pytest.mark.parametrize(
    ("hours", "at", "may"),
    [
        ("Mon-Fri 06:00-20:00", MONDAY, True),
        ("Tue-Fri 06:00-20:00", MONDAY, False),
        ("06:00-11:59", MONDAY, False),
        ("22:00-04:00", MONDAY.replace(hour=3), True),
        ("Mon 22:00-04:00", MONDAY.replace(hour=3), False),
        ("Sun 22:00-04:00", MONDAY.replace(hour=3), True),
        ("Sat-Mon 00:00-24:00", MONDAY, True),
    ],
)
def test_work_starts_within_hours(hours: str, at: datetime, may: bool):
    assert refused({"hours": [hours]}, at=at, dag="sales") == ("" if may else "hours")
    assert refused({"hours": [hours]}, at=at, trigger="acme.Trigger", starts=False) == "", (
        "what has started goes on"
    )


def test_hours_are_those_of_a_time_zone():
    rules = {"hours": ["13:00-15:00"], "timezone": "Europe/Berlin"}
    assert refused(rules, dag="sales") == "", "noon UTC is two o'clock in Berlin's summer"


def test_parameters_fit_the_schema_of_their_dag():
    schema = {"type": "object", "properties": {"day": {"type": "string"}}, "additionalProperties": False}
    rules = {"params": {"sales*": schema}}
    assert refused(rules, dag="sales", conf={"day": "2026-06-01"}) == ""
    assert refused(rules, dag="sales", conf={"day": 1}) == "params.sales*"
    assert refused(rules, dag="sales", conf={"other": 1}) == "params.sales*"
    assert refused(rules, dag="stock", conf={"other": 1}) == ""
    why = str(refusal(parse(rules), Work(dag="sales", conf={"day": {"secret": 1}}), MONDAY))
    assert "secret" not in why and "'params.sales*'" in why and "day" in why


def test_further_limits_hold_for_their_dags_only():
    rules = {
        "users": ["*"],
        "rule": [{"name": "finance", "dags": ["finance_*"], "users": ["ada"], "pools": ["p"]}],
    }
    assert refused(rules, dag="finance_close", run_type="manual", user="bob") == "finance.users"
    assert refused(rules, dag="sales", run_type="manual", user="bob") == ""
    assert [one.rule for one in task_rules(parse(rules), "finance_close")] == ["finance.pools"]
    assert task_rules(parse(rules), "sales") == ()


def test_connections_are_not_tested_where_the_owner_says_so():
    assert refused({"connection_tests": False}, kind=WorkKind.CONNECTION_TEST) == "connection_tests"
    assert refused({"connection_tests": False}, dag="sales") == ""


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"dag": ["x"]}, "there is no rule 'dag'"),
        ({"hours": ["always"]}, "'always' is not of the form"),
        ({"timezone": "Nowhere/Here"}, "no time zone 'Nowhere/Here'"),
        ({"params": {"x": {"type": "strng"}}}, "is no JSON schema"),
        (
            {"params": {"x": {"$ref": "https://evil.example/schema"}}},
            "a $ref may only lead to a place of the same",
        ),
        ({"commands": ["reboot"]}, "commands.0"),
        (
            {"rule": [{"name": "a", "dags": ["x"]}, {"name": "a", "dags": ["y"]}]},
            "two rules have the same name",
        ),
        ({"rule": [{"name": "a"}]}, "rule.0.dags"),
        ({"operators": ["x" * 500] * 50}, "characters together"),
    ],
)
def test_rules_that_cannot_be_read_say_why(rules: dict[str, Any], words: str):
    with pytest.raises(RulesWrong, match=re.escape(words)):
        parse(rules)


# ---- which rules are in force


def test_a_changed_file_counts_without_a_restart_and_a_broken_one_keeps_the_old(tmp_path: Path):
    clock = [100.0]
    file = tmp_path / "rules.toml"
    file.write_text('dags = ["a"]')
    rules = RulesInForce(file=file, now=lambda: clock[0])
    assert rules().dags == ("a",)
    for text, dags, broken in [
        ('dags = ["b"]', "b", False),
        ("dags = [", "b", True),
        ('dgs = ["c"]', "b", True),
    ]:
        new = tmp_path / "new"
        new.write_text(text)
        os.replace(new, file)
        clock[0] += 2
        assert (rules().dags, bool(rules.problem)) == ((dags,), broken)
    file.unlink()
    clock[0] += 2
    assert rules().dags == ("b",) and "No such file" in rules.problem
    file.write_text('dags = ["d"]')
    clock[0] += 2
    assert rules().dags == ("d",) and rules.problem == ""


def test_an_agent_does_not_start_without_rules_it_was_to_have(tmp_path: Path):
    with pytest.raises(SettingsWrong, match="cannot be read"):
        RulesInForce(file=tmp_path / "none.toml", now=lambda: 0.0)


# ---- what an agent does

looped = pytest.mark.looptime(resolution=1e-9)


def ledger(tmp_path: Path) -> list[dict[str, Any]]:
    """Its lines about work and commands."""
    lines = Ledger(tmp_path / "state" / "ledger", now=lambda: 0.0).read()
    return [line for line in lines if line["path"] == "/work" or line["path"].startswith("/commands")]


def of_dag(dag: str) -> dict[str, Any]:
    return {
        "ti": {"id": "0194a0d5-0000-7000-8000-000000000001", "dag_id": dag, "task_id": "t"},
        "bundle_info": {"name": "main", "version": None},
    }


@looped
async def test_work_that_a_rule_refuses_ends_with_its_name_and_never_runs(
    agent: AgentUnderTest, plane: FakePlane, tmp_path: Path
):
    agent.with_settings(rules={"dags": ["sales"]})
    async with agent:
        refusal = plane.queue(**of_dag("stock"))
        await plane.until(lambda: refusal.outcomes)
        allowed = plane.queue(**of_dag("sales"))
        await plane.until(lambda: allowed.outcomes)
    (outcome,) = refusal.outcomes
    assert (outcome.kind, outcome.rule) == (OutcomeKind.FAILED, "dags")
    assert outcome.reason == "the site's rule 'dags' refuses it: Dag 'stock' is not among those it allows"
    assert [ref.attempt_id for ref in agent.launcher.ran()] == [allowed.id]
    assert [outcome.rule for outcome in allowed.outcomes] == [""]
    assert [(line["decision"], line["work"]["dag"], line["left"]) for line in ledger(tmp_path)] == [
        ("refused", "stock", False),
        ("accepted", "sales", False),
    ]


@looped
@pytest.mark.parametrize(
    ("rules", "rule"),
    [
        ({"users": ["ada"]}, ""),
        ({"users": ["bob"]}, "users"),
        ({"params": {"sales": {"properties": {"day": {"type": "integer"}}}}}, "params.sales"),
    ],
)
async def test_a_task_is_judged_by_its_run_before_it_starts(
    agent: AgentUnderTest, plane: FakePlane, tmp_path: Path, rules: dict[str, Any], rule: str
):
    plane.answer_execution = lambda method, path, body: (200, {"dag_run": RUN, "max_tries": 0})
    async with agent.with_settings(rules=rules):
        attempt = plane.queue(**of_dag("sales"))
        await plane.until(lambda: attempt.outcomes)
    (outcome,) = attempt.outcomes
    assert outcome.rule == rule
    assert len(agent.launcher.ran()) == (0 if rule else 1)
    assert outcome.kind is (OutcomeKind.FAILED if rule else OutcomeKind.SUCCEEDED)
    (line,) = ledger(tmp_path)
    assert line["decision"] == ("refused" if rule else "accepted")
    assert line["work"] == {
        **{"kind": "task", "queue": "default", "bundle": "main", "dag": "sales", "task": "t"},
        **{"run_type": "manual", "user": "ada"},
    }
    assert "conf" not in json.dumps(line)


@looped
@pytest.mark.parametrize("resumes", [False, True])
async def test_hours_are_for_what_starts_and_not_for_what_resumes(
    agent: AgentUnderTest, plane: FakePlane, resumes: bool
):
    answer = {"dag_run": RUN, "max_tries": 0, "next_method": "resume" if resumes else None}
    plane.answer_execution = lambda method, path, body: (200, answer)
    async with agent.with_settings(rules={"hours": []}):
        attempt = plane.queue(**of_dag("sales"))
        await plane.until(lambda: attempt.outcomes)
    assert [outcome.rule for outcome in attempt.outcomes] == ["" if resumes else "hours"]


def test_the_dag_of_a_callback_is_the_one_that_declared_it():
    key = SiteKey(b"0" * 32)
    kwargs = sealed(key.seal, "acme.late", ("finance", "deadline", "kwargs"), {"a": 1}, readable=False)
    offer = Offer(
        attempt_id=uuid4(),
        epoch=1,
        kind=WorkKind.CALLBACK,
        queue="default",
        confirm_within=10,
        workload={
            "callback": {"id": "c", "data": {"path": "acme.late", "kwargs": kwargs}},
            "log_path": "executor_callbacks/sales/r/c",
        },
    )
    assert work_of(offer, key.open).dag == "finance"
    assert work_of(offer, SiteKey(b"1" * 32).open).dag is None, "and its arguments are refused"


@looped
async def test_a_command_that_a_rule_refuses_is_not_done_and_the_plane_hears_of_it(
    agent: AgentUnderTest, plane: FakePlane, tmp_path: Path
):
    async with agent.with_settings(rules={"commands": ["stop_attempt"]}):
        await agent.ready()
        command = plane.command(Verb.SET_SLOTS, environment="default", slots=1)
        await plane.until(lambda: any(command.id in poll.carried_out for _, poll in plane.session.polls))
        polls = [poll for _, poll in plane.session.polls if command.id in poll.carried_out]
        assert [(one.id, one.rule) for one in polls[0].refused] == [(command.id, "commands")]
        assert agent.agent.environments.slots["default"] == 20
    (line,) = ledger(tmp_path)
    assert (line["path"], line["decision"], line["principal"]) == ("/commands/set_slots", "refused", "test")


@looped
async def test_a_broken_file_is_a_finding(agent: AgentUnderTest, plane: FakePlane, tmp_path: Path):
    file = tmp_path / "rules.toml"
    file.write_text("")
    async with agent.with_settings(rules_file=file):
        await agent.ready()
        file.write_text("dags = [")
        await plane.until(lambda: any(one.check == "rules" for one in plane.session.polls[-1][1].findings))
        (finding,) = plane.session.polls[-1][1].findings
        assert "the rules before stay in force" in finding.message


def test_a_trigger_that_a_rule_refuses_has_a_reason():
    told: list[str] = []
    permissions = Permissions(
        rules=lambda: OwnerRules(triggers=("acme.*",), callbacks=("acme.*",)),
        now=lambda: 0.0,
        note=lambda label, facts, why: told.append(why),
        open_=lambda text: None,
    )
    called = json.dumps({"callback_path": "other.call", "callback_kwargs": {}})
    deadline = {"id": 2, "classpath": "airflow.triggers.callback.CallbackTrigger", "arguments": called}
    assert permissions.of_trigger({"id": 1, "classpath": "acme.Waits", "arguments": "{}"}) is None
    other = {"id": 1, "classpath": "other.Waits", "arguments": "{}"}
    assert "'triggers'" in str(permissions.of_trigger(other))
    assert "'triggers'" in str(permissions.of_trigger(deadline))
    assert len(told) == 2


# ---- the commands


def run(*words: str) -> Any:
    return CliRunner().invoke(main, ["rules", *words], catch_exceptions=False)


def test_check_says_which_rule_bites(tmp_path: Path):
    file = tmp_path / "rules.toml"
    file.write_text('dags = ["sales"]\nusers = ["ada"]\n')
    found = run("check", "--rules-file", str(file), "--dag", "sales", "--user", "bob")
    assert found.exit_code == 1
    assert "allows   dags" in found.output and "refuses  users" in found.output
    assert run("check", "--rules-file", str(file), "--dag", "sales", "--user", "ada").exit_code == 0
    assert run("check", "--rules-file", str(file)).output == "the rules can be read\n"
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFXvwxTjXn9rGmZCWoiWVxFVoFd7sZhwZqyCyIHRdcCa ada"
    file.write_text(f'run_keys = ["{key}"]\nrun_starters = ["front"]\n')
    run_of_a_task = (
        "check",
        "--rules-file",
        str(file),
        "--dag",
        "sales",
        "--conf",
        '{"day": 1}',
        "--started-by",
    )
    assert [run(*run_of_a_task, dag).exit_code for dag in ("front", "other")] == [0, 1]
    file.write_text("dags = 1")
    assert run("check", "--rules-file", str(file)).exit_code == 78


def test_check_takes_the_rules_of_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    config = tmp_path / "agent.toml"
    config.write_text('[rules]\ndags = ["sales"]\n')
    assert run("check", "--config", str(config), "--dag", "stock").exit_code == 1
    file = tmp_path / "rules.toml"
    file.write_text('dags = ["stock"]\n')
    monkeypatch.setenv("TRADEWIND_AGENT_RULES_FILE", str(file))
    assert run("check", "--config", str(config), "--dag", "stock").exit_code == 0


@looped
async def test_rules_are_tried_against_what_ran(agent: AgentUnderTest, plane: FakePlane, tmp_path: Path):
    plane.answer_execution = lambda method, path, body: (200, {"dag_run": RUN, "max_tries": 0})
    async with agent:
        attempts = [plane.queue(**of_dag(dag)) for dag in ("sales", "stock", "stock")]
        await plane.until(lambda: all(one.outcomes for one in attempts))
    file = tmp_path / "rules.toml"
    file.write_text('dags = ["sales"]')
    options = (
        "--rules-file",
        str(file),
        "--state-dir",
        str(tmp_path / "state"),
        "--days",
        "36500",
        "-o",
        "json",
    )
    found = run("try", *options)
    assert found.exit_code == 1
    read = json.loads(found.output)
    assert (read["work"], read["refused"]) == (3, 2)
    assert {one["rule"] for one in read["refusals"]} == {"dags"}
    file.write_text('dags = ["s*"]')
    assert run("try", *options).exit_code == 0


@looped
async def test_logs_are_shown_by_rule(agent: AgentUnderTest, plane: FakePlane):
    async with agent.with_settings(rules={"live_logs": False}):
        await agent.ready()
        assert agent.agent.task_logs.streams._shown() is False


def test_rules_stand_in_one_place(tmp_path: Path):
    file = tmp_path / "rules.toml"
    with pytest.raises(SettingsWrong, match="keep the rules in one place"):
        load(
            {
                "plane_url": "https://plane.test",
                "token_file": "t",
                "rules_file": file,
                "rules": {"dags": ["x"]},
            }
        )
