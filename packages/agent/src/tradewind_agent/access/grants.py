"""What an agent knows of an attempt's grant, which the plane gives with the first request of the task's supervisor."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from tradewind_protocol.errors import Code, Refused


class GrantState(str, Enum):
    """What is state of a grant."""

    NOT_ASKED = "not_asked"  # nobody has asked for it: no user code can have run
    MAYBE = "maybe"  # asked for; the answer is not there yet, or was lost
    GRANTED = "granted"  # the plane says that it runs here
    GONE = "gone"  # the offer was taken back or given back: it must not run here


_GONE = frozenset({Code.LEASE_LOST, Code.ATTEMPT_UNKNOWN, Code.ATTEMPT_NOT_YOURS})


class Grant:
    """Of one attempt. The gateway notes what passes through it; `on_change` is called when that is news."""

    def __init__(self, on_change: Callable[[GrantState], None]) -> None:
        self.state = GrantState.NOT_ASKED
        self._on_change = on_change

    def asked(self) -> bool:
        """A request that is granted with wants to go out: whether it may. What the plane has said before stands."""
        if self.state is GrantState.NOT_ASKED:
            self._become(GrantState.MAYBE)
        return self.state is not GrantState.GONE

    def withdraw(self) -> bool:
        """Nobody is to ask any more. False when somebody has asked already."""
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
