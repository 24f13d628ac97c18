"""Runs that people start are signed, where a rule of the site's owner demands it. Real keys, signed by ssh-keygen."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from agent_kit import AgentUnderTest

from tradewind_agent.rules import OwnerRules, RulesWrong, Work, parse, refusal
from tradewind_agent.testing import FakePlane
from tradewind_protocol import run_signatures
from tradewind_protocol.boundary import StartedBy
from tradewind_protocol.run_signatures import KEY, RunStatement
from tradewind_protocol.states import OutcomeKind

NOW = datetime(2026, 11, 29, 8, tzinfo=timezone.utc)
WORK = Work(dag="sales", run="signed__1", deployment="prod", run_type="manual", user="ada")

Sign = Callable[..., dict[str, Any]]


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, str]:
    """The public keys of two people."""
    for name in ("ada", "bob"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(tmp_path / name)]
        subprocess.run(command, check=True)
    return {name: (tmp_path / f"{name}.pub").read_text().strip() for name in ("ada", "bob")}


@pytest.fixture
def sign(tmp_path: Path, keys: dict[str, str]) -> Sign:
    def made(
        conf: dict[str, Any], *, by: str = "ada", namespace: str = run_signatures.NAMESPACE, **other: str
    ) -> dict[str, Any]:
        facts = {
            "deployment": "prod",
            "dag_id": "sales",
            "run_id": "signed__1",
            "parameters": run_signatures.digest(conf),
            "not_before": NOW.isoformat(),
            "not_after": (NOW + timedelta(hours=1)).isoformat(),
            **other,
        }
        file = tmp_path / "statement"
        file.write_bytes(RunStatement(**facts).text())
        Path(f"{file}.sig").unlink(missing_ok=True)
        command = ["ssh-keygen", "-q", "-Y", "sign", "-f", str(tmp_path / by), "-n", namespace, str(file)]
        subprocess.run(command, check=True, capture_output=True)
        lines = Path(f"{file}.sig").read_text().splitlines()
        signature = "".join(line for line in lines if not line.startswith("-----"))
        times = {name: facts[name] for name in ("not_before", "not_after")}
        return {**conf, KEY: {**times, "signature": signature}}

    return made


def why(rules: OwnerRules, conf: dict[str, Any], *, at: datetime = NOW, **changed: Any) -> str:
    found = refusal(rules, replace(WORK, conf=conf, **changed), at)
    assert found is None or found.rule == "run_keys"
    return found.why if found is not None else ""


def test_a_run_that_a_trusted_key_signed_may_start(keys: dict[str, str], sign: Sign) -> None:
    rules = OwnerRules(run_keys=(keys["ada"],))
    assert why(rules, sign({"day": "2026-11-29", "rows": 3.5})) == ""
    assert why(rules, sign({})) == "", "without parameters, too"
    assert "no signature" in why(rules, {"day": "2026-11-29"})
    assert "no key that the site's owner trusts" in why(rules, sign({"day": "x"}, by="bob"))


@pytest.mark.parametrize(
    "changed",
    [
        {"dag": "stock"},
        {"run": "signed__2"},
        {"deployment": "test"},
    ],
)
def test_a_signature_is_good_for_no_other_run(
    keys: dict[str, str], sign: Sign, changed: dict[str, str]
) -> None:
    rules = OwnerRules(run_keys=(keys["ada"],))
    assert "not for this run" in why(rules, sign({"day": "x"}), **changed)


def test_nothing_of_it_can_be_changed(keys: dict[str, str], sign: Sign) -> None:
    rules = OwnerRules(run_keys=(keys["ada"],))
    signed = sign({"day": "x"})
    assert "not for this run" in why(rules, {**signed, "day": "y"})
    assert "not for this run" in why(rules, {**signed, "more": 1})
    later = {**signed[KEY], "not_after": (NOW + timedelta(days=9)).isoformat()}
    assert "not for this run" in why(rules, {**signed, KEY: later})
    assert "another purpose" in why(rules, sign({"day": "x"}, namespace="git"))
    for broken in ({"signature": "x"}, "x", {**signed[KEY], "more": "x"}):
        assert "not of the form" in why(rules, {**signed, KEY: broken})
    for text in ("", "AAAA", "-", signed[KEY]["signature"][:-8]):
        assert why(rules, {**signed, KEY: {**signed[KEY], "signature": text}})


def test_it_is_good_for_its_time_and_clocks_may_differ_a_little(keys: dict[str, str], sign: Sign) -> None:
    rules, signed = OwnerRules(run_keys=(keys["ada"],)), sign({"day": "x"})
    end = NOW + timedelta(hours=1)
    for at in (NOW - timedelta(seconds=90), end + timedelta(seconds=90)):
        assert why(rules, signed, at=at) == ""
    for at in (NOW - timedelta(minutes=3), end + timedelta(minutes=3)):
        assert "is good from 2026-11-29T08:00" in why(rules, signed, at=at)
    assert why(rules, signed, at=end + timedelta(days=1), starts=False) == "", "what has started goes on"


def test_a_run_is_signed_when_its_task_resumes_too(keys: dict[str, str], sign: Sign) -> None:
    # a task that starts from a trigger has never started before it resumes
    rules, signed = OwnerRules(run_keys=(keys["ada"],)), sign({"day": "x"})
    assert "no signature" in why(rules, {"day": "x"}, starts=False)
    assert "not for this run" in why(rules, {**signed, "day": "y"}, starts=False)


def test_a_moment_at_the_end_of_the_calendar_is_a_refusal_and_no_crash(
    keys: dict[str, str], sign: Sign
) -> None:
    rules, signed = OwnerRules(run_keys=(keys["ada"],)), sign({"day": "x"})
    for moment in ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"):
        times = {"not_before": moment, "not_after": moment}
        assert "is good from" in why(rules, {**signed, KEY: {**signed[KEY], **times}})


def test_a_key_is_replaced_while_both_are_trusted(keys: dict[str, str], sign: Sign) -> None:
    both = OwnerRules(run_keys=(keys["ada"], keys["bob"]))
    assert [why(both, sign({"a": 1}, by=name)) for name in ("ada", "bob")] == ["", ""]


def test_runs_without_anything_of_a_person_need_none(keys: dict[str, str]) -> None:
    rules = OwnerRules(run_keys=(keys["ada"],))
    assert why(rules, {}, run_type="scheduled", user="") == ""
    assert "no signature" in why(rules, {"day": "x"}, run_type="scheduled", user="")
    assert "no signature" in why(rules, {}, run_type="manual", user="")


def test_a_run_that_a_task_has_started_needs_none_where_its_dag_may_start_runs(
    keys: dict[str, str], sign: Sign
) -> None:
    rules = OwnerRules(run_keys=(keys["ada"],), run_starters=("front", "etl_*"), run_starters_hours=2)
    by_task = {"run_type": "operator_triggered", "user": "mallory", "conf": {"day": "x"}}

    def judged(dag: str | None, *, hours: float = 0, rules: OwnerRules = rules, **other: Any) -> str:
        started = StartedBy(dag, int(NOW.timestamp())) if dag is not None else None
        facts = {**by_task, "started": started, **other}
        return why(rules, facts.pop("conf"), at=NOW + timedelta(hours=hours), **facts)

    assert (judged("front"), judged("etl_load", hours=1.9)) == ("", "")
    assert "a task of Dag 'other' has started the run, which is not among" in judged("other")
    assert "more than 2 hours ago" in judged("front", hours=2.1)
    assert judged("front", hours=99, starts=False) == "", "what has started goes on"
    assert "no signature" in judged(None), "the plane says that a task has started it, and no seal does"
    assert "not among" in judged("front", rules=OwnerRules(run_keys=(keys["ada"],))), "none may by default"
    assert judged("other", conf=sign({"day": "x"})) == "", "or somebody signs it"
    assert judged(None, conf={}) == "", "without parameters there is nothing to sign"


def test_starters_without_a_rule_of_keys_are_an_error_of_the_rules() -> None:
    with pytest.raises(RulesWrong, match="run_starters without run_keys"):
        parse({"run_starters": ["front"]})


def test_the_schema_of_parameters_does_not_see_the_signature(keys: dict[str, str], sign: Sign) -> None:
    schema = {"type": "object", "additionalProperties": False, "properties": {"day": {"type": "string"}}}
    rules = OwnerRules(run_keys=(keys["ada"],), params={"sales": schema})
    assert why(rules, sign({"day": "x"})) == ""


def test_a_line_that_is_no_key_is_an_error_of_the_rules() -> None:
    for line in ("ada", "ssh-rsa AAAA ada", "ssh-ed25519 AAAA ada"):
        with pytest.raises(RulesWrong, match="no line of an Ed25519 key"):
            parse({"run_keys": [line]})


@pytest.mark.looptime(resolution=1e-9)
@pytest.mark.parametrize(
    ("deployment", "why"), [("prod", ""), ("", "not for this run of this Dag in this Deployment")]
)
async def test_the_sites_own_name_of_the_deployment_counts_and_not_the_planes(
    agent: AgentUnderTest, plane: FakePlane, keys: dict[str, str], sign: Sign, deployment: str, why: str
) -> None:
    # the plane calls itself "fake", as one that was taken over may call itself after another
    times = {"not_before": "2001-09-08T00:00:00+00:00", "not_after": "2001-09-10T00:00:00+00:00"}
    run = {
        "dag_id": "sales",
        "run_id": "signed__1",
        "run_type": "manual",
        "conf": sign({"day": "x"}, **times),
    }
    plane.answer_execution = lambda method, path, body: (200, {"dag_run": run, "max_tries": 0})
    ti = {"id": str(uuid4()), "dag_id": "sales", "task_id": "t", "run_id": "signed__1"}
    async with agent.with_settings(rules={"run_keys": [keys["ada"]]}, deployment=deployment):
        attempt = plane.queue(ti=ti, bundle_info={"name": "main", "version": None})
        await plane.until(lambda: attempt.outcomes)
    (outcome,) = attempt.outcomes
    assert outcome.kind is (OutcomeKind.FAILED if why else OutcomeKind.SUCCEEDED)
    assert why in outcome.reason
