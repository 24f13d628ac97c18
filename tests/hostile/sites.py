"""The two sites of the plane under attack: what each is called, has, and sends."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Final
from uuid import UUID, uuid4

from tradewind_protocol import paths, versions
from tradewind_provider.store.manager import TradewindDBManager  # noqa: F401  # fills the MetaData

VICTIM, ATTACKER = "eu", "us"
AGENTS_HOST: Final = "eu.agents.example.com"
ROLES: Final = {"ada": "admin", "olga": "op", "una": "user", "vera": "viewer"}
COMPONENTS: Final = ["worker", "dag_processor", "triggerer"]


def utc_now() -> datetime:
    return datetime.now(timezone.utc)


def headers(bearer: str = "", attempt: str = "", **more: str) -> dict[str, str]:
    """Those of an agent's request."""
    found = {versions.HEADER: str(versions.PROTOCOL), "content-type": "application/json", **more}
    if bearer:
        found["authorization"] = f"Bearer {bearer}"
    if attempt:
        found[paths.ATTEMPT_HEADER] = attempt
    return found


@dataclass
class Site:
    """What belongs to one site, and what its agent holds."""

    name: str
    token: str = field(default="", repr=False)
    token_id: UUID = field(default_factory=uuid4)
    session: str = field(default="", repr=False)
    session_id: UUID = field(default_factory=uuid4)
    agent_id: UUID = field(default_factory=uuid4)
    agent_key: str = field(default_factory=lambda: uuid4().hex, repr=False)
    run_id: str = "r1"
    tasks: dict[str, UUID] = field(default_factory=dict)  # by state
    attempts: dict[str, str] = field(default_factory=dict)  # kind or state → "<id>:<epoch>"
    trigger_id: int = 0

    @property
    def bundle(self) -> str:
        return f"{self.name}-dags"

    @property
    def dag(self) -> str:
        return f"{self.name}_dag"

    @property
    def asset(self) -> str:
        return f"{self.name}-asset"

    @property
    def alias(self) -> str:
        return f"{self.name}-alias"

    def names(self) -> dict[str, str]:
        """What a route's parameters are called, and this site's value for each."""
        return {
            "task_instance_id": str(self.tasks["running"]),
            "dag_id": self.dag,
            "run_id": self.run_id,
            "task_id": "running",
            "key": "secret",
            "offset": "0",
            "connection_id": "plane_conn",
            "variable_key": "plane_var",
            "connection_test_id": str(uuid4()),
        }


def opening(site: Site, **more: Any) -> dict[str, Any]:
    """The body that opens a session of the site's agent."""
    return {
        "agent_id": site.agent_id,
        "instance": uuid4(),
        "agent_key": site.agent_key,
        "name": f"{site.name}-1",
        "components": COMPONENTS,
        "environments": [{"name": "main", "queues": ["default"], "slots": 4}],
        "bundles": [site.bundle],
        "trigger_capacity": 100,
        **more,
    }
