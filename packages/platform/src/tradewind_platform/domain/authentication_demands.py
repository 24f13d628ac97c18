"""What an organization demands of a sign-in at the identity provider: a second factor, and how recent it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

SENSITIVE: Final = frozenset(
    {
        "deployment.delete",
        "deployment.move",
        "deployment.purge",
        "deployment.restore",
        "deployment.rollback",
        "workspace.delete",
        "apiToken.create",
        "apiToken.rotate",
        "terminal.signIn",
        "allowedAddresses.update",
        "scimToken.create",
        "signIn.update",
        "signIn.activate",
    }
)
"""Changes before which a person who signed in long ago signs in again."""


@dataclass(frozen=True)
class Demands:
    """Empty: nothing is demanded."""

    acr: tuple[str, ...] = ()
    """One of these classes of authentication."""
    amr: tuple[str, ...] = ()
    """One of these methods."""


def unmet(claims: Mapping[str, Any], demands: Demands) -> str | None:
    """What the sign-in lacks, as a sentence; None when it has what is demanded."""
    if demands.acr and claims.get("acr") not in demands.acr:
        return f"the sign-in is of the class {claims.get('acr')!r}, and one of {_listed(demands.acr)} is demanded"
    methods = claims.get("amr")
    used = methods if isinstance(methods, list) else []
    if demands.amr and not set(demands.amr) & {one for one in used if isinstance(one, str)}:
        return f"the sign-in used {_listed(used) or 'no method that is named'}, and one of {_listed(demands.amr)} is demanded"
    return None


def is_recent(authenticated_at: datetime, now: datetime, within: timedelta) -> bool:
    return now - authenticated_at <= within


def _listed(names: Any) -> str:
    return ", ".join(str(one) for one in names)
