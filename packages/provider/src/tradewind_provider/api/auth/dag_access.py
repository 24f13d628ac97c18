"""What a caller may reach beside its own task instance: Dags of its site, and what its triggers are for."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from functools import partial
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from tradewind_protocol import boundary
from tradewind_protocol.boundary import Caller, RouteMatch
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.operator import SiteAccess
from tradewind_provider.api import transactions
from tradewind_provider.api.auth import credentials
from tradewind_provider.domain import dag_access as rules
from tradewind_provider.services import dag_access, triggers
from tradewind_provider.services.agents import Agent

_MOST: Final = 20_000
_XCOM_WRITES: Final = frozenset({"xcom.set", "xcom.delete"})
_ASSET_STORE: Final = "asset_store."
_NUMBER: Final = re.compile(r"-?[0-9]{1,9}")


class DagAccessCheck:
    """Dags an agent was allowed to reach a moment ago. Refusals are never remembered."""

    def __init__(
        self,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._monotonic = monotonic
        self._allowed: dict[tuple[UUID, UUID | None, str, SiteAccess], float] = {}  # None: for every subject

    async def check(
        self, agent: Agent, caller: Caller, subject: UUID, found: RouteMatch, query: bytes
    ) -> None:
        """Returns when the caller may reach what the request names.

        Raises Refused NOT_PERMITTED for a Dag or an asset of another site, TRIGGER_NOT_YOURS when a triggerer writes an XCom of a
        task that waits for none of its triggers, or asks for the state of an asset that none of them watches.
        """
        access = rules.access_of(found)
        moment = self._monotonic()
        for dag_id in rules.dags_named(found, query):
            keys = [(agent.session_id, one, dag_id, access) for one in (None, subject)]
            if any(self._allowed.get(key, moment) > moment for key in keys):
                continue
            for_all = await transactions.run(partial(self._require, agent, dag_id, access, subject))
            if len(self._allowed) >= _MOST:
                self._allowed.clear()
            self._allowed[keys[0 if for_all else 1]] = moment + credentials.FRESH_SECONDS
        for asset in rules.assets_named(found, query):
            await transactions.run(partial(self._require_asset, agent, asset, access, subject))
        if caller is Caller.TRIGGERER:
            if found.route.name in _XCOM_WRITES:
                await self._has_trigger_of_task(agent, found, query)
            elif found.route.name.startswith(_ASSET_STORE):
                await self._has_trigger_of_asset(agent, query)

    async def require_reader(self, agent: Agent, found: RouteMatch) -> None:
        """Returns when the tasks of the Dag in the path can read what the agent's site has sealed. Raises Refused
        POLICY_REFUSED."""
        await transactions.run(lambda db: dag_access.require_reader(db, agent, found.params["dag_id"]))

    def _require_asset(
        self, agent: Agent, asset: rules.AssetNamed, access: SiteAccess, subject: UUID, db: Session
    ) -> None:
        dag_access.require_asset(db, agent, asset, access, subject=subject)

    def _require(self, agent: Agent, dag_id: str, access: SiteAccess, subject: UUID, db: Session) -> bool:
        return dag_access.require(db, agent, dag_id, access, subject=subject)

    async def _has_trigger_of_task(self, agent: Agent, found: RouteMatch, query: bytes) -> None:
        index = "-1" if (given := _one(query, "map_index")) is None else given
        if _NUMBER.fullmatch(index) is None:
            raise Refused(Code.MALFORMED, f"map_index is {index[:50]!r} and not a number")
        dag_id, run_id, task_id = (found.params[name] for name in ("dag_id", "run_id", "task_id"))
        if not await transactions.run(
            lambda db: triggers.holds_trigger_of_task(
                db, agent.session_id, dag_id=dag_id, run_id=run_id, task_id=task_id, map_index=int(index)
            )
        ):
            raise Refused(
                Code.TRIGGER_NOT_YOURS,
                f"task {task_id!r} of Dag {dag_id!r} in run {run_id!r} does not wait for a trigger of agent "
                f"{agent.name!r}, so its XComs are not this triggerer's to write",
            )

    async def _has_trigger_of_asset(self, agent: Agent, query: bytes) -> None:
        name, uri = _one(query, "name"), _one(query, "uri")
        if not await transactions.run(
            lambda db: triggers.holds_trigger_of_asset(db, agent.session_id, name=name, uri=uri)
        ):
            raise Refused(
                Code.TRIGGER_NOT_YOURS,
                f"asset {(name or uri)!r} is not watched by a trigger of agent {agent.name!r}",
            )


def _one(query: bytes, name: str) -> str | None:
    """A query parameter. Raises Refused MALFORMED when it is there twice: which one counts must not be a guess."""
    values = boundary.parameters(query, name)
    if len(values) > 1:
        raise Refused(Code.MALFORMED, f"the parameter {name} is there {len(values)} times")
    return values[0] if values else None
