"""A controller's probes and metrics."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from support.fake_driver import FakeDriver
from tradewind_platform.controller import port
from tradewind_platform.controller.controller import Controller
from tradewind_platform.controller.platform_client import Unreachable
from tradewind_platform.controller.status import METRICS, ControllerStatus, text
from tradewind_protocol.controllers import ControllerPoll, ControllerWork, Observations, StepResult

AT = 1_772_366_400.0


@dataclass
class Clock:
    passed: float = 0.0

    def status(self) -> ControllerStatus:
        return ControllerStatus("1.2.3", now=lambda: AT + self.passed, monotonic=lambda: self.passed)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def series(status: ControllerStatus) -> dict[str, float]:
    found = re.finditer(r"^tradewind_controller_(\S+) (\S+)$", text(status), re.MULTILINE)
    return {each[1]: float(each[2]) for each in found}


def code(status: ControllerStatus, path: str) -> tuple[int, str]:
    answered = port.answer(status, path)
    return answered[0], answered[2]


def test_a_loop_that_stands_still_is_not_alive(clock: Clock) -> None:
    status = clock.status()
    clock.passed = 180
    assert code(status, "/healthz") == (200, "ok\n")
    clock.passed = 181
    assert code(status, "/healthz") == (503, "the loop has not turned for 181 s\n")
    status.turns()
    assert code(status, "/healthz") == (200, "ok\n")


def test_a_platform_that_is_away_makes_it_not_ready_and_leaves_it_alive(clock: Clock) -> None:
    status = clock.status()
    assert code(status, "/readyz") == (503, "the platform has not answered yet\n")
    status.answers()
    assert code(status, "/readyz") == (200, "ready\n")
    status.fails("ConnectError: refused")
    clock.passed = 60
    assert code(status, "/readyz") == (200, "ready\n"), "one answer that is lost is none that is missed"
    clock.passed = 61
    status.turns()
    assert code(status, "/readyz") == (503, "ConnectError: refused\n")
    assert code(status, "/healthz") == (200, "ok\n")


def test_metrics_say_what_was_done_and_when(clock: Clock) -> None:
    status = clock.status()
    assert series(status) == {
        'build_info{version="1.2.3"}': 1,
        "platform_reachable": 0,
        "steps": 0,
        "deployments": 0,
    }
    clock.passed = 5
    status.answers()
    status.begins()
    status.begins()
    status.ends("succeeded")
    status.observes(7)
    assert series(status) == {
        'build_info{version="1.2.3"}': 1,
        "platform_reachable": 1,
        "platform_answer_timestamp_seconds": AT + 5,
        "steps": 1,
        'steps_ended_total{outcome="succeeded"}': 1,
        "deployments": 7,
        "observation_timestamp_seconds": AT + 5,
    }


@dataclass
class Absent:
    """A platform that answers as often as it is told, and is away then. Stops its controller after a few questions more."""

    answers: int
    controller: Controller | None = None
    asked: int = field(default=0)

    def poll(self, ask: ControllerPoll) -> ControllerWork:
        self.asked += 1
        assert self.controller is not None
        if self.asked > self.answers:
            self.controller.stop()
            raise Unreachable("ConnectError: refused")
        return ControllerWork(etag="", tasks=(), documents=())

    def finish(self, step: Any, result: StepResult) -> None: ...

    def observed(self, ask: Observations) -> None: ...


@pytest.mark.parametrize(("answers", "reachable"), [(0, False), (1, True)], ids=["never", "once"])
def test_the_controller_tells_what_its_loop_meets(answers: int, reachable: bool) -> None:
    platform = Absent(answers)
    made = Controller(platform, FakeDriver(), "fake", "1", observe_every=0.01)
    platform.controller = made
    made.run()
    assert (made.status.reachable, made.status.problem) == (reachable, "ConnectError: refused")


def test_what_is_observed_is_counted() -> None:
    made = Controller(Absent(1), FakeDriver(), "fake", "1")
    assert made.status.observed_at is None
    made.observe_all()
    assert made.status.observed_at is not None and made.status.deployments == 0


@pytest.fixture(params=["127.0.0.1", ""], ids=["an address", "all"])
def url(request: pytest.FixtureRequest, clock: Clock) -> Iterator[str]:
    with port.serving(clock.status(), request.param, 0) as number:
        yield f"http://127.0.0.1:{number}"


def test_it_answers_over_http_until_the_process_ends(url: str) -> None:
    assert httpx.get(f"{url}/healthz").text == "ok\n"
    assert httpx.get(f"{url}/readyz").status_code == 503
    assert "tradewind_controller_build_info" in httpx.get(f"{url}/metrics").text
    assert httpx.get(f"{url}/").status_code == 404


def test_a_port_is_free_again_afterwards(clock: Clock) -> None:
    with port.serving(clock.status(), "127.0.0.1", 0) as number:
        pass
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{number}/healthz")


def test_without_an_address_each_version_of_ip_is_answered(clock: Clock) -> None:
    hosts = ["127.0.0.1", "[::1]"] if socket.has_dualstack_ipv6() else ["127.0.0.1"]
    with port.serving(clock.status(), "", 0) as number:
        assert {httpx.get(f"http://{host}:{number}/healthz").status_code for host in hosts} == {200}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool (Debian's package prometheus)")
def test_promtool_takes_what_is_told(clock: Clock) -> None:
    status = clock.status()
    status.answers()
    status.begins()
    status.ends("failed")
    status.observes(1)
    told = text(status)
    assert all(f"# TYPE {one.name} {one.kind}\n" in told for one in METRICS)
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=told, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
