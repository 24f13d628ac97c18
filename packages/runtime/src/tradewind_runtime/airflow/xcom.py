"""The XCom backend of a site: values in the site's storage, references on the plane."""

from __future__ import annotations

import logging
import re
from typing import Any, Final, NamedTuple
from uuid import uuid4

from airflow.sdk.bases.xcom import BaseXCom

from tradewind_protocol import storage
from tradewind_protocol.storage import Reference, StoredKind
from tradewind_runtime.airflow import site_storage
from tradewind_runtime.airflow.site_storage import StorageUnavailable

log = logging.getLogger(__name__)

SKIP_KEY: Final = "skipmixin_key"
"""Written by branch and short-circuit operators: which tasks follow, which are skipped. The plane's scheduler reads it
in its own database (`NotPreviouslySkippedDep`), so it leaves as it is: names of tasks, which the plane knows."""

TRIGGERED_RUN_KEY: Final = "trigger_run_id"
"""Written by TriggerDagRunOperator: the id of a run the plane itself made a moment ago."""

_TASK_ID: Final = re.compile(r"[\w.-]{1,250}")
_RUN_ID: Final = re.compile(r"[A-Za-z0-9_.~:+-]{1,250}")

_OF_AIRFLOWS_BACKEND: Final = re.compile(
    r"[^/]+/[^/]+/[^/]+/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}(\.[a-z0-9]{1,8})?"
)
"""How Airflow's own object storage backend names a value below its base."""


class _Result(NamedTuple):
    """What `BaseXCom.deserialize_value` reads a value from."""

    value: Any


class SiteXComBackend(BaseXCom):
    """Values stay in the site's storage, references go to the plane.

    A value is serialized by the Task SDK, as without a backend, and the result is stored: what a task pulls is what it
    would have pulled. Every value is stored, `None` included, unless the site's policy for XCom is open; a string that has the form of a reference is
    stored in any case, so that it comes back as the string it is. Mapped lengths are sent beside the value and so still
    work; operator links are no XCom values, Airflow sends them past any backend. Works wherever an XCom is read on the
    site: in tasks and triggers, one by one or a whole mapped task at a time.
    """

    @staticmethod
    def serialize_value(
        value: Any,
        *,
        key: str | None = None,
        task_id: str | None = None,
        dag_id: str | None = None,
        run_id: str | None = None,
        map_index: int | None = None,
    ) -> Any:
        """Store the value and return its reference. What the plane has to read itself is returned as it is.

        Raises what the Task SDK raises for a value that cannot be serialized, and StorageUnavailable.
        """
        serialized = BaseXCom.serialize_value(value)
        place = site_storage.of_xcoms()
        if _is_for_the_plane(key, value) or not place.base:
            return serialized
        content = site_storage.dumped(serialized)
        stored = storage.parse(serialized) is not None
        if not stored and place.threshold >= 0:
            stored, content = site_storage.reaches(content, place.threshold)
        if not stored:
            return serialized
        reference = storage.xcom(
            place.base,
            dag_id=dag_id or "NO_DAG_ID",
            run_id=run_id or "NO_RUN_ID",
            task_id=task_id or "NO_TASK_ID",
            name=uuid4().hex,
            mark=place.mark,
            compression=place.suffix,
        )
        place.write(reference, content)
        return reference.text

    @staticmethod
    def deserialize_value(result: Any) -> Any:
        """The value behind a reference; what is no reference is a value itself.

        Raises ForeignReference when the reference is to another storage than this site's, ValueGone when the storage
        does not have the value (Airflow's backend would hand the task the reference instead, in both cases), and
        StorageUnavailable when it refuses or does not answer.
        """
        if (reference := _reference(result.value)) is not None:
            result = _Result(site_storage.of_xcoms().read(reference))
        elif (path := _of_airflows_backend(result.value)) is not None:
            result = _Result(site_storage.of_xcoms().read_path(path))
        return BaseXCom.deserialize_value(result)

    @classmethod
    def purge(cls, xcom: Any, *args: Any) -> None:
        """Delete the value behind a reference of this site; anything else, and what is gone, is passed over.

        A storage that does not delete keeps no task from its start: the agent's cleaning removes the value later."""
        try:
            if (reference := _reference(xcom.value)) is not None:
                site_storage.of_xcoms().delete(reference)
            elif (path := _of_airflows_backend(xcom.value)) is not None:
                site_storage.of_xcoms().delete_path(path)
        except StorageUnavailable as error:
            log.warning("An XCom value is left in the storage: %s", error)


def _reference(value: Any) -> Reference | None:
    reference = storage.parse(value)
    return reference if reference is not None and reference.kind is StoredKind.XCOM else None


def _of_airflows_backend(value: Any) -> str | None:
    """The path of a value that Airflow's own object storage backend wrote to this site's storage: a site may have used
    it before, or use it in another task environment. The same form at another address is a string of an author's."""
    base = site_storage.of_xcoms().base
    if not base or not isinstance(value, str) or not value.startswith(base + "/"):
        return None
    path = value[len(base) + 1 :]
    return path if _OF_AIRFLOWS_BACKEND.fullmatch(path) and ".." not in path.split("/") else None


def _is_for_the_plane(key: str | None, value: Any) -> bool:
    """One of Airflow's own control keys, in its exact form: under any other form it may be a task's own data."""
    if key == TRIGGERED_RUN_KEY:
        return isinstance(value, str) and _RUN_ID.fullmatch(value) is not None
    if key != SKIP_KEY or not (isinstance(value, dict) and len(value) == 1):
        return False
    ((name, ids),) = value.items()
    return (
        name in ("followed", "skipped")
        and isinstance(ids, list)
        and all(isinstance(one, str) and _TASK_ID.fullmatch(one) for one in ids)
    )
