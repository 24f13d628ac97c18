"""What a machine of a cloud asks who it is: the metadata addresses of EC2, ECS, EKS, Azure and Google Cloud, in small.

Each stands at the vendor's own link-local address, inside a namespace: `Metadata.serve_in` makes the address there, and the
machine that runs the tests gets none. Each refuses what the real one refuses: a request without its header or its token.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from support.network import Namespace

MACHINE = "169.254.169.254"
"""Where EC2, Azure and Google Cloud have it."""

Reply = tuple[int, dict[str, str], str]


class Metadata(ABC):
    """One metadata service. `asked` has the methods and paths of all requests."""

    address = MACHINE

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    @abstractmethod
    def reply(self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> Reply:
        """What is answered. `headers` has their names in lower case."""

    @contextmanager
    def serve_in(self, place: Namespace) -> Iterator[Metadata]:
        server = ThreadingHTTPServer((self.address, 80), _handler(self), bind_and_activate=False)
        server.socket.close()
        server.socket = place.listen(self.address, 80)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            place.forget(self.address)


class Ec2(Metadata):
    """The instance's profile. Version 2 only: each request has a token that a PUT has given."""

    def __init__(self, role: str, credentials: Mapping[str, str]) -> None:
        super().__init__()
        self._role, self._credentials = role, credentials
        self._tokens: set[str] = set()

    def reply(self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> Reply:
        if path == "/latest/api/token":
            return self._new_token(method, headers)
        if headers.get("x-aws-ec2-metadata-token") not in self._tokens:
            return 401, {}, "Unauthorized"
        folder = "/latest/meta-data/iam/security-credentials/"
        if path == folder and self._role:
            return 200, {}, self._role
        if path == folder + self._role and self._role:
            return 200, {}, json.dumps({"Code": "Success", "Type": "AWS-HMAC", **self._credentials})
        return 404, {}, "Not Found"

    def _new_token(self, method: str, headers: Mapping[str, str]) -> Reply:
        seconds = headers.get("x-aws-ec2-metadata-token-ttl-seconds", "")
        if method != "PUT" or not seconds.isdigit() or "x-forwarded-for" in headers:
            return 400, {}, "Bad Request"
        token = uuid.uuid4().hex
        self._tokens.add(token)
        return 200, {"x-aws-ec2-metadata-token-ttl-seconds": seconds}, token


class EcsTask(Metadata):
    """The role of an ECS task, which its agent tells at a path that only this task is told."""

    address = "169.254.170.2"

    def __init__(self, role: str, credentials: Mapping[str, str]) -> None:
        super().__init__()
        self.path = f"/v2/credentials/{uuid.uuid4()}"
        self._told = {"RoleArn": role, **credentials}

    def reply(self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> Reply:
        if (method, path) != ("GET", self.path):
            return 404, {}, json.dumps({"code": "NotFound", "message": "no such credentials"})
        return 200, {}, json.dumps(self._told)


class EksPodIdentity(Metadata):
    """The agent of EKS Pod Identity, which wants the token of the pod's service account."""

    address = "169.254.170.23"
    url = "http://169.254.170.23/v1/credentials"

    def __init__(self, token: str, credentials: Mapping[str, str]) -> None:
        super().__init__()
        self._token, self._told = token, credentials

    def reply(self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> Reply:
        if (method, path) != ("GET", "/v1/credentials"):
            return 404, {}, "Not Found"
        if headers.get("authorization") != self._token:
            return 401, {}, "Service account token is not valid"
        return 200, {}, json.dumps({**self._told, "AccountId": "123456789012"})


class AzureMachine(Metadata):
    """The managed identity of a virtual machine. `new_token`: makes a token for a service."""

    def __init__(self, new_token: Callable[[str], str]) -> None:
        super().__init__()
        self._new_token = new_token

    def reply(self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> Reply:
        if path != "/metadata/identity/oauth2/token":
            return 404, {}, json.dumps({"error": "not_found"})
        if headers.get("metadata") != "true" or "x-forwarded-for" in headers:
            told = "Required metadata header not specified"
            return 400, {}, json.dumps({"error": "invalid_request", "error_description": told})
        if not query.get("resource") or not query.get("api-version"):
            return 400, {}, json.dumps({"error": "invalid_resource"})
        now = int(time.time())
        told_token = {
            "access_token": self._new_token(query["resource"]),
            "resource": query["resource"],
            "token_type": "Bearer",
            "expires_in": "3599",
            "ext_expires_in": "3599",
            "expires_on": str(now + 3599),
            "not_before": str(now),
        }
        return 200, {}, json.dumps(told_token)


class GoogleMachine(Metadata):
    """The metadata server of Compute Engine, and of GKE: a service account and a project."""

    NAME = "metadata.google.internal"

    def __init__(self, account: str, project: str, token: str) -> None:
        super().__init__()
        accounts = "/computeMetadata/v1/instance/service-accounts"
        about = {"aliases": ["default"], "email": account, "scopes": [_SCOPE]}
        answer = {"access_token": token, "expires_in": 3599, "token_type": "Bearer"}
        self._told: dict[str, Any] = {
            "/": "computeMetadata/",
            "/computeMetadata/v1/project/project-id": project,
        }
        for name in ("default", account):
            self._told |= {
                f"{accounts}/{name}/": about,
                f"{accounts}/{name}/email": account,
                f"{accounts}/{name}/scopes": _SCOPE,
                f"{accounts}/{name}/token": answer,
            }

    def reply(self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> Reply:
        flavor = {"Metadata-Flavor": "Google", "Server": "Metadata Server for VM"}
        if headers.get("metadata-flavor") != "Google":
            return 403, flavor, "Missing required header Metadata-Flavor: Google"
        if (told := self._told.get(path)) is None:
            return 404, flavor, "Not Found"
        if isinstance(told, str):
            return 200, {**flavor, "Content-Type": "application/text"}, told
        return 200, {**flavor, "Content-Type": "application/json"}, json.dumps(told)


_SCOPE = "https://www.googleapis.com/auth/cloud-platform"


def _handler(service: Metadata) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def _serve(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            service.asked.append((self.command, self.path))
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, more, text = service.reply(self.command, parts.path, query, headers)
            body = text.encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **more}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = _serve

        def log_message(self, *_: object) -> None:
            """`asked` has it."""

    return Handler
