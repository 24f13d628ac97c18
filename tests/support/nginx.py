"""A real nginx in front of a plane, with the settings that docs/how-to/behind-a-proxy.md shows."""

from __future__ import annotations

import datetime
import ipaddress
import os
import re
import shutil
import socket
import ssl
import subprocess
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tradewind.embedded import plane, processes

PREFIX = "/deployments/a"
"""Where the plane is, in the samples with a path."""

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "behind-a-proxy.md"

SETTINGS = """
daemon off;
{user}
worker_processes 1;
pid {here}/nginx.pid;
error_log {here}/error.log warn;
events {{ worker_connections 512; }}
http {{
    log_format timed '$request_method $uri $status $request_time';
    access_log {here}/access.log timed;
    client_body_temp_path {here}/body;
    proxy_temp_path {here}/proxy;
    fastcgi_temp_path {here}/fastcgi;
    uwsgi_temp_path {here}/uwsgi;
    scgi_temp_path {here}/scgi;
{server}
    server {{
        listen 127.0.0.1:{plain_port};
        return 301 https://localhost:{tls_port}$request_uri;
    }}
}}
"""

SERVER = """
server {{
    listen 443 ssl;
    server_name airflow.example.com;
    ssl_certificate     /etc/nginx/tls/airflow.pem;
    ssl_certificate_key /etc/nginx/tls/airflow.key;
{location}
    location /portal/ {{
        default_type text/html;
        return 200 '<html>please sign in</html>';
    }}
}}
"""


class Sample(Enum):
    """The samples of docs/how-to/behind-a-proxy.md, in their order."""

    WHOLE_HOST = 0
    PATH_TAKEN_AWAY = 1
    PATH_KEPT = 2

    def text(self) -> str:
        """As the page has it: a `server`, or a `location` of one."""
        blocks = re.findall(r"```nginx\n(.*?)```", PAGE.read_text(), re.DOTALL)
        assert len(blocks) == len(Sample), "the page has other samples than the tests know"
        return str(blocks[self.value])


def _here(text: str, replacements: dict[str, str]) -> str:
    """`text` with what differs between an owner's machine and this one put in its place. Each must be there."""
    for old, new in replacements.items():
        assert old in text, f"the sample of {PAGE.name} has no {old!r}"
        text = text.replace(old, new)
    return text


@dataclass(frozen=True)
class Passed:
    """One request as nginx wrote it down."""

    method: str
    path: str
    status: int
    seconds: float


class Nginx:
    """Serves inside `with`. Timeouts, buffering and the version of HTTP to the plane are nginx's defaults."""

    def __init__(
        self,
        directory: Path,
        target: str,
        *,
        sample: Sample = Sample.PATH_TAKEN_AWAY,
        body: str = "32m",
        port: int = 0,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.target = target
        self.tls_port, self.plain_port = port or plane.free_port(), plane.free_port()
        self.ca_file = directory / "ca.pem"
        self.process = processes.LocalProcess(
            "nginx",
            [binary(), "-e", directory / "error.log", "-c", directory / "nginx.conf"],
            env={"PATH": os.environ["PATH"]},
            log=directory / "nginx.log",
        )
        make_certificates(directory)
        server = sample.text()
        if sample is not Sample.WHOLE_HOST:
            server = SERVER.format(location=server)
        server = _here(
            server,
            {
                "listen 443 ssl": f"listen 127.0.0.1:{self.tls_port} ssl",
                "server_name airflow.example.com": "server_name localhost",
                "/etc/nginx/tls/airflow.pem": str(directory / "server.pem"),
                "/etc/nginx/tls/airflow.key": str(directory / "server.key"),
                "http://airflow-a:8080": target,
                "client_max_body_size 32m": f"client_max_body_size {body}",
            },
        )
        (directory / "nginx.conf").write_text(
            SETTINGS.format(
                here=directory,
                user="user root;" if os.geteuid() == 0 else "",
                tls_port=self.tls_port,
                plain_port=self.plain_port,
                server=server,
            )
        )

    @property
    def base(self) -> str:
        return f"https://localhost:{self.tls_port}"

    @property
    def url(self) -> str:
        """The plane's address for agents."""
        return self.base + PREFIX

    @property
    def plain(self) -> str:
        """Plain http, from where everybody is sent on to TLS."""
        return f"http://localhost:{self.plain_port}"

    def passed(self) -> list[Passed]:
        """Every request that has been answered."""
        lines = (self.directory / "access.log").read_text().splitlines()
        parts = [line.split() for line in lines if len(line.split()) == 4]
        return [Passed(method, path, int(status), float(took)) for method, path, status, took in parts]

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca_file))

    def __enter__(self) -> Nginx:
        self.process.start()
        processes.wait_until(
            lambda: _answers(self.tls_port), timeout=20, what="nginx listens", processes=[self.process]
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stop(grace=5)


def binary() -> Path:
    """Raises LookupError saying how to get it."""
    for candidate in (shutil.which("nginx"), "/usr/sbin/nginx", "/usr/local/sbin/nginx"):
        if candidate and Path(candidate).exists():
            return Path(candidate)
    raise LookupError(
        "no nginx on this machine: `make nginx` installs it (Debian: apt-get install nginx-light)"
    )


def available() -> bool:
    try:
        return subprocess.run([binary(), "-v"], capture_output=True, check=False).returncode == 0
    except LookupError:
        return False


def make_certificates(directory: Path) -> None:
    """ca.pem, and server.pem with server.key, good for `localhost`; stranger.pem, an authority nobody was signed by."""
    authority = ec.generate_private_key(ec.SECP256R1())
    name = _name("Authority of this test")
    _write(directory / "ca.pem", _certificate(name, name, authority, authority, authority=True))
    stranger = ec.generate_private_key(ec.SECP256R1())
    other = _name("Another authority")
    _write(directory / "stranger.pem", _certificate(other, other, stranger, stranger, authority=True))
    key = ec.generate_private_key(ec.SECP256R1())
    _write(directory / "server.pem", _certificate(_name("localhost"), name, key, authority))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (directory / "server.key").write_bytes(private)


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    *,
    authority: bool = False,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.timezone.utc)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    if authority:
        made = made.add_extension(_signs_certificates(), critical=True)
    else:
        made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return made.sign(signer, hashes.SHA256())


def _signs_certificates() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _write(path: Path, certificate: x509.Certificate) -> None:
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
