"""The keys of a platform that works are rotated, and one with a wrong key does not start (scenario 19).

Its Deployments have a stub in Airflow's place: what is encrypted is the platform's.
"""

from __future__ import annotations

import base64
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from support import directories, identity_provider, stub_airflow
from support.identity_provider import CLIENT_ID, CLIENT_SECRET, FakeIdentityProvider, Person
from support.patience import stretched
from support.platform_process import PlatformProcess
from tradewind.embedded.processes import wait_until
from tradewind.errors import BadUsage
from tradewind.gateway import program
from tradewind_platform.security.key_ring import key_of
from tradewind_platform.store.sessions import Store, open_engine
from tradewind_platform.store.tables import ENCRYPTED

VERSION = "3.3.2"
STUBS = True
"""No environment with Airflow is needed."""
START = "/sign-in/with-identity-provider"


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeIdentityProvider]:
    with identity_provider.running(lambda: datetime.now(timezone.utc)) as made:
        made.person = Person("1", "grace")
        yield made


@pytest.fixture(scope="module")
def platform(provider: FakeIdentityProvider) -> Iterator[PlatformProcess]:
    try:
        program.find(None)
    except BadUsage as missing:
        pytest.skip(f"{missing.message}: `make network` installs it")
    with directories.short() as home:
        python = stub_airflow.install(home / VERSION, VERSION)
        made = PlatformProcess(home / "platform", python, "--changes-per-second", "0")  # under load
        made.start()
        try:
            for name in ("sales", "ops"):
                made.command("deployments", "create", name, "--wait")
            people_sign_in_at(made, provider)
            yield made
        finally:
            made.stop_everything()


def browser(platform: PlatformProcess) -> httpx.Client:
    return httpx.Client(base_url=platform.url, headers={"Origin": platform.url}, timeout=60)


def sign_in(platform: PlatformProcess, one: httpx.Client, **query: str) -> str:
    """Through the provider and back: where the platform sends the browser at last."""
    left = one.get(START, params=query)
    back = urlsplit(httpx.get(left.headers["location"]).headers["location"])
    return str(one.get(f"{back.path}?{back.query}").headers["location"])


def people_sign_in_at(platform: PlatformProcess, provider: FakeIdentityProvider) -> None:
    """The provider's settings, tested by an owner and in use."""
    settings = {
        "label": "Acme ID",
        "issuer": provider.issuer,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
    }
    link = platform.command(
        *("platform", "admin", "sign-in-link", "ada", "--home", str(platform.home), "--url", platform.url)
    )
    code = parse_qs(urlsplit(link.strip()).query)["code"][0]
    with platform.client() as owner, browser(platform) as ada:
        owner.put("/v1/organization/sign-in", json=settings).raise_for_status()
        ada.post("/welcome", json={"code": code}).raise_for_status()
        assert sign_in(platform, ada, test="true") == "/sign-in/tested"
        owner.post("/v1/organization/sign-in/activate").raise_for_status()


class Load:
    """Does things again and again in threads until it is stopped. The first failure is raised then."""

    def __init__(self, *works: Callable[[int], None]) -> None:
        self.done = [0] * len(works)
        self._failures: list[BaseException] = []
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._repeat, args=(number, work)) for number, work in enumerate(works)
        ]

    def _repeat(self, number: int, work: Callable[[int], None]) -> None:
        try:
            while not self._stop.is_set():
                work(self.done[number])
                self.done[number] += 1
        except BaseException as failure:
            self._failures.append(failure)

    def went_on(self) -> None:
        """Return once each has been done again."""
        before = list(self.done)
        wait_until(
            lambda: self._failures or all(now > then for now, then in zip(self.done, before, strict=True)),
            timeout=stretched(120),
            what="each kind of work goes on",
        )

    def __enter__(self) -> Load:
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for one in self._threads:
            one.join()
        if self._failures:
            raise self._failures[0]


def keys_in_use(platform: PlatformProcess) -> set[str]:
    """The ids of the keys that values of any table are encrypted with."""
    engine = open_engine(f"sqlite:///{platform.home}/platform.db")
    try:
        with Store(engine).reading_all() as db:
            return {
                key_of(stored)
                for table, column in ENCRYPTED
                for (stored,) in db.query(getattr(table, column))
            }
    finally:
        engine.dispose()


def rotated(platform: PlatformProcess) -> str:
    """The id of the new key."""
    said = platform.command("platform", "keys", "rotate", "--home", str(platform.home))
    return said.split()[2]


def test_scenario_19_keys_rotate_while_operations_and_sign_ins_go_on_and_nothing_is_lost(
    platform: PlatformProcess,
) -> None:
    pids = {one.pid for one in platform.processes() if one.pid != platform.process.pid}

    def back_up(_: int) -> None:
        """Each backup has a key of its own, which is encrypted in one step and decrypted in a later one."""
        with platform.client() as client:
            asked = client.post("/v1/deployments/sales/backups", json={})
            asked.raise_for_status()
            while (found := client.get(f"/v1/operations/{asked.json()['id']}").json())["ended_at"] is None:
                time.sleep(0.1)  # between two looks
            assert found["state"] == "succeeded", found

    def set_variables(number: int) -> None:
        with platform.client() as client:
            path = f"/v1/deployments/ops/variables/V{number}"
            key = {"Idempotency-Key": f"set-{number}"}  # its answer is kept, encrypted
            for _ in range(2):
                client.put(path, json={"value": f"value-{number}"}, headers=key).raise_for_status()

    def people_come(_: int) -> None:
        with browser(platform) as one:
            assert sign_in(platform, one) == "/"
            assert one.get("/v1/me").json()["name"] == "grace"

    with Load(back_up, set_variables, people_come) as load:
        load.went_on()
        for _ in range(3):
            made = rotated(platform)
            assert keys_in_use(platform) == {made}, "whatever was written meanwhile"
            load.went_on()
        old = platform.command("platform", "keys", "list", "--home", str(platform.home)).split()[1:]
        for key in old:
            platform.command("platform", "keys", "remove", key, "--home", str(platform.home))
        load.went_on()
    print("done meanwhile:", dict(zip(("backups", "variables", "sign-ins"), load.done, strict=True)))
    assert len(old) == 3

    with platform.client() as client:
        listed = client.get("/v1/deployments/ops/variables", params={"limit": 1000}).json()["items"]
        assert {one["name"]: one["value"] for one in listed} == {
            f"V{number}": f"value-{number}" for number in range(load.done[1])
        }
    kept = {one.pid for one in platform.processes() if one.pid != platform.process.pid}
    assert pids <= kept, "no Deployment was started again"


def test_scenario_19_a_platform_with_a_wrong_key_does_not_start_and_deployments_go_on(
    platform: PlatformProcess,
) -> None:
    file = platform.home / "keys"
    right, pids = file.read_text(), {one.pid for one in platform.processes()} - {platform.process.pid}
    platform.process.stop()
    id = right.split()[0]
    for wrong, why in (
        (f"{id} {base64.b64encode(secrets.token_bytes(32)).decode()}\n", "has another key under this id"),
        (right.replace(id, "kffffffff"), f"encrypted with the key {id}, which the key file has not"),
    ):
        file.write_text(wrong)
        with pytest.raises((RuntimeError, TimeoutError)) as refused:
            platform.start()
        assert why in str(refused.value) and wrong.split()[1] not in platform.log.read_text()
        platform.process.stop()
    file.write_text(right)
    platform.start()
    assert pids <= {one.pid for one in platform.processes()}
    with browser(platform) as one:
        assert sign_in(platform, one) == "/"
