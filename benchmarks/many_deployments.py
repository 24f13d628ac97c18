"""A platform with many Deployments, whose driver is a fake: how long the list takes, what an idle platform costs while each
Deployment waits for changes of access, and how soon a revocation has reached all of them.

`PYTHONPATH=tests python -m benchmarks.many_deployments --deployments 500`. The platform serves HTTP with its reconciler in this
process; the Deployments' requests come from another one, so that their cost is not counted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import uvicorn
from sqlalchemy import select

from support.platform_parts import QUICK, Reconciled
from tradewind_platform.api.app import create_app
from tradewind_platform.api.context import Platform
from tradewind_platform.api.server import Server
from tradewind_platform.clock import utc_now
from tradewind_platform.domain.roles import ORGANIZATION, Binding, Role
from tradewind_platform.reconciler.reconciler import Reconciler
from tradewind_platform.security.key_ring import KeyRing
from tradewind_platform.services import secrets
from tradewind_platform.services.deployment_credentials import SECRET
from tradewind_platform.services.people import first_organization
from tradewind_platform.services.session_refreshes import Refresher
from tradewind_platform.store.migration import migrate
from tradewind_platform.store.sessions import Store, open_engine
from tradewind_platform.store.tables import Deployment, RoleBinding
from tradewind_protocol.access import ACCESS_PATH, LONGEST_HOLD_SECONDS

PEOPLE = 40


def platform_in(directory: Path) -> Reconciled:
    """An installation whose clock is the machine's."""
    engine = open_engine(f"sqlite:///{directory}/platform.db")
    migrate(engine)
    store = Store(engine)
    organization = first_organization(store, "acme", now=utc_now())
    ring = KeyRing.create(directory / "keys")
    return Reconciled(Platform(store, ring, utc_now, passwords=QUICK), organization, _Now())  # type: ignore[arg-type]


class _Now:
    """The clock that callers of the API are made by."""

    def __call__(self) -> object:
        return utc_now()

    now = property(__call__)


def filled(made: Reconciled, count: int) -> None:
    """Deployments that operations have made, each with a nightly backup, and people with roles in all of them."""
    for number in range(count):
        made.create(f"d{number}")
    made.reconciler.carry_out_all()
    made.reconciler.observer.observe_all()
    for number in range(count):
        nightly = {"cron": f"{number % 60} 3 * * *", "keep_days": 7, "is_enabled": True}
        answer = made.owner.patch(f"/v1/deployments/d{number}/maintenance", json={"backups": nightly})
        assert answer.status_code == 200, answer.text
    for number in range(PEOPLE):
        made.user(f"person-{number}", Binding(Role.ORGANIZATION_AUDITOR, ORGANIZATION))


@contextmanager
def serving(made: Reconciled) -> Iterator[str]:
    """The platform's API and its reconciler, as `tradewind platform run` has them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Server(create_app(made.platform), made.platform.access_watch, port=port)
    reconciler = Reconciler(made.platform.store, made.platform.ring, {"fake": made.driver})
    refresher = Refresher(
        made.platform.store, made.platform.ring, made.platform.providers, origin="", clock=utc_now
    )
    threads = [threading.Thread(target=one) for one in (server.run, reconciler.run, refresher.run)]
    for one in threads:
        one.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.end()
        reconciler.stop()
        refresher.stop()
        for one in threads:
            one.join()


def waking_cost(seconds: float) -> dict[str, float]:
    """What this machine takes for next to nothing, to compare with: a uvicorn without an application and without requests, and a
    thread that wakes once a second. In percent of a core."""

    async def nothing(*_: object) -> None: ...

    server = uvicorn.Server(
        uvicorn.Config(nothing, interface="asgi3", port=0, log_config=None, access_log=False)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    time.sleep(1)
    bare = cpu_percent(seconds)
    server.should_exit = True
    thread.join()
    began, spent = time.monotonic(), time.process_time()
    while time.monotonic() - began < seconds:
        time.sleep(1)
    one = (time.process_time() - spent) / (time.monotonic() - began) * 100
    return {"bare_uvicorn_core_percent": bare, "a_sleep_a_second_core_percent": round(one, 2)}


def credentials(made: Reconciled) -> dict[str, str]:
    store, ring = made.platform.store, made.platform.ring
    with store.reading_all() as db:
        return {str(id): secrets.of(db, ring, id)[SECRET] for id in db.scalars(select(Deployment.id))}


@contextmanager
def pollers(url: str, known: dict[str, str], since: int) -> Iterator[subprocess.Popen[str]]:
    """Another process, in which each Deployment waits for the next revision of access. It writes the moment at which the last
    one was told."""
    child = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.many_deployments", "--poll", url, "--since", str(since)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdin is not None
    child.stdin.write(json.dumps(known))
    child.stdin.close()
    try:
        yield child
    finally:
        child.kill()
        child.wait()


async def poll(url: str, known: dict[str, str], since: int) -> float:
    """Poll for all of them until each has been told of another revision. Returns when the last one was."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)

    async def one(client: httpx.AsyncClient, id: str, credential: str) -> float:
        # As API servers ask: each time by a connection of its own.
        headers = {"Authorization": f"Bearer {credential}", "Connection": "close"}
        asked = {"since": since, "hold": LONGEST_HOLD_SECONDS}
        while True:
            answer = await client.get(url + ACCESS_PATH.format(deployment=id), params=asked, headers=headers)
            if answer.status_code == 200:
                return time.monotonic()
            assert answer.status_code == 204, answer.text

    async with httpx.AsyncClient(timeout=90, limits=limits) as client:
        return max(await asyncio.gather(*(one(client, *each) for each in known.items())))


def revoke(made: Reconciled) -> float:
    """Take a person's role away. Returns the moment."""
    with made.platform.store.transaction(made.organization) as db:
        db.delete(
            db.scalars(select(RoleBinding).where(RoleBinding.role == Role.ORGANIZATION_AUDITOR)).first()
        )
    return time.monotonic()


def cpu_percent(seconds: float) -> float:
    """Of a core, of this process, from now on."""
    began, spent = time.monotonic(), time.process_time()
    time.sleep(seconds)
    return round((time.process_time() - spent) / (time.monotonic() - began) * 100, 2)


def measured(count: int, rounds: int, seconds: float) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as directory:
        made = platform_in(Path(directory))
        filled(made, count)
        print(f"{count} are there", file=sys.stderr)
        compared = waking_cost(seconds / 2)
        with serving(made) as url:
            headers = {"Authorization": made.owner.headers["Authorization"]}
            listing, spent = [], []
            with httpx.Client(base_url=url, headers=headers) as client:
                for _ in range(rounds):
                    began, cpu = time.perf_counter(), time.process_time()
                    answer = client.get("/v1/deployments", params={"limit": 1000})
                    listing.append(time.perf_counter() - began)
                    spent.append(time.process_time() - cpu)
                    assert answer.json()["total"] == count
            time.sleep(10)  # the observer has read all of them
            alone = cpu_percent(seconds)
            since = made.platform.access_documents.revision(made.organization)
            with pollers(url, credentials(made), since) as child:
                while made.platform.access_watch.waiting < count:
                    time.sleep(0.1)
                polled = cpu_percent(seconds)
                revoked, cpu = revoke(made), time.process_time()
                assert child.stdout is not None
                told = float(child.stdout.readline()) - revoked
                told_cpu = time.process_time() - cpu
    return {
        "deployments": count,
        "list_ms_p50": round(statistics.median(listing) * 1000, 1),
        "list_cpu_ms_p50": round(statistics.median(spent) * 1000, 1),
        **compared,
        "idle_core_percent": alone,
        "idle_core_percent_with_pollers": polled,
        "revocation_seconds": round(told, 2),
        "revocation_cpu_seconds": round(told_cpu, 2),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deployments", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--poll", help=argparse.SUPPRESS)
    parser.add_argument("--since", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.poll:
        print(asyncio.run(poll(asked.poll, json.load(sys.stdin), asked.since)), flush=True)
    else:
        print(json.dumps(measured(asked.deployments, asked.rounds, asked.seconds)))
