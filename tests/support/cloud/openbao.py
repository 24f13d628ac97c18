"""HashiCorp Vault's API, by a real OpenBao server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from support.cloud.server import Server, program
from tradewind.embedded.plane import free_port

ROOT_TOKEN = "root-of-the-tests"


class OpenBao(Server):
    """An unsealed server that keeps everything in memory, with a KV engine of version 2 at `secret/`."""

    name = "openbao"

    def __init__(self, home: Path) -> None:
        port = free_port()
        command = [program("bao"), "server", "-dev", "-dev-no-store-token"]
        command += [f"-dev-listen-address=127.0.0.1:{port}"]
        super().__init__(home, command, port=port, environment={"BAO_DEV_ROOT_TOKEN_ID": ROOT_TOKEN})

    def ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/v1/sys/health", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """One request as root. Returns the answer's JSON, or None where there is none."""
        headers = {"X-Vault-Token": ROOT_TOKEN}
        answer = httpx.request(method, f"{self.url}/v1/{path}", json=body, headers=headers, timeout=10)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def status(self, path: str) -> int:
        """Of the answer to a request of root's."""
        return httpx.get(
            f"{self.url}/v1/{path}", headers={"X-Vault-Token": ROOT_TOKEN}, timeout=10
        ).status_code

    def put(self, path: str, **values: str) -> None:
        """Write one secret, as `bao kv put secret/PATH …`."""
        self.ask("POST", f"secret/data/{path}", {"data": values})
