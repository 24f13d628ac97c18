"""What the gateway needs of the rest of the agent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol
from uuid import UUID

from tradewind_agent.access.local_secrets import Principal
from tradewind_agent.http.responses import PlaneResponse
from tradewind_agent.state.outbox import EntryKind
from tradewind_protocol.sessions import Cadence, SessionOpened


class Plane(Protocol):
    """The way to the plane; `tradewind_agent.plane.client.PlaneClient` is one."""

    on_sent: Callable[[Any], None] | None  # called once for every request that left

    @property
    def session(self) -> SessionOpened | None: ...

    @property
    def cadence(self) -> Cadence: ...

    @property
    def reachable(self) -> bool: ...

    @property
    def last_success(self) -> float | None:
        """Loop time of the plane's last answer."""

    async def wait_reachable(self) -> None:
        """Return once the plane answers; at once while it does."""

    async def forward(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        content: bytes,
        *,
        timeout: float | None = None,
    ) -> PlaneResponse:
        """One request, one answer, whatever its status. Raises PlaneUnreachable; RefusedForGood and Fenced when the
        agent as a whole is not wanted any more."""


class RequestQueue(Protocol):
    """Where a request waits for the plane; `tradewind_agent.state.outbox.Outbox` is one."""

    def put(
        self,
        *,
        kind: EntryKind,
        attempt_id: UUID,
        epoch: int,
        method: str,
        path: str,
        body: bytes,
        headers: Mapping[str, str] | None = None,
    ) -> bool:
        """On disk when this returns. Raises when the disk refuses."""


class Secrets(Protocol):
    """Finds the principal of a local secret; `tradewind_agent.access.local_secrets.LocalSecrets` is one."""

    def resolve(self, secret: str) -> Principal | None: ...
