"""The pictures of the page in the documentation: two sizes, light and dark. `make ui-pictures` takes them anew."""

from __future__ import annotations

import contextlib
import os
import random
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Error, expect

PICTURES = os.environ.get("TRADEWIND_PICTURES", "")
SIZES = {"wide": (1440, 900), "narrow": (820, 1100)}
PAGES = {"agents": ""} | {
    each: each for each in ("queues", "sentinel", "tokens", "addresses", "site-access", "events", "register")
}

pytestmark = pytest.mark.skipif(not PICTURES, reason="`make ui-pictures` takes pictures")


def a_day_of_work(database: Path) -> None:
    """Attempts that ended in the last hour, as the plane keeps them."""
    weather = random.Random(7)
    now = datetime.now(timezone.utc)
    rows = []
    for queue, busy in (("default", 9), ("reports", 3), ("gpu", 1)):
        for minute in range(1, 61):
            for _ in range(weather.randint(0, busy)):
                at = str((now - timedelta(minutes=minute)).replace(tzinfo=None))
                outcome = "failed" if weather.random() < 0.06 else "succeeded"
                rows.append((uuid4().hex, uuid4().hex, queue, at, at, at, outcome))
    with closing(sqlite3.connect(database, timeout=30)) as connection, connection:
        connection.executemany(
            "INSERT INTO tradewind_attempt (id, kind, subject_id, map_index, try_number, label, queue, priority,"
            " payload, state, epoch, created_at, ended_at, reported_at, outcome, reason)"
            " VALUES (?, 'task', ?, -1, 1, '', ?, 1, '', 'finished', 1, ?, ?, ?, ?, '')",
            rows,
        )


def a_sentinel_reports(http: Any) -> None:
    """Of a namespace in which one worker cannot start, one was killed for its memory, and one is at zero."""
    name = f"frankfurt-{uuid4().hex[:6]}"
    secret = http.post("/tradewind/v1/tokens", json={"name": name, "kind": "sentinel"}).json()["token"]
    now = datetime.now(timezone.utc)

    def finding(check: str, subject: str, minutes: int, **said: str) -> dict[str, Any]:
        since = (now - timedelta(minutes=minutes)).isoformat()
        return {"check": check, "subject": subject, "since": since, **said}

    report = {
        "instance": str(uuid4()),
        "name": "frankfurt",
        "platform": "kubernetes",
        "scope": "airflow-site",
        "agents": [
            {"name": "site-default-6f7c-x2k9p", "group": "site/default", "state": "pending"},
            {
                "name": "site-ml-7d9c-4kq2m",
                "group": "site/ml",
                "state": "running",
                "ready": True,
                "restarts": 3,
                "since": (now - timedelta(hours=7)).isoformat(),
            },
        ],
        "groups": [
            {"name": "site/default", "queues": ["default"], "least": 1, "most": 4, "present": 1},
            {"name": "site/gpu", "queues": ["gpu", "train"], "least": 0, "most": 8},
            {"name": "site/ml", "queues": ["ml"], "least": 1, "most": 1, "present": 1, "ready": 1},
        ],
        "findings": [
            finding(
                "image_pull",
                "site-default-6f7c-x2k9p",
                2,
                cause="the registry refuses to give the image",
                evidence="ImagePullBackOff: failed to authorize: 401 Unauthorized",
                remedy="Name a pull secret that is good for this registry (image.pullSecrets), in the namespace of the pod",
            ),
            finding(
                "out_of_memory",
                "site-ml-7d9c-4kq2m",
                14,
                cause="the container was killed because it used up its memory limit",
                evidence="OOMKilled, exit status 137, limit 2Gi",
                remedy="Raise resources.limits.memory or lower slots",
            ),
        ],
    }
    answer = http.post(
        "/remote-execution/v1/sentinel/report", json=report, headers={"Authorization": f"Bearer {secret}"}
    )
    assert answer.status_code == 200, answer.text


ALLOWED = {
    "networks": [
        {"network": "127.0.0.0/8", "description": "this machine"},
        {"network": "192.0.2.0/24", "description": "Lyon"},
    ],
    "endpoints": [
        {"endpoint": "azure:3735928559", "name": "Lisbon"},
        {"endpoint": "aws:vpce-08d2bf15fac5001c9", "name": "Frankfurt"},
    ],
}


def agents_are_refused(plane: Any) -> None:
    """One whose token was deleted, and one that knows a wrong path."""
    from support.talkers import client

    for endpoint, address, method, path, status in (
        ("aws:vpce-08d2bf15fac5001c9", "10.1.4.22", "POST", "/sessions", 401),
        ("azure:3735928559", "10.20.0.7", "GET", "/nothing", 404),
    ):
        with client(plane, endpoint=endpoint, address=address) as http:
            http.headers["Authorization"] = "Bearer tw_agent_" + "x" * 43
            assert http.request(method, path, json={} if method == "POST" else None).status_code == status


def canaries(http: Any) -> set[str]:
    """How the last ones went."""
    queues = http.get("/tradewind/v1/queues").json()["items"]
    return {queue["canary"]["result"] for queue in queues if queue["canary"]}


def on_another_machine(route: Any) -> None:
    """The agent of the picture says nothing of the machine the picture is taken on."""
    try:
        answer = route.fetch()
        body = answer.json()
    except Error:  # the page went on to another one meanwhile
        return
    for agent in body.get("items", [body]):
        if agent["name"] == "frankfurt-1":
            agent["host"] |= {
                "hostname": "frankfurt-1.example.com",
                "platform": "Linux-6.1-x86_64",
                "cpus": 16,
            }
    with contextlib.suppress(Error):
        route.fulfill(response=answer, json=body)


@pytest.fixture(scope="module")
def scene(plane: Any, working_site: str) -> Iterator[None]:
    """A Deployment on a usual day."""
    from support.airflow_rest import eventually
    from support.talkers import Stand

    a_day_of_work(plane.home / "airflow.db")
    with Stand(plane) as stand, plane.client() as http:
        environment = {"python": "3.12.3", "airflow": "3.3.2"}
        stand.agent(
            "lisbon",
            endpoint="azure:3735928559",
            environments=[
                {"name": "default", "queues": ["default", "reports"], "slots": 16, **environment},
                {"name": "ml", "queues": ["gpu"], "slots": 2, **environment},
            ],
            components=["worker", "triggerer"],
            trigger_capacity=1000,
            findings=[
                {
                    "check": "disk",
                    "message": "/var/lib/tradewind has 180 MB left",
                    "remedy": "Free some space, or move state_dir.",
                }
            ],
        )
        stand.agent(
            "milan",
            findings=[
                {
                    "check": "bundle:dags",
                    "message": "cannot be fetched: Cloning into bare repository '/var/lib/tradewind/bundles/dags/bare'...\n"
                    "ssh: Could not resolve hostname git.example.com: Name or service not known\n"
                    "fatal: Could not read from remote repository.\n\nPlease make sure you have the correct access "
                    "rights\nand the repository exists.",
                    "remedy": "Check the address of the repository, and that this machine can resolve it.",
                }
            ],
        )
        a_sentinel_reports(http)
        agents_are_refused(plane)
        http.put("/tradewind/v1/allowed-addresses", json=ALLOWED).raise_for_status()
        stand.agent("oslo")
        porto = stand.agent(
            "porto",
            environments=[{"name": "ml", "queues": ["train"], "slots": 2, "canary": True, **environment}],
        )
        for agent in http.get("/tradewind/v1/agents").json()["items"]:
            if agent["name"] == "oslo":
                http.post(
                    f"/tradewind/v1/agents/{agent['id']}/cordon", json={"reason": "new disk on Tuesday"}
                )
        eventually(lambda: {"ok", "busy"} <= canaries(http), timeout=120, what="canaries went")
        porto.leave()
        eventually(lambda: {"ok", "failed"} <= canaries(http), timeout=120, what="a canary failed")
        yield
        nothing = {"networks": [], "endpoints": [], "force": True}
        http.put("/tradewind/v1/allowed-addresses", json=nothing).raise_for_status()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_pictures_are_taken(open_page: Any, scene: None, size: str, dark: bool) -> None:
    into = Path(PICTURES)
    into.mkdir(parents=True, exist_ok=True)
    page = open_page(dark=dark, size=SIZES[size])
    page.route(re.compile("/tradewind/v1/agents"), on_another_machine)
    tone = "dark" if dark else "light"
    for name, path in PAGES.items():
        page.goto(page.url.split("/plugin/")[0] + f"/plugin/remote-agents/{path}")
        expect(page.get_by_role("navigation", name="Remote Agents")).to_be_visible()
        if name == "register":
            page.get_by_label("Repository", exact=True).fill("https://git.example.com/team/dags.git")
        page.wait_for_timeout(2000)
        page.screenshot(path=into / f"{name}-{size}-{tone}.png")
    page.goto(page.url.split("/plugin/")[0] + "/plugin/remote-agents/")
    page.get_by_role("link", name="frankfurt-1", exact=True).click()
    expect(page.get_by_role("region", name="Running attempts")).to_be_visible()
    page.wait_for_timeout(1000)
    page.screenshot(path=into / f"agent-{size}-{tone}.png")
