"""How an API server keeps up with what the platform decides, and what it does when it cannot."""

from __future__ import annotations

import asyncio
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path
from uuid import uuid4

import anyio
import httpx
import pytest

from tradewind_protocol.access import AccessDocument, ExpiringToken, Workload
from tradewind_protocol.errors import Refused
from tradewind_provider import settings
from tradewind_provider.auth_manager.following import follow
from tradewind_provider.auth_manager.platform_client import PlatformClient
from tradewind_provider.auth_manager.replica import AccessReplica
from tradewind_provider.auth_manager.reports import report_uses, report_workload
from tradewind_provider.domain.access_roles import AirflowRole
from tradewind_provider.options import OPTIONS

from .conftest import DEPLOYMENT, FakePlatform

API_TOKEN = "tw_api_" + "c" * 43


class Slept(Exception):
    """The loop would wait now."""


@pytest.fixture
def replica(tmp_path: Path) -> AccessReplica:
    return AccessReplica(tmp_path / "access.json", DEPLOYMENT, max_age=86400)


async def _until(client: PlatformClient, replica: AccessReplica, done: object) -> None:
    with anyio.fail_after(10):
        task = asyncio.create_task(follow(replica, client))
        while not done():  # type: ignore[operator]  # noqa: ASYNC110
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_change_is_heard_by_the_next_answer(
    client_of_platform: PlatformClient, platform: FakePlatform, replica: AccessReplica
) -> None:
    ada = platform.person("ada", "OP")
    await _until(client_of_platform, replica, lambda: replica.user(ada.id) is not None)
    assert platform.asked_since[0] is None, "the first question is answered at once"
    platform.change(users=())
    await _until(client_of_platform, replica, lambda: replica.user(ada.id) is None)


async def test_a_request_that_waits_asks_for_the_longest_hold(
    client_of_platform: PlatformClient, platform: FakePlatform
) -> None:
    assert await client_of_platform.access(platform.document.revision) is None
    assert platform.asked_to_hold == ["50"]


async def test_a_database_that_was_restored_with_a_lower_revision_is_believed(
    client_of_platform: PlatformClient, platform: FakePlatform, replica: AccessReplica
) -> None:
    replica.accept(AccessDocument(deployment=DEPLOYMENT, revision=900))
    await _until(client_of_platform, replica, lambda: replica.revision == 1)


async def test_a_platform_that_is_away_is_asked_again_ever_more_slowly(
    client_of_platform: PlatformClient, platform: FakePlatform, replica: AccessReplica
) -> None:
    ada = platform.person("ada", "OP")
    replica.accept(platform.document)
    platform.away = True
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 8:
            platform.away = False
        if len(waits) == 9:
            raise Slept

    async def follow_until_it_is_back() -> None:
        await follow(replica, client_of_platform, sleep=sleep)

    task = asyncio.create_task(follow_until_it_is_back())
    with anyio.fail_after(10):
        while not platform.asked_since:  # noqa: ASYNC110
            await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert waits == [0.5, 1, 2, 4, 8, 10, 10, 10]
    found = replica.user(ada.id)
    assert found is not None and found.role is AirflowRole.OP


async def test_uses_are_reported_every_minute_and_only_when_there_are_some(
    client_of_platform: PlatformClient, platform: FakePlatform, replica: AccessReplica
) -> None:
    made = platform.api_token(API_TOKEN)
    replica.accept(platform.document)
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            value = replica.token(API_TOKEN)
            assert value is not None
            replica.holder(value)
        if len(waits) == 3:
            raise Slept

    with pytest.raises(Slept):
        await report_uses(replica, client_of_platform, sleep=sleep)
    assert waits == [60, 60, 60]
    assert [one["token"] for one in platform.uses] == [str(made.id)]


async def test_the_workload_is_told_when_it_has_changed_and_every_five_minutes(
    client_of_platform: PlatformClient, platform: FakePlatform, replica: AccessReplica
) -> None:
    idle = Workload(agents=1, healthy_agents=1, running=0, queued=0)
    busy = Workload(agents=1, healthy_agents=1, running=3, queued=0)
    at = 0.0
    told: list[tuple[float, Workload]] = []

    async def sleep(seconds: float) -> None:
        nonlocal at
        told.extend((at, one) for one in platform.workloads[len(told) :])
        at += seconds
        platform.away = 100 <= at < 130
        if at > 500:
            raise Slept

    with pytest.raises(Slept):
        await report_workload(
            replica, client_of_platform, lambda: busy if 20 <= at < 100 else idle, sleep=sleep
        )
    assert told == [(0, idle), (20, busy), (130, idle), (430, idle)], (
        "what a platform missed is told once it is back"
    )


async def test_how_old_the_replica_is_is_told_with_the_workload_and_once_it_is_known(
    client_of_platform: PlatformClient, platform: FakePlatform, tmp_path: Path
) -> None:
    start = now = datetime(2026, 3, 1, tzinfo=timezone.utc)
    replica = AccessReplica(tmp_path / "access.json", DEPLOYMENT, max_age=60, clock=lambda: now)
    told: list[tuple[float, float | None]] = []

    async def sleep(seconds: float) -> None:
        nonlocal now
        at = (now - start).total_seconds()
        told.extend((at, one.access_age) for one in platform.workloads[len(told) :])
        now += timedelta(seconds=seconds)
        if at == 20:
            replica.accept(platform.document)
        if at > 400:
            raise Slept

    idle = Workload(agents=0, healthy_agents=0, running=0, queued=0)
    with pytest.raises(Slept):
        await report_workload(replica, client_of_platform, lambda: idle, sleep=sleep)
    assert told == [(0, None), (30, 0), (330, 300)]


async def test_what_is_told_with_the_workload_is_looked_at_only_then(
    client_of_platform: PlatformClient, platform: FakePlatform, replica: AccessReplica
) -> None:
    idle = Workload(agents=1, healthy_agents=1, running=0, queued=0)
    moment = datetime(2026, 3, 1, tzinfo=timezone.utc)
    token = ExpiringToken(name="ci", issued_at=moment, expires_at=moment + timedelta(days=9))
    at, looked = 0.0, []

    async def sleep(seconds: float) -> None:
        nonlocal at
        at += seconds
        if at > 320:
            raise Slept

    def complete(workload: Workload) -> Workload:
        looked.append(at)
        return workload.model_copy(update={"expiring_tokens": (token,)})

    with pytest.raises(Slept):
        await report_workload(replica, client_of_platform, lambda: idle, complete, sleep=sleep)
    assert looked == [0, 300]
    assert [one.expiring_tokens for one in platform.workloads] == [(token,), (token,)]


async def test_a_wrong_credential_is_named(link: settings.PlatformLink, platform: FakePlatform) -> None:
    link.credential_file.write_text("tw_deployment_wrong")
    client = PlatformClient(link, transport=httpx.MockTransport(platform))
    with pytest.raises(Refused, match="answered 401"):
        await client.access()
    link.credential_file.unlink()
    with pytest.raises(Refused, match="cannot read the platform's credential"):
        await client.access()


def test_the_document_of_another_deployment_is_refused(replica: AccessReplica) -> None:
    with pytest.raises(ValueError, match="another|Deployment"):
        replica.accept(AccessDocument(deployment=uuid4(), revision=3))
    assert replica.revision == -1


@pytest.mark.parametrize(
    "text", ["", "{", '{"heard_at": "2026-01-01T00:00:00Z"}'], ids=["empty", "cut off", "half"]
)
def test_a_broken_file_stops_no_start(tmp_path: Path, text: str) -> None:
    (tmp_path / "access.json").write_text(text)
    replica = AccessReplica(tmp_path / "access.json", DEPLOYMENT, max_age=60)
    replica.load()
    assert replica.revision == -1


def test_the_age_of_roles_counts_over_a_restart(tmp_path: Path, platform: FakePlatform) -> None:
    then = datetime(2026, 3, 1, tzinfo=timezone.utc)
    ada = platform.person("ada", "ADMIN", audit=True)
    first = AccessReplica(tmp_path / "access.json", DEPLOYMENT, max_age=3600, clock=lambda: then)
    first.accept(platform.document)
    later = AccessReplica(
        tmp_path / "access.json", DEPLOYMENT, max_age=3600, clock=lambda: then + timedelta(hours=2)
    )
    later.load()
    found = later.user(ada.id)
    assert found is not None
    assert (found.role, found.audit) == (AirflowRole.VIEWER, False)
    later.confirm()
    found = later.user(ada.id)
    assert found is not None and found.role is AirflowRole.ADMIN


def test_a_file_that_cannot_be_written_changes_no_decision(platform: FakePlatform) -> None:
    ada = platform.person("ada", "OP")
    replica = AccessReplica(Path(os.devnull) / "access.json", DEPLOYMENT, max_age=60)
    replica.accept(platform.document)
    assert replica.user(ada.id) is not None


def test_a_role_that_this_version_does_not_know_gives_none(
    platform: FakePlatform, replica: AccessReplica
) -> None:
    root = platform.person("root", "SUPERUSER")
    platform.api_token(API_TOKEN, "SUPERUSER")
    replica.accept(platform.document)
    assert replica.user(root.id) is None
    assert replica.token(API_TOKEN) is None


MANAGED = {
    "managed_by": "platform",
    "deployment_id": str(DEPLOYMENT),
    "platform_url": "https://platform.example.com/",
    "platform_credential_file": "/run/credential",
}


def _options(**given: str) -> dict[str, str]:
    return {name: str(one["default"]) for name, one in OPTIONS.items()} | given


def test_a_plane_that_no_platform_manages_has_no_link_to_one() -> None:
    assert settings.parse(_options()).platform is None


def test_the_platform_is_read_from_the_settings() -> None:
    found = settings.parse(_options(**MANAGED)).platform
    assert found is not None
    assert (found.url, found.deployment) == ("https://platform.example.com", DEPLOYMENT)
    assert (found.ca_file, found.access_file, found.access_max_age) == (None, None, 86400)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("managed_by", "somebody"),
        ("deployment_id", ""),
        ("deployment_id", "sales"),
        ("platform_url", ""),
        ("platform_url", "ftp://platform"),
        ("platform_credential_file", ""),
        ("access_max_age_seconds", "1"),
    ],
    ids=[
        "managed by",
        "no id",
        "no UUID",
        "no address",
        "another scheme",
        "no credential",
        "an age of a second",
    ],
)
def test_a_part_that_is_missing_or_wrong_is_named(name: str, value: str) -> None:
    with pytest.raises(settings.SettingsError, match=name):
        settings.parse(
            _options(**MANAGED, **{name: value})
            if name not in MANAGED
            else _options(**(MANAGED | {name: value}))
        )
