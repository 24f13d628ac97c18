"""The rules, as functions of their arguments."""

from __future__ import annotations

import ast
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from uuid import UUID, uuid4

import pytest

import tradewind_provider
from tradewind_protocol.errors import Code
from tradewind_protocol.states import ATTEMPT_MOVES, AgentState, AttemptState, OutcomeKind
from tradewind_provider.domain import agents, leases, scheduler_reports
from tradewind_provider.domain.leases import Decision, Lease, Rejection
from tradewind_provider.domain.scheduler_reports import SchedulerEvent, SchedulerReport
from tradewind_provider.store import attempt_states

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
BEATS = agents.HeartbeatLimits(poll=25, lost_after=75)
ME, YOU = uuid4(), uuid4()
S = AttemptState


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


# ---- agents


@pytest.mark.parametrize(
    ("record", "seconds", "state"),
    [
        (agents.AgentRecord(NOON), 0, AgentState.STARTING),
        (agents.AgentRecord(NOON), 31, AgentState.UNREACHABLE),
        (agents.AgentRecord(NOON), 76, AgentState.LOST),
        (agents.AgentRecord(NOON, NOON), 30, AgentState.HEALTHY),
        (agents.AgentRecord(NOON, NOON, failing=True), 1, AgentState.DEGRADED),
        (agents.AgentRecord(NOON, NOON, cordoned=True, failing=True), 1, AgentState.CORDONED),
        (agents.AgentRecord(NOON, NOON, draining=True, cordoned=True), 1, AgentState.DRAINING),
        (agents.AgentRecord(NOON, NOON, draining=True), 31, AgentState.UNREACHABLE),
        (agents.AgentRecord(NOON, NOON), 75, AgentState.UNREACHABLE),
        (agents.AgentRecord(NOON, NOON), 75.1, AgentState.LOST),
        (agents.AgentRecord(NOON, NOON, ended=agents.SessionEnd.LOST), 1, AgentState.LOST),
        (agents.AgentRecord(NOON, NOON, ended=agents.SessionEnd.GOODBYE), 900, AgentState.OFFLINE),
        (agents.AgentRecord(NOON, NOON, ended=agents.SessionEnd.TOKEN_DELETED), 1, AgentState.OFFLINE),
    ],
)
def test_an_agent_is_as_its_record_and_the_moment_say(
    record: agents.AgentRecord, seconds: float, state: AgentState
) -> None:
    assert agents.state_of(record, at(seconds), BEATS) is state


def test_silence_before_the_plane_listened_does_not_count() -> None:
    record = agents.AgentRecord(NOON, NOON)
    assert agents.lost(record, at(80), BEATS, listening_since=NOON)
    assert not agents.lost(record, at(80), BEATS, listening_since=at(10))
    assert agents.lost(record, at(86), BEATS, listening_since=at(10))


def test_attention_starts_over_after_a_gap_and_when_the_clock_is_set_back() -> None:
    begun = agents.Attention.begins(NOON)
    assert begun.at(at(5), longest_gap=20).at(at(24), longest_gap=20).since == NOON
    assert begun.at(at(21), longest_gap=20).since == at(21)
    assert begun.at(at(-3), longest_gap=20).since == at(-3)


# ---- leases


@pytest.mark.parametrize("state", list(S))
@pytest.mark.parametrize(("holder", "epoch"), [(ME, 2), (YOU, 2), (ME, 3), (None, 2)])
def test_only_the_holder_of_the_epoch_starts(state: S, holder: UUID | None, epoch: int) -> None:
    decision = leases.may_start(Lease(state, epoch, holder), ME, 2)
    if (holder, epoch) == (ME, 2) and state in (S.OFFERED, S.RUNNING):
        assert decision is (Decision.CHANGE if state is S.OFFERED else Decision.NOTHING)
    else:
        assert isinstance(decision, Rejection)


@pytest.mark.parametrize(
    ("lease", "decision"),
    [
        (Lease(S.RUNNING, 2, ME), Decision.CHANGE),
        (Lease(S.FINISHED, 2, ME), Decision.NOTHING),
        (Lease(S.FINISHED, 2, YOU), Decision.NOTHING),
        (Lease(S.REVOKED, 2, ME), Decision.NOTHING),
        (Lease(S.FINISHED, 3, ME), Code.LEASE_LOST),
        (Lease(S.RUNNING, 3, ME), Code.LEASE_LOST),
        (Lease(S.RUNNING, 2, YOU), Code.ATTEMPT_NOT_YOURS),
        (Lease(S.OFFERED, 2, ME), Code.CONFLICT),
    ],
)
def test_the_first_outcome_of_an_epoch_counts(lease: Lease, decision: Decision | Code) -> None:
    made = leases.may_finish(lease, ME, 2)
    assert (made.code if isinstance(made, Rejection) else made) is decision


@pytest.mark.parametrize(
    ("lease", "decision"),
    [
        (Lease(S.OFFERED, 2, ME), Decision.CHANGE),
        (Lease(S.RUNNING, 2, ME), Code.CONFLICT),
        (Lease(S.OFFERED, 3, ME), Decision.NOTHING),
        (Lease(S.OFFERED, 2, YOU), Decision.NOTHING),
        (Lease(S.QUEUED, 2, None), Decision.NOTHING),
        (Lease(S.FINISHED, 2, ME), Decision.NOTHING),
    ],
)
def test_only_an_offer_can_be_handed_back(lease: Lease, decision: Decision | Code) -> None:
    made = leases.may_hand_back(lease, ME, 2)
    assert (made.code if isinstance(made, Rejection) else made) is decision


def test_no_accepted_request_makes_an_illegal_move() -> None:
    wanted = {leases.may_start: S.RUNNING, leases.may_finish: S.FINISHED, leases.may_hand_back: S.QUEUED}
    for rule, to in wanted.items():
        for state in S:
            if rule(Lease(state, 2, ME), ME, 2) is Decision.CHANGE:
                assert to in ATTEMPT_MOVES[state]


def test_a_state_is_written_only_where_the_legal_moves_are_asked():
    source, writers = Path(tradewind_provider.__file__).parent, set()
    for path in source.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = isinstance(node, ast.keyword) and node.arg == "state"
            assigned = isinstance(node, ast.Assign) and any(
                ".state" in ast.unparse(to) for to in node.targets
            )
            if (named or assigned) and re.search(r"AttemptState\.[A-Z]+\.value", ast.unparse(node.value)):
                writers.add(path.relative_to(source).as_posix())
    # the rows of new work and of canaries, which are queued
    assert writers == {"services/work_queue.py", "services/canaries.py"}


@pytest.mark.parametrize("to", AttemptState)
def test_a_statement_moves_attempts_from_the_states_of_the_table_only(to):
    statement = attempt_states.move(to).compile(compile_kwargs={"literal_binds": True})
    before = {state for state, after in ATTEMPT_MOVES.items() if to in after}
    where = str(statement).partition("WHERE")[2]
    assert {state for state in AttemptState if f"'{state.value}'" in where} == before


# ---- reporting


@pytest.mark.parametrize(
    ("outcome", "ti_state", "report"),
    [
        (OutcomeKind.SUCCEEDED, "success", SchedulerReport(SchedulerEvent.SUCCESS, True)),
        (OutcomeKind.SUCCEEDED, "failed", SchedulerReport(SchedulerEvent.SUCCESS, True)),
        (OutcomeKind.LOST, "running", SchedulerReport(SchedulerEvent.FAILED, False)),
        (OutcomeKind.FAILED, "queued", SchedulerReport(SchedulerEvent.FAILED, False)),
        (OutcomeKind.SUCCEEDED, "running", SchedulerReport(SchedulerEvent.SUCCESS, False)),
        (OutcomeKind.LOST, "success", SchedulerReport(SchedulerEvent.FAILED, True)),
        (OutcomeKind.SUCCEEDED, "deferred", SchedulerReport(SchedulerEvent.NOTHING, True)),
        (OutcomeKind.SUCCEEDED, "awaiting_input", SchedulerReport(SchedulerEvent.NOTHING, True)),
        (OutcomeKind.LOST, "scheduled", SchedulerReport(SchedulerEvent.NOTHING, True)),
        (OutcomeKind.LOST, "up_for_reschedule", SchedulerReport(SchedulerEvent.NOTHING, True)),
        (OutcomeKind.LOST, None, SchedulerReport(SchedulerEvent.NOTHING, True)),
        (OutcomeKind.LOST, "restarting", SchedulerReport(SchedulerEvent.SUCCESS, False)),
        (OutcomeKind.STOPPED, "running", SchedulerReport(SchedulerEvent.FAILED, False)),
    ],
)
def test_what_the_scheduler_is_told(
    outcome: OutcomeKind, ti_state: str | None, report: SchedulerReport
) -> None:
    assert scheduler_reports.report(outcome, ti_state=ti_state, superseded=False, ours=True) == report


@pytest.mark.parametrize(("superseded", "ours"), [(True, True), (False, False)])
def test_a_later_attempt_or_another_scheduler_silences_an_earlier_one(superseded: bool, ours: bool) -> None:
    said = scheduler_reports.report(OutcomeKind.LOST, ti_state="running", superseded=superseded, ours=ours)
    assert said == SchedulerReport(SchedulerEvent.NOTHING, True)
