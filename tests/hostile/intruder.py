"""A hostile agent with a token of its own beside the sites of a plane, and what it tries."""

from __future__ import annotations

import copy
import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
from sqlalchemy import create_engine, text

from support.airflow_rest import AirflowRest
from tradewind.embedded import plane
from tradewind.embedded.agent import Agent
from tradewind_protocol import paths, triggers, versions

from .families import dags

FLOWS = {"eu_flow": "eu", "us_flow": "us", "planes_own": "plane"}


@dataclass
class Scene:
    """What runs, where each site's user code writes to, and the metadata database."""

    plane: plane.Plane
    rest: AirflowRest
    database: str
    agents: dict[str, Agent]
    journals: dict[str, Path]

    def wrote(self, event: str) -> Counter[str]:
        """How often user code wrote that event down, by site's agent."""
        found: Counter[str] = Counter()
        for name, file in self.journals.items():
            lines = file.read_text().splitlines() if file.exists() else []
            found[name] = sum(json.loads(line)["event"] == event for line in lines)
        return +found

    def rows(self, statement: str) -> list[Any]:
        engine = create_engine(self.database)
        try:
            with engine.connect() as connection:
                return list(connection.execute(text(statement)))
        finally:
            engine.dispose()


@dataclass
class Intruder:
    """An agent with a good token of a third site that knows every id there is: of attempts, runs, agents and triggers."""

    scene: Scene
    token: str
    dice: random.Random
    agent_id: UUID = field(default_factory=uuid4)
    agent_key: str = field(default_factory=lambda: uuid4().hex)
    instance: UUID = field(default_factory=uuid4)
    session: str = ""
    did: Counter[str] = field(default_factory=Counter)  # each deed once
    seen: Counter[str] = field(default_factory=Counter)  # what came of them
    answers: Counter[int] = field(default_factory=Counter)
    gained: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        deeds: list[Callable[[], None]] = [
            self.polls, self.claims, self.reports_for_others, self.reports_hostile_dags, self.takes_triggers, self.fires_triggers,
            self.asks_airflow, self.moves_attempts, self.takes_an_identity, self.floods,
        ]  # fmt: skip
        with httpx.Client(base_url=self.scene.plane.url, timeout=30) as self.http:
            while not self.stop.is_set():
                deed = self.dice.choice(deeds)
                try:
                    deed()
                except (httpx.HTTPError, AssertionError):  # the API server is being killed just now
                    self.seen["interrupted"] += 1
                    self.stop.wait(0.5)
                    continue
                self.did[deed.__name__] += 1

    # ---- asking

    def ask(
        self, method: str, path: str, body: Any = None, *, bearer: str = "", **more: str
    ) -> httpx.Response:
        if not self.session:
            self.opens()
        given = {
            versions.HEADER: str(versions.PROTOCOL),
            "Authorization": f"Bearer {bearer or self.session}",
            **more,
        }
        content = None if body is None else json.dumps(body, default=str)
        answer = self.http.request(
            method,
            paths.PREFIX + path,
            content=content,
            headers={**given, "Content-Type": "application/json"},
        )
        self.answers[answer.status_code] += 1
        if answer.status_code == 401 or "session_" in answer.text[:100]:
            self.session = ""
        if answer.status_code >= 500 and answer.status_code != 503:
            self.failed.append(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
        return answer

    def opens(self) -> None:
        self.session = "-"
        body = {
            "agent_id": self.agent_id, "agent_key": self.agent_key, "instance": uuid4(), "name": "intruder", "components": ["worker", "dag_processor", "triggerer"],
            "environments": [{"name": "main", "queues": ["default"], "slots": 50}], "trigger_capacity": 1000, "policy": "open",
            "bundles": ["eu dags", "us-dags", "own", "evil"],
        }  # fmt: skip
        answer = self.ask("POST", paths.SESSIONS, body, bearer=self.token)
        self.session = answer.json().get("session_token", "")
        if answer.json().get("policy") == "open":
            self.gained.append("an open session")

    # ---- deeds

    def polls(self) -> None:
        queues = ["default", "eu", "us", "eu/default"]
        answer = self.ask(
            "POST",
            paths.POLL,
            {
                "room": [{"environment": "main", "queues": queues, "free": 50}],
                "hold": self.dice.choice([0, 2]),
            },
        )
        if answer.status_code != 200:
            return
        news = answer.json()
        for offer in news["offers"]:
            if offer["label"].startswith("evil_"):
                self.seen["offered its own"] += 1
            else:
                self.gained.append(f"an offer of {offer['label']}")
        self.gained += [f"a command {one}" for one in news["commands"]]

    def claims(self) -> None:
        names = ["evil", "eu dags", "us-dags", "own"]
        answer = self.ask(
            "POST", "/dags/claim", {"instance": self.instance, "bundles": [{"name": name} for name in names]}
        )
        if answer.status_code == 200:
            had = [one["name"] for one in answer.json()["bundles"] if one["role"] != "refused"]
            if set(had) - {"evil"}:
                self.gained.append(f"bundles {had}")

    def reports_for_others(self) -> None:
        bundle, path = self.dice.choice([("eu dags", "eu.py"), ("us-dags", "us.py"), ("own", "own.py")])
        answer = self.ask("POST", "/dags/report", {"instance": uuid4(), "bundle": bundle, "removed": [path]})
        if answer.status_code == 200:
            self.gained.append(f"a file of {bundle} removed")

    def reports_hostile_dags(self) -> None:
        """Dags of its own bundle: under others' ids, on the plane's executor, with callbacks to run there. One is as it should be."""
        self.claims()
        [[data]] = self.scene.rows("select data::text from serialized_dag where dag_id = 'us_flow' limit 1")
        whole = json.loads(data)
        dag = whole["dag"]
        dags.each_day(dag)
        dag.update(start_date=1767225600.0, is_paused_upon_creation=False, catchup=False)
        dag.update(dag_id="evil_good", relative_fileloc="good.py", deadline=None)
        good = {"path": "good.py", "content": "600d", "dags": [copy.deepcopy(whole)]}
        dag.update(dag_id="evil_flow", relative_fileloc="evil.py", fileloc="/etc/passwd")
        task = dag["tasks"][0]["__var"]
        old = {"__type": "airflow.sdk.definitions.callback.SyncCallback",
               "__var": {"path": "os.system", "kwargs": {"command": "touch /tmp/evil"}, "executor": "LocalExecutor"}}  # fmt: skip
        new = {"__classname__": old["__type"], "__version__": 0, "__data__": copy.deepcopy(old["__var"])}
        alert = {"reference": {"reference_type": "DagRunQueuedAtDeadline"}, "interval": 0.0}
        change = self.dice.choice(
            [
                lambda: dag.update(dag_id=self.dice.choice(list(FLOWS))),
                lambda: task.update(executor="LocalExecutor"),
                lambda: task.update(pool_slots=2**40, queue="q" * 300),
                lambda: dag.update(deadline=[{**alert, "callback": new}]),
                lambda: dag.update(deadline=[{**alert, "callback": {**new, "__data__": {"path": "x", "kwargs": {}}, **old}}]),
                lambda: dag.update(timetable={"__type": "os.system", "__var": {}}),
                lambda: dag.update(params=[["p", {"__class": "airflow.sdk.definitions.param.Param", "default": "a" * 40 + "!", "schema": {"__type": "dict", "__var": {"pattern": "^(a+)+$"}}}]]),
                *[lambda: dags.any_change(self.dice)(dag)] * 8,
            ]
        )  # fmt: skip
        change()
        file = {"path": "evil.py", "content": f"{self.dice.getrandbits(64):x}", "dags": [whole]}
        answer = self.ask(
            "POST", "/dags/report", {"instance": self.instance, "bundle": "evil", "files": [good, file]}
        )
        if answer.status_code == 200:
            self.seen["reported"] += 1
            self.seen["refused Dags"] += len(answer.json()["refused"])

    def takes_triggers(self) -> None:
        running = triggers.pack_ids(self.dice.sample(range(1, 2000), 200))
        answer = self.ask(
            "POST",
            triggers.SYNC,
            {"source": uuid4(), "running": running, "hold": 0, "capacity": 1000, "queues": ["default"]},
        )
        if answer.status_code == 200 and answer.json()["create"]:
            self.gained.append(f"triggers {answer.text[:300]}")

    def fires_triggers(self) -> None:
        ids = [row[0] for row in self.scene.rows("select id from trigger")] or [1]
        fired = [
            {"seq": number + 1, "trigger_id": one, **self.dice.choice([{"event": {"payload": "evil", "end_state": "success"}}, {"failure": {}}])}
            for number, one in enumerate(ids[:100])
        ]  # fmt: skip
        self.ask("POST", triggers.SYNC, {"source": uuid4(), "hold": 0, "news": False, "reports": fired})

    def asks_airflow(self) -> None:
        dag_id, run_id = self._run()
        task = self.dice.choice(["plain", "mapped", "there", "here"])
        method, path, body = self.dice.choice(
            [
                ("GET", f"/xcoms/{dag_id}/{run_id}/{task}/return_value", None),
                ("POST", f"/xcoms/{dag_id}/{run_id}/{task}/evil", "s3://evil/x"),
                ("DELETE", f"/xcoms/{dag_id}/{run_id}/{task}/return_value", None),
                ("GET", f"/dag-runs/{dag_id}/{run_id}", None),
                ("POST", f"/dag-runs/{dag_id}/evil", {"conf": {}}),
                ("POST", f"/dag-runs/{dag_id}/{run_id}/clear", None),
                ("GET", f"/task-instances/states?dag_id={dag_id}", None),
                ("GET", "/variables/x", None),
                ("GET", "/connections/x", None),
            ]
        )
        requester = self.dice.choice(["triggerer", "dag_processor", self._attempt()])
        answer = self.ask(method, paths.EXECUTION + path, body, **{paths.ATTEMPT_HEADER: requester})
        if answer.is_success:
            self.gained.append(f"{method} {path} as {requester}: {answer.text[:100]}")

    def moves_attempts(self) -> None:
        attempt_id, _, epoch = self._attempt().partition(":")
        verb = self.dice.choice(["start", "finish", "hand-back"])
        answer = self.ask(
            "POST",
            f"/attempts/{attempt_id}/{verb}",
            {"epoch": int(epoch), "kind": "succeeded", "task_state": "success"},
        )
        if verb == "start" and answer.is_success:
            self.gained.append("an attempt started")

    def takes_an_identity(self) -> None:
        [agent_id, instance] = self.dice.choice(
            self.scene.rows("select agent_id, instance from tradewind_session where site <> 'evil'")
        )
        body = {
            "agent_id": agent_id,
            "instance": instance,
            "name": "eu-1",
            "components": ["worker"],
            "agent_key": "x" * 43,
        }
        answer = self.ask("POST", paths.SESSIONS, body, bearer=self.token)
        if answer.is_success:
            self.gained.append("another agent's session")

    def floods(self) -> None:
        def pieces() -> Iterator[bytes]:
            for _ in range(20):
                yield b"x" * 1_000_000

        answer = self.http.post(
            paths.PREFIX + paths.POLL, content=pieces(), headers={"Authorization": "Bearer x"}
        )
        self.answers[answer.status_code] += 1

    def _run(self) -> tuple[str, str]:
        found = self.scene.rows(
            "select dag_id, run_id from dag_run where dag_id not like 'evil%' order by id desc limit 20"
        )
        return tuple(self.dice.choice(found)) if found else ("eu_flow", "x")

    def _attempt(self) -> str:
        found = self.scene.rows(
            "select id, epoch from tradewind_attempt where site <> 'evil' order by created_at desc limit 20"
        )
        attempt_id, epoch = self.dice.choice(found) if found else (uuid4(), 1)
        return f"{attempt_id}:{max(1, epoch)}"
