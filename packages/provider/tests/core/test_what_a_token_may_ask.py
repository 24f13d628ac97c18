"""Without a session an agent token says whether it is good, and lets a scaler see what waits."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from tradewind_protocol.ids import TokenKind
from tradewind_provider.airflow.database import create_session
from tradewind_provider.api.agent import site
from tradewind_provider.services import queue_depths, tokens
from tradewind_provider.services.queue_depths import QueueCount, QueueCountCache

from .scenes import Clock, Plane, queued, sessions_of


async def test_a_good_token_is_told_what_it_opens_and_opens_nothing_by_it(plane: Plane, clock: Clock) -> None:
    agent = await plane.agent().opens()
    answer = await agent.call("GET", "/token", bearer=plane.secret)
    assert answer.status_code == 200
    said = answer.json()
    assert (said["token"], said["site"], said["deployment"], said["expires_at"]) == (
        "ci",
        "default",
        "default",
        None,
    )
    assert said["airflow_version"].startswith("3.")
    assert said["now"].startswith("2026-03-01T12:00:00")
    assert [one.ended_at for one in sessions_of(agent.agent_id)] == [None], "nobody was fenced"


async def test_a_token_that_is_no_good_is_told_why(plane: Plane, clock: Clock) -> None:
    agent = plane.agent()
    assert (await agent.call("GET", "/token", bearer="nonsense")).json()["error"] == "token_malformed"
    with create_session() as db:
        (token,) = tokens.listed(db)
        tokens.delete(db, token.id, deleted_by="ada", now=clock())
    assert (await agent.call("GET", "/token", bearer=plane.secret)).json()["error"] == "token_deleted"
    assert (await agent.call("GET", "/queues", bearer=plane.secret)).json()["error"] == "token_deleted"


async def test_a_session_token_is_not_an_agent_token(plane: Plane) -> None:
    agent = await plane.agent().opens()
    assert (await agent.call("GET", "/queues")).status_code == 401


async def test_a_scaler_sees_what_waits_and_runs_also_while_no_agent_is_there(
    plane: Plane, clock: Clock
) -> None:
    for _ in range(3):
        queued(clock, queue="gpu")
    clock.forward(30)
    queued(clock, queue="team/a")
    scaler = plane.agent()
    answer = await scaler.call("GET", "/queues", bearer=plane.secret)
    by_name = {one["queue"]: one for one in answer.json()["queues"]}
    assert (by_name["gpu"]["depth"], by_name["gpu"]["oldest_wait"], by_name["gpu"]["work"]) == (3, 30.0, 3)
    one = await scaler.call("GET", "/queues/team/a", bearer=plane.secret)
    assert one.json()["work"] == 1
    nobody = await scaler.call("GET", "/queues/unheard-of", bearer=plane.secret)
    assert nobody.status_code == 200 and nobody.json()["work"] == 0


async def test_what_runs_keeps_its_agents_even_when_nothing_waits(plane: Plane, clock: Clock) -> None:
    queued(clock)
    agent = await plane.agent().opens()
    (offer,) = await agent.offers()
    await agent.start(offer)
    assert (await agent.call("GET", "/queues/default", bearer=plane.secret)).json() | {"oldest_wait": 0} == {
        "queue": "default",
        "depth": 0,
        "oldest_wait": 0,
        "running": 1,
        "work": 1,
    }


async def test_however_many_ask_the_database_is_asked_once_in_five_seconds() -> None:
    looks, moment = 0, 0.0

    async def look() -> dict[str, QueueCount]:
        nonlocal looks
        looks += 1
        return {"default": QueueCount(depth=looks)}

    counts = QueueCountCache(look, monotonic=lambda: moment)
    for moment in (0.0, 1.0, 4.9):
        found, age = await counts.get()
        assert (found["default"].depth, age) == (1, moment)
    moment = 5.0
    assert (await counts.get())[0]["default"].depth == 2


async def test_the_oldest_is_the_oldest_that_waits(plane: Plane, clock: Clock) -> None:
    queued(clock)
    clock.forward(3600)
    queued(clock)
    with create_session() as db:
        counts = queue_depths.count(db)
    assert counts["default"]["default"].depth == 2
    assert (clock() - counts["default"]["default"].oldest).total_seconds() == 3600  # type: ignore[operator]


def made(clock: Clock, kind: TokenKind, *, site: str = "default") -> tokens.CreatedToken:
    with create_session() as db:
        return tokens.create(
            db,
            name=f"{kind.value}-{site}",
            site=site,
            kind=kind,
            expires_in_days=None,
            created_by="ada",
            now=clock(),
            limit=50,
        )


def keda_asks(plane: Plane, url: str, secret: str) -> httpx.Request:
    """The request of KEDA 2.21's metrics-api scaler with `authModes: bearer`: GET, the trigger's `url` as it is written, the
    header `Authorization`, and what Go's client adds. It knows nothing of our protocol's headers."""
    return httpx.Request(
        "GET",
        "http://plane/v1" + url,
        headers={
            "Authorization": f"Bearer {secret}",
            "User-Agent": "Go-http-client/1.1",
            "Accept-Encoding": "gzip",
        },
    )


async def test_kedas_request_gets_the_sum_of_a_workers_queues_as_one_number(
    plane: Plane, clock: Clock
) -> None:
    scaler = made(clock, TokenKind.SCALER)
    for _ in range(3):
        queued(clock, queue="gpu")
    clock.forward(30)
    queued(clock, queue="team/a")
    queued(clock, queue="another worker's")
    client = plane.agent().client
    url = "/backlog?queue=gpu&queue=team/a&queue=gpu&queue=unheard-of"
    answer = await client.send(keda_asks(plane, url, scaler.secret))
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"work": 4, "depth": 4, "running": 0, "oldest_wait": 30.0, "mine": 0}
    empty = await client.send(keda_asks(plane, "/backlog?queue=unheard-of", scaler.secret))
    assert (empty.status_code, empty.json()["work"]) == (200, 0), "a worker at zero asks for an empty queue"
    none = await client.send(keda_asks(plane, "/backlog", scaler.secret))
    assert (none.status_code, none.json()["error"]) == (422, "malformed")


async def test_two_groups_on_one_queue_do_not_both_scale_for_all_that_runs(
    plane: Plane, clock: Clock
) -> None:
    for _ in range(3):
        queued(clock)
    here = await plane.agent("a", slots=2).opens(group="lab/default")
    there = await plane.agent("b", slots=1).opens(group="hall/default")
    offers = await here.offers()
    assert len(offers) == 2
    for offer in offers:
        await here.start(offer)
    assert len(await there.offers()) == 1
    queued(clock)
    secret = made(clock, TokenKind.SCALER).secret
    ask = plane.agent().client
    told = {
        group: (await ask.send(keda_asks(plane, f"/backlog?queue=default&group={group}", secret))).json()
        for group in ("lab/default", "hall/default", "nobody", "")
    }
    assert {
        group: (one["work"], one["mine"], one["running"], one["depth"]) for group, one in told.items()
    } == {
        "lab/default": (3, 2, 3, 1),
        "hall/default": (2, 1, 3, 1),
        "nobody": (1, 0, 3, 1),
        "": (4, 3, 3, 1),
    }


async def test_a_scalers_token_reads_queue_numbers_of_its_site_and_nothing_else(
    plane: Plane, clock: Clock
) -> None:
    queued(clock)
    scaler, foreign = made(clock, TokenKind.SCALER), made(clock, TokenKind.SCALER, site="eu")
    agent = plane.agent()
    for path in ("/backlog?queue=default", "/queues", "/queues/default"):
        assert (await agent.call("GET", path, bearer=scaler.secret)).status_code == 200, path
    answer = await agent.call("GET", "/backlog?queue=default", bearer=foreign.secret)
    assert (answer.status_code, answer.json()["depth"]) == (200, 0), "the queue of that name of another site"
    for path in ("/token", "/metrics"):
        refused = await agent.call("GET", path, bearer=scaler.secret)
        assert (refused.status_code, refused.json()["error"]) == (403, "not_permitted"), path
    agent.secret = scaler.secret
    refused = await agent.open()
    assert (refused.status_code, refused.json()["error"]) == (403, "not_permitted")
    assert refused.json()["message"] == (
        "the token 'scaler-default' is a token of kind scaler: it reads queue numbers and nothing else"
    )
    assert refused.json()["remedy"] == "use a token of kind agent"
    assert sessions_of(agent.agent_id) == []


async def test_a_scaler_with_a_replaced_value_is_told_so_within_two_seconds(
    plane: Plane, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    scaler = made(clock, TokenKind.SCALER)
    moment = 0.0
    monkeypatch.setattr(site.time, "monotonic", lambda: moment)
    ask = plane.agent().client
    assert (await ask.send(keda_asks(plane, "/backlog?queue=default", scaler.secret))).status_code == 200
    with create_session() as db:
        new = tokens.rotate(db, scaler.token.id, overlap=timedelta(0), rotated_by="ada", now=clock())
    assert TokenKind.of(new.secret) is TokenKind.SCALER
    moment = site.FRESH_SECONDS
    refused = await ask.send(keda_asks(plane, "/backlog?queue=default", scaler.secret))
    assert refused.status_code == 403
    assert (await ask.send(keda_asks(plane, "/backlog?queue=default", new.secret))).status_code == 200
