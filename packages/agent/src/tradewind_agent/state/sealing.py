"""What an agent seals and opens: arguments with the site's key, values with the key ring of the site's owner."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import partial

from tradewind_agent.settings.schema import SealSettings
from tradewind_agent.state.key_ring import KeyRing
from tradewind_agent.state.site_key import SiteKey
from tradewind_protocol.boundary import CannotOpen, Digest, Rules, ValueSeal, sealed_values
from tradewind_protocol.sessions import Policy


class SiteSealing:
    """The site's key and the key ring in one. What a Dag declares is sealed with the site's key, so that equal texts stay
    equal; what a task passes on with the key ring, where there is one."""

    def __init__(
        self,
        key: SiteKey,
        ring: Callable[[], KeyRing | None] = lambda: None,
        settings: SealSettings | None = None,
        missed: Callable[[str], None] = lambda key_id: None,
        deployment: str = "",
    ) -> None:
        self.key = key
        self._ring = ring
        self._settings = settings or SealSettings()
        self._missed = missed  # told the id of each key that is asked for and not there
        self._deployment = deployment  # that what the key ring seals is bound to

    @property
    def digest(self) -> Digest:
        return self.key.digest

    def seal(self, text: str) -> str:
        """With the site's key."""
        return self.key.seal(text)

    def values(self) -> ValueSeal | None:
        """How values are sealed now; None without a key ring."""
        if (ring := self._ring()) is None:
            return None
        chosen = self._settings
        seal = partial(ring.seal, deployment=self._deployment)
        return ValueSeal(
            seal,
            ring.by,
            chosen.run_parameters,
            chosen.asset_events,
            chosen.trigger_events,
            references=chosen.required,
        )

    def required(self, rules: Rules) -> frozenset[str]:
        """The kinds of values that are taken in sealed form only, of those that leave sealed under these rules."""
        chosen = self._settings
        if not chosen.required:
            return frozenset()
        leaves_clear = rules.dags is Policy.OPEN or any(
            fnmatchcase("asset", one.of) and fnmatchcase("extra", one.name) for one in rules.dag_fields
        )
        return frozenset(
            kind
            for kind, sealed in (
                (sealed_values.XCOM, rules.xcom is Policy.STRICT),
                (sealed_values.TASK_STATE, rules.store is Policy.STRICT),
                (sealed_values.ASSET_STATE, rules.store is Policy.STRICT),
                (sealed_values.EVENT_EXTRA, chosen.asset_events),
                (sealed_values.ASSET_EXTRA, chosen.asset_events and not leaves_clear),
                (sealed_values.EVENT, chosen.trigger_events),
            )
            if sealed
        )

    def open(self, form: str) -> str | None:
        """What was sealed with either; None for what was sealed with another site's key. Raises CannotOpen for what names a
        key of a key ring that this agent has not."""
        key_id, point, _ = form.partition(".")
        if not point:
            return self.key.open(form)
        ring = self._ring()
        if ring is None or key_id not in ring.keys:
            self._missed(key_id)
        if ring is None:
            raise CannotOpen(
                f"it was sealed with key {key_id!r} of a key ring, and this agent has no key ring. Give it the one of the "
                "site's other agents (`[seal]`)"
            )
        return ring.open(form, self._deployment)
