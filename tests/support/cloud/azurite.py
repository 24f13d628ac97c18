"""Azure Blob Storage, by Microsoft's emulator Azurite."""

from __future__ import annotations

import shutil
from pathlib import Path

from support.cloud.server import Server
from support.installed import ROOT
from tradewind.embedded.plane import free_port

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The account and the key that every Azurite has; they are in Microsoft's documentation."""

_PROGRAM = ROOT / "tests" / "backends" / "azurite" / "node_modules" / ".bin" / "azurite-blob"


def available() -> str:
    """Why it cannot run here; empty when it can."""
    if shutil.which("node") is None or not _PROGRAM.exists():
        return "no Azurite on this machine: `make azurite` installs it where Node is"
    return ""


class Azurite(Server):
    """One storage account, empty."""

    name = "azurite"

    def __init__(self, home: Path) -> None:
        port = free_port()
        command: list[str | Path] = [_PROGRAM, "--blobHost", "127.0.0.1", "--blobPort", str(port)]
        command += ["--location", home / "data", "--skipApiVersionCheck", "--disableTelemetry"]
        super().__init__(home, command, port=port)

    @property
    def connection_string(self) -> str:
        return (
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};"
            f"BlobEndpoint={self.url}/{ACCOUNT};"
        )


class AzuriteOfEntra(Server):
    """The storage account `mysite` under its own name on a cloud's second address. It takes tokens of Microsoft Entra: it looks at
    issuer, audience and time, and at no signature or role."""

    name = "azurite-of-entra"
    account, hostname = "mysite", "mysite.blob.core.windows.net"

    def __init__(self, home: Path, address: str, certificate: tuple[Path, Path]) -> None:
        command: list[str | Path] = [_PROGRAM, "--blobHost", address, "--blobPort", "443", "--oauth", "basic"]
        command += ["--cert", certificate[0], "--key", certificate[1]]
        command += ["--location", home / "data", "--skipApiVersionCheck", "--disableTelemetry"]
        environment = {"AZURITE_ACCOUNTS": f"{self.account}:{KEY}"}
        super().__init__(home, command, port=443, host=address, environment=environment)
