"""Moves of attempts between their states: the one place that writes `tradewind_attempt.state` of a row that is there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import ColumnElement, update
from sqlalchemy.sql.dml import Update

from tradewind_protocol import states
from tradewind_protocol.attempts import WorkKind
from tradewind_protocol.states import AttemptState
from tradewind_provider.store.tables import Attempt


def _values(of: Iterable[AttemptState]) -> tuple[str, ...]:
    return tuple(state.value for state in AttemptState if state in of)


NOT_STARTED: Final = _values(states.NOT_STARTED)
HELD: Final = _values(states.HELD)
UNFINISHED: Final = _values(states.UNFINISHED)
"""The sets of `tradewind_protocol.states`, as the column holds them."""

IS_CANARY: Final = Attempt.kind == WorkKind.CANARY.value
"""The rows that are no work: nothing counts them as work, and nothing tells a scheduler of them."""


def move(to: AttemptState, *chosen: ColumnElement[bool], **values: Any) -> Update:
    """The statement that moves the attempts that are `chosen` to `to`, each only from a state from which
    `states.ATTEMPT_MOVES` lets it, and sets `values` with it."""
    allowed = Attempt.state.in_(_values(states.states_before(to)))
    return update(Attempt).where(allowed, *chosen).values(state=to.value, **values)


def set_state(attempt: Attempt, to: AttemptState) -> None:
    """The same for a row that is loaded and locked. Raises ValueError for a move that is not legal."""
    before = AttemptState(attempt.state)
    if to not in states.ATTEMPT_MOVES[before]:
        raise ValueError(f"attempt {attempt.id} is {before.value} and may not become {to.value}")
    attempt.state = to.value
