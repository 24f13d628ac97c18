"""Every verb of the Remote Execution API, with a body that its rightful caller would send."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

from tradewind_protocol import dags, paths, sentinel, site, stored_runs, triggers

from ..sites import Site, opening
from ..world import World


@dataclass(frozen=True)
class Call:
    """One verb as the agent of a site calls it."""

    method: str
    path: str  # below the prefix; {id} is an attempt or a stream
    token: bool = False  # takes the agent token and not the session's

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    def body(self, of: Site) -> Any:
        """A message that is well formed."""
        epoch = {"epoch": 3}
        found: dict[str, Any] = {
            paths.SESSIONS: opening(
                Site(of.name)
            ),  # an agent of its own: a second life would fence the first
            paths.POLL: {"room": [], "hold": 0},
            "/attempts/{id}/start": epoch,
            "/attempts/{id}/finish": {**epoch, "kind": "succeeded"},
            "/attempts/{id}/hand-back": epoch,
            paths.FINISH: {"endings": [{"attempt_id": uuid4(), "outcome": {**epoch, "kind": "succeeded"}}]},
            "/logs/{id}": {"server": uuid4(), "number": 0},
            stored_runs.PATH: {"runs": []},
            dags.CLAIM: {"instance": uuid4(), "bundles": []},
            dags.REPORT: {"instance": uuid4(), "bundle": of.bundle},
            dags.WATCH: {"instance": uuid4(), "hold": 0},
            triggers.SYNC: {"source": uuid4(), "hold": 0},
            sentinel.REPORT: {"instance": uuid4(), "name": "watch"},
        }
        return found.get(self.path) if self.method == "POST" else None

    def at(self, named: object = "") -> str:
        """The path from the root, `named` in place of its id."""
        return paths.PREFIX + self.path.replace("{id}", str(named or uuid4()))


CALLS: Final = (
    Call("POST", paths.SESSIONS, token=True),
    Call("DELETE", paths.SESSIONS),
    Call("POST", paths.POLL),
    Call("POST", "/attempts/{id}/start"),
    Call("POST", "/attempts/{id}/finish"),
    Call("POST", "/attempts/{id}/hand-back"),
    Call("POST", paths.FINISH),
    Call("POST", "/logs/{id}"),
    Call("POST", stored_runs.PATH),
    Call("POST", dags.CLAIM),
    Call("POST", dags.REPORT),
    Call("POST", dags.WATCH),
    Call("POST", triggers.SYNC),
    Call("GET", site.TOKEN, token=True),
    Call("GET", site.QUEUES, token=True),
    Call("GET", site.QUEUES + "/default", token=True),
    Call("GET", site.BACKLOG + "?queue=default", token=True),
    Call("POST", sentinel.REPORT, token=True),
    Call("GET", "/metrics", token=True),
)


def attempt_id(world: World, state: str, *, victims: bool) -> str:
    of = world.victim if victims else world.attacker
    return of.attempts[state].partition(":")[0]
