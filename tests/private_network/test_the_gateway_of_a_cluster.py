"""One host name serves every Deployment of a cluster under a path each, and nothing else. Real Caddy, nginx and HAProxy."""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from support.cluster_gateway import HOST, PATIENCE, POLL, Gateway, caddys, haproxys, nginxs, serving
from support.upstream import HOLD
from tradewind.gateway import process, settings
from tradewind_provider.domain.addresses import UNREADABLE, AddressGate, networks

OTHERS = "k4.external.example.com"


@pytest.fixture(scope="module", params=[caddys, nginxs, haproxys])
def gateway(request: pytest.FixtureRequest) -> Iterator[Gateway]:
    with serving(request.param) as made:
        yield made


@pytest.fixture(scope="module")
def caddy() -> Iterator[Gateway]:
    with serving(caddys) as made:
        yield made


@pytest.mark.parametrize("deployment", ["da1", "db2"])
def test_each_deployment_has_a_path(gateway: Gateway, deployment: str) -> None:
    answer = gateway.ask(f"/{deployment}{POLL}?wait=1", method="POST")
    assert (answer.status_code, answer.text) == (200, f"{POLL}?wait=1")
    request = gateway.upstreams[deployment].seen[-1]
    assert request.method == "POST" and request.header("X-Forwarded-Proto") == ["https"]
    assert request.header("Host") == [HOST]


@pytest.mark.parametrize(
    ("method", "path", "host"),
    [
        ("GET", "/", HOST),
        ("GET", "/da1", HOST),
        ("GET", "/da1/", HOST),
        ("GET", "/da1/auth/login", HOST),
        ("GET", "/da1/api/v2/dags", HOST),
        ("GET", "/da1/tradewind/v1/agents", HOST),
        ("GET", "/da1/remote-execution/v1", HOST),
        ("GET", "/dz9" + POLL, HOST),
        ("GET", POLL, HOST),
        ("GET", "/DA1" + POLL, HOST),
        ("GET", "/readyz", HOST),
        ("OPTIONS", "/da1" + POLL, HOST),
        ("PROPFIND", "/da1" + POLL, HOST),
        ("OPTIONS", "/healthz", HOST),
        ("GET", "/da1" + POLL, OTHERS),
        ("GET", "/healthz", OTHERS),
        ("GET", "/da1" + POLL, f"{HOST}.evil.example"),
    ],
)
def test_anything_else_is_not_found_as_plain_text(
    gateway: Gateway, method: str, path: str, host: str
) -> None:
    before = [len(one.seen) for one in gateway.upstreams.values()]
    answer = gateway.ask(path, method=method, host=host)
    assert (answer.status_code, answer.text) == (404, "404 page not found")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert [len(one.seen) for one in gateway.upstreams.values()] == before


@pytest.mark.parametrize(
    "path",
    [
        "/da1/remote-execution/v1/../../auth/token",
        "/da1/remote-execution/v1/%2e%2e/%2e%2e/auth/token",
        "//da1/remote-execution/v1/poll",
        "/da1//remote-execution/v1/poll",
        "/da1%2fremote-execution/v1/poll",
        "/db2/../da1/remote-execution/v1/poll",
        "/da1/remote-execution/v1/..%2f..%2fauth%2ftoken",
    ],
)
def test_no_spelling_of_a_path_leads_elsewhere(gateway: Gateway, path: str) -> None:
    count = {name: len(one.seen) for name, one in gateway.upstreams.items()}
    answer = gateway.raw(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n")
    assert re.match(rb"HTTP/1\.1 (404|400) ", answer), answer
    assert {name: len(one.seen) for name, one in gateway.upstreams.items()} == count


def test_its_health_says_nothing_secret(gateway: Gateway) -> None:
    answer = gateway.ask("/healthz")
    assert (answer.status_code, answer.text) == (200, "ok")


FORGED = {
    "X-Tradewind-Endpoint": "aws:vpce-forged",
    "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Host": "airflow.example.com",
    "X-Forwarded-Proto": "http",
}


def test_what_a_client_writes_of_its_way_does_not_reach_the_plane(gateway: Gateway) -> None:
    assert gateway.ask("/da1" + POLL, headers=FORGED).status_code == 200
    request = gateway.upstreams["da1"].seen[-1]
    assert request.header("X-Tradewind-Endpoint") == ["public"]
    assert request.header("X-Forwarded-For") == ["127.0.0.1"]
    assert request.header("X-Forwarded-Proto") == ["https"]
    assert request.header("X-Forwarded-Host") in ([], [HOST], ["airflow.example.com"])


# ---- the private way


SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")
LOAD_BALANCER_OF_AWS = bytes.fromhex(
    "0d0a0d0a000d0a515549540a21110054ac1f0771ac1f0a1fc8f20050030004e8d6892dea0017"
    "01767063652d3038643262663135666163353030316339040024" + "00" * 36
)
"""A header as an AWS network load balancer sent it: 172.31.7.113 by vpce-08d2bf15fac5001c9."""


def header(*values: tuple[int, bytes], command: int = 0x21) -> bytes:
    more = b"".join(struct.pack("!BH", kind, len(value)) + value for kind, value in values)
    addresses = (
        socket.inet_aton("10.20.0.10") + socket.inet_aton("10.90.0.20") + struct.pack("!HH", 40000, 443)
    )
    return SIGNATURE + bytes([command, 0x11]) + struct.pack("!H", len(addresses + more)) + addresses + more


@pytest.mark.parametrize(
    ("sent", "endpoint", "source"),
    [
        (LOAD_BALANCER_OF_AWS, "aws:vpce-08d2bf15fac5001c9", "172.31.7.113"),
        (header((0xEE, b"\x01" + struct.pack("<I", 3735928559))), "azure:3735928559", "10.20.0.10"),
        (header((0xE0, struct.pack("!Q", 0xFFFFFFFFC0A86402))), f"gcp:{0xFFFFFFFFC0A86402}", "10.20.0.10"),
    ],
    ids=["aws", "azure", "gcp"],
)
def test_the_endpoint_of_each_cloud_reaches_the_plane_as_its_list_has_it(
    caddy: Gateway, sent: bytes, endpoint: str, source: str
) -> None:
    lines = [f"{name}: {value}" for name, value in FORGED.items()]
    assert caddy.through_the_balancer(sent, *lines).startswith(b"HTTP/1.1 200")
    request = caddy.upstreams["da1"].seen[-1]
    assert request.header("X-Tradewind-Endpoint") == [endpoint]
    assert request.header("X-Forwarded-For") == [source]
    gate = AddressGate(
        gateways=networks("127.0.0.1"), proxies=networks("127.0.0.1"), endpoints=frozenset({endpoint})
    )
    assert gate.admits(source, gate.endpoint_of("127.0.0.1", request.header("X-Tradewind-Endpoint")))


@pytest.mark.parametrize(
    "sent",
    [header(), header((0xEA, b"\x01not an endpoint")), header((0xEE, b"\x01abc")), header(command=0x20)],
    ids=["none", "aws", "azure", "local"],
)
def test_a_connection_without_a_known_endpoint_is_not_taken_for_the_public_way(
    caddy: Gateway, sent: bytes
) -> None:
    assert caddy.through_the_balancer(sent).startswith(b"HTTP/1.1 200")
    named = caddy.upstreams["da1"].seen[-1].header("X-Tradewind-Endpoint")
    gate = AddressGate(gateways=networks("127.0.0.1"), allowed=networks("10.0.0.0/8"))
    assert gate.endpoint_of("127.0.0.1", named) == UNREADABLE


@pytest.mark.parametrize(
    ("sent", "source"),
    [
        (b"", "127.0.0.1"),
        (LOAD_BALANCER_OF_AWS * 2, "127.0.0.1"),
        (b"PROXY TCP4 10.0.0.1 10.0.0.2 1 443\r\n", "127.0.0.1"),
        (LOAD_BALANCER_OF_AWS.replace(bytes.fromhex("e8d6892d"), bytes(4)), "127.0.0.1"),
        (LOAD_BALANCER_OF_AWS, "127.0.0.9"),
    ],
    ids=["no header", "two headers", "version 1", "wrong checksum", "not from the load balancer"],
)
def test_a_connection_that_is_not_the_load_balancers_is_cut(caddy: Gateway, sent: bytes, source: str) -> None:
    before = len(caddy.upstreams["da1"].seen)
    with pytest.raises(OSError):
        caddy.through_the_balancer(sent, source=source)
    assert len(caddy.upstreams["da1"].seen) == before


def test_no_other_user_can_speak_to_caddy_past_the_front(caddy: Gateway) -> None:
    for name in ("private.sock", "admin.sock", "caddy.json"):
        assert (caddy.state / name).stat().st_mode & 0o077 == 0
    assert caddy.state.stat().st_mode & 0o077 == 0


# ---- a new document


def test_requests_that_are_held_survive_new_documents(caddy: Gateway) -> None:
    served = caddy.upstreams["da1"]
    served.release.clear()
    with ThreadPoolExecutor(24) as pool:
        public = [pool.submit(caddy.ask, "/da1" + HOLD) for _ in range(12)]
        private = [
            pool.submit(caddy.through_the_balancer, LOAD_BALANCER_OF_AWS, path="/da1" + HOLD)
            for _ in range(12)
        ]
        for _ in range(24):
            assert served.held.acquire(timeout=PATIENCE)
        for number in range(5):
            caddy.write(*(["da1"] if number % 2 else ["da1", "db2"]))
            assert caddy.apply().returncode == 0
            assert caddy.ask("/db2" + POLL).status_code == (404 if number % 2 else 200)
        served.release.set()
        assert {each.result(PATIENCE).status_code for each in public} == {200}
        assert all(each.result(PATIENCE).startswith(b"HTTP/1.1 200") for each in private)


def test_polling_agents_lose_no_poll_while_documents_change(caddy: Gateway) -> None:
    """A new document ends connections that no request uses. A request that meets its end is sent again, as agents do."""
    caddy.upstreams["da1"].release.set()
    stop = threading.Event()
    faults: list[str] = []
    asked = [0] * 20

    def ask(client: httpx.Client, *, times: int = 5) -> httpx.Response:
        try:
            return client.post("/da1" + POLL, content=b"{}", extensions={"sni_hostname": HOST})
        except httpx.RemoteProtocolError:
            if times == 1:
                raise
            return ask(client, times=times - 1)

    def poll(number: int) -> None:
        client = caddy.client()
        while not stop.is_set():
            try:
                answer = ask(client)
                if answer.status_code != 200:
                    faults.append(f"{answer.status_code} {answer.text}")
            except httpx.HTTPError as error:
                faults.append(repr(error))
            asked[number] += 1
            stop.wait(0.05)

    threads = [threading.Thread(target=poll, args=(number,)) for number in range(len(asked))]
    for thread in threads:
        thread.start()
    found = settings.read(caddy.config)
    for number in range(40):
        deployments = {"da1": found.deployments["da1"], f"dn{number}": found.deployments["da1"]}
        process.apply(found.model_copy(update={"deployments": deployments}), caddy.state)
    stop.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert min(asked) > 5
    assert faults == []


@pytest.mark.parametrize("named", ["gateway.internal.example.com", HOST])
def test_its_certificate_is_shown_whatever_name_a_client_asks_for(caddy: Gateway, named: str) -> None:
    """So that a client of a gateway with another name's certificate can say which name it is for."""
    caddy.write(named=named)
    assert caddy.apply().returncode == 0
    assert [caddy.shown(asked) for asked in (HOST, OTHERS, None)] == [[named]] * 3


def test_a_document_that_caddy_refuses_changes_nothing(caddy: Gateway) -> None:
    caddy.write("da1", "db2")
    assert caddy.apply().returncode == 0
    kept = (caddy.state / "caddy.json").read_text()
    caddy.write("da1", certificate="/nowhere/to/be/found.pem")
    refused = caddy.apply()
    assert refused.returncode == 1
    assert "/nowhere/to/be/found.pem" in refused.stderr and "still served" in refused.stderr
    assert (caddy.state / "caddy.json").read_text() == kept
    assert caddy.ask("/db2" + POLL).status_code == 200
    assert json.loads(caddy.says("show", "--running"))["apps"]["tls"]["certificates"]


def test_a_changed_private_way_asks_for_a_restart(caddy: Gateway) -> None:
    caddy.write()
    caddy.config.write_text(caddy.config.read_text().replace("127.0.0.0/30", "127.0.0.0/29"))
    refused = caddy.apply()
    assert refused.returncode == 2 and "Restart `tradewind gateway run`" in refused.stderr
