"""Secret Manager and Cloud Storage with the page's samples, word for word under their own names, and the identities that need no key: that of
a machine of Compute Engine, or of a pod of GKE, and workload identity federation."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from backends import prepared
from support import network, pages
from support.cloud import google_secret_manager
from support.cloud.google_storage import GoogleStorage
from support.cloud.metadata import MACHINE, GoogleMachine
from support.cloud.namespace import Answer, Cloud
from support.cloud.server import Servers
from support.environments import of_cloud
from tradewind.embedded.processes import LocalProcess, wait_until

PAGE = "site-on-google-cloud.md"
ACCOUNT = "airflow-site@my-project.iam.gserviceaccount.com"
FEDERATED = (
    "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/sites/providers/ours"
)
OF_THE_MACHINE, OF_THE_ACCOUNT, OF_THE_POOL = "of-the-machine", "of-the-account", "of-the-pool"
"""Access tokens. The pool's is good for nothing but to become the account."""

SECRET_MANAGER, STORAGE = "secretmanager.googleapis.com", "storage.googleapis.com"
PROJECTS = "cloudresourcemanager.googleapis.com"
STS, IAM = "sts.googleapis.com", "iamcredentials.googleapis.com"

pytestmark = pytest.mark.skipif(
    not network.namespaces_available(), reason="network namespaces need root and a kernel with veth"
)


class Federation:
    """Google's token service and its IAM: a token of the owner's provider becomes one of the pool, and that one the account's."""

    def __init__(self) -> None:
        self.good: set[str] = set()  # tokens of the owner's provider
        federation = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
                if self.path == "/v1/token":
                    self._answer(*federation.exchanged(parse_qs(body)))
                elif self.path == f"/v1/projects/-/serviceAccounts/{ACCOUNT}:generateAccessToken":
                    known = self.headers.get("authorization") == f"Bearer {OF_THE_POOL}"
                    told = {"accessToken": OF_THE_ACCOUNT, "expireTime": "2099-01-01T00:00:00Z"}
                    denied = {"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "denied"}}
                    self._answer(*((200, told) if known else (403, denied)))
                else:
                    self._answer(404, {})

            def do_GET(self) -> None:
                """Which project it is: an account that may not ask is told so, and does without."""
                told = {
                    "code": 403,
                    "status": "PERMISSION_DENIED",
                    "message": "The caller does not have permission",
                }
                self._answer(403, {"error": told})

            def _answer(self, status: int, document: object) -> None:
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def exchanged(self, given: Mapping[str, list[str]]) -> tuple[int, dict[str, Any]]:
        if given["audience"] != [FEDERATED] or given["subject_token"][0] not in self.good:
            return 400, {"error": "invalid_grant", "error_description": "The subject token is not accepted"}
        kind = "urn:ietf:params:oauth:token-type:access_token"
        return 200, {
            "access_token": OF_THE_POOL,
            "issued_token_type": kind,
            "token_type": "Bearer",
            "expires_in": 3599,
        }

    def __enter__(self) -> Federation:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def federation() -> Iterator[Federation]:
    with Federation() as made:
        yield made


@pytest.fixture(scope="module")
def cloud(servers: Servers, federation: Federation, directory: Path) -> Iterator[Cloud]:
    """With what the page's commands keep there, and the bucket."""
    home = directory / "machines-of-google"
    stored = servers.get(GoogleStorage)
    made = httpx.post(f"{stored.url}/storage/v1/b?project=my-project", json={"name": "my-site"})
    assert made.is_success, made.text
    routes = {STORAGE: stored.url, STS: federation.url, IAM: federation.url, PROJECTS: federation.url}
    with Cloud(home, routes, more=[SECRET_MANAGER], hosts={GoogleMachine.NAME: MACHINE}) as cloud:
        cloud.guards[STORAGE] = signed
        with secret_manager(cloud, home):
            yield cloud


def signed(authorization: str) -> Answer | None:
    """As Cloud Storage does; the emulator takes anybody's requests."""
    kind, _, token = authorization.partition(" ")
    if kind == "Bearer" and token in (OF_THE_MACHINE, OF_THE_ACCOUNT):
        return None
    message = (
        "Anonymous caller does not have storage.objects.create access to the Google Cloud Storage object."
    )
    told = {
        "error": {"code": 401, "message": message, "errors": [{"message": message, "reason": "required"}]}
    }
    return 401, {"content-type": "application/json"}, json.dumps(told).encode()


def secret_manager(cloud: Cloud, home: Path) -> Any:
    kept = {"connections-warehouse": "postgres://etl:SECRET@db.internal", "variables-limit": "100"}
    names = {
        f"projects/my-project/secrets/airflow-{name}/versions/latest": text for name, text in kept.items()
    }
    state = home / "state.json"
    state.write_text(json.dumps({"secrets": names, "tokens": [OF_THE_MACHINE, OF_THE_ACCOUNT]}))
    arguments = [google_secret_manager.__file__, f"{cloud.second}:443", *cloud.certificate, state]
    server = LocalProcess(
        "google-secret-manager",
        [of_cloud("google"), *map(str, arguments)],
        env={},
        log=home / "google-secret-manager.log",
    )
    return Started(server, cloud.second)


class Started:
    """A program that listens on port 443 of an address."""

    def __init__(self, process: LocalProcess, address: str) -> None:
        self._process, self._address = process, address

    def __enter__(self) -> None:
        self._process.start()
        listens = ["bash", "-c", f"exec 3<>/dev/tcp/{self._address}/443"]
        wait_until(
            lambda: subprocess.run(listens, capture_output=True).returncode == 0,
            timeout=60,
            what="it listens",
            processes=[self._process],
        )

    def __exit__(self, *_: object) -> None:
        self._process.stop(grace=1)


def used(cloud: Cloud, home: Path, identity: Mapping[str, str]) -> Any:
    """What the doctor and a task tell in the page's environment."""
    variables = {
        **cloud.environment(),
        **pages.environment(PAGE, 0),
        **pages.environment(PAGE, 1),
        "GRPC_DNS_RESOLVER": "native",
        **identity,
    }
    storage = pages.settings(PAGE, 1)["storage"]
    within = cloud.place.command()
    return prepared.run(of_cloud("google"), home, storage, variables, prepared.USED, within=within)


def holds(found: dict[str, list[str]]) -> None:
    said = json.dumps(found)
    assert found["connection"] == ["SECRET", ""], said
    assert found["variable"] == ["100", ""], said
    assert found["value"] == [{"of": "the task"}, ""], said
    assert f"{ACCOUNT} in project my-project" in found["secrets"][0], said
    for check in ("xcom", "state", "task-logs"):
        assert found[check][0].startswith("wrote"), said
        assert f"{ACCOUNT} (by the environment's own identity)" in found[check][0], said


def federated(home: Path) -> dict[str, str]:
    """As `gcloud iam workload-identity-pools create-cred-config` writes it."""
    (home / "token").write_text("of-our-provider")
    account = f"https://{IAM}/v1/projects/-/serviceAccounts/{ACCOUNT}:generateAccessToken"
    config = {
        "universe_domain": "googleapis.com",
        "type": "external_account",
        "audience": FEDERATED,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"https://{STS}/v1/token",
        "service_account_impersonation_url": account,
        "credential_source": {"file": str(home / "token"), "format": {"type": "text"}},
    }
    (home / "credentials.json").write_text(json.dumps(config))
    return {"GOOGLE_APPLICATION_CREDENTIALS": str(home / "credentials.json")}


def test_by_the_service_account_of_a_machine(cloud: Cloud, tmp_path: Path) -> None:
    machine = GoogleMachine(ACCOUNT, "my-project", OF_THE_MACHINE)
    with machine.serve_in(cloud.place):
        holds(used(cloud, tmp_path, {}))
    assert any(path.partition("?")[0].endswith("/token") for _, path in machine.asked), machine.asked


def test_by_workload_identity_federation(cloud: Cloud, federation: Federation, tmp_path: Path) -> None:
    federation.good.add("of-our-provider")
    holds(used(cloud, tmp_path, federated(tmp_path)))


def test_a_token_that_the_pool_does_not_take_is_named_by_the_doctor(
    cloud: Cloud, federation: Federation, tmp_path: Path
) -> None:
    federation.good.clear()
    found = used(cloud, tmp_path, federated(tmp_path))
    assert "The subject token is not accepted" in str(found["secrets"]), found
    for check in ("xcom", "state", "task-logs"):
        assert not found[check][0].startswith("wrote") and found[check][1], found
