"""The object stores: how each is set up, and what is in it."""

from __future__ import annotations

import json
import subprocess
import threading
from abc import ABC, abstractmethod
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from support.cloud import azurite
from support.cloud.aws import REGION, Moto
from support.cloud.azurite import Azurite
from support.cloud.google_storage import GoogleStorage
from support.cloud.relay import Relay
from support.cloud.server import Server, Servers
from support.environments import of_cloud

BUCKET = "site"

TOLD = {
    "task": repr((1, ("two", [3.0, {"four": (5,)}]), None, "ü😀")),
    "callback": repr((1, ("two", [3.0, {"four": (5,)}]), None, "ü😀")),
    "of the callback": repr(("of the callback",)),
    "frame": "{'a': [1, 2], 'b': [0.5, nan]}",
    "mapped": "14",
    "sensor": repr({"sensed": True}),
    "of the sensor": repr({"times": 1}),
    "template": repr("template 6"),
    "trigger": repr("from the task"),
    "of the trigger": repr(("of", ["the trigger"])),
    "state": repr({"id": 42}),
    "deleted state": "None",
    "asset state": "[1, 2]",
    "large": repr((20_000_000, {"x"})),
}
"""What the Dag of `dags_stores` tells, whatever the store."""

XCOMS = 13
"""How many values a run of it returns or pushes: three are of the mapped task."""


class Store(ABC):
    """One store behind a port that can be closed, with a bucket of its own. Used inside `with`."""

    name: str
    extra: str  # of tradewind-runtime
    kind: type[Server]
    storage: str  # the agents' setting: the connection's id is in the URL
    logs: str  # `[logging] remote_base_log_folder`

    def __init__(self, servers: Servers) -> None:
        self.server = servers.get(self.kind)
        self.relay = Relay(self.server.port)
        self.interpreter = of_cloud(self.extra, "pandas", "pyarrow")

    def __enter__(self) -> Store:
        self.relay.__enter__()
        self.make()
        return self

    def __exit__(self, *_: object) -> None:
        self.relay.__exit__()

    @property
    @abstractmethod
    def connection(self) -> dict[str, Any]:
        """The connection `site_store` of the owner's."""

    @abstractmethod
    def make(self) -> None:
        """Make the bucket, unless another test has."""

    @abstractmethod
    def names(self) -> list[str]:
        """Of all objects."""

    def variables(self) -> dict[str, str]:
        """What the owner sets in the task environments."""
        return {
            "AIRFLOW_CONN_SITE_STORE": json.dumps(self.connection),
            "AIRFLOW__CORE__ALLOWED_DESERIALIZATION_CLASSES": "airflow.* pandas.*",
            "AIRFLOW__LOGGING__REMOTE_LOGGING": "True",
            "AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER": self.logs,
            "AIRFLOW__LOGGING__REMOTE_LOG_CONN_ID": "site_store",
        }

    def python(self, code: str) -> Any:
        """What the code prints as JSON, in the environment of the store's libraries."""
        command = [str(self.interpreter), "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, env={"URL": self.server.url})
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout or "null")


class S3(Store):
    name, extra, kind = "s3", "amazon", Moto
    storage, logs = f"s3://site_store@{BUCKET}/values", f"s3://{BUCKET}/logs"
    _CLIENT = (
        "import boto3, os, json; client = boto3.client('s3', endpoint_url=os.environ['URL'], "
        f"region_name='{REGION}', aws_access_key_id='a', aws_secret_access_key='b')\n"
    )

    @property
    def connection(self) -> dict[str, Any]:
        extra = {"region_name": REGION, "endpoint_url": self.relay.url}
        extra |= {
            "config_kwargs": {"retries": {"max_attempts": 1}, "connect_timeout": 5, "read_timeout": 600}
        }
        return {"conn_type": "aws", "login": "a", "password": "b", "extra": extra}

    def make(self) -> None:
        where = f"CreateBucketConfiguration={{'LocationConstraint': '{REGION}'}}"
        made = f"client.create_bucket(Bucket='{BUCKET}', {where})"
        self.python(self._CLIENT + f"if not client.list_buckets(Prefix='{BUCKET}')['Buckets']: {made}")

    def names(self) -> list[str]:
        listed = "client.get_paginator('list_objects_v2').paginate"
        code = f"print(json.dumps([o['Key'] for p in {listed}(Bucket='{BUCKET}') for o in p.get('Contents', [])]))"
        return list(self.python(self._CLIENT + code))


class AzureBlob(Store):
    name, extra, kind = "azure", "azure", Azurite
    storage, logs = f"abfs://site_store@{BUCKET}/values", "wasb://logs"

    @property
    def connection(self) -> dict[str, Any]:
        assert isinstance(self.server, Azurite)
        string = self.server.connection_string.replace(self.server.url, self.relay.url)
        return {"conn_type": "wasb", "extra": {"connection_string": string}}

    def variables(self) -> dict[str, str]:
        return {**super().variables(), "AIRFLOW__AZURE_REMOTE_LOGGING__REMOTE_WASB_LOG_CONTAINER": BUCKET}

    def make(self) -> None:
        self.python(self._client() + "if not client.exists(): client.create_container()")

    def names(self) -> list[str]:
        return list(self.python(self._client() + "print(json.dumps(list(client.list_blob_names())))"))

    def _client(self) -> str:
        assert isinstance(self.server, Azurite)
        return (
            "import json; from azure.storage.blob import ContainerClient\n"
            f"client = ContainerClient.from_connection_string({self.server.connection_string!r}, '{BUCKET}')\n"
        )


class GoogleCloudStorage(Store):
    """The emulator takes any token. The identity is that of the environment: a service account's key."""

    name, extra, kind = "google", "google", GoogleStorage
    storage, logs = f"gs://{BUCKET}/values", f"gs://{BUCKET}/logs"

    def __init__(self, servers: Servers) -> None:
        super().__init__(servers)
        self._tokens = ThreadingHTTPServer(("127.0.0.1", 0), _Tokens)

    def __enter__(self) -> Store:
        threading.Thread(target=self._tokens.serve_forever, daemon=True).start()
        return super().__enter__()

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._tokens.shutdown()
        self._tokens.server_close()

    @property
    def connection(self) -> dict[str, Any]:
        return {"conn_type": "google_cloud_platform", "extra": {}}

    def variables(self) -> dict[str, str]:
        return {
            **super().variables(),
            "STORAGE_EMULATOR_HOST": self.relay.url,
            "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
            "GOOGLE_CLOUD_PROJECT": "a-project",
            "GOOGLE_APPLICATION_CREDENTIALS": str(self._key()),
            "AIRFLOW__LOGGING__REMOTE_LOG_CONN_ID": "",
        }

    def _key(self) -> Path:
        """Of a service account whose tokens this test hands out."""
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        file = self.server.home / f"key-{self._tokens.server_port}.json"
        if not file.exists():
            made = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            account = {"type": "service_account", "project_id": "a-project", "private_key_id": "1"}
            account |= {
                "private_key": made.decode(),
                "client_email": "site@a-project.iam.gserviceaccount.com",
            }
            account |= {"client_id": "1", "token_uri": f"http://127.0.0.1:{self._tokens.server_port}/"}
            file.write_text(json.dumps(account))
        return file

    def make(self) -> None:
        made = httpx.post(f"{self.server.url}/storage/v1/b?project=a-project", json={"name": BUCKET})
        assert made.is_success or made.status_code == 409, made.text

    def names(self) -> list[str]:
        listed = httpx.get(f"{self.server.url}/storage/v1/b/{BUCKET}/o").json()
        return [each["name"] for each in listed.get("items", ())]


class _Tokens(BaseHTTPRequestHandler):
    """Google's endpoint for tokens."""

    def do_POST(self) -> None:
        body = b'{"access_token": "of-a-test", "expires_in": 3600, "token_type": "Bearer"}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


STORES: tuple[type[Store], ...] = (S3, AzureBlob, GoogleCloudStorage)


def unavailable(store: type[Store]) -> str:
    """Why a store cannot be tried on this machine; empty when it can."""
    return azurite.available() if store is AzureBlob else ""
