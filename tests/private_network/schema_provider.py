"""A Terraform provider that has the schemas of a real one and nothing behind them, for `validate` and for tests with mocks.

Terraform starts it as a plugin (`python -m private_network.schema_provider SCHEMAS`), asks it for its schemas, and does all checking of names,
types and references itself. It speaks version 5 of Terraform's plugin protocol: gRPC over TLS on a Unix socket.
"""

from __future__ import annotations

import base64
import datetime
import json
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from support import forked

_PREPARED: Final = """
import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
"""
NESTING: Final = {"single": 1, "list": 2, "set": 3, "map": 4}


def varint(number: int) -> bytes:
    """A number as protobuf writes it."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def text(field: int, value: bytes) -> bytes:
    """A field that is a string, bytes or a message."""
    return varint(field << 3 | 2) + varint(len(value)) + value


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value) if value else b""


def attribute(name: str, known: dict[str, Any]) -> bytes:
    flags = (number(field, int(known.get(flag, False))) for field, flag in FLAGS.items())
    return text(1, name.encode()) + text(2, json.dumps(known["type"]).encode()) + b"".join(flags)


FLAGS: Final = {4: "required", 5: "optional", 6: "computed"}


def block(known: dict[str, Any]) -> bytes:
    attributes = (text(2, attribute(name, one)) for name, one in known.get("attributes", {}).items())
    nested = (text(3, nested_block(name, one)) for name, one in known.get("block_types", {}).items())
    return b"".join([*attributes, *nested])


def nested_block(name: str, known: dict[str, Any]) -> bytes:
    return b"".join(
        [
            text(1, name.encode()),
            text(2, block(known["block"])),
            number(3, NESTING[known["nesting_mode"]]),
            number(4, known.get("min_items", 0)),
            number(5, known.get("max_items", 0)),
        ]
    )


def schema(known: dict[str, Any]) -> bytes:
    return text(2, block(known["block"]))


def schemas(known: dict[str, Any]) -> bytes:
    """The answer to GetSchema, from what `terraform providers schema -json` would print of the provider."""
    parts = [text(1, schema(known["provider"]))]
    for field, kind in ((2, "resource_schemas"), (3, "data_source_schemas")):
        for name, one in known[kind].items():
            parts.append(text(field, text(1, name.encode()) + text(2, schema(one))))
    return b"".join(parts)


class Plugin(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Answers in bytes: the few messages that are needed are empty, or the request itself."""

    def __init__(self, answer: bytes) -> None:
        self.ended = threading.Event()
        self._verbs: dict[str, Callable[[bytes], bytes]] = {
            "/tfplugin5.Provider/GetSchema": lambda _: answer,
            "/tfplugin5.Provider/PrepareProviderConfig": lambda asked: (
                asked
            ),  # both have the configuration in field 1
            "/tfplugin5.Provider/ValidateResourceTypeConfig": lambda _: b"",
            "/tfplugin5.Provider/ValidateDataSourceConfig": lambda _: b"",
            "/tfplugin5.Provider/Configure": lambda _: b"",
            "/tfplugin5.Provider/Stop": lambda _: b"",
            "/plugin.GRPCController/Shutdown": lambda _: self._end(),
        }

    def service(self, details: Any) -> Any:
        verb = self._verbs.get(details.method)
        return None if verb is None else grpc.unary_unary_rpc_method_handler(lambda asked, _: verb(asked))

    def _end(self) -> bytes:
        self.ended.set()
        return b""


def certificate() -> tuple[bytes, bytes, bytes]:
    """A key and a certificate for localhost, and the certificate as Terraform wants to be told it."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.timezone.utc)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    told = base64.b64encode(made.public_bytes(serialization.Encoding.DER)).rstrip(b"=")
    return secret, made.public_bytes(pem), told


def serve(known: Path) -> None:
    """Serve until Terraform says that it is done."""
    plugin = Plugin(schemas(json.loads(known.read_text())))
    secret, public, told = certificate()
    with tempfile.TemporaryDirectory() as here:
        server = grpc.server(ThreadPoolExecutor(4), handlers=[plugin])
        server.add_secure_port(f"unix:{here}/plugin", grpc.ssl_server_credentials([(secret, public)]))
        server.start()
        sys.stdout.write(f"1|5|unix|{here}/plugin|grpc|{told.decode()}\n")
        sys.stdout.flush()
        plugin.ended.wait()
        server.stop(0)


def installed(directory: Path, names: Iterator[str] | list[str]) -> Path:
    """A configuration file for Terraform's command, with which `init` finds these providers below `directory`.

    Terraform starts each of them anew for every step, so they are forked from a process that has imported what they need.
    """
    here = Path(__file__)
    python = forked.python(directory / "python", prepared=_PREPARED)
    for name in names:
        known = here.parent / "providers" / f"{name}.json"
        version = json.loads(known.read_text())["version"]
        folder = directory / "providers/registry.terraform.io/hashicorp" / name / version / "linux_amd64"
        folder.mkdir(parents=True)
        program = folder / f"terraform-provider-{name}_v{version}"
        program.write_text(f"#!/bin/sh\nexec {python} -m private_network.schema_provider {known}\n")
        program.chmod(0o755)
    settings = directory / "terraform.rc"
    settings.write_text(
        f'disable_checkpoint = true\nprovider_installation {{\n  filesystem_mirror {{\n    path = "{directory}/providers"\n  }}\n}}\n'
    )
    return settings


if __name__ == "__main__":
    if "TF_PLUGIN_MAGIC_COOKIE" not in os.environ:
        sys.exit("Terraform starts this program.")
    serve(Path(sys.argv[1]))
