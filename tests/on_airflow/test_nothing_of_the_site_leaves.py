"""Plane and agent as two users of one machine: neither can read the other, and nothing marked secret leaves the site."""

from __future__ import annotations

import json
import os
import pwd
import re
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from support import postgresql
from support.airflow_rest import AirflowRest, eventually
from support.deployment import Deployment, run_site
from support.environments import for_users
from support.installed import plane_settings
from support.proc import ENDED
from support.recorder import Recorder
from tradewind.embedded import plane

MARK = re.compile(rb"SECRET-[A-Z]+-[\w-]+")
DAGS = Path(__file__).parent / "dags_marked"


@dataclass
class Apart(Deployment):
    """A plane and a site as different users, and all that was said between them."""

    recorder: Recorder
    database: str | None
    agents_user: int

    def as_agent(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(part) for part in command],
            user=self.agents_user,
            group=self.agents_user,
            extra_groups=[],
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def apart(directory: Path, database_server: postgresql.PostgreSQL | None) -> Iterator[Apart]:
    planes, agents = two_users()
    database = database_server.new_database() if database_server else None
    try:
        made = for_users(directory / "python", planes=planes, agents=agents)
    except LookupError as problem:
        pytest.skip(str(problem))
    settings = plane_settings(
        home=directory / "apart-plane",
        user=planes,
        database=database,
        interpreter=made.plane,
        options={
            "tradewind": {"policy": "open"}
        },  # the strict agent is so by itself; another opens its boundary
    )
    with plane.Plane(settings) as running, Recorder(running.url) as recorder, running.client() as http:
        site = run_site(
            directory / "apart",
            running,
            name="apart",
            dags=DAGS,
            user=agents,
            plane_url=recorder.url,
            interpreter=made.agent,
            tasks=made.tasks,
        )
        with site as (agent, home):
            yield Apart(running, agent, home, AirflowRest(http), recorder, database, agents)


def two_users() -> tuple[int, int]:
    """Two users that are not root. Skips where the tests cannot become them."""
    if os.geteuid() != 0:
        pytest.skip("becoming other users needs root")
    return pwd.getpwnam("daemon").pw_uid, pwd.getpwnam("nobody").pw_uid


@pytest.fixture(scope="module")
def after_a_run(apart: Apart) -> Apart:
    apart.rest.wait_for_dags(["marked", "everywhere", "slips"])
    run = apart.rest.run("marked")
    assert run.state == "success", run
    slips = apart.rest.run("slips")
    assert slips.tasks[("tells", -1)] == "success", logs_of(apart, "slips")
    assert slips.tasks[("breaks", -1)] == "failed"
    # the plane is told of a callback's end, in the words of the error
    eventually(lambda: b"RuntimeError: as planned" in dumped(apart), timeout=90, what="the callback failed")
    eventually(lambda: len(apart.rest.import_errors()) == 1, timeout=60, what="the broken file is reported")
    return apart


def test_the_dag_saw_its_secrets(after_a_run: Apart) -> None:
    [used] = after_a_run.journal("used_secrets")
    assert used["password"] == "SECRET-CONNECTION-password"
    assert used["variable"] == "SECRET-VARIABLE-value"
    assert used["given"] == {"customers": ["SECRET-XCOM-returned"]}
    assert after_a_run.journal("remembered_secret", value="SECRET-STATE-kept")


def test_no_request_to_the_plane_holds_a_secret_of_the_site(after_a_run: Apart) -> None:
    assert len(after_a_run.recorder.requests) > 30
    assert any(b"/dags/report" in request for request in after_a_run.recorder.requests)
    assert marks(after_a_run.recorder.requests) == set()


def test_nothing_on_the_planes_disk_or_in_its_database_holds_one(after_a_run: Apart) -> None:
    dump = dumped(after_a_run)
    assert len(dump) > 50_000
    assert b"marked" in dump
    assert marks([dump]) == set()
    files = [path for path in after_a_run.plane.home.rglob("*") if path.is_file()]
    assert len(files) > 3
    assert marks(path.read_bytes() for path in files) == set()


def test_what_triggers_said_arrived_without_their_secrets_and_the_ledger_tells(after_a_run: Apart) -> None:
    [heard] = after_a_run.journal("heard")
    assert heard["payload"] == {"said": "in with ***", "rows": 3}
    lines = [
        json.loads(line)
        for file in after_a_run.site.rglob("ledger/*.jsonl")
        for line in file.read_text().splitlines()
    ]
    carried: dict[str, set[str]] = {line["path"]: set() for line in lines}
    for line in lines:
        carried[line["path"]] |= set(line.get("carries", ()))
    assert {"event payload", "traceback"} <= carried["/triggers/sync"]
    assert {"structure", "sealed arguments", "import errors"} <= carried["/dags/report"]
    assert not carried["/dags/report"] & {"authors' text", "source"}
    assert "references" in set().union(*(found for path, found in carried.items() if "/xcoms/" in path))


def test_every_field_in_which_an_author_can_write_was_looked_at(after_a_run: Apart) -> None:
    """The search above proves something only while the Dag with the marks is on the plane, field by field."""
    dump = dumped(after_a_run)
    assert b'"everywhere"' in dump
    assert dump.count(b"kept at the site (data policy: strict) ") > 40
    shown = after_a_run.rest.get("/dags/everywhere/tasks/first")
    assert (shown["retries"], shown["pool"], shown["queue"]) == (3, "small", "reports")
    assert shown["doc_md"].startswith("kept at the site (data policy: strict)")


def test_a_broken_file_shows_airflows_error_without_the_lines_of_the_file(after_a_run: Apart) -> None:
    [error] = after_a_run.rest.import_errors()
    assert error["filename"] == "broken.py"
    assert "KeyError" in error["stack_trace"]
    assert "line 6" in error["stack_trace"]


def test_the_code_tab_says_why_there_is_no_source(after_a_run: Apart) -> None:
    shown = after_a_run.rest.get("/dagSources/marked")["content"]
    assert "policy" in shown
    assert "source" in shown


def test_the_agents_user_cannot_read_the_planes_files(apart: Apart) -> None:
    for path in (apart.plane.home, apart.plane.home / "airflow.cfg", apart.plane.home / "airflow.db"):
        looked = apart.as_agent("cat", path)
        assert looked.returncode != 0
        assert "Permission denied" in looked.stderr


def test_no_process_of_the_agent_has_a_secret_of_the_plane(after_a_run: Apart) -> None:
    config = (after_a_run.plane.home / "airflow.cfg").read_text()
    secrets = re.findall(r"^(?:fernet_key|secret_key|jwt_secret) = (.+)$", config, re.MULTILINE)
    assert len(secrets) == 3
    processes = [path for path in Path("/proc").iterdir() if path.name.isdigit()]
    seen = 0
    for process in processes:
        try:
            if process.stat().st_uid != after_a_run.agents_user:
                continue
            held = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
        except ENDED:
            continue
        seen += 1
        assert not [one for one in secrets if one.encode() in held]
        assert b"SQL_ALCHEMY_CONN=sqlite" not in held
        assert b"SQL_ALCHEMY_CONN=postgresql" not in held
        assert b"tw_agent_" not in held
    assert seen >= 4  # the agent and its three hosts


def test_the_plane_runs_nothing_of_the_site(after_a_run: Apart) -> None:
    ran_by = {each["pid"] for each in after_a_run.journal("used_secrets")}
    assert ran_by
    names = {process.name for process in after_a_run.plane.all_processes}
    assert names == {"api-server-1", "scheduler-1"}
    assert not list(after_a_run.plane.home.rglob("*.py"))


@pytest.fixture(scope="module")
def leaky(after_a_run: Apart, directory: Path) -> Iterator[Apart]:
    """After the same Dag has run at a second site, on the same plane, whose owner has opened the boundary."""
    dags = directory / "leaky-dags"
    dags.mkdir()
    source = (DAGS / "marked.py").read_text()
    strict, opened = (
        'DAG("marked", schedule=None)',
        'DAG("leaky", schedule=None, default_args={"queue": "leaky"})',
    )
    assert strict in source
    (dags / "leaky.py").write_text(source.replace(strict, opened))
    strict_site = after_a_run
    everywhere = (DAGS / "everywhere.py").read_text()
    (dags / "leaky_fields.py").write_text(everywhere.replace('"everywhere"', '"leaky_fields"'))
    with Recorder(strict_site.plane.url) as recorder:
        site = run_site(
            directory / "leaky",
            strict_site.plane,
            name="leaky",
            bundle="leaky",
            dags=dags,
            queues=["leaky"],
            user=strict_site.agents_user,
            plane_url=recorder.url,
            interpreter=strict_site.agent.settings.interpreter,
            tasks=strict_site.agent.settings.tasks,
            options={"xcom": "open", "source": "open", "templates": "open", "store": "open", "dags": "open"},
        )
        with site as (agent, home):
            made = replace(strict_site, agent=agent, site=home, recorder=recorder)
            made.rest.wait_for_dags(["leaky", "leaky_fields"])
            run = made.rest.run("leaky")
            assert run.state == "success", run
            yield made


LEAKS = {
    b"SECRET-XCOM-returned": "an XCom",
    b"SECRET-XCOM-pushed": "an XCom that was pushed",
    b"SECRET-STATE-kept": "a task's state",
    b"SECRET-VARIABLE-value": "a rendered template",
    b"SECRET-COMMENT-in-the-source": "the Dag's source",
    b"SECRET-DOCSTRING-of-the-file": "the Dag's source",
    b"SECRET-FIELD-command": "an operator's field",
    b"SECRET-FIELD-deadline": "the arguments of a deadline's callback",
    b"SECRET-FIELD-start-trigger": "the arguments of a trigger",
}
"""What leaves a site that opens its boundary. The search that finds nothing at a strict site must find these."""


@pytest.mark.parametrize("mark", LEAKS, ids=lambda mark: mark.decode())
def test_the_same_search_finds_what_an_open_site_lets_out(leaky: Apart, mark: bytes) -> None:
    assert mark in marks(leaky.recorder.requests), f"{LEAKS[mark]} was not seen in any request"
    assert mark in marks([dumped(leaky)]), f"{LEAKS[mark]} was not seen in the database"


def logs_of(apart: Apart, dag_id: str) -> str:
    """What the site wrote down about a Dag's tasks."""
    return "\n".join(file.read_text() for file in sorted(apart.site.rglob(f"dag_id={dag_id}/**/*.log*")))


def dumped(apart: Apart) -> bytes:
    """Every row of every table of the plane's database."""
    if apart.database is None:
        with closing(sqlite3.connect(apart.plane.home / "airflow.db")) as database:
            return "\n".join(database.iterdump()).encode()
    command = [str(postgresql.binaries() / "pg_dump"), "--inserts", apart.database.replace("+psycopg2", "")]
    return subprocess.run(command, capture_output=True, check=True).stdout


def marks(texts: object) -> set[bytes]:
    return {found for text in texts for found in MARK.findall(text)}  # type: ignore[attr-defined]
