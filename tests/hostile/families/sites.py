"""The holder of a token of one site asks for what is another's, or the plane's own: ids, bundles, queues, triggers, logs, policies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final
from uuid import UUID, uuid4

import httpx

from tradewind_protocol import dags, paths, stored_runs, triggers
from tradewind_protocol.storage import segment

from ..attempts import Attempt, Held, refused
from ..sites import headers, opening
from ..world import World

FAMILY: Final = "sites"

Body = Callable[[World], Any]


def _post(path: str, body: Body, *, bearer: str = "session") -> Callable[[World], Awaitable[httpx.Response]]:
    async def act(world: World) -> httpx.Response:
        return await world.ask(
            "POST", paths.PREFIX + path, given=headers(getattr(world.attacker, bearer)), json_body=body(world)
        )

    return act


def _opens(**more: Body) -> Callable[[World], Awaitable[httpx.Response]]:
    return _post(
        paths.SESSIONS,
        lambda world: {**opening(world.attacker), **{name: made(world) for name, made in more.items()}},
        bearer="token",
    )


def _offers_nothing(world: World, answer: httpx.Response) -> str:
    if answer.status_code != 200:
        return refused(world, answer)
    said = answer.json()
    mine = {one.partition(":")[0] for one in world.attacker.attempts.values()}
    foreign = [one["label"] for one in said["offers"] if one["attempt_id"] not in mine]
    return f"it was offered {foreign} and told {said['commands']}" if foreign or said["commands"] else ""


def _no_queue_of_another(world: World, answer: httpx.Response) -> str:
    if answer.status_code != 200:
        return refused(world, answer)
    said = answer.json()
    depths = [one["depth"] for one in said.get("queues", [said])]
    return f"it was told {depths}" if any(depths) else ""


def _every_bundle_refused(world: World, answer: httpx.Response) -> str:
    if answer.status_code != 200:
        return refused(world, answer)
    roles = [one["role"] for one in answer.json()["bundles"] if one["name"] != world.attacker.bundle]
    return "" if roles and set(roles) == {"refused"} else f"the roles are {roles}"


def _no_trigger(world: World, answer: httpx.Response) -> str:
    if answer.status_code != 200:
        return refused(world, answer)
    said = answer.json()
    mine = {world.attacker.trigger_id}
    handed = {one["id"] for one in said["create"]} - mine
    return f"it was handed triggers {handed}" if handed else ""


def _report_refused(world: World, answer: httpx.Response) -> str:
    if answer.status_code != 200:
        return refused(world, answer)
    return "" if len(answer.json()["refused"]) == 1 else "the report was applied"


def _knows_nothing(world: World, answer: httpx.Response) -> str:
    if answer.status_code != 200:
        return refused(world, answer)
    fates = {one["fate"] for one in answer.json()["runs"]}
    return "" if fates == {"unknown"} else f"it was told {fates}"


def _is_strict(world: World, answer: httpx.Response) -> str:
    if answer.status_code != 200:
        return refused(world, answer)
    return "" if answer.json()["policy"] == "strict" else "the session is open"


def _room(*queues: str) -> Body:
    return lambda world: {"room": [{"environment": "main", "queues": list(queues), "free": 50}], "hold": 0}


def _claim(*names: str, **more: Any) -> Body:
    return lambda world: {
        "instance": uuid4(),
        "bundles": [{"name": world.attacker.bundle}, *({"name": name, **more} for name in names)],
    }


def _report(trigger: Callable[[World], int], **what: Any) -> Body:
    return lambda world: {
        "source": uuid4(), "hold": 0, "news": False,
        "reports": [{"seq": 1, "trigger_id": trigger(world), **what}],
    }  # fmt: skip


def _stored(dag: str) -> Body:
    return lambda world: {"runs": [{"dag": segment(dag), "run": segment("r1")}]}


def _reads(template: str, **query: Callable[[World], str]) -> Callable[[World], Awaitable[httpx.Response]]:
    """As the task that it runs."""

    async def act(world: World) -> httpx.Response:
        return await world.ask(
            "GET",
            paths.PREFIX + paths.EXECUTION + template,
            given=headers(world.attacker.session, world.attacker.attempts["running"]),
            params={name: of(world) for name, of in query.items()},
        )

    return act


EVENT: Final = {"event": {"payload": "x"}}
CASES: Final[dict[str, tuple[Callable[[World], Awaitable[httpx.Response]], Held]]] = {
    # an agent's identity
    "open a session under the victim's agent id": (_opens(agent_id=lambda w: w.victim.agent_id), refused),
    "open a session under the victim's agent id and instance": (
        _opens(agent_id=lambda w: w.victim.agent_id, instance=lambda w: w.victim.session_id), refused),
    "open a session under the victim's agent id with its name": (
        _opens(agent_id=lambda w: w.victim.agent_id, name=lambda w: "eu-1"), refused),
    "open a session under its own id without its key": (_opens(agent_key=lambda w: ""), refused),
    "open a session under its own id with another key": (_opens(agent_key=lambda w: "x" * 43), refused),
    "open a session as open": (_opens(agent_id=lambda w: uuid4(), policy=lambda w: "open"), _is_strict),
    "open a session with the victim's attempts as unreported": (
        _opens(agent_id=lambda w: uuid4(), unreported=lambda w: [_ref(w.victim.attempts["running"])]), _is_strict),
    "open a session with the victim's bundle": (_opens(agent_id=lambda w: uuid4(), bundles=lambda w: [w.victim.bundle]), _is_strict),
    "open a session with the plane's bundle": (_opens(agent_id=lambda w: uuid4(), bundles=lambda w: ["plane-dags"]), _is_strict),
    # work
    "poll for the victim's queue": (_post(paths.POLL, _room("default")), _offers_nothing),
    "poll for a queue of the victim's by its site": (_post(paths.POLL, _room("eu/default", "eu:default", "default@eu")), _offers_nothing),
    "poll for 200 queues": (_post(paths.POLL, _room(*(f"q{number}" for number in range(199)), "default")), _offers_nothing),
    "poll and name the victim's attempts as running": (
        _post(paths.POLL, lambda w: {"room": [], "hold": 0, "running": [_ref(one) for one in w.victim.attempts.values()]}), _offers_nothing),
    "poll and name the victim's attempts as held": (
        _post(paths.POLL, lambda w: {"room": [], "hold": 0, "holding": [_ref(one) for one in w.victim.attempts.values()]}), _offers_nothing),
    "poll and carry out a command that is not its own": (
        _post(paths.POLL, lambda w: {"room": [], "hold": 0, "carried_out": [uuid4() for _ in range(1000)]}), _offers_nothing),
    "poll with the victim's bundles": (
        _post(paths.POLL, lambda w: {**_room("default")(w), "environments": [
            {"name": "main", "queues": ["default"], "slots": 50, "bundles": [w.victim.bundle, "plane-dags"]}]}), _offers_nothing),
    # bundles
    "claim the victim's bundle": (_post(dags.CLAIM, _claim("eu-dags")), _every_bundle_refused),
    "claim the plane's bundle": (_post(dags.CLAIM, _claim("plane-dags")), _every_bundle_refused),
    "claim the plane's bundle by its template": (
        _post(dags.CLAIM, _claim("plane-dags", view_url_template="https://x/{version}")), _every_bundle_refused),
    "claim the victim's bundle with a fingerprint": (_post(dags.CLAIM, _claim("eu-dags", fingerprint="f" * 64)), _every_bundle_refused),
    "report of the victim's bundle": (_post(dags.REPORT, lambda w: {"instance": uuid4(), "bundle": "eu-dags", "removed": ["x.py"]}), refused),
    "report of the plane's bundle": (_post(dags.REPORT, lambda w: {"instance": uuid4(), "bundle": "plane-dags", "removed": ["x.py"]}), refused),
    "report of a bundle that it did not claim": (_post(dags.REPORT, lambda w: {"instance": uuid4(), "bundle": "new", "removed": ["x.py"]}), refused),
    "watch the victim's bundle": (
        _post(dags.WATCH, lambda w: {"instance": uuid4(), "hold": 0, "marks": {"eu-dags": "m"}}), lambda w, a: _no_news(w, a)),
    "watch the plane's bundle": (
        _post(dags.WATCH, lambda w: {"instance": uuid4(), "hold": 0, "marks": {"plane-dags": "m"}}), lambda w, a: _no_news(w, a)),
    "confirm callbacks that are not its own": (
        _post(dags.WATCH, lambda w: {"instance": uuid4(), "hold": 0, "confirm": [uuid4() for _ in range(100)]}), lambda w, a: _no_news(w, a)),
    # triggers
    "report an event of the victim's trigger": (_post(triggers.SYNC, _report(lambda w: w.victim.trigger_id, **EVENT)), _report_refused),
    "fail the victim's trigger": (_post(triggers.SYNC, _report(lambda w: w.victim.trigger_id, failure={"traceback": ["x"]})), _report_refused),
    "end the victim's task by its trigger": (
        _post(triggers.SYNC, _report(lambda w: w.victim.trigger_id, event={"end_state": "success", "xcoms": {"secret": "s3://b/k"}})), _report_refused),
    "report an event of a trigger that never was": (_post(triggers.SYNC, _report(lambda w: 2**40, **EVENT)), lambda w, a: ""),
    "say that it runs the victim's trigger": (
        _post(triggers.SYNC, lambda w: {"source": uuid4(), "hold": 0, "running": triggers.pack_ids([w.victim.trigger_id])}), _no_trigger),
    "ask for every trigger of 200 queues": (
        _post(triggers.SYNC, lambda w: {"source": uuid4(), "hold": 0, "capacity": 100_000, "queues": ["default", *(f"q{n}" for n in range(199))]}), _no_trigger),
    "send ids that inflate without end": (
        _post(triggers.SYNC, lambda w: {"source": uuid4(), "hold": 0, "running": _bomb()}), refused),
    # assets
    "read the events of the victim's asset": (
        _reads("/asset-events/by-asset", name=lambda w: w.victim.asset, uri=lambda w: f"s3://bucket/{w.victim.asset}"), refused),
    "read the events of the victim's alias": (_reads("/asset-events/by-asset-alias", name=lambda w: w.victim.alias), refused),
    "read the events of an alias that it made stand for the victim's asset": (
        _reads("/asset-events/by-asset-alias", name=lambda w: w.attacker.alias), refused),
    # runs and logs
    "ask for the fate of the victim's run": (_post(stored_runs.PATH, _stored("eu_dag")), _knows_nothing),
    "ask for the fate of the plane's run": (_post(stored_runs.PATH, _stored("plane_dag")), _knows_nothing),
    "send a log to a stream that nobody reads": (
        _post(f"/logs/{UUID(int=1)}", lambda w: {"server": uuid4(), "number": 0, "content": ""}), lambda w, a: _not_wanted(w, a)),
}  # fmt: skip


def _no_news(world: World, answer: httpx.Response) -> str:
    if answer.status_code != 200:
        return refused(world, answer)
    said = answer.json()
    found = [name for name in ("parse", "callbacks", "granted") if said[name]]
    return f"it was told of {found}" if found else ""


def _not_wanted(world: World, answer: httpx.Response) -> str:
    if answer.status_code != 200:
        return refused(world, answer)
    return "a reader takes it" if answer.json()["wanted"] else ""


def _ref(header: str) -> dict[str, Any]:
    attempt_id, _, epoch = header.partition(":")
    return {"attempt_id": attempt_id, "epoch": int(epoch)}


def _bomb() -> str:  # of 500 MB, and without an end
    import base64
    import zlib

    packer, part = zlib.compressobj(9), bytes(1_000_000)
    # What follows a full flush refers to nothing before it: the second part stands for all others.
    first, other = (packer.compress(part) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return base64.b64encode(first + other * 499).decode()


def _token_gets(path: str) -> Callable[[World], Awaitable[httpx.Response]]:
    async def act(world: World) -> httpx.Response:
        return await world.ask("GET", paths.PREFIX + path, given=headers(world.attacker.token))

    return act


QUEUES: Final = (
    "/queues",
    "/queues/default",
    "/queues/eu/default",
    "/queues/eu%2Fdefault",
    "/queues/..%2F..%2Feu",
    "/queues/*",
    "/backlog?queue=default&queue=eu/default&queue=*",
    "/backlog?queue=default&group=eu",
)

ATTEMPTS: Final = (
    *(Attempt(FAMILY, name, act, held) for name, (act, held) in CASES.items()),
    *(
        Attempt(FAMILY, f"look at the queue depth at {path}", _token_gets(path), _no_queue_of_another)
        for path in QUEUES
    ),
)
