"""Places that wait for work, kept so that the roomiest are found without a look at the others."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from uuid import UUID

from tradewind_provider.domain.placement import Place, Serves
from tradewind_provider.domain.routes import Route


class WaitingPlaces:
    """A thousand may wait for ten pieces of work. A session has one place at a time."""

    def __init__(self) -> None:
        # what slots can run → how many are free → session → place, in the order they came
        self._alike: dict[Serves, dict[int, dict[UUID, Place]]] = {}

    def add(self, place: Place) -> None:
        for kind, free in place.slots.items():
            self._alike.setdefault(kind, {}).setdefault(free, {})[place.session_id] = place

    def remove(self, place: Place) -> None:
        """Idempotent."""
        for kind, free in place.slots.items():
            rooms = self._alike.get(kind, {})
            if rooms.get(free, {}).pop(place.session_id, None) is not None and not rooms[free]:
                del rooms[free]
                if not rooms:
                    del self._alike[kind]

    def roomiest(self, most: int | None) -> list[Place]:
        """For each kind of slots so many places that have the most of them free, first come first where several have as
        many; all of them for None."""
        found: dict[UUID, Place] = {}
        for rooms in self._alike.values():
            found |= {one.session_id: one for one in islice(_ordered(rooms), most)}
        return list(found.values())

    def __contains__(self, route: Route) -> bool:
        """A place has a free slot for it."""
        return any(kind.takes(route) for kind in self._alike)


def _ordered(rooms: dict[int, dict[UUID, Place]]) -> Iterator[Place]:
    return chain.from_iterable(rooms[room].values() for room in sorted(rooms, reverse=True))
