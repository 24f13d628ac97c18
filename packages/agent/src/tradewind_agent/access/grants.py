"""The grant of an attempt as far as the agent knows it. The plane gives it with the first request of the task's supervisor."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from tradewind_protocol.errors import Code, Refused


class GrantState(str, Enum):
    """What is state of a grant."""

    NOT_ASKED = "not_asked"  # not asked for yet: no user code can have run
    MAYBE = "maybe"  # asked for; the answer is not there yet, or was lost
    GRANTED = "granted"  # the plane says that it runs here
    GONE = "gone"  # the offer was taken back or given back: it must not run here


_GONE = frozenset({Code.LEASE_LOST, Code.ATTEMPT_UNKNOWN, Code.ATTEMPT_NOT_YOURS})


class Grant:
    """The grant of one attempt. The gateway notes requests and responses here; `on_change` is called with each new state."""

    def __init__(self, on_change: Callable[[GrantState], None]) -> None:
        self.state = GrantState.NOT_ASKED
        self._on_change = on_change

    def asked(self) -> bool:
        """A request that asks for the grant is about to be sent: whether it may be. An earlier answer of the plane stands."""
        if self.state is GrantState.NOT_ASKED:
            self._become(GrantState.MAYBE)
        return self.state is not GrantState.GONE

    def withdraw(self) -> bool:
        """No request may ask for it any more. False when one has asked already."""
        if self.state is GrantState.NOT_ASKED:
            self._become(GrantState.GONE)
            return True
        return False

    def answered(self, refused: Refused | None) -> None:
        """The plane has answered it: with this refusal of its own, or in whatever way Airflow did, which it only asks once
        the attempt is granted."""
        if refused is None:
            self._become(GrantState.GRANTED)
        elif refused.code in _GONE and self.state is not GrantState.GRANTED:
            self._become(GrantState.GONE)

    def _become(self, state: GrantState) -> None:
        if state is not self.state:
            self.state = state
            self._on_change(state)
