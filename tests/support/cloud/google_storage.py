"""Google Cloud Storage, by the emulator `gcp-storage-emulator`."""

from __future__ import annotations

from pathlib import Path

from support.cloud.server import Server, program
from tradewind.embedded.plane import free_port

_START = """
import sys
from gcp_storage_emulator.handlers import objects
download = objects.download
def as_google(request, response, storage, *args, **kwargs):
    download(request, response, storage, *args, **kwargs)
    if response.status == 404:
        response.write("No such object: %s/%s" % (request.params["bucket_name"], request.params["object_id"]))
objects.download = as_google
from gcp_storage_emulator.__main__ import main
main(sys.argv[1:])
"""
"""Google says which object is missing, and Airflow's log handler looks for these words; the emulator says nothing."""


class GoogleStorage(Server):
    """Its buckets are in memory. `STORAGE_EMULATOR_HOST` leads Google's clients to it."""

    name = "gcp-storage-emulator"

    def __init__(self, home: Path) -> None:
        port = free_port()
        command: list[str | Path] = [program("python"), "-c", _START, "start", "--host=127.0.0.1"]
        super().__init__(home, [*command, f"--port={port}", "--in-memory"], port=port)

    def environment(self) -> dict[str, str]:
        return {"STORAGE_EMULATOR_HOST": self.url}
