"""Every verb of an attempt with a lease that is not the caller's: another site's, an old one, one that never was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from uuid import uuid4

import httpx

from tradewind_protocol import paths

from ..attempts import Act, Attempt, Held, refused, refused_or
from ..sites import headers
from ..world import World

FAMILY: Final = "leases"

VERBS: Final[dict[str, dict[str, Any]]] = {
    "start": {},
    "finish": {"kind": "succeeded", "task_state": "success"},
    "finish as failed": {"kind": "failed", "reason": "because"},
    "finish as stopped": {"kind": "stopped"},
    "hand-back": {"reason": "no room"},
    "finish in a batch": {"kind": "succeeded"},
}
STATES: Final = ("running", "offered", "callback", "connection_test", "ended")
WHAT: Final = {
    # whose attempt, in which state, and which epoch; start and hand-back of what is one's own are no attempts
    **{f"the victim's {state} attempt": ("victim", state, 3) for state in STATES},
    **{f"the victim's {state} attempt, epoch 4": ("victim", state, 4) for state in ("running", "offered")},
    "its own running attempt, an old epoch": ("attacker", "running", 2),
    "its own running attempt, a later epoch": ("attacker", "running", 4),
    "its own running attempt, epoch 0": ("attacker", "running", 0),
    "its own running attempt, epoch -1": ("attacker", "running", -1),
    "its own running attempt, an endless epoch": ("attacker", "running", 2**80),
    "its own offered attempt, an old epoch": ("attacker", "offered", 2),
    "its own offered attempt, a later epoch": ("attacker", "offered", 4),
    "an attempt that never was": ("nobody", "", 1),
}


def _act(verb: str, whose: str, state: str, epoch: int) -> Act:
    async def act(world: World) -> httpx.Response:
        of = {"victim": world.victim, "attacker": world.attacker}.get(whose)
        attempt_id = of.attempts[state].partition(":")[0] if of is not None else str(uuid4())
        body = {"epoch": epoch, **VERBS[verb]}
        given = headers(world.attacker.session)
        if verb == "finish in a batch":
            whole = {"endings": [{"attempt_id": attempt_id, "outcome": body}]}
            return await world.ask("POST", paths.PREFIX + paths.FINISH, given=given, json_body=whole)
        path = f"{paths.PREFIX}/attempts/{attempt_id}/{verb.split()[0]}"
        return await world.ask("POST", path, given=given, json_body=body)

    return act


def _in_a_batch(world: World, answer: httpx.Response) -> str:
    """Each outcome is refused for itself."""
    if answer.status_code == 200 and len(answer.json()["refused"]) == 1:
        return ""
    return refused(world, answer)


def _acknowledged_in_a_batch(world: World, answer: httpx.Response) -> str:
    return refused_or(200)(world, answer)


def _without_effect(world: World, answer: httpx.Response) -> str:
    """What ended, and what is handed back by one that does not hold it, is acknowledged: a lost answer may be asked for
    again. The tables are looked at in any case."""
    return refused_or(204)(world, answer)


def _all() -> Iterator[Attempt]:
    for verb in VERBS:
        for what, (whose, state, epoch) in WHAT.items():
            acknowledged = verb == "hand-back" or state == "ended"
            held: Held = _without_effect if acknowledged else refused
            if verb == "finish in a batch":
                held = _acknowledged_in_a_batch if acknowledged else _in_a_batch
            yield Attempt(FAMILY, f"{verb} {what}", _act(verb, whose, state, epoch), held)


ATTEMPTS: Final = tuple(_all())
