"""Whether two task environments of a site read each other's XCom values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

REMEDY: Final = (
    "Set `storage` in the settings of all agents of the site to one shared folder or bucket, or give agents that need not "
    "read each other's values sites of their own"
)


@dataclass(frozen=True)
class Keeper:
    """A task environment that keeps XCom values in a storage of its site."""

    agent: str
    environment: str
    queues: frozenset[str]
    bundles: frozenset[str]
    base: str  # URL of the storage; empty: values go to the plane, or the site's own XCom backend has them
    mark: str  # of the storage; empty where its address says which it is

    def reads(self, other: Keeper) -> bool:
        """True when the values of both are in one storage: by its mark, where both have one, else by its address."""
        if not self.base or not other.base:
            return True
        if self.mark and other.mark:
            return self.mark == other.mark
        return self.base == other.base


@dataclass(frozen=True)
class Conflict:
    """Two environments that run tasks of the same Dags and cannot read each other's values."""

    other: Keeper
    holds: bool
    """Whether the later of the two gets no work: both serve a queue, so that tasks of one run would go to both."""

    def said_of(self, one: Keeper) -> str:
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


def conflict(one: Keeper, others: Iterable[Keeper]) -> Conflict | None:
    """What keeps `one` from working beside `others`, the gravest first; None when nothing does."""
    torn = [
        Conflict(other, holds=bool(one.queues & other.queues))
        for other in others
        if one.bundles & other.bundles and not one.reads(other)
    ]
    return next((each for each in torn if each.holds), torn[0] if torn else None)
