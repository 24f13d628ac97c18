"""The gateway of a machine serves a certificate that was renewed, though no route has changed."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import directories
from support.authority import Authority
from tradewind.embedded.plane import free_port
from tradewind.errors import BadUsage
from tradewind.gateway import program
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
        self.renew()
        self.gateway = self.another()
        self.gateway.serve("d2345678", free_port())

    def another(self) -> Gateway:
        """As of a platform that has just started."""
        return Gateway(self.settings, Processes(str(self.settings.home)))

    def renew(self, *, key: bool = True) -> None:
        made, private = self.authority.certificate(HOST)
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
            yield made
        finally:
            made.gateway.stop()


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
