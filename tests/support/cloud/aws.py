"""AWS: Secrets Manager, Parameter Store, S3, STS and IAM, by moto's server."""

from __future__ import annotations

from pathlib import Path

from support.cloud.server import Server, program
from tradewind.embedded.plane import free_port

REGION = "eu-west-1"


class Moto(Server):
    """Each kind of request of AWS's real clients. It checks rights only after `/moto-api/reset-auth`, as moto does."""

    name = "moto"

    def __init__(self, home: Path) -> None:
        port = free_port()
        super().__init__(home, [program("moto_server"), "-H", "127.0.0.1", "-p", str(port)], port=port)

    def environment(self) -> dict[str, str]:
        """What has every client of AWS's SDK speak to this server, as anybody."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
        }
