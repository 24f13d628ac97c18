"""The rules, as functions of their arguments."""

from __future__ import annotations

import ast
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tradewind_provider
from tradewind_protocol.errors import Code
from tradewind_protocol.sessions import Policy
from tradewind_protocol.states import ATTEMPT_MOVES, AgentState, AttemptState, OutcomeKind
from tradewind_provider import settings
from tradewind_provider.domain import agents, leases, placement, scheduler_reports
from tradewind_provider.domain.leases import Decision, Lease, Rejection
from tradewind_provider.domain.placement import Candidate, CandidateIndex, EnvironmentSlots, PendingWork
from tradewind_provider.domain.routes import Route, addressed
from tradewind_provider.domain.scheduler_reports import SchedulerEvent, SchedulerReport
from tradewind_provider.options import OPTIONS
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


# ---- placement


def waiting(
    queue: str | Route, *, priority: int = 1, age: float = 0, avoid: UUID | None = None
) -> PendingWork:
    route = Route(queue) if isinstance(queue, str) else queue
    return PendingWork(uuid4(), route, priority, at(-age), avoid)


def test_work_is_spread_over_those_with_the_most_room() -> None:
    places = [
        Candidate(ME, (EnvironmentSlots(frozenset({"q"}), 2),)),
        Candidate(YOU, (EnvironmentSlots(frozenset({"q"}), 2),)),
    ]
    placed = placement.place([waiting("q", age=age) for age in (4, 3, 2, 1)], places)
    assert list(placed.values()) == [ME, YOU, ME, YOU]


def test_an_answer_is_filled_no_further_than_it_may_be() -> None:
    places = [
        Candidate(ME, (EnvironmentSlots(frozenset({"q"}), 9),), most=1),
        Candidate(YOU, (EnvironmentSlots(frozenset({"q"}), 1),)),
    ]
    placed = placement.place([waiting("q", age=age) for age in (3, 2, 1)], places)
    assert list(placed.values()) == [ME, YOU]


def test_room_several_queues_share_is_used_once() -> None:
    places = [Candidate(ME, (EnvironmentSlots(frozenset({"a", "b"}), 1),))]
    old, new = waiting("a", age=5), waiting("b", age=1)
    assert placement.place([new, old], places) == {old.attempt_id: ME}


def test_an_environment_that_serves_one_queue_is_filled_before_one_that_serves_several() -> None:
    place = Candidate(ME, (EnvironmentSlots(frozenset({"a", "b"}), 1), EnvironmentSlots(frozenset({"a"}), 1)))
    first, second = waiting("a", age=9), waiting("b", age=1)
    assert placement.place([first, second], [place]) == {first.attempt_id: ME, second.attempt_id: ME}


def test_who_handed_work_back_is_passed_over() -> None:
    places = [
        Candidate(ME, (EnvironmentSlots(frozenset({"q"}), 9),)),
        Candidate(YOU, (EnvironmentSlots(frozenset({"q"}), 1),)),
    ]
    one = waiting("q", avoid=ME)
    assert placement.place([one], places) == {one.attempt_id: YOU}
    assert placement.place([waiting("q", avoid=ME)], places[:1]) == {}


def test_who_is_passed_over_for_one_is_given_the_next() -> None:
    places = [
        Candidate(ME, (EnvironmentSlots(frozenset({"q"}), 9),)),
        Candidate(YOU, (EnvironmentSlots(frozenset({"q"}), 1),)),
    ]
    first, second = waiting("q", age=2, avoid=ME), waiting("q", age=1)
    assert placement.place([first, second], places) == {first.attempt_id: YOU, second.attempt_id: ME}


_SERVED = st.frozensets(st.sampled_from("abc"))
_BUNDLES = st.frozensets(st.sampled_from(["one", "two"]))
_SITES = st.sampled_from(["eu", "us"])
_PLACES = st.lists(
    st.tuples(
        st.lists(st.builds(EnvironmentSlots, _SERVED, st.integers(0, 3), _BUNDLES), max_size=3),
        st.integers(0, 4),
        _SITES,
    ),
    max_size=5,
)
_ROUTES = st.builds(
    Route,
    st.sampled_from("abcd"),
    st.sampled_from(["eu", "us", None]),
    st.sampled_from(["one", "two", "three", None]),
)


@given(
    _PLACES,
    st.lists(st.tuples(_ROUTES, st.integers(0, 2), st.integers(0, 5)), min_size=1, max_size=12),
)
def test_each_piece_of_work_goes_where_there_is_most_room_at_its_turn(
    drawn: list[tuple[list[EnvironmentSlots], int, str]], work: list[tuple[Route, int, int]]
) -> None:
    places = [Candidate(uuid4(), tuple(seats), most, site) for seats, most, site in drawn]
    ids = [one.session_id for one in places] + [YOU]
    candidates = [
        waiting(queue, priority=priority, avoid=ids[min(avoid, len(ids) - 1)])
        for queue, priority, avoid in work
    ]
    placed = placement.place(candidates, places)
    assert placed == plainly_placed(candidates, places)
    routes = {one.attempt_id: one.route for one in candidates}
    for attempt, session in placed.items():
        route = routes[attempt]
        assert any(
            spot.session_id == session
            and spot.site == route.site
            and any(
                route.queue in seat.queues and (route.bundle is None or route.bundle in seat.bundles)
                for seat in spot.environments
            )
            for spot in places
        )


def plainly_placed(candidates: list[PendingWork], places: list[Candidate]) -> dict[UUID, UUID]:
    """As `placement.place` says, and every place looked at for each piece of work."""
    left, placed = list(places), {}
    for one in sorted(candidates, key=lambda each: (-each.priority, each.created_at)):
        open_ = [
            at for at, spot in enumerate(left) if spot.session_id != one.avoid and spot.free_slots(one.route)
        ]
        if open_:
            at = max(open_, key=lambda each: left[each].free_slots(one.route))
            left[at] = left[at].take(one.route)
            placed[one.attempt_id] = left[at].session_id
    return placed


def test_room_is_counted_no_further_than_there_is_work() -> None:
    places = [
        Candidate(ME, (EnvironmentSlots(frozenset({"q"}), 9),), most=4),
        Candidate(YOU, (EnvironmentSlots(frozenset({"q"}), 2),)),
    ]
    for count, most in ((3, 3), (5, 5), (100, 6)):
        assert [one.most for one in placement.batches({Route("q"): count}, places)] == [most]
    assert placement.batches({Route("other"): 3}, places) == []


def seats(free: int, *bundles: str) -> tuple[EnvironmentSlots, ...]:
    return (EnvironmentSlots(frozenset({"q"}), free, frozenset(bundles)),)


def test_work_that_the_same_slots_can_run_is_asked_for_together() -> None:
    places = [
        Candidate(ME, seats(2, "one", "two"), site="eu"),
        Candidate(YOU, seats(3, "one", "two"), site="eu"),
    ]
    work = {
        Route("q", "eu", "one"): 2,
        Route("q", "eu", "two"): 9,
        Route("q", "eu"): 1,
        Route("q", "us", "one"): 7,
    }
    (batch,) = placement.batches(work, places)
    assert (batch.site, batch.queue, batch.bundles, batch.most) == ("eu", "q", {"one", "two", None}, 5)


def test_much_work_of_one_bundle_does_not_hide_that_of_another_from_the_agents_that_have_it() -> None:
    places = [Candidate(ME, seats(1, "one"), site="eu"), Candidate(YOU, seats(4, "two"), site="eu")]
    work = {Route("q", "eu", "one"): 1000, Route("q", "eu", "two"): 2}
    found = {one.bundles: one.most for one in placement.batches(work, places)}
    assert found == {frozenset({"one"}): 1, frozenset({"two"}): 2}


def test_work_goes_to_no_other_site_and_to_no_agent_without_its_bundle() -> None:
    places = [Candidate(ME, seats(9, "one"), site="us"), Candidate(YOU, seats(1, "two"), site="eu")]
    there, nowhere = waiting(Route("q", "eu", "two")), waiting(Route("q", "eu", "one"))
    nobodys = waiting(Route("q", None, "one"))
    assert placement.place([there, nowhere, nobodys], places) == {there.attempt_id: YOU}


@pytest.mark.parametrize(
    ("queue", "known", "found"),
    [
        ("etl", {"default", "eu"}, ("default", "etl")),
        ("eu:etl", {"default", "eu"}, ("eu", "etl")),
        ("us:etl", {"default", "eu"}, ("default", "us:etl")),
        ("etl", {"eu"}, ("eu", "etl")),
        ("etl", {"eu", "us"}, ("default", "etl")),
        ("etl", set(), ("default", "etl")),
        ("eu:", {"eu"}, ("eu", "eu:")),
    ],
)
def test_a_queue_may_name_the_site_of_work_that_is_no_sites(
    queue: str, known: set[str], found: tuple[str, str]
) -> None:
    assert addressed(queue, known) == found


def spot(free: int, *queues: str) -> Candidate:
    return Candidate(uuid4(), (EnvironmentSlots(frozenset(queues), free),))


def test_the_most_free_places_come_first_and_of_those_alike_whoever_came_first() -> None:
    waiting_places = CandidateIndex()
    little, first, second, elsewhere = spot(1, "q"), spot(3, "q"), spot(3, "q"), spot(2, "other")
    for one in (little, first, second, elsewhere):
        waiting_places.add(one)
    assert waiting_places.most_free(2) == [first, second, elsewhere]
    assert waiting_places.most_free(None) == [first, second, little, elsewhere]


def test_a_place_that_serves_two_queues_is_found_once() -> None:
    waiting_places = CandidateIndex()
    waiting_places.add(both := spot(1, "a", "b"))
    assert waiting_places.most_free(5) == [both]


def test_whoever_leaves_is_not_found_any_more() -> None:
    waiting_places = CandidateIndex()
    stays, leaves = spot(1, "a", "b"), spot(1, "b", "c")
    for one in (stays, leaves):
        waiting_places.add(one)
    for _ in range(2):
        waiting_places.remove(leaves)
    assert waiting_places.most_free(None) == [stays]
    assert [Route(queue) in waiting_places for queue in "abc"] == [True, True, False]
    waiting_places.remove(stays)
    assert waiting_places.most_free(None) == []
    assert Route("a") not in waiting_places


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


# ---- settings


def options(**changed: str) -> dict[str, str]:
    return {name: str(option["default"]) for name, option in OPTIONS.items()} | changed


def test_the_defaults_are_what_the_protocol_promises() -> None:
    read = settings.parse(options(), instance_name="Production")
    assert (read.deployment, read.cadence.poll, read.cadence.lost_after) == ("Production", 25.0, 75.0)
    assert read.cadence == type(read.cadence)()


def test_an_agent_that_waits_between_two_tries_asks_again_before_it_is_given_up() -> None:
    for poll, beats in [("25", "3"), ("2", "3"), ("1", "1.5")]:
        cadence = settings.parse(options(poll_seconds=poll, missed_beats=beats)).cadence
        assert cadence.retry_most * 2 < cadence.lost_after


def test_the_policy_is_read_per_site() -> None:
    assert settings.parse(options()).policies == settings.Policies(), "strict for everybody"
    read = settings.parse(options(policy="strict, lab=open")).policies
    assert (read.of("lab"), read.of("default")) == (Policy.OPEN, Policy.STRICT)
    assert settings.parse(options(policy="open")).policies.of("anybody") is Policy.OPEN
    with pytest.raises(settings.SettingsError, match="policy: 'lab=half'"):
        settings.parse(options(policy="strict, lab=half"))


def test_the_address_for_agents_has_a_path_and_no_slash_at_its_end() -> None:
    assert settings.parse(options()).agent_url == ""
    read = settings.parse(options(agent_url=" https://k3.external.example.com/d4f2/ "))
    assert read.agent_url == "https://k3.external.example.com/d4f2"


@pytest.mark.parametrize(
    "text",
    [
        "k3.example.com",
        "ftp://k3.example.com",
        "https://a:secret@k3.example.com",
        "https://k3:x",
        "https://k3/?a",
    ],
)
def test_an_address_for_agents_that_cannot_be_used_is_named_without_credentials(text: str) -> None:
    with pytest.raises(settings.SettingsError, match="agent_url") as refused:
        settings.parse(options(agent_url=text))
    assert "secret" not in str(refused.value)


def test_on_agent_loss_is_read_per_queue() -> None:
    rules = settings.parse_on_agent_loss("wait:90s, gpu=wait:2h, cheap=retry")
    assert [rules.wait(queue) for queue in ("any", "gpu", "cheap")] == [90.0, 7200.0, 0.0]


@pytest.mark.parametrize(
    ("name", "value"),
    [("poll_seconds", "soon"), ("poll_seconds", "0"), ("policy", "lax"), ("on_agent_loss", "wait:soon")],
)
def test_an_option_that_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(settings.SettingsError, match=rf"\[tradewind\] {name}.*{value}"):
        settings.parse(options(**{name: value}))
