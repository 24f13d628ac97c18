from __future__ import annotations

from tradewind_protocol.states import OutcomeKind


def test_a_task_runs_and_its_success_goes_through_the_gateway(host, gateway):
    attempt = host.run("succeeds")
    outcome = attempt.outcome()
    assert (outcome.kind, outcome.exit_code, outcome.epoch) == (OutcomeKind.SUCCEEDED, 0, 3), outcome
    assert gateway.states_of(attempt) == ["success"]
    assert "first line" in attempt.log()
