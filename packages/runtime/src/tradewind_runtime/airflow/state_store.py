"""The state store backend of a site: values of task and asset state in the site's storage, references on the plane."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, TypeAlias

from airflow.sdk import ObjectStoragePath
from airflow.sdk.state import AssetScope, BaseStoreBackend, TaskScope

from tradewind_protocol import storage
from tradewind_protocol.storage import Reference, StoredKind
from tradewind_runtime.airflow import site_storage
from tradewind_runtime.airflow.site_storage import ForeignReference, ValueGone

Scope: TypeAlias = TaskScope | AssetScope


class SiteStateStoreBackend(BaseStoreBackend):
    """As Airflow's object storage backend, but a value that this site's storage does not have is an error, and every
    key is a file name.

    Airflow's backend answers None for a value that is gone, and a JSON error for a reference to another storage.
    """

    def serialize_task_state_store_to_ref(self, *, value: Any, key: str, scope: TaskScope) -> str:
        """Store the value and return its reference, or its JSON when it is smaller than the site's threshold."""
        return _stored(value, key, scope)

    def serialize_asset_state_store_to_ref(self, *, value: Any, key: str, scope: AssetScope) -> str:
        """As `serialize_task_state_store_to_ref`."""
        return _stored(value, key, scope)

    def deserialize_task_state_store_from_ref(self, stored: str) -> Any:
        """The value. Raises ForeignReference and ValueGone."""
        return _value(stored)

    def deserialize_asset_state_store_from_ref(self, stored: str) -> Any:
        """The value. Raises ForeignReference and ValueGone."""
        return _value(stored)

    def get(self, scope: Scope, key: str, *, session: Any = None) -> str | None:
        try:
            return json.dumps(site_storage.of_state().read(_reference(scope, key)))
        except ValueGone:
            return None

    def set(
        self, scope: Scope, key: str, value: str, *, expires_at: datetime | None = None, session: Any = None
    ) -> None:
        site_storage.of_state().write(_reference(scope, key), iter([value.encode()]))

    def delete(self, scope: Scope, key: str, *, session: Any = None) -> None:
        site_storage.of_state().delete(_reference(scope, key))

    def clear(self, scope: Scope, *, all_map_indices: bool = False, session: Any = None) -> None:
        folder = site_storage.of_state().place(_reference(scope, "any")).parent
        for each in _files(folder.parent if all_map_indices and isinstance(scope, TaskScope) else folder):
            each.unlink(missing_ok=True)

    async def aget(self, scope: Scope, key: str, *, session: Any = None) -> str | None:
        return await asyncio.to_thread(self.get, scope, key)

    async def aset(
        self, scope: Scope, key: str, value: str, *, expires_at: datetime | None = None, session: Any = None
    ) -> None:
        await asyncio.to_thread(self.set, scope, key, value)

    async def adelete(self, scope: Scope, key: str, *, session: Any = None) -> None:
        await asyncio.to_thread(self.delete, scope, key)

    async def aclear(self, scope: Scope, *, all_map_indices: bool = False, session: Any = None) -> None:
        await asyncio.to_thread(self.clear, scope, all_map_indices=all_map_indices)


def _stored(value: Any, key: str, scope: Scope) -> str:
    place = site_storage.of_state()
    stored, content = site_storage.reaches(site_storage.dumped(value), place.threshold)
    if not stored:
        return b"".join(content).decode()
    reference = _reference(scope, key)
    place.write(reference, content)
    return reference.text


def _value(stored: str) -> Any:
    if not stored:
        return None
    if (reference := storage.parse(stored)) is not None and reference.kind is StoredKind.STATE:
        return site_storage.of_state().read(reference)
    try:
        return json.loads(stored)
    except ValueError:
        raise ForeignReference(
            f"the state value at {stored} was not written by this site's state store backend and cannot be read: "
            f"{site_storage.of_state().remedy}"
        ) from None


def _reference(scope: Scope, key: str) -> Reference:
    place = site_storage.of_state()
    if isinstance(scope, TaskScope):
        return storage.task_state(
            place.base,
            dag_id=scope.dag_id,
            run_id=scope.run_id,
            task_id=scope.task_id,
            map_index=scope.map_index,
            key=key,
            mark=place.mark,
            compression=place.suffix,
        )
    return storage.asset_state(
        place.base,
        asset=scope.name or scope.uri or str(scope.asset_id),
        key=key,
        mark=place.mark,
        compression=place.suffix,
    )


def _files(folder: ObjectStoragePath) -> Iterator[ObjectStoragePath]:
    folder.fs.invalidate_cache()  # others write, too
    if not folder.exists():
        return
    for each in list(folder.iterdir()):
        if each.is_dir():
            yield from _files(each)
        else:
            yield each
