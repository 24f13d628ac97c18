"""Every route of the Execution API, by every caller, for what is another site's or the plane's, or not the caller's to do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any, Final
from uuid import uuid4

import httpx

from tradewind_protocol import paths
from tradewind_protocol.boundary.routes import ROUTES, Route

from ..attempts import Act, Attempt, Held, refused, refused_or
from ..sites import headers
from ..world import World

FOREIGN: Final = "execution API, foreign"
ROLES: Final = "execution API, roles"
LIES: Final = "execution API, lies"

NOW: Final = datetime.now(timezone.utc).isoformat()
BODIES: Final[dict[str, Any]] = {
    "ti.run": {"state": "running", "hostname": "h", "unixname": "u", "pid": 1, "start_date": NOW},
    "ti.state": {"state": "success", "end_date": NOW},
    "ti.skip_downstream": {"tasks": ["queued"]},
    "ti.heartbeat": {"hostname": "h", "pid": 1},
    "ti.rtif": {"field": "value"},
    "ti.rendered_map_index": "label",
    "dagrun.trigger": {"conf": {}},
    "dagrun.clear": None,
    "xcom.set": "s3://bucket/mine",
    "task_store.set": {"value": "s3://bucket/mine"},
    "asset_store.set_by_name": {"value": "s3://bucket/mine"},
    "asset_store.set_by_uri": {"value": "s3://bucket/mine"},
    "variable.set": {"key": "plane_var", "value": "mine"},
    "connection_test.report": {"state": "success", "result_message": "x"},
    "hitl.ask": {"ti_id": str(uuid4()), "options": ["a"], "subject": "s"},
    "hitl.respond": {"ti_id": str(uuid4()), "chosen_options": ["a"], "params_input": {}},
}
WRITES: Final = ("POST", "PUT", "PATCH", "DELETE")
CALLERS: Final = ("task", "callback", "connection_test", "dag_processor", "triggerer", "offered", "nothing")


def caller(world: World, name: str) -> str:
    """The attempt header of one of the attacker's callers."""
    mine = world.attacker.attempts
    named = {"task": mine["running"], "nothing": "", "dag_processor": name, "triggerer": name}
    return named.get(name) or mine.get(name, "")


def url(route: Route, names: dict[str, str]) -> str:
    path = route.template
    for name, value in names.items():
        path = path.replace("{" + name + "}", value).replace("{" + name + ":path}", value)
    return paths.PREFIX + paths.EXECUTION + path


def query(route: Route, names: dict[str, str], asset: str) -> dict[str, str]:
    """Every parameter that a route reads, and no Dag where it reads none: that alone would have it refused."""
    if "asset" in route.template:
        return {"name": asset, "uri": f"s3://bucket/{asset}", "key": "cursor"}
    return {"dag_id": names["dag_id"], "run_id": names["run_id"], "logical_date": "2030-01-01T00:00:00Z"}


def foreign(route: Route, who: str, whose: str) -> Act:
    async def act(world: World) -> httpx.Response:
        names = world.victim.names()
        if whose == "plane":
            names["dag_id"] = "plane_dag"
        body = BODIES.get(route.name)
        return await world.ask(
            route.method,
            url(route, names),
            given=headers(world.attacker.session, caller(world, who)),
            params=query(route, names, world.victim.asset),
            json_body=body if route.method in WRITES else None,
        )

    return act


def own(route: Route, who: str) -> Act:
    async def act(world: World) -> httpx.Response:
        names = world.attacker.names()
        return await world.ask(
            route.method,
            url(route, names),
            given=headers(world.attacker.session, caller(world, who)),
            params=query(route, names, world.attacker.asset),
            json_body=BODIES.get(route.name),
        )

    return act


def _nothing_in_it(world: World, answer: httpx.Response) -> str:
    """The keys of variables: none."""
    if answer.status_code == 200 and answer.json().get("keys") == []:
        return ""
    return refused(world, answer)


def _held(route: Route) -> Held:
    if route.name == "asset_event.by_alias":
        return refused_or(200)  # the victim has none, and none are listed
    return _nothing_in_it if route.name == "variable.keys" else refused


def _lies() -> Iterator[Attempt]:
    """A good session that says something else than it is."""
    for route in ROUTES:
        if "task_instance_id" not in route.template and "dag_id" not in route.template:
            continue
        for lie in ("the victim's attempt", "an old epoch", "a later epoch", "an ended attempt"):
            yield Attempt(LIES, f"{route.method} {route.template} with {lie}", _lying(route, lie))


def _lying(route: Route, lie: str) -> Act:
    async def act(world: World) -> httpx.Response:
        mine = world.attacker.attempts["running"].partition(":")[0]
        said = {
            "the victim's attempt": world.victim.attempts["running"],
            "an old epoch": f"{mine}:2",
            "a later epoch": f"{mine}:4",
            "an ended attempt": world.attacker.attempts["ended"],
        }[lie]
        names = (world.victim if lie == "the victim's attempt" else world.attacker).names()
        return await world.ask(
            route.method,
            url(route, names),
            given=headers(world.attacker.session, said),
            params=query(route, names, world.attacker.asset),
            json_body=BODIES.get(route.name) if route.method in WRITES else None,
        )

    return act


def _all() -> Iterator[Attempt]:
    for route in ROUTES:
        named = f"{route.method} {route.template}"
        for who in CALLERS:
            yield Attempt(
                FOREIGN, f"{named} of site eu by {who}", foreign(route, who, "victim"), _held(route)
            )
        if "dag_id" in route.template or route.name in (
            "ti.count",
            "ti.states",
            "ti.breadcrumbs",
            "dagrun.count",
            "dagrun.previous",
        ):
            for who in ("task", "dag_processor", "triggerer"):
                yield Attempt(
                    FOREIGN, f"{named} of the plane by {who}", foreign(route, who, "plane"), _held(route)
                )
        if route.method in WRITES:
            for who in ("callback", "connection_test", "dag_processor", "triggerer"):
                yield Attempt(ROLES, f"{named} of its own site by {who}", own(route, who))
    yield from _lies()


ATTEMPTS: Final = tuple(_all())
