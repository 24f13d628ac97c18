"""The steps of operations that clusters of either kind have. A driver has a function for each name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from tradewind_platform.domain.operations import Kind

SERVING: Final = ("start API server", "probe inside", "route", "start", "probe")
"""Agents are let in once the API server serves, so that none meets a gateway without one."""
CODE: Final = ("fetch", "build environment")
"""Of a driver that is sent code. Nothing for a Deployment with the code of its cluster."""
STEPS: Final[Mapping[Kind, Sequence[str]]] = {
    Kind.HIBERNATE: ("cordon", "wait for tasks", "close", "stop"),
    Kind.PREFLIGHT: ("look",),
    Kind.BACKUP: ("back up", "forget old backups"),
    Kind.CLEAN: ("clean up",),
    Kind.UPGRADE: (
        "preflight",
        "close for upgrade",
        "stop",
        "back up",
        "configure",
        "migrate",
        *SERVING,
    ),
}

_BACK_IN_SERVICE: Final = (
    "stop",
    "configure before",
    "start API server before",
    "probe inside",
    "route",
    "start before",
    "probe",
)
_CHANGES_NOTHING: Final = (*CODE, "check code", "preflight", "count", "close for upgrade")
"""Steps after which the Deployment is as it was, but for its route."""
_UPGRADE_UNDONE: Final[Mapping[str, Sequence[str]]] = {
    **dict.fromkeys(_CHANGES_NOTHING, ("route",)),
    **dict.fromkeys(("stop", "back up"), _BACK_IN_SERVICE),
    **dict.fromkeys(
        ("configure", "migrate", "start API server", "probe inside"), ("restore before", *_BACK_IN_SERVICE)
    ),
}


def undone(kind: Kind, failed: str) -> Sequence[str]:
    """The steps that undo an upgrade, a deploy or a rollback that failed at this step; empty for what is not undone.

    Once the route of an upgrade is open only a person decides to go back: agents have handed in outcomes, and a restore would
    forget them. After a deploy the database is as it was, so that agents may have been let in.
    """
    if kind is Kind.UPGRADE:
        return _UPGRADE_UNDONE.get(failed, ())
    if kind in (Kind.DEPLOY, Kind.ROLLBACK) and failed in _CHANGES_NOTHING:
        return ("route",)
    return _BACK_IN_SERVICE if kind is Kind.DEPLOY else ()
