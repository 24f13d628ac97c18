"""Google Cloud Storage, by the emulator `gcp-storage-emulator`."""

from __future__ import annotations

from pathlib import Path

from support.cloud.server import Server, program
from tradewind.embedded.plane import free_port


class GoogleStorage(Server):
    """Its buckets are in memory. `STORAGE_EMULATOR_HOST` leads Google's clients to it."""

    name = "gcp-storage-emulator"

    def __init__(self, home: Path) -> None:
        port = free_port()
        command: list[str | Path] = [program("gcp-storage-emulator"), "start", "--host=127.0.0.1"]
        super().__init__(home, [*command, f"--port={port}", "--in-memory"], port=port)

    def environment(self) -> dict[str, str]:
        return {"STORAGE_EMULATOR_HOST": self.url}
