"""Local secrets, which open the gateway, and the principal of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tradewind_agent.access.grants import Grant
from tradewind_protocol import ids
from tradewind_protocol.attempts import WorkKind
from tradewind_protocol.boundary import OwnRun, StartedBy
from tradewind_protocol.states import Component


@dataclass(frozen=True)
class ComponentPrincipal:
    """A process of a task environment."""

    component: Component
    environment: str


@dataclass(frozen=True)
class AttemptPrincipal:
    """The supervisor of one attempt."""

    attempt_id: UUID
    epoch: int
    kind: WorkKind
    subject: str = ""  # id of the task instance, callback or connection test, when the workload names one
    label: str = ""  # for the ledger and the logs
    own: OwnRun | None = None  # the run that it is of, when it is a task's
    grant: Grant | None = field(default=None, compare=False, repr=False)  # of a task: given as it starts
    # told the state in which the supervisor leaves the task, once the plane has taken it or will be sent it
    on_task_state: Callable[[str], None] | None = field(default=None, compare=False, repr=False)
    # told the plane's answer that a task may start, and which task of this site has started its run; why the site's owner does
    # not let it, or nothing
    may_run: Callable[[Mapping[str, Any], StartedBy | None], str] | None = field(
        default=None, compare=False, repr=False
    )
    # told why the gateway cannot open what the plane gave it for the attempt
    failed: Callable[[str], None] | None = field(default=None, compare=False, repr=False)
    # told the name of each rule of the owner that refused something it asked the plane for
    read_refused: Callable[[str], None] | None = field(default=None, compare=False, repr=False)


Principal = ComponentPrincipal | AttemptPrincipal


class LocalSecrets:
    """Live secrets of this process, in memory only: a restarted agent has none of the old ones.

    Lookup is by the secret's value in a dict: a guess over the socket learns nothing from its timing that 256 random
    bits would not hide.
    """

    def __init__(self) -> None:
        self._principals: dict[str, Principal] = {}

    def issue(self, principal: Principal) -> str:
        """A fresh secret that names `principal` until it is revoked. One principal may hold several."""
        secret = ids.new_secret(ids.LOCAL_SECRET_PREFIX)
        self._principals[secret] = principal
        return secret

    def revoke(self, secret: str) -> None:
        """From now on the secret opens nothing. Idempotent."""
        self._principals.pop(secret, None)

    def resolve(self, secret: str) -> Principal | None:
        """The principal of `secret`, or None for one that is not live."""
        return self._principals.get(secret)

    def __len__(self) -> int:
        return len(self._principals)

    def __repr__(self) -> str:
        return f"<LocalSecrets: {len(self)} live>"
