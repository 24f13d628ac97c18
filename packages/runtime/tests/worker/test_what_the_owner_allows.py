"""A task's own process judges what only its Dag file says: the class of the task, and its pool."""

from __future__ import annotations

import pytest

from support.worker_host import FakeGateway, WorkerHost
from tradewind_protocol.hosts import TaskRule
from tradewind_protocol.states import OutcomeKind

pytestmark = [pytest.mark.process, pytest.mark.timeout(60)]

CLASS = "airflow.providers.standard.decorators.python._PythonDecoratedOperator"


@pytest.mark.parametrize(
    ("rule", "noun"),
    [
        (TaskRule(rule="operators", about="operators", patterns=("acme.*",)), f"operator '{CLASS}'"),
        (TaskRule(rule="finance.pools", about="pools", patterns=("finance_*",)), "pool 'default_pool'"),
    ],
)
def test_a_task_that_a_rule_refuses_fails_before_it_runs(
    host: WorkerHost, gateway: FakeGateway, rule: TaskRule, noun: str
) -> None:
    attempt = host.run("succeeds", rules=(rule,))
    outcome = attempt.outcome()
    assert (outcome.kind, outcome.rule) == (OutcomeKind.FAILED, rule.rule)
    reason = f"the site's rule {rule.rule!r} refuses it: {noun} is not among those it allows"
    assert outcome.reason == reason
    assert gateway.states_of(attempt) == ["failed"]
    assert reason in attempt.log()
    assert "succeeds ran" not in attempt.log()


def test_a_task_that_fits_runs_and_one_after_a_refusal_too(host: WorkerHost, gateway: FakeGateway) -> None:
    fits = (
        TaskRule(rule="operators", about="operators", patterns=("airflow.providers.standard.*",)),
        TaskRule(rule="pools", about="pools", patterns=("default_pool",)),
    )
    for rules in (fits, ()):
        attempt = host.run("succeeds", rules=rules)
        outcome = attempt.outcome()
        assert (outcome.kind, outcome.rule) == (OutcomeKind.SUCCEEDED, "")
        assert gateway.states_of(attempt) == ["success"]
