"""Whether two task environments of a site read each other's XCom values and open what the other has sealed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

REMEDY: Final = (
    "Set `storage` in the settings of all agents of the site to one shared folder or bucket, or give agents that need not "
    "read each other's values sites of their own"
)


KEY_REMEDY: Final = (
    "Set `site_key_file` in the settings of all agents of the site to the same file (`openssl rand -hex 32`), or `storage` to one "
    "shared folder, or give agents that do not run the same Dags sites of their own. Agents whose `plane_url` differ need the same `deployment`"
)


@dataclass(frozen=True)
class StorageHolder:
    """A task environment that keeps XCom values in a storage of its site."""

    agent: str
    environment: str
    queues: frozenset[str]
    bundles: frozenset[str]
    base: str  # URL of the storage; empty: values go to the plane, or the site's own XCom backend has them
    mark: str  # of the storage; empty where its address says which it is
    key: str = ""  # that its agent seals arguments with; empty: not known

    def opens(self, other: StorageHolder) -> bool:
        """True when each can open what the other has sealed."""
        return not self.key or not other.key or self.key == other.key

    def reads(self, other: StorageHolder) -> bool:
        """True when the values of both are in one storage: by its mark, where both have one, else by its address."""
        if not self.base or not other.base:
            return True
        if self.mark and other.mark:
            return self.mark == other.mark
        return self.base == other.base


@dataclass(frozen=True)
class StorageConflict:
    """Two environments that run tasks of the same Dags and cannot read each other's values."""

    other: StorageHolder
    holds: bool
    """Whether the later of the two gets no work: both serve a queue, so that tasks of one run would go to both, or one
    cannot open what the other has sealed."""
    keys: bool = False  # it is about the keys, not about the storage

    @property
    def remedy(self) -> str:
        return KEY_REMEDY if self.keys else REMEDY

    def said_of(self, one: StorageHolder) -> str:
        if self.keys:
            return (
                f"the agent has another site's key than agent {self.other.agent}, which runs Dags of the same bundle: neither "
                "can open the arguments of deferred tasks, triggers and callbacks that the other has sealed. It gets no work "
                "and no triggers until both have the same"
            )
        theirs, own = self.other.base, one.base
        if theirs == own:  # the default folder on two machines
            theirs, own = f"{theirs} of another disk (mark {self.other.mark})", f"{own} (mark {one.mark})"
        what = (
            "it gets no work until both have the same"
            if self.holds
            else "a Dag whose tasks are on queues of both fails when one reads what the other returned"
        )
        return (
            f"environment {one.environment} keeps XCom values in {own}, and environment {self.other.environment} of agent "
            f"{self.other.agent}, which runs Dags of the same bundle, in {theirs}: {what}"
        )


def conflict(one: StorageHolder, others: Collection[StorageHolder]) -> StorageConflict | None:
    """What keeps `one` from working beside `others`, the gravest first; None when nothing does."""
    sealed = [other for other in others if one.bundles & other.bundles and not one.opens(other)]
    if sealed:
        return StorageConflict(sealed[0], holds=True, keys=True)
    torn = [
        StorageConflict(other, holds=bool(one.queues & other.queues))
        for other in others
        if one.bundles & other.bundles and not one.reads(other)
    ]
    return next((each for each in torn if each.holds), torn[0] if torn else None)
