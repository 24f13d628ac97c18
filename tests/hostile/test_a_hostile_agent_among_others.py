"""A plane with Dags of its own, two sites on queue `default`, and a hostile third agent, while processes die at random.

Nothing crosses: each site's work runs at that site and the plane's on the plane, the intruder is given nothing, and no task
succeeded that did not run.

TRADEWIND_TEST_CHAOS=3600 make test-hostile ARGS="-s -k among_others"    for an hour
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from faults.processes import kill, kill_all, signal_family
from support import directories, installed, postgresql
from support.airflow_rest import AirflowRest, eventually
from support.deployment import JOURNAL, new_token, run_site
from support.installed import plane_settings
from tradewind.embedded import plane
from tradewind.embedded.agent import local_bundle

from .intruder import FLOWS, Intruder, Scene

SECONDS = float(
    os.environ.get(
        "TRADEWIND_TEST_CHAOS", "60" if os.environ.get("TRADEWIND_TEST_HOSTILE") == "all" else "15"
    )
)
SEED = int(os.environ.get("TRADEWIND_TEST_SEED", "7"))
DAGS = Path(__file__).parents[1] / "on_airflow" / "dags_sites"
PARALLELISM = 2
"""Tasks that LocalExecutor runs at once."""
OURS = {"plain": {"eu-1", "eu-2"}, "mapped": {"eu-1", "eu-2"}, "there": {"us-1"}, "here": {"plane"}}

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(SECONDS + 1200)]


@pytest.fixture
def scene() -> Iterator[Scene]:
    if not postgresql.available():
        pytest.skip("no PostgreSQL on this machine: `make postgresql` installs it")
    installed.environments()
    with pytest.MonkeyPatch.context() as environment, ExitStack() as stack:
        home = stack.enter_context(directories.short())
        server = stack.enter_context(postgresql.running())
        own = home / "plane-journal"
        own.mkdir()
        environment.setenv("PYTHONPATH", JOURNAL)
        environment.setenv("SITE_JOURNAL", str(own / "journal"))
        settings = plane_settings(
            home=home / "plane",
            database=server.new_database(),
            executor="LocalExecutor,tradewind_provider.executor.RemoteExecutor",
            stock=True,
            options={
                "core": {"parallelism": str(PARALLELISM), "load_examples": "False"},
                "tradewind": {"poll_seconds": "5", "sweep_seconds": "1"},
                "dag_processor": {
                    "dag_bundle_config_list": json.dumps([local_bundle("own", DAGS / "plane")])
                },
            },
        )
        running = stack.enter_context(plane.Plane(settings))
        rest = AirflowRest(stack.enter_context(running.client()))
        eu = {"bundles": [local_bundle("eu dags", DAGS / "eu")], "storage": (home / "storage").as_uri()}
        us = {"bundles": [local_bundle("us-dags", DAGS / "us")]}
        agents, journals = {}, {"plane": own / "journal"}
        for name, options in (("eu-1", eu), ("eu-2", eu), ("us-1", us)):
            site = run_site(home / name, running, name=name, dags=None, token_site=name[:2], options=options)
            agents[name], place = stack.enter_context(site)
            journals[name] = place / "journal"
        rest.wait_for_dags(list(FLOWS), timeout=240)
        assert settings.database is not None
        yield Scene(running, rest, settings.database, agents, journals)


def strike(scene: Scene, dice: random.Random) -> str:
    """One misfortune of the others."""
    victim = dice.choice(list(scene.agents.values()))
    what = dice.choice(["agent", "machine", "nap", "nothing", "nothing", "API server", "scheduler"])
    if what == "agent":
        victim.process.signal(signal.SIGKILL)
        victim.process.wait(10)
        victim.process.start()
    elif what == "machine":
        kill_all(victim)
        victim.process.start()
    elif what == "nap":
        signal_family(victim, signal.SIGSTOP)
        time.sleep(dice.uniform(0.5, 4))
        signal_family(victim, signal.SIGCONT)
    elif what != "nothing":
        process = dice.choice(scene.plane.api_servers if what == "API server" else scene.plane.schedulers)
        kill(process)
        process.start()
        scene.plane.wait_ready(timeout=240)
    return what


def test_nothing_crosses_while_a_hostile_agent_does_what_it_can(scene: Scene) -> None:
    dice = random.Random(SEED)
    intruder = Intruder(scene, new_token(scene.plane, "evil-token", site="evil"), random.Random(SEED))
    thread = threading.Thread(target=intruder.run, daemon=True)
    strikes: Counter[str] = Counter()
    runs: list[tuple[str, str]] = []
    until = time.monotonic() + SECONDS
    alive = [one.pid for one in scene.plane.all_processes if one.running]
    thread.start()
    try:
        while time.monotonic() < until and not intruder.gained and not intruder.failed:
            if sum(state not in ("success", "failed") for state in states(scene, runs)) < 6:
                runs += [(dag_id, scene.rest.trigger(dag_id)) for dag_id in FLOWS]
            time.sleep(dice.uniform(4, 8))
            if SECONDS > 100:
                strikes[strike(scene, dice)] += 1
                if strikes.total() % 20 == 0:
                    print(
                        f"{until - time.monotonic():.0f} s to go: {intruder.did.total()} deeds, {dict(strikes)}",
                        flush=True,
                    )
    finally:
        intruder.stop.set()
        thread.join(60)
    eventually(
        lambda: set(states(scene, runs)) <= {"success", "failed"},
        timeout=600,
        what=lambda: f"every run ends: {states(scene, runs)}",
    )
    ended = Counter(f"{dag_id} {state}" for (dag_id, _), state in zip(runs, states(scene, runs), strict=True))
    failed = failures(scene)
    killed = strikes["scheduler"]
    print(f"\n{SECONDS:g} s, seed {SEED}: {intruder.did.total()} deeds {dict(intruder.did)}, {dict(intruder.seen)}; answers {dict(intruder.answers)}; "
          f"strikes {dict(strikes)}; runs {dict(ended)}; failed tasks {dict(failed)}; user code {({event: dict(scene.wrote(event)) for event in OURS})}")  # fmt: skip
    assert intruder.did.total() > SECONDS / 2, intruder.did
    assert not intruder.gained, intruder.gained[:20]
    assert not intruder.failed, intruder.failed[:20]
    for event, places in OURS.items():
        assert scene.wrote(event).keys() <= places, event
    succeeded = dict(scene.rows(
        "select task_id, count(*) from task_instance where state = 'success' and task_id in ('plain', 'mapped', 'there', 'here') "
        "and dag_id not like 'evil%' group by 1"
    ))  # fmt: skip
    for event, count in succeeded.items():
        assert scene.wrote(event).total() >= count, (
            f"{count} tasks {event} succeeded, and {scene.wrote(event)} ran"
        )
    assert set(succeeded) == set(OURS)
    assert scene.rows(
        "select count(*) from tradewind_attempt a join tradewind_session s on a.session_id = s.id where s.site <> a.site"
    ) == [(0,)]
    assert scene.rows("select count(*) from dag_run where run_id = 'evil'") == [(0,)]
    assert scene.rows("select count(*) from xcom where key = 'evil'") == [(0,)]
    bundles = {row[0]: row[1] for row in scene.rows("select dag_id, bundle_name from dag where not is_stale")}
    assert {name: bundle for name, bundle in bundles.items() if name in FLOWS} == {
        "eu_flow": "eu dags",
        "us_flow": "us-dags",
        "planes_own": "own",
    }
    assert not Path("/tmp/evil").exists()
    [[scheduled]] = scene.rows("select count(*) from dag_run where dag_id like 'evil%'")
    assert scheduled, "the scheduler made no run of what the intruder stored"
    assert intruder.seen["offered its own"], "the intruder was not offered the work of its own Dag"
    assert [one.pid for one in scene.plane.all_processes if one.running] == alive or SECONDS > 100
    of_plane = failed["the plane's scheduler was killed with LocalExecutor"]
    assert of_plane <= killed * PARALLELISM, (
        f"{of_plane} of the plane's tasks failed, its scheduler was killed {killed} times"
    )
    if SECONDS <= 100:
        assert not any(state == "failed" for state in states(scene, runs)), ended


def failures(scene: Scene) -> Counter[str]:
    """Why tasks failed, none of which has a retry. Each reason is one that docs/reference/guarantees.md names.

    A site's task fails when its agent is lost, is started again, or is killed with what it runs. A task of the plane's own
    fails when LocalExecutor ends with its scheduler.
    """
    found = scene.rows(
        "select t.dag_id, t.task_id, t.map_index, a.id, a.outcome, a.signal, a.reason, a.reported_at from task_instance t "
        "left join lateral (select * from tradewind_attempt where subject_id = t.id order by created_at desc limit 1) a on true "
        f"where t.state = 'failed' and t.dag_id in {tuple(FLOWS)}"
    )
    reasons: Counter[str] = Counter()
    for dag_id, task_id, map_index, attempt, outcome, killed, reason, reported in found:
        if FLOWS[dag_id] == "plane":
            assert attempt is None, "a task of the plane's own was an agent's"
            reasons["the plane's scheduler was killed with LocalExecutor"] += 1
            continue
        named = f"{dag_id}.{task_id} {map_index}: {outcome}, signal {killed}, {reason!r}"
        assert outcome in ("lost", "stopped") or killed == "SIGKILL", named
        assert reason, named
        assert reported is not None, f"the scheduler was not told: {named}"
        reasons[f"{outcome}: {re.sub(r'[0-9a-f-]{36}|[0-9.]+', 'N', reason)}"] += 1
    return reasons


def states(scene: Scene, runs: list[tuple[str, str]]) -> list[str]:
    found = {(row[0], row[1]): row[2] for row in scene.rows("select dag_id, run_id, state from dag_run")}
    return [found.get(run, "") for run in runs]
