"""The last lines of a component of a Deployment: where they are read, for whom, and what is said where they cannot be."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from support import directories
from support.fake_driver import FakeDriver
from support.platform_parts import Reconciled
from tradewind_platform.domain.component_logs import Component, masked
from tradewind_platform.domain.roles import Role
from tradewind_platform.local.component_logs import LogFiles
from tradewind_platform.local.planes import Planes
from tradewind_platform.local.settings import LocalSettings
from tradewind_platform.reconciler.driver import Document, LogReader
from tradewind_platform.services import secrets
from tradewind_protocol.controllers import PREFIX
from tradewind_protocol.errors import Code, Refused

CANARY = "canary-7f3a-secret"
USER = 53001
DOCUMENT = Document(
    id=UUID(int=7),
    slug="d2345abc",
    number=1,
    name="sales",
    revision=1,
    spec={"policy": "strict"},
    agent_url="https://agents.example.com/d2345abc",
    people_url="https://d2345abc.example.com",
    secrets={},
)

# ---- every driver that reads logs


@dataclass(frozen=True)
class Kept:
    """A driver that reads logs, and a Deployment's process that writes one."""

    reader: LogReader
    write: Callable[[Component, list[str]], None]
    source: str


def _fake(tmp_path: Path) -> Kept:
    driver = FakeDriver()
    return Kept(
        driver,
        lambda component, lines: driver.write(DOCUMENT.slug, component, *lines),
        "scheduler.log in memory",
    )


def _local(tmp_path: Path) -> Kept:
    logs = tmp_path / "deployments" / DOCUMENT.slug / "logs"

    def write(component: Component, lines: list[str]) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        name = "migrate" if component is Component.MIGRATE else f"{component.value}-1"
        (logs / f"{name}.log").write_text("".join(f"{line}\n" for line in lines))

    settings = LocalSettings(home=tmp_path, plane_python=Path(sys.executable))
    return Kept(LogFiles(Planes(settings)), write, f"{logs}/scheduler-1.log on {socket.gethostname()}")


@pytest.fixture(params=[_fake, _local], ids=["fake", "local"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    made: Kept = request.param(tmp_path)
    return made


def test_a_driver_reads_the_last_lines_and_says_where_they_are(kept: Kept) -> None:
    kept.write(Component.SCHEDULER, ["one", "two", "three"])
    found = kept.reader.last_lines(DOCUMENT, Component.SCHEDULER, 2)
    assert (list(found.lines), found.source) == (["two", "three"], kept.source)
    assert list(kept.reader.last_lines(DOCUMENT, Component.SCHEDULER, 2000).lines) == ["one", "two", "three"]


@pytest.mark.parametrize("component", list(Component), ids=[one.value for one in Component])
def test_a_driver_reads_each_component_in_its_own_log(kept: Kept, component: Component) -> None:
    for one in Component:
        kept.write(one, [f"of {one.value}"])
    assert list(kept.reader.last_lines(DOCUMENT, component, 5).lines) == [f"of {component.value}"]


@pytest.mark.parametrize("begun", [False, True], ids=["no home", "an empty log"])
def test_a_driver_refuses_a_log_without_lines_and_never_answers_with_none(kept: Kept, begun: bool) -> None:
    if begun:
        kept.write(Component.SCHEDULER, [])
    with pytest.raises(Refused, match="the log of scheduler .*'sales' has no line yet") as refused:
        kept.reader.last_lines(DOCUMENT, Component.SCHEDULER, 5)
    assert refused.value.code is Code.NOT_FOUND


# ---- the files of a Deployment's user


@pytest.fixture
def home() -> Iterator[Path]:
    with directories.short() as made:
        made.chmod(0o755)
        yield made


@pytest.mark.skipif(os.geteuid() != 0, reason="only root reads in another user's directory")
@pytest.mark.parametrize("linked", ["logs/scheduler-1.log", "logs"], ids=["file", "directory"])
def test_a_link_in_the_home_gives_no_file_of_the_machine_away(home: Path, linked: str) -> None:
    """Code of a Deployment runs as its user, who owns its home: a link there would show that user what root may read."""
    outside = home / "outside"
    outside.mkdir()
    (outside / "scheduler-1.log").write_text(f"{CANARY}\n")
    place = home / "deployments" / DOCUMENT.slug / linked
    place.parent.mkdir(parents=True)
    place.symlink_to(outside if linked == "logs" else outside / "scheduler-1.log")
    planes = Planes(LocalSettings(home=home, plane_python=Path(sys.executable), first_user=USER - 1))
    with pytest.raises(Refused, match="is not read: .* is a link") as refused:
        LogFiles(planes).last_lines(DOCUMENT, Component.SCHEDULER, 5)
    assert refused.value.code is Code.CONFLICT and CANARY not in str(refused.value)


# ---- what nobody is shown


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (f"password={CANARY}!", "password=***!"),
        (f"{CANARY}-longer {CANARY}", "*** ***"),
        ("-- first half --", "-- *** --"),
        ("on port 5432", "on port 5432"),
        ("nothing", "nothing"),
    ],
    ids=["inside", "the longer of two", "a line of several", "short", "none"],
)
def test_a_secret_is_masked_wherever_it_stands(line: str, shown: str) -> None:
    known = [CANARY, f"{CANARY}-longer", "first half\nsecond half", "5432", ""]
    assert masked([line], known) == [shown]


def test_without_secrets_lines_stay_as_they_are() -> None:
    assert masked(["a ** b"], ["", "short"]) == ["a ** b"]


def test_no_secret_that_the_platform_keeps_is_in_an_answer(reconciled: Reconciled) -> None:
    slug = reconciled.created()["slug"]
    for scope in ("deployments/sales", "workspaces/default"):
        path = f"/v1/{scope}/variables/{scope[:4].upper()}"
        asked = {"value": f"{CANARY}-{scope[:4]}", "is_secret": True}
        assert reconciled.owner.put(path, json=asked).status_code == 200
    plain = {"value": "eu-north"}
    assert reconciled.owner.put("/v1/deployments/sales/variables/REGION", json=plain).status_code == 200
    with reconciled.platform.store.reading(reconciled.organization) as db:
        own = secrets.of(db, reconciled.platform.ring, UUID(reconciled.deployment()["id"]))
    assert {"fernet", "jwt", "database_password"} <= set(own)
    lines = [*own.values(), f"{CANARY}-depl in eu-north", f"{CANARY}-work"]
    reconciled.driver.write(slug, Component.API_SERVER, *lines)
    answer = reconciled.owner.get("/v1/deployments/sales/logs/api-server")
    assert answer.json()["lines"] == [*["***"] * len(own), "*** in eu-north", "***"]


def test_a_secret_of_the_workspace_that_a_deployment_has_left_is_not_shown_in_the_new_one(
    reconciled: Reconciled,
) -> None:
    """Its processes go on with that value, and its logs stay."""
    reconciled.owner.post("/v1/workspaces", json={"name": "lab"})
    asked = {"value": CANARY, "is_secret": True}
    assert reconciled.owner.put("/v1/workspaces/default/variables/KEY", json=asked).status_code == 200
    slug = reconciled.created()["slug"]
    reconciled.driver.write(slug, Component.API_SERVER, f"the key is {CANARY}")
    moved = reconciled.owner.post("/v1/deployments/sales/move", json={"workspace": "lab"})
    assert moved.status_code == 200, moved.text
    author = reconciled.with_role(Role.WORKSPACE_AUTHOR, workspace="lab")
    answer = author.get("/v1/deployments/sales/logs/api-server")
    assert answer.json()["lines"] == ["the key is ***"]


# ---- who may ask, and what


def _asks(reconciled: Reconciled, component: str = "scheduler", **query: Any) -> Any:
    return reconciled.owner.get(f"/v1/deployments/sales/logs/{component}", params=query)


@pytest.mark.parametrize(
    ("role", "scope", "status"),
    [
        (Role.WORKSPACE_AUTHOR, {"workspace": "default"}, 200),
        (Role.DEPLOYMENT_AUTHOR, {"deployment": "sales"}, 200),
        (Role.WORKSPACE_VIEWER, {"workspace": "default"}, 403),
        (Role.ORGANIZATION_AUDITOR, {}, 403),
        (Role.ORGANIZATION_MEMBER, {}, 404),
    ],
    ids=["author of the workspace", "author", "viewer", "auditor", "member"],
)
def test_those_who_may_read_values_may_read_logs(
    reconciled: Reconciled, role: Role, scope: dict[str, str], status: int
) -> None:
    reconciled.driver.write(reconciled.created()["slug"], Component.SCHEDULER, "a line")
    caller = reconciled.with_role(role, **scope)
    answer = caller.get("/v1/deployments/sales/logs/scheduler")
    assert answer.status_code == status
    assert ("a line" in answer.text) is (status == 200)


def test_a_look_at_a_log_changes_nothing_and_is_no_event(reconciled: Reconciled) -> None:
    reconciled.driver.write(reconciled.created()["slug"], Component.SCHEDULER, "a line")
    before = reconciled.events()
    assert _asks(reconciled).status_code == 200
    assert reconciled.events() == before


def test_200_lines_are_answered_and_2000_at_the_most(reconciled: Reconciled) -> None:
    lines = [f"line {number}" for number in range(3000)]
    reconciled.driver.write(reconciled.created()["slug"], Component.SCHEDULER, *lines)
    assert _asks(reconciled).json() == {
        "component": "scheduler",
        "lines": lines[-200:],
        "source": "scheduler.log in memory",
    }
    assert _asks(reconciled, lines=2000).json()["lines"] == lines[-2000:]
    for wrong in (0, 2001):
        assert _asks(reconciled, lines=wrong).status_code == 422


def test_what_is_no_component_is_answered_with_those_there_are(reconciled: Reconciled) -> None:
    reconciled.created()
    answer = _asks(reconciled, "triggerer")
    assert answer.status_code == 404 and "no component 'triggerer'" in answer.json()["message"]
    assert answer.json()["remedy"] == "Its components are api-server, scheduler, migrate."


def test_a_deployment_that_sleeps_or_is_deleted_still_has_its_logs_and_a_purged_one_says_that_it_has_none(
    reconciled: Reconciled,
) -> None:
    made = reconciled.created()
    reconciled.driver.write(made["slug"], Component.SCHEDULER, "a line")
    for verb, body in (("hibernate", {}), ("wake", {})):
        answer = reconciled.owner.post(f"/v1/deployments/sales/{verb}", json=body)
        assert answer.status_code == 202, answer.text
        reconciled.reconciler.carry_out_all()
        assert _asks(reconciled).status_code == 200
    reconciled.owner.delete("/v1/deployments/sales")
    reconciled.reconciler.carry_out_all()
    assert reconciled.deployment()["phase"] == "deleted" and _asks(reconciled).status_code == 200
    reconciled.owner.post("/v1/deployments/sales/purge", json={"name": "sales"})
    reconciled.reconciler.carry_out_all()
    answer = reconciled.owner.get(f"/v1/deployments/{made['id']}/logs/scheduler")
    assert answer.status_code == 409 and "is purged" in answer.json()["message"]


# ---- logs that are elsewhere


@pytest.mark.parametrize(
    ("driver", "component", "remedy"),
    [
        (
            "kubernetes",
            "scheduler",
            "-n tradewind-{slug} -l app.kubernetes.io/instance={slug},app.kubernetes.io/component=scheduler --tail=50`",
        ),
        ("kubernetes", "migrate", "app.kubernetes.io/component=migration --tail=50`"),
        ("local", "scheduler", "read the log of scheduler in deployments/{slug}/logs below"),
    ],
    ids=["kubernetes", "migration in kubernetes", "another machine"],
)
def test_logs_of_a_cluster_with_a_controller_stay_there_and_the_remedy_reads_them(
    reconciled: Reconciled, driver: str, component: str, remedy: str
) -> None:
    ask = {
        "name": "north",
        "driver": driver,
        "agents_host": "n.example.com",
        "people_domain": "n.example.com",
    }
    registered = reconciled.owner.post("/v1/clusters", json=ask)
    assert registered.status_code == 201, registered.text
    beat = {"instance": str(UUID(int=3)), "version": "1", "driver": driver, "steps": {"create": ["make"]}}
    controller = reconciled.caller(registered.json()["token"])
    polled = controller.post(f"{PREFIX}/poll", json={**beat, "wait_seconds": 0})
    assert polled.status_code == 200, polled.text
    slug = reconciled.create(cluster="north")["slug"]
    answer = _asks(reconciled, component, lines=50)
    assert answer.status_code == 409
    assert (
        "no log comes to the platform" in answer.json()["message"] and "'north'" in answer.json()["message"]
    )
    assert remedy.format(slug=slug) in answer.json()["remedy"]


def test_a_process_on_another_machine_says_where_the_logs_are(reconciled: Reconciled) -> None:
    slug = reconciled.created()["slug"]
    reconciled.driver.write(slug, Component.SCHEDULER, "a line")
    reconciled.app.state.platform = replace(reconciled.platform, log_readers={})
    answer = _asks(reconciled)
    assert answer.status_code == 503
    assert "not on the machine of the platform process that answers" in answer.json()["message"]
    assert f"deployments/{slug}/logs" in answer.json()["remedy"]
