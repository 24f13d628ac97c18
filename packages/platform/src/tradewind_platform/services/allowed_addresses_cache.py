"""The list of allowed addresses in memory: it is asked for at each request."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select

from tradewind_platform.clock import Clock
from tradewind_platform.domain.allowed_addresses import AllowedAddresses
from tradewind_platform.store.address_tables import AllowedAddressList
from tradewind_platform.store.sessions import Store
from tradewind_platform.store.tables import Organization

GOOD_FOR: Final = timedelta(seconds=1)
"""A change by another process is seen after that time at the latest."""

_NETWORKS: Final = (
    select(AllowedAddressList.networks)
    .join(Organization, Organization.id == AllowedAddressList.organization_id)
    .order_by(Organization.id)
    .limit(1)
)


class AllowedAddressesCache:
    """The list of the installation's one organization. While nothing is asked, nothing is read; else once a second at the most.
    Safe in threads."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._reading = threading.Lock()
        self._known: tuple[AllowedAddresses, datetime] | None = None  # with the moment when it was read
        self._forgotten = 0

    def known(self) -> AllowedAddresses | None:
        """The list without a look at the database; None when it takes one."""
        known = self._known
        # A clock that was set back makes the list look newer than now, and is no reason to believe it for long.
        is_good = known is not None and timedelta() <= self._clock() - known[1] < GOOD_FOR
        return known[0] if known is not None and is_good else None

    def read(self) -> AllowedAddresses:
        """The list; several threads that ask at once look once."""
        with self._reading:
            known = self.known()
            if known is not None:
                return known
            forgotten, at = self._forgotten, self._clock()
            with self._store.looking() as db:
                networks = db.scalar(_NETWORKS) or []
            found = AllowedAddresses.of(one["network"] for one in networks)
            self._known = (found, at)
            if self._forgotten != forgotten:  # what was read may be from before the change
                self._known = None
            return found

    def forget(self) -> None:
        """Note that this process has changed the list: the next request reads it."""
        self._forgotten += 1
        self._known = None
