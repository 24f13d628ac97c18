"""A site's stores tried out for the doctor: an XCom value, a value of state and a task's log, written, read and deleted."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from uuid import uuid4

from airflow.sdk import ObjectStoragePath
from airflow.sdk.configuration import conf

from tradewind_protocol import storage
from tradewind_protocol.storage import Reference
from tradewind_runtime import time_limits
from tradewind_runtime.airflow import (
    log_storage,
    object_stores,
    secrets_identity,
    site_storage,
    workloads,
)
from tradewind_runtime.airflow.site_storage import SiteStorage

_IDENTITY: Final = 10
"""Seconds for the service that tells the identity: a site may reach its bucket and not that one."""

_DAG: Final = "tradewind_doctor"
_RIGHT: Final = "its connection, and the right to write, read and delete there"


class StoreFailed(RuntimeError):
    """A store does not do what tasks need; with what to do about it, if that is known."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


def _silent(step: str) -> None:
    """For a caller that does not ask what is being done."""


def xcom(tell: Callable[[str], None] = _silent) -> str:
    """Write, read and delete an XCom value, as tasks do. Raises StoreFailed, naming the right that is missing."""
    backend = conf.get("core", "xcom_backend", fallback="")
    path = conf.get("common.io", "xcom_objectstorage_path", fallback="")
    if not path:
        return f"{backend or 'Airflow’s own backend'}: values are not kept at the site"
    if backend.endswith(".SiteXComBackend") and conf.getint("common.io", "xcom_objectstorage_threshold") < 0:
        return "values go to the plane: the data policy for xcom is open"
    place = site_storage.of_xcoms()
    name = {"dag_id": _DAG, "run_id": "doctor", "task_id": "doctor", "name": uuid4().hex}
    return _tried(tell, place, storage.xcom(place.base, **name, mark=place.mark, compression=place.suffix))


def state(tell: Callable[[str], None] = _silent) -> str:
    """As `xcom`, for the state of tasks and assets."""
    backend = conf.get("workers", "state_store_backend", fallback="")
    if not backend.endswith("state.SiteStateStoreBackend"):
        return f"{backend or 'Airflow’s own backend'}: state is not kept at the site by this agent"
    place = site_storage.of_state()
    name = {"dag_id": _DAG, "run_id": "doctor", "task_id": "doctor", "map_index": -1, "key": uuid4().hex}
    return _tried(
        tell,
        place,
        storage.task_state(place.base, **name, mark=place.mark, compression=place.suffix),  # type: ignore[arg-type]
    )


def logs(tell: Callable[[str], None] = _silent) -> str:
    """Upload and read a log, as agents do; delete it, where the identity may."""
    where = log_storage.where()
    if not where:
        return "logs stay on the agent's disk"
    path = Path(f"dag_id={_DAG}", f"run_id={uuid4().hex}", "task_id=doctor", "attempt=1.log")
    line = json.dumps({"event": "written by tradewind-agent doctor"})
    with TemporaryDirectory(prefix="tradewind-doctor-") as folder, log_storage.below(Path(folder)) as handler:
        file = Path(folder, "1", path)
        file.parent.mkdir(parents=True)
        file.write_text(line + "\n")
        tell(f"writing a log to {where}")
        if problem := log_storage.upload(Path("1") / path):
            raise StoreFailed(
                f"a log cannot be written to {where}: {problem}",
                "Give this environment's identity the right to write, read and list objects there, or correct "
                "[logging] remote_base_log_folder and remote_log_conn_id",
            )
        tell(f"reading a log of {where}")
        try:
            names = log_storage.read(path, Path(folder))
        except log_storage.LogStorageFailed as error:
            raise StoreFailed(str(error), _LISTS) from error
        if not names or line not in Path(folder, "0").read_text():
            raise StoreFailed(f"a log that was written to {where} cannot be read", _LISTS)
        tell(f"deleting a log of {where}")
        deleted = _delete_log(handler, where, path)
    known = _words_of_identity(lambda: _of_logs(handler))
    return f"wrote and read a log in {where}{deleted}{known}"


_LISTS: Final = (
    "Give this environment's identity the right to list and to read objects there: logs are found by listing"
)


def _tried(tell: Callable[[str], None], place: SiteStorage, reference: Reference) -> str:
    tell(f"importing what opens {place.base}")
    workloads.prepare()  # what it imports is imported where tasks ask
    value = {"of": "tradewind-agent doctor"}
    done: list[str] = []
    try:
        tell(f"writing an object to {place.base}")
        place.write(reference, site_storage.dumped(value))
        done.append("wrote")
        tell(f"reading an object of {place.base}")
        if (found := place.read(reference)) != value:
            raise StoreFailed(f"{reference.text} reads {found!r}, which is not what was written")
        done.append("read")
        tell(f"deleting an object of {place.base}")
        place.delete(reference)
        done.append("deleted")
        with suppress(Exception):  # empty folders may stay: the check is about objects
            place.tidy(_DAG, "doctor", before=float("inf"))
    except StoreFailed:
        raise
    except Exception as error:
        known = _words_of_identity(lambda: _of_path(place.place(reference)))
        did = f"{' and '.join(done)} an object, but " if done else ""
        said = getattr(error, "problem", "") or site_storage.cause(error)
        raise StoreFailed(f"{did}{said}{known}", getattr(error, "remedy", "")) from error
    return (
        f"wrote, read and deleted an object in {place.base}"
        f"{_words_of_identity(lambda: _of_path(place.place(reference)))}{_listed(place)}"
    )


def _listed(place: SiteStorage) -> str:
    """Tasks list nothing. The agent's cleaning does."""
    if place.base.startswith("file:"):
        return ""
    root = place.place(storage.xcom(place.base, dag_id=_DAG, run_id="r", task_id="t", name="0" * 32)).parent
    try:
        root.fs.ls(root.path, refresh=True)
    except FileNotFoundError:
        return ""
    except Exception as error:
        if not object_stores.is_failure(error):
            raise
        return (
            ". It may not list objects there (on S3: s3:ListBucket): tasks do not need that, but the agent then removes "
            "no values of runs that are gone, and a missing value reads as a refusal"
        )
    return ""


def _delete_log(handler: Any, where: str, path: Path) -> str:
    """The end of the sentence. The right to delete is needed by nothing but this."""
    try:
        _deleted(handler, where, path)
    except Exception as error:
        return f" (and left {path} there: {site_storage.cause(error)}; agents delete no logs, so this is no fault)"
    return ", and deleted it"


def _deleted(handler: Any, where: str, path: Path) -> None:
    scheme, _, rest = where.partition("://")
    bucket, _, prefix = rest.partition("/")
    if scheme == "s3":
        handler.hook.get_conn().delete_object(Bucket=bucket, Key=f"{prefix.rstrip('/')}/{path}".lstrip("/"))
    elif scheme == "gs":
        handler.client.bucket(bucket).blob(f"{prefix.rstrip('/')}/{path}".lstrip("/")).delete()
    elif scheme == "wasb":
        handler.hook.delete_file(handler.wasb_container, f"{handler.remote_base}/{path}")
    else:
        raise RuntimeError(f"logs in {scheme or where} are not deleted by this program")


def _words_of_identity(look: Callable[[], str]) -> str:
    try:
        known = time_limits.within(_IDENTITY, look)
    except Exception as error:
        return f", as an unknown identity ({site_storage.cause(error)})"
    return f", as {known}" if known else ""


def _of_path(place: ObjectStoragePath) -> str:
    fs = place.fs
    protocol = str(place.protocol)
    by = f"connection {place.conn_id}" if place.conn_id else "the environment's own identity"
    if protocol.startswith("s3"):
        from airflow.providers.amazon.aws.hooks.s3 import S3Hook

        return f"{_aws(S3Hook(aws_conn_id=place.conn_id))} (by {by})"
    if protocol in ("abfs", "abfss", "adl", "az"):
        return f"{_azure(fs.service_client, fs.sync_credential)} (by {by})"
    if protocol in ("gs", "gcs"):
        credentials = getattr(fs.credentials, "credentials", None)
        return f"{getattr(credentials, 'service_account_email', '') or 'no service account'} (by {by})"
    return ""


def _of_logs(handler: Any) -> str:
    by = conf.get("logging", "remote_log_conn_id", fallback="")
    by = f"connection {by}" if by else "the environment's own identity"
    kind = type(handler).__name__
    if kind == "S3RemoteLogIO":
        return f"{_aws(handler.hook)} (by {by})"
    if kind == "GCSRemoteLogIO":
        account = getattr(handler.client._credentials, "service_account_email", "")
        return f"{account or 'no service account'} (by {by})"
    if kind == "WasbRemoteLogIO":
        client = handler.hook.blob_service_client
        return f"{_azure(client, client.credential)} (by {by})"
    return ""


def _aws(hook: Any) -> str:
    credentials = hook.get_session().get_credentials()
    if credentials is None:
        return "an anonymous user: no AWS credentials were found"
    key = f"the AWS key {credentials.get_frozen_credentials().access_key[:8]}… ({credentials.method})"
    endpoint = hook.conn_config.get_service_endpoint_url("sts", sts_test_connection=True)
    if hook.conn_config.endpoint_url and endpoint is None:
        return key  # another S3 server: AWS does not know its keys, and is not asked about them
    try:
        sts = hook.get_session().client("sts", endpoint_url=endpoint, config=secrets_identity.once())
        return str(sts.get_caller_identity()["Arn"])
    except Exception:  # a site may reach its bucket and not STS
        return key


def _azure(client: Any, credential: Any) -> str:
    """`client` is of a storage account; `credential` is Entra ID's, where it signs in with one."""
    account = f"storage account {client.account_name}"
    if hasattr(client.credential, "account_key"):
        return f"{account} with its key"
    if "sig=" in client.url:
        return f"{account} with a shared access signature"
    if not hasattr(credential, "get_token"):
        return f"{account} without signing in"
    token = credential.get_token("https://storage.azure.com/.default").token
    part = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return f"client {claims.get('appid') or claims.get('azp')} of tenant {claims.get('tid')} in {account}"


CHECKS: Final[tuple[tuple[str, Callable[[Callable[[str], None]], str], str], ...]] = (
    ("xcom", xcom, f"Check [common.io] xcom_objectstorage_path, {_RIGHT}"),
    ("state", state, f"Check [common.io] state_store_objectstorage_path, {_RIGHT}"),
    (
        "task-logs",
        logs,
        "Check [logging] remote_base_log_folder, remote_log_conn_id, and the right to write and list",
    ),
)
"""Each store: its check's name, how it is tried, and what to do where the failure itself does not say."""
