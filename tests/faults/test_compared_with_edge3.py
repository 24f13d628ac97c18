"""The same outage and the same kill for Tradewind and for a peer, on this machine: `make test-faults ARGS="--compare edge3"`.

Both at their default intervals. The result is a table in `build/faults/compared.md`; what is asserted is only ours.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from faults.fleet import DAGS, Fleet, home_agent, run_plane
from faults.processes import family, send
from support import network, postgresql
from support.airflow_rest import eventually
from tradewind.embedded import agent, processes

OUTAGE = 67.0
REPORT = Path(__file__).parents[2] / "build" / "faults" / "compared.md"


@dataclass(frozen=True)
class Found:
    """What a side made of both faults. Seconds."""

    side: str
    short: str  # how the task ended that ended during the outage
    long: str  # and the one that ran on after it
    noticed: float | None  # until the task of the killed worker was not called running any more
    second_try: float | None  # until its second try ran user code


@pytest.fixture
def peers(request: pytest.FixtureRequest) -> list[str]:
    asked = request.config.getoption("--compare", default=None) or []
    if not asked:
        pytest.skip('asked for with ARGS="--compare edge3"')
    return [str(one) for one in asked]


@pytest.mark.timeout(3600)
def test_an_outage_and_a_kill_beside_a_peer(
    peers: list[str], directory: Path, server: postgresql.PostgreSQL
) -> None:
    ours = measure("tradewind", directory, server)
    found = [ours, *(measure(peer, directory, server) for peer in peers)]
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(table(found))
    print("\n" + REPORT.read_text())
    assert (ours.short, ours.long) == ("success, try 1", "success, try 1")
    assert ours.noticed is not None
    assert ours.noticed < 100


def measure(side: str, directory: Path, server: postgresql.PostgreSQL) -> Found:
    with SIDES[side](directory / f"compared-{side}", server) as (fleet, way, worker, heir):
        short, long = fleet.start("work_1", seconds=30), fleet.start("again_1", seconds=100)
        for run_id in (short, long):
            fleet.journal.wait_for_spans(1, timeout=120, run=run_id)
        way.cut()
        time.sleep(OUTAGE)
        way.heal()
        ends = [ended(fleet, dag_id, run_id) for dag_id, run_id in (("work_1", short), ("again_1", long))]

        run_id = fleet.start("again_1", seconds=400)
        fleet.journal.wait_for_spans(1, timeout=120, run=run_id)
        heir.start()
        time.sleep(15)  # it is there
        killed = time.monotonic()
        everyone = family(worker.pid)
        send(everyone, signal.SIGSTOP)
        send(everyone, signal.SIGKILL)
        noticed = since(killed, lambda: fleet.tries(run_id)[("work", 0)] != (1, "running"))
        second = since(killed, lambda: bool(fleet.journal.spans(run=run_id, attempt=2)))
        return Found(side, *ends, noticed, second)


def ended(fleet: Fleet, dag_id: str, run_id: str) -> str:
    run = fleet.finished(dag_id, run_id, timeout=400)
    return f"{run.state}, try {run.tries[('work', 0)]}"


def since(moment: float, condition: object) -> float | None:
    assert callable(condition)
    try:
        eventually(condition, timeout=600, what="it happens")
    except AssertionError:
        return None
    return time.monotonic() - moment


Running = tuple[Fleet, network.Proxy, processes.LocalProcess, processes.LocalProcess]


@contextmanager
def tradewind(home: Path, server: postgresql.PostgreSQL) -> Iterator[Running]:
    with ExitStack() as stack:
        fleet = stack.enter_context(run_plane(home, server, {}))
        stack.enter_context(home_agent(fleet))
        stack.enter_context(fleet.of_one_test())
        way = stack.enter_context(network.Proxy(("127.0.0.1", fleet.plane.ports[0])))
        worker = fleet.agent("worker", url=way.url)
        heir = fleet.make_agent("heir")
        heir.configure()
        stack.callback(heir.stop, grace=5)
        yield fleet, way, worker.process, heir.process


@contextmanager
def edge3(home: Path, server: postgresql.PostgreSQL) -> Iterator[Running]:
    from benchmarks import environments

    environments.ready("edge3")
    with ExitStack() as stack:
        options = {
            "edge": {"api_enabled": "True"},
            "dag_processor": {"dag_bundle_config_list": json.dumps([agent.local_bundle("dags", DAGS)])},
        }
        fleet = stack.enter_context(
            run_plane(
                home,
                server,
                {},
                airflow=options,
                executor="airflow.providers.edge3.executors.EdgeExecutor",
                interpreter=environments.python("edge3"),
                stock=True,
            )
        )
        fleet.rest.wait_for_dags(["work_1", "again_1"], timeout=180)
        way = stack.enter_context(network.Proxy(("127.0.0.1", fleet.plane.ports[0])))
        through = {
            "AIRFLOW__EDGE__API_URL": f"{way.url}/edge_worker/v1/rpcapi",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{way.url}/execution/",
        }
        direct = {"AIRFLOW__EDGE__API_URL": f"{fleet.plane.url}/edge_worker/v1/rpcapi"}
        workers = []
        for name, settings in (("worker", through), ("heir", direct)):
            process = fleet.plane._process(
                name,
                ["edge", "worker", "--edge-hostname", name, "--concurrency", "8", "--queues", "default",
                 "--pid", str(home / name / "worker.pid")],
            )  # fmt: skip
            process.env |= {**settings, "SITE_AGENT": name, "SITE_JOURNAL": str(fleet.journal.path)}
            process.cwd = home / name
            process.cwd.mkdir()
            stack.callback(process.stop, grace=10)
            workers.append(process)
        workers[0].start()
        yield fleet, way, workers[0], workers[1]


SIDES = {"tradewind": tradewind, "edge3": edge3}


def table(found: list[Found]) -> str:
    def seconds(value: float | None) -> str:
        return "not within 600 s" if value is None else f"{value:.0f} s"

    lines = [
        f"| | ended during an outage of {OUTAGE:.0f} s | ran on after it | kill noticed after | second try after |",
        "|---|---|---|---|---|",
        *(
            f"| {one.side} | {one.short} | {one.long} | {seconds(one.noticed)} | {seconds(one.second_try)} |"
            for one in found
        ),
    ]
    return "\n".join(lines) + "\n"
