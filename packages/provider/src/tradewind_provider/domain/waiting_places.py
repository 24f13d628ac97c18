"""Places that wait for work, kept so that the roomiest are found without a look at the others."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from uuid import UUID

from tradewind_provider.domain.placement import Place


class WaitingPlaces:
    """A thousand may wait for ten pieces of work. A session has one place at a time."""

    def __init__(self) -> None:
        # queue → room for it → session → place, in the order they came
        self._alike: dict[str, dict[int, dict[UUID, Place]]] = {}

    def add(self, place: Place) -> None:
        for queue, room in place.room.items():
            self._alike.setdefault(queue, {}).setdefault(room, {})[place.session_id] = place

    def remove(self, place: Place) -> None:
        """Idempotent."""
        for queue, room in place.room.items():
            rooms = self._alike.get(queue, {})
            if rooms.get(room, {}).pop(place.session_id, None) is not None and not rooms[room]:
                del rooms[room]
                if not rooms:
                    del self._alike[queue]

    def roomiest(self, most: int | None) -> list[Place]:
        """For each queue so many places that have the most room for it, first come first where several have as much;
        all of them for None."""
        found: dict[UUID, Place] = {}
        for rooms in self._alike.values():
            found |= {one.session_id: one for one in islice(_ordered(rooms), most)}
        return list(found.values())

    def __contains__(self, queue: str) -> bool:
        """Somebody has room for that queue."""
        return queue in self._alike


def _ordered(rooms: dict[int, dict[UUID, Place]]) -> Iterator[Place]:
    return chain.from_iterable(rooms[room].values() for room in sorted(rooms, reverse=True))
