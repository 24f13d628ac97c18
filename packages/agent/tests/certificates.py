"""Certificates for tests, made by the openssl command."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")
_CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def of_localhost(directory: Path) -> None:
    """`server.pem` and `server.key`, which sign themselves."""
    subprocess.run(
        ["openssl", "req", "-x509", *_CURVE, "-keyout", "server.key", "-out", "server.pem", "-subj", "/CN=localhost",
         "-days", "2", "-addext", "subjectAltName=DNS:localhost"],
        cwd=directory, check=True, capture_output=True,
    )  # fmt: skip
