"""What a gateway keeps in its folder: the document that Caddy serves, the certificates it has read, how it was started."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from tradewind.gateway import certificates
from tradewind.gateway.settings import GatewaySettings

_SERVED: Final = "caddy.json"
_STARTED: Final = "started.json"
_CERTIFICATES: Final = "certificates.json"


@dataclass(frozen=True)
class StartedWith:
    """What a gateway was started with, and a running one cannot change."""

    listens: dict[str, Any]
    descriptors: dict[str, int]  # of Caddy's sockets, by server

    def write(self, folder: Path) -> None:
        _write(folder / _STARTED, json.dumps(asdict(self)))

    @classmethod
    def read(cls, folder: Path) -> StartedWith | None:
        """None while no gateway runs with the folder."""
        try:
            return cls(**json.loads((folder / _STARTED).read_text()))
        except FileNotFoundError:
            return None

    @staticmethod
    def remove(folder: Path) -> None:
        """Idempotent."""
        (folder / _STARTED).unlink(missing_ok=True)


def listens(settings: GatewaySettings) -> dict[str, Any]:
    """The part of the settings that says where the gateway listens."""
    return {
        **settings.model_dump(mode="json", include={"public", "private", "health"}),
        "people": settings.people.listen if settings.people is not None else None,
    }


def served(folder: Path) -> Path:
    """The file of the document that Caddy serves."""
    return folder / _SERVED


def keep(folder: Path, document: Any, marks: certificates.Marks | None) -> None:
    """Write down what is served, with certificates as they were read."""
    _write(folder / _SERVED, json.dumps(document, indent=1))
    _write(folder / _CERTIFICATES, json.dumps(marks))


def read_marks(folder: Path) -> certificates.Marks | None:
    """The certificates as the gateway has read them; None when that is not known."""
    try:
        found: certificates.Marks | None = json.loads((folder / _CERTIFICATES).read_text())
    except (FileNotFoundError, ValueError):
        return None  # it was started by a release that wrote none
    return found


def _write(file: Path, text: str) -> None:
    """Whole or not at all, readable for this user only."""
    part = file.with_suffix(".part")
    with open(part, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as open_file:
        open_file.write(text)
    part.replace(file)
