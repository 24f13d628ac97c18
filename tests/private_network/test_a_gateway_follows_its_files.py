"""A gateway serves a renewed certificate and a new document: when it is told to, or by itself when it watches its file."""

from __future__ import annotations

from support.cluster_gateway import PATIENCE, POLL, caddys, serving, watching_caddys
from tradewind.embedded.processes import wait_until


def test_a_certificate_that_was_renewed_is_read_by_apply_though_the_file_is_the_same() -> None:
    with serving(caddys) as made:
        before = made.presents()
        made.write()
        assert made.presents() == before, "nothing has told it yet"
        assert made.apply().returncode == 0
        assert made.presents() != before


def test_a_gateway_that_watches_its_file_serves_a_certificate_that_was_renewed() -> None:
    with serving(watching_caddys) as made:
        assert made.process is not None
        before, wanted = made.presents(), made.config.read_text()
        made.write("da1")
        assert made.config.read_text() == wanted, "only the certificate is another one"
        wait_until(
            lambda: made.presents() != before,
            timeout=PATIENCE,
            what="the renewed certificate is served",
            processes=[made.process],
        )


def test_a_gateway_that_watches_its_file_serves_what_it_has_later() -> None:
    with serving(watching_caddys) as made:
        assert made.process is not None

        def status(path: str) -> int:
            return made.ask(path + POLL).status_code

        assert (status("/da1"), status("/db2")) == (200, 404)
        made.config.write_text("this is no TOML")
        log = made.directory / "gateway.log"
        wait_until(
            lambda: "goes on as before" in log.read_text(),
            timeout=PATIENCE,
            what="the gateway says that it goes on",
            processes=[made.process],
        )
        assert status("/da1") == 200
        made.write("da1", "db2")
        wait_until(
            lambda: status("/db2") == 200,
            timeout=PATIENCE,
            what="the new Deployment is served",
            processes=[made.process],
        )
