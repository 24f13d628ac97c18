"""AWS: Secrets Manager, Parameter Store, S3, STS and IAM, by moto's server."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from support.cloud.server import Server, program
from tradewind.embedded.plane import free_port

REGION = "eu-west-1"
ACCOUNT = "123456789012"  # moto's

_CALLS = """
import json, sys, boto3
for service, operation, arguments in json.load(sys.stdin):
    answer = getattr(boto3.client(service), operation)(**arguments)
    answer.pop("ResponseMetadata", None)
    print(json.dumps(answer, default=str))
"""

Call = tuple[str, str, dict[str, Any]]


class Moto(Server):
    """Answers AWS's real clients; the name that a request is for chooses the service. It checks no rights: when it is told to,
    it tells refusals in another form than AWS does. So `refusal` has AWS's."""

    name = "moto"

    def __init__(self, home: Path) -> None:
        port = free_port()
        command = [program("moto_server"), "-H", "127.0.0.1", "-p", str(port)]
        super().__init__(home, command, port=port)

    def environment(self) -> dict[str, str]:
        """What has every client of AWS's SDK speak to this server, as anybody."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
        }

    def calls(self, *calls: Call) -> list[dict[str, Any]]:
        """Make requests with AWS's SDK: the service, the method of its client, its arguments. Returns the answers."""
        done = subprocess.run(
            [program("python"), "-c", _CALLS],
            input=json.dumps(calls),
            env={"PATH": os.environ["PATH"], **self.environment()},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def shell(self, commands: str, folder: Path | None = None) -> str:
        """Run shell commands that call AWS's program `aws`, in that folder. Returns what they print."""
        path = os.pathsep.join([str(program("aws").parent), os.environ["PATH"]])
        done = subprocess.run(
            ["bash", "-euc", commands],
            cwd=folder,
            env={"PATH": path, "LANG": "C.UTF-8", "PYTHONUTF8": "1", **self.environment()},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def refusal(code: str, message: str) -> tuple[int, dict[str, str], bytes]:
    """What AWS's services of JSON answer when they refuse a request."""
    body = json.dumps({"__type": code, "Message": message})
    return 400, {"content-type": "application/x-amz-json-1.1", "x-amzn-errortype": code}, body.encode()


def sts_refusal(code: str, message: str) -> tuple[int, dict[str, str], bytes]:
    """What AWS's token service answers then."""
    body = (
        '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
        f"<Code>{code}</Code><Message>{message}</Message></Error><RequestId>1</RequestId></ErrorResponse>"
    )
    return 400, {"content-type": "text/xml"}, body.encode()
