"""Rules of health, operations, names, ids and API tokens."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from tradewind_platform.domain import api_tokens, health, ids, operations
from tradewind_platform.domain.health import Condition, ConditionType, Health, Status
from tradewind_platform.domain.operations import Kind, Phase, State, Step

NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
LATER = NOW + timedelta(minutes=5)
ALL_TRUE = [Condition(one, Status.TRUE) for one in ConditionType]


def false(type: ConditionType) -> Condition:
    return Condition(type, Status.FALSE, "Down", "It is down.", "Start it.")


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ([], Health.UNKNOWN),
        (ALL_TRUE, Health.HEALTHY),
        (ALL_TRUE[1:], Health.UNKNOWN),
        ([*ALL_TRUE[1:], Condition(ALL_TRUE[0].type, Status.UNKNOWN)], Health.UNKNOWN),
        ([*ALL_TRUE[1:], false(ALL_TRUE[0].type)], Health.UNHEALTHY),
        ([false(ALL_TRUE[0].type)], Health.UNHEALTHY),
    ],
)
def test_health_follows_from_the_conditions(conditions: list[Condition], expected: Health) -> None:
    assert health.health({one.type: one.status for one in conditions}) is expected


def test_a_condition_that_is_false_says_why_and_what_to_do() -> None:
    with pytest.raises(ValueError, match="ApiServerReady is false and says neither why nor what to do"):
        Condition(ConditionType.API_SERVER_READY, Status.FALSE, "Down", "It is down.")


def test_since_is_when_the_status_changed_and_not_when_it_was_seen_again() -> None:
    type = ConditionType.API_SERVER_READY
    first = health.merged({}, [false(type)], now=NOW)
    again = health.merged(first, [false(type)], now=LATER)
    assert again[type].since == NOW
    well = health.merged(again, [Condition(type, Status.TRUE)], now=LATER)
    assert well[type].since == LATER


def test_the_next_step_is_the_first_that_has_not_succeeded() -> None:
    done, running, pending = (Step("a", state) for state in (State.SUCCEEDED, State.RUNNING, State.PENDING))
    assert operations.next_step([done, running, pending]) == 1
    assert operations.next_step([pending]) == 0
    assert operations.next_step([done, done]) is None


def test_data_is_purged_only_of_what_was_deleted_before() -> None:
    purged = {phase for phase in Phase if operations.may_begin(Kind.PURGE, phase)}
    assert purged == {Phase.DELETED, Phase.PURGE_FAILED}


def test_nothing_is_asked_of_a_deployment_while_an_operation_runs() -> None:
    busy = {kind.meanwhile for kind in Kind} - {Phase.CREATING, Phase.RUNNING}
    assert not [(kind, phase) for kind in Kind for phase in busy if operations.may_begin(kind, phase)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (api_tokens.Value(False, None, None), api_tokens.Validity.GOOD),
        (api_tokens.Value(False, LATER, LATER), api_tokens.Validity.GOOD),
        (api_tokens.Value(False, NOW, None), api_tokens.Validity.EXPIRED),
        (api_tokens.Value(False, LATER, NOW), api_tokens.Validity.REPLACED),
        (api_tokens.Value(True, LATER, LATER), api_tokens.Validity.DELETED),
    ],
)
def test_a_value_of_a_token_is_good_until_it_is_deleted_expired_or_replaced(
    value: api_tokens.Value, expected: api_tokens.Validity
) -> None:
    assert api_tokens.validity(value, NOW) is expected


def test_ids_sort_by_the_time_they_were_made() -> None:
    made = [ids.new_id() for _ in range(100)]
    assert made == sorted(made) and {one.version for one in made} == {7}
