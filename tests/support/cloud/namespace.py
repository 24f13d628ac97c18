"""A network in which the vendors' real names lead to this machine's servers, so that documented values run word for word."""

from __future__ import annotations

import datetime
import shutil
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from support.network import Namespace, Proxy

Answer = tuple[int, dict[str, str], bytes]
Fault = Callable[[str, bytes], "Answer | None"]
"""Given a path and a body: what is answered in place of the server; None: the server answers."""
Guard = Callable[[str], "Answer | None"]
"""Given the header `Authorization`: a refusal, or None."""

_HOP = frozenset({"connection", "content-length", "transfer-encoding", "host", "keep-alive"})


class Cloud:
    """A namespace with a hosts file of its own, an authority, and an HTTPS server for all names. Inside `with`."""

    def __init__(
        self,
        home: Path,
        routes: Mapping[str, str],
        *,
        more: Sequence[str] = (),
        hosts: Mapping[str, str] | None = None,
    ) -> None:
        """`routes`: a name, or `*.` and the rest of one, to the URL of the server that is meant. `more`: names that a
        server of its own serves on the second address, `second`. `hosts`: further names, and their addresses."""
        home.mkdir(parents=True, exist_ok=True)
        self.home, self.routes, self._more = home, dict(routes), tuple(more)
        self._hosts = dict(hosts or {})
        self.place = Namespace()
        self.fault: Fault | None = None
        self.guards: dict[str, Guard] = {}  # by the name that they stand before
        self.slow = 0.0  # seconds that each answer is late
        self.asked: list[tuple[str, str]] = []  # host and path
        self.ca_file = home / "ca.pem"
        self._etc = Path("/etc/netns") / self.place.name

    @property
    def second(self) -> str:
        return self.place.outside.rpartition(".")[0] + ".3"

    @property
    def certificate(self) -> tuple[Path, Path]:
        """The chain and the key that all names are served with."""
        return self.home / "server.pem", self.home / "server.key"

    def environment(self) -> dict[str, str]:
        """What has clients trust the authority, as an owner of a private one sets it."""
        own = str(self.ca_file)
        return {
            "AWS_CA_BUNDLE": own,
            "REQUESTS_CA_BUNDLE": own,
            "SSL_CERT_FILE": own,
            "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": own,
        }

    def __enter__(self) -> Cloud:
        self.place.__enter__()
        self.place.add_address(self.second)
        self._etc.mkdir(parents=True)
        _certificates(self.home, [*self.routes, *self._more])
        lines = ["127.0.0.1 localhost"]
        lines += [f"{self.place.outside} {name}" for name in self.routes]
        lines += [f"{self.second} {name}" for name in self._more]
        lines += [f"{address} {name}" for name, address in self._hosts.items()]
        (self._etc / "hosts").write_text("\n".join(lines) + "\n")
        (self._etc / "resolv.conf").write_text("")
        self._open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._shut()
        shutil.rmtree(self._etc, ignore_errors=True)
        self.place.__exit__()

    @contextmanager
    def faulty(self, fault: Fault) -> Iterator[None]:
        self.fault = fault
        try:
            yield
        finally:
            self.fault = None

    @contextmanager
    def late(self, seconds: float) -> Iterator[None]:
        """Each answer comes that much later."""
        self.slow = seconds
        try:
            yield
        finally:
            self.slow = 0.0

    @contextmanager
    def away(self) -> Iterator[None]:
        """Connections to all names are refused."""
        self._shut()
        try:
            yield
        finally:
            self._open()

    def _open(self) -> None:
        self._server = _Server((self.place.outside, 443), _handler(self))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.certificate)
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _shut(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def proxy(self, port: int) -> Proxy:
        """A proxy that agents in here reach a port of this machine's loopback by."""
        return Proxy(("127.0.0.1", port), host=self.place.outside)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that gives up is one of the tests."""


def _handler(cloud: Cloud) -> type[BaseHTTPRequestHandler]:
    upstream = httpx.Client(timeout=60)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 120

        def _serve(self) -> None:
            body = self._body()
            host = (self.headers.get("host") or "").partition(":")[0]
            cloud.asked.append((host, self.path))
            time.sleep(cloud.slow)
            guard = cloud.guards.get(host)
            answer = (
                (cloud.fault and cloud.fault(f"{host}{self.path}", body))
                or (guard and guard(self.headers.get("authorization") or ""))
                or self._passed(host, body)
            )
            status, headers, content = answer
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in _HOP:
                    self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def _body(self) -> bytes:
            if self.headers.get("transfer-encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("content-length") or 0))
            found = b""
            while size := int(self.rfile.readline().partition(b";")[0], 16):
                found += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass  # trailers
            return found

        def _passed(self, host: str, body: bytes) -> Answer:
            target = cloud.routes.get(host)
            if target is None:
                return 421, {}, b"no such name in this cloud"
            framing = ("content-length", "transfer-encoding")
            headers = [(name, value) for name, value in self.headers.items() if name.lower() not in framing]
            told = upstream.request(self.command, target + self.path, headers=headers, content=body)
            kept = {name: value for name, value in told.headers.items() if name.lower() != "content-encoding"}
            return told.status_code, kept, told.content

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = _serve

        def log_message(self, *_: object) -> None:
            """`asked` has it."""

    return Handler


def _certificates(home: Path, names: Sequence[str]) -> None:
    """ca.pem, and server.pem with server.key for those names."""
    authority, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority of the tests' cloud")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "The tests' cloud")])
    now = datetime.datetime.now(datetime.timezone.utc)

    def signed(name: x509.Name, of: ec.EllipticCurvePrivateKey, *, ca: bool) -> x509.Certificate:
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer)
            .public_key(of.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=2))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(of.public_key()), critical=False)
        )
        if not ca:
            alternatives = x509.SubjectAlternativeName([x509.DNSName(each) for each in names])
            made = made.add_extension(alternatives, critical=False)
        else:
            usage = {
                "digital_signature": True,
                "key_cert_sign": True,
                "crl_sign": True,
                **dict.fromkeys(
                    (
                        "content_commitment",
                        "key_encipherment",
                        "data_encipherment",
                        "key_agreement",
                        "encipher_only",
                        "decipher_only",
                    ),
                    False,
                ),
            }
            made = made.add_extension(x509.KeyUsage(**usage), critical=True)
        return made.sign(authority, hashes.SHA256())

    def write(path: Path, certificate: x509.Certificate) -> None:
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    write(home / "ca.pem", signed(issuer, authority, ca=True))
    write(home / "server.pem", signed(subject, key, ca=False))
    (home / "server.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
