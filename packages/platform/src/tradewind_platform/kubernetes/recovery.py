"""Decides what Helm's history needs before the next upgrade: a Helm that was killed leaves a release that refuses every one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Act(str, Enum):
    NOTHING = "nothing"
    ROLL_BACK = "roll back"  # to the revision that was deployed last
    FORGET = "forget"  # the revision that is pending; what was deployed before it is still that
    UNINSTALL = "uninstall"  # nothing of the release was ever deployed


@dataclass(frozen=True)
class Revision:
    """One revision of a release, as Helm keeps it."""

    number: int
    status: str


@dataclass(frozen=True)
class Recovery:
    act: Act
    revision: int = 0
    """The one to roll back to, or to forget."""


_PENDING = ("pending-install", "pending-upgrade", "pending-rollback", "uninstalling")


def recovery(history: Iterable[Revision]) -> Recovery:
    """What makes the next `helm upgrade --install` possible. Idempotent: after it, the answer is NOTHING or leads there.

    A pending upgrade may have changed objects, so the last deployed revision is rolled back to, which sets all of them. A
    pending rollback is forgotten, so that the same rollback can begin again. A pending install of the first revision is
    uninstalled: objects that it has made belong to the release and would otherwise be in the way.
    """
    known = sorted(history, key=lambda one: one.number)
    if not known or known[-1].status not in _PENDING:
        return Recovery(Act.NOTHING)
    newest = known[-1]
    deployed = [one for one in known if one.status in ("deployed", "superseded")]
    if newest.status == "uninstalling" or not deployed:
        return Recovery(Act.UNINSTALL)
    if newest.status == "pending-rollback":
        return Recovery(Act.FORGET, newest.number)
    return Recovery(Act.ROLL_BACK, deployed[-1].number)
