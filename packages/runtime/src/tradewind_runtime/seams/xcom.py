"""Airflow's object storage XCom backend, with what a data boundary needs on top."""

from __future__ import annotations

import re
from typing import Any, Final

from airflow.providers.common.io.xcom.backend import XComObjectStorageBackend, _get_base_path
from airflow.sdk.bases.xcom import BaseXCom

SKIP_KEY: Final = "skipmixin_key"
"""Written by branch and short-circuit operators: which tasks follow, which are skipped. The plane's scheduler reads it
in its own database (`NotPreviouslySkippedDep`), so it leaves as it is: names of tasks, which the plane knows."""

TRIGGERED_RUN_KEY: Final = "trigger_run_id"
"""Written by TriggerDagRunOperator: the id of a run the plane itself made a moment ago."""

_TASK_ID: Final = re.compile(r"[\w.-]{1,250}")
_RUN_ID: Final = re.compile(r"[A-Za-z0-9_.~:+-]{1,250}")


class ValueGone(RuntimeError):
    """The plane has a reference, the site's storage does not have the value."""


class ForeignReference(ValueError):
    """A name or reference that leads out of the site's XCom folder."""


class SiteXComBackend(XComObjectStorageBackend):
    """Values stay in the site's storage, references go to the plane.

    Values always go to `[common.io] xcom_objectstorage_path`, `None` included, unless the site's
    `xcom_objectstorage_threshold` says that small ones may leave. Mapped lengths are sent beside the value and so
    still work; operator links are no XCom values, Airflow sends them past any backend. Works wherever an XCom is read
    on the site: in tasks and triggers, one by one or a whole mapped task at a time.
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

        Raises ForeignReference for a name that would lead out of the folder.
        """
        if _is_for_the_plane(key, value):
            return BaseXCom.serialize_value(value)
        for part in (dag_id, run_id, task_id):  # folders of the path
            if part is not None and (part in (".", "..") or "/" in part):
                raise ForeignReference(f"{part!r} in the XCom's name leads out of this site's XCom folder")
        return XComObjectStorageBackend.serialize_value(
            value, key=key, task_id=task_id, dag_id=dag_id, run_id=run_id, map_index=map_index
        )

    @staticmethod
    def deserialize_value(result: Any) -> Any:
        """The value behind a reference; anything that is no reference of this site is a value itself.

        Raises ValueGone when it cannot be read (Airflow's backend would hand the task the file's name instead),
        ForeignReference when the reference climbs out of the site's folder.
        """
        reference = BaseXCom.deserialize_value(result)
        if not is_reference(reference):
            return reference
        value = XComObjectStorageBackend.deserialize_value(result)
        if value == reference:  # how Airflow's backend says that it could not read the file
            raise ValueGone(
                f"the XCom value at {reference} cannot be read from this site's storage. It was deleted or damaged, or "
                "written by an agent with another storage: give both the same [common.io] xcom_objectstorage_path"
            )
        return value

    @staticmethod
    def purge(xcom: Any, *args: Any) -> None:
        """Delete the value behind a reference of this site; anything else, and what is gone, is passed over."""
        if isinstance(xcom.value, str) and is_reference(xcom.value):
            XComObjectStorageBackend.purge(xcom)


def is_reference(value: Any) -> bool:
    """True when `value` names an object in the site's XCom folder. Raises ForeignReference when it only seems to."""
    base = str(_get_base_path()).rstrip("/") + "/"
    if not isinstance(value, str) or not value.startswith(base):
        return False
    if ".." in value[len(base) :].split("/"):
        raise ForeignReference(f"the XCom reference {value!r} leads out of this site's XCom folder {base}")
    return True


def _is_for_the_plane(key: str | None, value: Any) -> bool:
    """One of Airflow's own control keys, in its exact form: under any other form it may be anybody's data."""
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
