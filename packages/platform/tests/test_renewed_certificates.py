"""The gateway of a machine serves a certificate that was renewed, though no route has changed, and a Deployment says ahead that its
certificate ends."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509

from support import directories
from support.authority import Authority
from support.platform_parts import NOW
from tradewind.embedded.plane import free_port
from tradewind.errors import BadUsage
from tradewind.gateway import program
from tradewind_platform.domain.certificates import Validity, condition
from tradewind_platform.domain.health import Status
from tradewind_platform.drivers.served_certificates import ServedCertificates
from tradewind_platform.local.gateway import Gateway
from tradewind_platform.local.processes import Processes
from tradewind_platform.local.settings import LocalSettings

HOST = "agents.example.com"
pytestmark = pytest.mark.timeout(60)


class Served:
    """A gateway of the local driver with one Deployment that never answers, and its certificate."""

    def __init__(self, home: Path) -> None:
        self.authority = Authority(home / "authority", "test")
        self.certificate, self.key = home / "tls.pem", home / "tls.key"
        self.port = free_port()
        self.settings = LocalSettings(
            home=home,
            plane_python=Path("/nowhere"),
            agents_host=HOST,
            agents_listen=f"127.0.0.1:{self.port}",
            people_listen=f"127.0.0.1:{free_port()}",
            people_domain="people.example.com",
            certificate=self.certificate,
            key=self.key,
        )
        self.processes = Processes(str(home))
        self.renew()
        self.gateway = self.another()

    def another(self) -> Gateway:
        """As of a platform that has just started."""
        return Gateway(self.settings, self.processes)

    def renew(self, *, key: bool = True, days: float = 60) -> None:
        made, private = self.authority.certificate(HOST, days=days)
        _replace(self.certificate, made.read_bytes())
        if key:
            _replace(self.key, private.read_bytes())

    def shown(self) -> str:
        return ssl.get_server_certificate(("127.0.0.1", self.port), timeout=20)

    def written(self) -> str:
        whole = self.certificate.read_text()
        return whole[: whole.index("-----END CERTIFICATE-----")]

    def serves_what_is_written(self) -> bool:
        return self.shown().startswith(self.written())


@pytest.mark.parametrize(
    ("life", "left", "status", "reason"),
    [
        (365, 31, Status.TRUE, ""),
        (365, 30, Status.TRUE, "ExpiresSoon"),
        (365, 10, Status.FALSE, "ExpiresSoon"),
        (365, 0, Status.FALSE, "Expired"),
        (90, 29, Status.TRUE, ""),
        (90, 15, Status.TRUE, "ExpiresSoon"),
        (90, 7, Status.FALSE, "ExpiresSoon"),
        (6, 1.5, Status.TRUE, ""),
        (6, 0.5, Status.FALSE, "ExpiresSoon"),
    ],
)
def test_a_certificate_is_told_ahead_of_its_end_and_a_short_one_by_its_own_life(
    life: float, left: float, status: Status, reason: str
) -> None:
    ends = NOW + timedelta(days=left)
    validity = Validity(ends - timedelta(days=life), ends)
    found = condition(HOST, validity, NOW, remedy="Renew it.", revision=3)
    assert (found.status, found.reason) == (status, reason)
    assert (found.message == "") is (reason == "") and HOST in (found.message or HOST)


def test_the_end_of_the_certificate_that_is_served_is_seen_by_a_request(served: Served) -> None:
    look = ServedCertificates()

    def seen() -> Validity | None:
        with httpx.stream("GET", f"https://127.0.0.1:{served.port}/", verify=False) as answer:
            return look.of(answer)

    def written() -> Validity:
        found = x509.load_pem_x509_certificate(served.certificate.read_bytes())
        return Validity(found.not_valid_before_utc, found.not_valid_after_utc)

    first = written()
    assert seen() == first
    served.renew(days=3)
    served.gateway.keep()
    assert seen() == written() != first


def test_plain_http_has_no_certificate() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200))
    with (
        httpx.Client(transport=transport) as client,
        client.stream("GET", "http://agents.example.com") as answer,
    ):
        assert ServedCertificates().of(answer) is None


def _replace(file: Path, content: bytes) -> None:
    part = file.with_suffix(".part")
    part.write_bytes(content)
    part.replace(file)


@pytest.fixture
def served() -> Iterator[Served]:
    try:
        program.find(None)
    except BadUsage as missing:
        pytest.skip(f"{missing.message}: `make network` installs it")
    with directories.short() as home:
        made = Served(home)
        try:
            made.gateway.serve("d2345678", free_port())
            yield made
        finally:
            made.processes.stop_all(grace=40)


def test_a_renewed_certificate_is_served_by_itself(served: Served) -> None:
    assert served.serves_what_is_written()
    served.renew()
    assert not served.serves_what_is_written(), "nothing has told it yet"
    served.gateway.keep()
    assert served.serves_what_is_written()


def test_one_that_was_renewed_while_the_platform_was_away_is_served_once_it_is_back(served: Served) -> None:
    served.renew()
    served.another().keep()
    assert served.serves_what_is_written()


def test_a_certificate_that_stays_is_read_once(served: Served) -> None:
    loaded = served.settings.home / "gateway" / "state" / "caddy.json"
    before = loaded.stat().st_mtime_ns
    for gateway in (served.gateway, served.gateway, served.another()):
        gateway.keep()
    assert loaded.stat().st_mtime_ns == before


def test_a_certificate_without_its_key_is_told_and_holds_up_nothing(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    before = served.shown()
    served.renew(key=False)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            served.gateway.keep()
    told = [one for one in caplog.records if getattr(one, "action", "") == "certificate_not_read"]
    assert len(told) == 1, "it is tried again after a minute"
    assert served.shown() == before
    served.renew()
    served.another().keep()
    assert served.serves_what_is_written()
