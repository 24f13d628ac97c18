"""The callers of a route: work of one kind, or a component; and what each of them may reach."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final
from uuid import UUID

from tradewind_protocol.attempts import WorkKind
from tradewind_protocol.boundary.decisions import Rejection
from tradewind_protocol.errors import Code
from tradewind_protocol.states import Component

if TYPE_CHECKING:
    from tradewind_protocol.boundary.routes import RouteMatch


class Caller(str, Enum):
    """Callers of a route. Values are those of `WorkKind` and `Component`."""

    TASK = WorkKind.TASK.value
    CALLBACK = WorkKind.CALLBACK.value
    CONNECTION_TEST = WorkKind.CONNECTION_TEST.value
    CANARY = WorkKind.CANARY.value
    WORKER = Component.WORKER.value
    DAG_PROCESSOR = Component.DAG_PROCESSOR.value
    TRIGGERER = Component.TRIGGERER.value


TASK: Final = Caller.TASK
CALLBACK: Final = Caller.CALLBACK
CONNECTION_TEST: Final = Caller.CONNECTION_TEST
CANARY: Final = Caller.CANARY
DAG_PROCESSOR: Final = Caller.DAG_PROCESSOR
TRIGGERER: Final = Caller.TRIGGERER
NO_CALLER: Final[frozenset[Caller]] = frozenset()


def admit(found: RouteMatch, caller: Caller, own: UUID | None = None) -> Rejection | None:
    """None when `caller` may use this route, else the refusal.

    `own` is the id of the caller's own task instance or connection test; an id in the path must be that one. It is
    None where it is not known (the agent knows attempts, not what they run) or decided elsewhere (a triggerer's).
    """
    route = found.route
    if caller not in route.callers:
        return Rejection(
            Code.NOT_PERMITTED,
            f"a {caller.value.replace('_', ' ')} may not call {route.method} {route.template}",
            "if it has to, this is a defect of Tradewind: the table of routes and their callers is in the data boundary",
        )
    if own is not None and route.owner is not None:
        named = found.params[route.owner.value]
        try:
            same = UUID(named) == own
        except ValueError:
            same = False
        if not same:
            return Rejection(Code.ATTEMPT_NOT_YOURS, f"{named!r} is not what this attempt runs ({own})")
    return None
